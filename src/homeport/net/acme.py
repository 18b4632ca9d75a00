"""ACME: certificates from an authority that sees for itself who serves a name (RFC 8555).

One call issues one certificate: the account is made or found by its key, an order placed, a challenge answered for
every name (by http-01, RFC 8555 §8.3, or tls-alpn-01, RFC 8737), and the certificate fetched. What is kept between
calls is the account's key. When to call is told by `renewal.py`; nothing here looks at the clock but for the deadline
of one order.

The protocol itself is the `acme` library's, which is slow to import (190 ms) and an extra; `server.build` imports
this module only where ACME is configured. Its polling is not used: it sleeps, and could not be stopped.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from homeport import __version__

from .renewal import Issued, IssueFailed, Wait
from .responder import Answer, Responder, http_answer, tls_answer
from .wholefile import read_whole, write_whole

ACCOUNT_FILE = "account.pem"
ORDER_SECONDS = 180.0
"""From the challenges being answered to the certificate."""
_REQUEST_SECONDS = 20
_POLL_SECONDS = 1.0
_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""RFC 8737 §3: id-pe-acmeIdentifier."""


# The library knew tls-alpn-01 until its version 5 and keeps a register of challenges, so it is told once more.


@challenges.ChallengeResponse.register
class TlsAlpnResponse(challenges.KeyAuthorizationChallengeResponse):
    """What is sent when the challenge may be tried."""

    typ = "tls-alpn-01"


