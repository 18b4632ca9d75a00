"""Layer: one TLS connection of the server's, as octets in and octets out.

It works on two buffers in memory, and whoever owns the socket moves the octets. So the control connection keeps its own
time-outs, what follows a close_notify in clear (RFC 4217 §5, §13) is never swallowed, and a whole flight, data and
close_notify together, leaves in one send. Measured against `SSLSocket` it is cheaper for small transfers and no dearer
for large ones.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .negotiation import Identity, Negotiation, NoCertificate

__all__ = ["ClientCertificate", "HandshakeError", "Layer", "NoCertificate", "NotTls", "Parting", "reason"]

_RECORD_OCTETS: Final = 16384
_HANDSHAKE: Final = 0x16
_CONTENT_TYPES: Final = range(0x14, 0x18)
"""The first octet of a record (RFC 8446 §5.1). None of them begins a command."""


class HandshakeError(Exception):
    """The handshake failed; the text says why, in a few words."""


class NotTls(HandshakeError):
    """What came is no ClientHello at all."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that a client has proven to own, and that the configured authority vouches for."""

    der: bytes
    names: frozenset[str]
    """Common name and alternative names, in lower case."""


class Layer:
    """One TLS connection, the server's end: octets of the socket go in and come out here. For one thread at a time."""

    __slots__ = ("_began", "_context", "ended", "incoming", "outgoing", "tls")

    def __init__(
        self,
        context: ssl.SSLContext,
        choose: Callable[[str | None], Identity] | None,
        identity: Identity | None = None,
        *,
        data: bool,
    ) -> None:
        """*choose* gives the identity for the name that the client gives; without one *identity* is shown."""
        self._context = context  # whoever holds the layer keeps its tickets good
        self._began = False
        self.ended = False
        """Whether the peer's close_notify has been read."""
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        if not isinstance(tls, Negotiation):
            raise TypeError("the context is not one of net.tls")
        tls.identity, tls.data = identity, data
        if choose is not None:
            tls.choose = choose
        self.tls: Negotiation = tls

    # -- the handshake ---------------------------------------------------------------------------------

    def handshake(self, octets: bytes) -> bool:
        """Go on with the handshake; whether it is complete. What is in `outgoing` then is to be sent, whatever happens.

        Raises HandshakeError; an alert that tells the peer why is in `outgoing`.
        """
        if not self._began and octets:
            self._began = True
            if octets[0] != _HANDSHAKE:
                raise NotTls("what came is not TLS")
        self.incoming.write(octets)
        try:
            return self.tls.proceed()
        except ssl.SSLError as error:
            raise HandshakeError(reason(error)) from None

    @property
    def resumed(self) -> bool:
        """Whether the client has shown that it knows an earlier session."""
        return bool(self.tls.session_reused)

    @property
    def description(self) -> str:
        """Version and cipher, for people: "TLSv1.3, TLS_AES_256_GCM_SHA384"."""
        cipher = self.tls.cipher()
        return f"{self.tls.version()}, {cipher[0] if cipher else 'no cipher'}"

    @property
    def server_name(self) -> str | None:
        """What the client gave as the server's name (SNI), in lower case."""
        name = self.tls.server_name
        return name.lower() if name else None

    def client_certificate(self) -> ClientCertificate | None:
        """The certificate that the client has proven to own, if any."""
        der = self.tls.getpeercert(binary_form=True)
        if der is None:
            return None
        return ClientCertificate(der, _names_in(self.tls.getpeercert() or {}))

    # -- octets ------------------------------------------------------------------------------------------

    def decrypt(self, octets: bytes) -> bytes:
        """What *octets* bring; often none, as records come in pieces. Sets `ended`. OSError for what is no good TLS.

        `outgoing` may hold something afterwards that is to be sent (RFC 8446 §4.6.3: an answer to a key update).
        """
        incoming = self.incoming
        incoming.write(octets)
        said = b""
        try:
            while True:
                part = self.tls.read(_RECORD_OCTETS)
                if not part:
                    self.ended = True
                    break
                said = said + part if said else part
                if not incoming.pending:
                    break  # no more than one record is taken out at a time, and that was read whole
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True  # the same end, told in this way once ours has been sent
        return said

    def encrypt(self, octets: bytes) -> bytes:
        """What is to be sent for *octets*, behind whatever had to be sent before."""
        if octets:
            self.tls.write(octets)
        return self.outgoing.read()

    def close_notify(self) -> bytes:
        """Our end of data, behind what had to be sent before. Nothing can be encrypted after it."""
        self.forgo()
        return self.outgoing.read()

    def forgo(self) -> None:
        """Mark the connection as ended in order, so that its session can be resumed whatever becomes of it.

        OpenSSL forgets the session of a connection that is dropped without close_notify, and a client whose upload
        broke off would be locked out where resumption is required.
        """
        self.tls.end()


class Parting:
    """What comes in after our own close_notify, where the connection lives on in clear (RFC 4217 §5, §13).

    Clients answer with a close_notify of their own, or go on in clear at once; and what they had sent before they read
    ours is still protected. So whole records are taken out for as long as something begins like one.
    """

    __slots__ = ("_held", "_layer", "over")

    ended = False

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._held = b""
        self.over = False
        """Whether everything from now on is in clear."""

    def decrypt(self, octets: bytes) -> bytes:
        """What *octets* say, protected or not. OSError for what looks like TLS and is not."""
        held = self._held + octets
        said = b""
        while held and held[0] in _CONTENT_TYPES:
            length = 5 + int.from_bytes(held[3:5], "big")
            if len(held) < max(length, 5):
                self._held = held
                return said
            said += self._layer.decrypt(held[:length])
            held = held[length:]
            if self._layer.ended:
                break
        if held or self._layer.ended:
            self.over = True
        self._held = b""
        return said + held


def reason(error: OSError) -> str:
    """What OpenSSL or the system says, in a few words: "unsupported protocol"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate was refused: {error.verify_message}"
    named: str | None = getattr(error, "reason", None)  # which OpenSSL does not always give, whatever the stubs say
    if named:
        return named.lower().replace("_", " ")
    return error.strerror or str(error)


def _names_in(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Common names and alternative names, as `getpeercert` gives them, in lower case."""
    found = [value for _, value in certificate.get("subjectAltName", ()) if isinstance(value, str)]
    for relative in certificate.get("subject", ()):
        found += [value for kind, value in relative if kind == "commonName"]
    return frozenset(name.lower() for name in found)
