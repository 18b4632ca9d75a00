"""The server's own certificate: self-signed, made once, kept in the state directory.

It proves nothing to somebody who has never seen it, but whoever has accepted it once (its fingerprint is shown at
the start) recognises the server from then on. So it is made to last, and made again only when it is about to run out.

ECDSA on P-256, which every client of the last fifteen years knows and which makes the smallest and quickest
handshake; version 3 with the names and addresses of this machine as subject alternative names (RFC 5280 §4.2.1.6;
RFC 9525 looks at nothing else), and usable by a server only (§4.2.1.12).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .certificates import Certificate, CertificateUnusable, read_certificate
from .wholefile import write_whole

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CERTIFICATE_FILE = "certificate.pem"
KEY_FILE = "key.pem"

LIFETIME = timedelta(days=3650)
RENEW_BEFORE = timedelta(days=30)
"""A certificate that is to run out within this time is replaced."""
_CLOCK_SKEW = timedelta(days=1)
"""Clients whose clock is behind must not find a certificate of the future."""
_LONGEST_COMMON_NAME = 64
"""RFC 5280 appendix A.1: ub-common-name."""


def own_certificate(directory: str, names: Iterable[str], *, now: datetime | None = None) -> Certificate:
    """The certificate in *directory*; made, with its key, where there is none or it runs out soon.

    *names* are host names and IP addresses for a new one. The directory must exist. The key can be read by its owner
    only. Raises CertificateUnusable for files that are there but broken, OSError where they cannot be written.
    """
    moment = now if now is not None else datetime.now(UTC)
    certificate_path, key_path = own_paths(directory)
    if os.path.lexists(certificate_path) or os.path.lexists(key_path):
        try:
            found = read_certificate(certificate_path, key_path)
        except CertificateUnusable as error:
            cure = f"Remove {certificate_path} and {key_path}, and the next start makes new ones."
            raise CertificateUnusable(f"{error}. {cure}") from None
        if found.expires - moment > RENEW_BEFORE:
            return found
    return make_own_certificate(directory, names, now=moment)


def make_own_certificate(directory: str, names: Iterable[str], *, now: datetime | None = None) -> Certificate:
    """Make a new one in *directory*, in place of one that may be there. Raises OSError."""
    moment = now if now is not None else datetime.now(UTC)
    certificate_path, key_path = own_paths(directory)
    key, certificate = _make(tuple(dict.fromkeys(names)), moment)
    # A server that runs may look between the two, finds that they do not fit, and looks again before it complains.
    write_whole(key_path, key, 0o600)
    write_whole(certificate_path, certificate, 0o644)
    return read_certificate(certificate_path, key_path)


def own_paths(directory: str) -> tuple[str, str]:
    """Where the certificate and its key are, in the state *directory*."""
    return os.path.join(directory, CERTIFICATE_FILE), os.path.join(directory, KEY_FILE)


def _make(names: tuple[str, ...], now: datetime) -> tuple[bytes, bytes]:
    """A new key and its certificate, both PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _common_name(names))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )
    for extension, critical in _extensions(key, names):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, SHA256())
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
    )


def _extensions(key: EllipticCurvePrivateKey, names: tuple[str, ...]) -> list[tuple[x509.ExtensionType, bool]]:
    """Each extension, and whether who does not know it must refuse the certificate."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    general = [name for name in map(_general_name, names) if name is not None]
    if general:
        extensions.append((x509.SubjectAlternativeName(general), False))
    return extensions


def _general_name(name: str) -> x509.GeneralName | None:
    """*name* as a subject alternative name; None for what cannot be one."""
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        # dNSName is ASCII (RFC 5280 §7.2); IDNA 2003 is what Python has, and host names of machines need no more.
        return x509.DNSName(name.encode("idna").decode("ascii")) if name else None
    except UnicodeError:
        return None


def _common_name(names: tuple[str, ...]) -> str:
    """For people who look at the certificate: the first host name, else the first address."""
    for name in names:
        if 0 < len(name) <= _LONGEST_COMMON_NAME and not name.replace(":", "").replace(".", "").isdigit():
            return name
    return names[0] if names and len(names[0]) <= _LONGEST_COMMON_NAME else "homeport"