@challenges.Challenge.register
class TlsAlpn(challenges.KeyAuthorizationChallenge):
    """RFC 8737."""

    response_cls = TlsAlpnResponse
    typ = TlsAlpnResponse.typ

    def validation(self, account_key: JWK, **_: object) -> str:
        """What the certificate that is shown must hold the digest of."""
        return self.key_authorization(account_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How certificates are asked for."""

    directory_url: str
    """Where the authority's directory is."""
    email: str | None
    challenge: str
    """ "http-01" or "tls-alpn-01"."""
    addresses: Sequence[str]
    """The local addresses on which challenges are answered."""
    port: int
    trust: str | None = None
    """A file with the certificates that vouch for the authority's own server; None: those of the system."""


class AcmeAuthority:
    """Fulfils `renewal.Authority`. For one thread at a time."""

    def __init__(self, order: Order, directory: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """*directory*: where the account's key is kept; it exists when the first certificate is asked for."""
        self._order = order
        self._account_path = os.path.join(directory, ACCOUNT_FILE)
        self._monotonic = monotonic

    def issue(self, names: tuple[str, ...], wait: Wait) -> Issued:
        """A new certificate for *names*, with a new key. Waits by *wait* only. Raises IssueFailed."""
        try:
            key = self._account_key()
            trust = self._order.trust if self._order.trust is not None else True
            network = client.ClientNetwork(
                JWKEC(key=key), alg=ES256, user_agent=f"Homeport/{__version__}", timeout=_REQUEST_SECONDS,
                verify_ssl=trust,  # type: ignore[arg-type]  # requests takes a path, too
            )  # fmt: skip
            with closing(network.session):
                return self._issued(network, names, wait)
        except messages.Error as error:
            raise IssueFailed(_problem(error), limited=error.code == "rateLimited") from error
        except errors.ValidationError as error:
            raise IssueFailed(_refused(error)) from error
        except errors.TimeoutError as error:
            raise IssueFailed("the authority took too long") from error
        except requests.ConnectionError as error:
            raise IssueFailed(f"{urlsplit(self._order.directory_url).netloc} cannot be reached: {error}") from error
        except (errors.Error, JoseError, requests.RequestException, LookupError, TypeError, AttributeError) as error:
            # The last three are what the library stumbles with over answers that lack what every authority gives.
            raise IssueFailed(f"the authority answers otherwise than ACME: {type(error).__name__}: {error}") from error
        except (OSError, ValueError) as error:
            raise IssueFailed(str(error)) from error

    # -- the account ---------------------------------------------------------------------------------------------

    def _account_key(self) -> ec.EllipticCurvePrivateKey:
        octets = read_whole(self._account_path)
        if octets is None:
            key = ec.generate_private_key(ec.SECP256R1())
            write_whole(self._account_path, _key_pem(key), 0o600)
            return key
        try:
            found = load_pem_private_key(octets, password=None)
        except (ValueError, TypeError):
            found = None
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise IssueFailed(f"{self._account_path} holds no key of an account. Remove it, and a new one is made")
        return found

    def _log_in(self, service: client.ClientV2) -> None:
        """Make the account, or find it by its key (RFC 8555 §7.3.1)."""
        if service.external_account_required():
            raise IssueFailed("the authority wants an account that was made elsewhere, which is not supported")
        registration = messages.NewRegistration.from_data(email=self._order.email, terms_of_service_agreed=True)
        try:
            service.new_account(registration)
        except errors.ConflictError as known:
            service.net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())

    # -- one certificate -----------------------------------------------------------------------------------------

    def _issued(self, network: client.ClientNetwork, names: tuple[str, ...], wait: Wait) -> Issued:
        service = client.ClientV2(client.ClientV2.get_directory(self._order.directory_url, network), network)
        self._log_in(service)
        key = ec.generate_private_key(ec.SECP256R1())
        order = service.new_order(_request(key, names))
        deadline = self._monotonic() + ORDER_SECONDS
        pending = [one for one in order.authorizations if one.body.status == messages.STATUS_PENDING]
        if pending:
            self._prove(service, pending, deadline, wait)
        try:
            order = service.begin_finalization(order)
        except messages.Error as error:
            if error.code != "orderNotReady":  # it becomes so in a moment, and the library asks again
                raise
        while self._monotonic() < deadline:
            try:
                # It looks once a second; a short deadline lets us look whether we are to stop.
                moment = datetime.now() + timedelta(seconds=1.5)  # local time, as the library has it
                order = service.poll_finalization(order, moment)
            except errors.TimeoutError:
                wait(0.0)
                continue
            return Issued(_key_pem(key), order.fullchain_pem.encode("ascii"))
        raise errors.TimeoutError

    def _prove(
        self,
        service: client.ClientV2,
        authorizations: Sequence[messages.AuthorizationResource],
        deadline: float,
        wait: Wait,
    ) -> None:
        """Show the authority that the names are ours."""
        key = service.net.key
        if key is None:
            raise IssueFailed("there is no account")
        chosen = {one.body.identifier.value: self._challenge(one) for one in authorizations}
        port, kind = self._order.port, self._order.challenge
        try:
            responder = Responder(self._order.addresses, port, self._answer(chosen, key))
        except OSError as error:
            raise IssueFailed(f"port {port}, where {kind} is answered, cannot be opened: {error.strerror}") from error
        with responder:
            for challenge in chosen.values():
                service.answer_challenge(challenge, challenge.chall.response(key))
            left = list(authorizations)
            while left:
                if self._monotonic() >= deadline:
                    raise errors.TimeoutError
                looked = [service.poll(one)[0] for one in left]
                failed = [
                    one for one in looked if one.body.status not in (messages.STATUS_PENDING, messages.STATUS_VALID)
                ]
                if failed:
                    raise errors.ValidationError(failed)
                left = [one for one in looked if one.body.status == messages.STATUS_PENDING]
                if left:
                    wait(_POLL_SECONDS)

    def _challenge(self, authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
        for one in authorization.body.challenges:
            if one.chall.typ == self._order.challenge:
                return one
        name = authorization.body.identifier.value
        raise IssueFailed(f"the authority does not offer {self._order.challenge} for {name}")

    def _answer(self, chosen: dict[str, messages.ChallengeBody], key: JWK) -> Answer:
        if self._order.challenge == TlsAlpn.typ:
            return tls_answer(
                {name: challenge_certificate(name, one.chall.key_authorization(key)) for name, one in chosen.items()}
            )
        return http_answer({one.chall.path: one.chall.validation(key).encode("ascii") for one in chosen.values()})


def challenge_certificate(name: str, authorization: str) -> bytes:
    """What is shown for tls-alpn-01 (RFC 8737 §3): a certificate for *name* with the digest of *authorization*; PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    now = datetime.now(UTC)
    digest = hashlib.sha256(authorization.encode("ascii")).digest()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        # An OCTET STRING of 32 octets, in DER.
        .add_extension(x509.UnrecognizedExtension(_ACME_IDENTIFIER, b"\x04\x20" + digest), critical=True)
        .sign(key, SHA256())
    )
    return _key_pem(key) + certificate.public_bytes(Encoding.PEM)


def _request(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> bytes:
    """The signing request, PEM. The names are alternative names only: authorities ignore or refuse any other."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _problem(error: messages.Error) -> str:
    said = error.detail or error.title or "no reason"
    return f"the authority refused: {said} ({error.code or error.typ})"


def _refused(error: errors.ValidationError) -> str:
    """Which names were not proven, and what the authority saw there."""
    parts = []
    for one in error.failed_authzrs:
        seen = [challenge.error.detail for challenge in one.body.challenges if challenge.error is not None]
        parts.append(f"{one.body.identifier.value} ({'; '.join(map(str, seen)) or one.body.status.name})")
    return "the authority could not see that these names are served here: " + ", ".join(parts)
