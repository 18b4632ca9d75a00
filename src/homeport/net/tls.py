"""TLS of one server: which certificate is shown to whom, and whose tickets are good.

The contexts come in two kinds, because a session is resumed with what the *first* context of a connection holds, while
the certificate may be of another one, which the SNI callback chooses:

* one with keys for tickets and a cache of session ids, but no certificate, for each client address. It lives as long
  as a session from there does, and a while longer. So a data connection that resumes proves that its client holds the
  secret of a session from the same address, and no other client's ticket is worth anything there. It costs 110 µs and
  10 KiB, a fifth of the time of one that loads a certificate.
* two with the certificates, for each set of them: `ftp` and `ftp-data` of ALPN. They are shared by all clients, and
  made anew when the files change; a session keeps those that it began with, so that its data connections show the
  certificate of its control connection (RFC 4217 §15.1.1).

TLS 1.3 tickets may be used again and again here (there is no early data), and every connection brings fresh ones; a
session of thousands of transfers resumes to its end. They hold the session themselves, encrypted. Tickets that only
name one in OpenSSL's cache (OP_NO_TICKET) would make a handshake a tenth cheaper, but the cache takes 18 MiB for each
busy address, and when it is full it forgets the oldest first: that of a control connection, which many clients resume
to the end.
"""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from . import kernel
from .layer import HandshakeError, Layer, reason
from .negotiation import Identity, Negotiation, NegotiationSocket, NoCertificate, choose

__all__ = ["Certificates", "Chain", "ClientCertificates", "Contexts", "FileCertificates", "NoCertificate"]

TICKET_SECONDS: Final = 7200.0
"""How long a session can be resumed: OpenSSL's own number, which Python cannot change."""

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and AEAD only (RFC 9325 §4.2). Those of TLS 1.3 are all of the kind."""
_RECENT_ADDRESSES: Final = 256
_CERTIFICATE_SETS: Final = 64


class ClientCertificates(Enum):
    """Whether clients are asked for a certificate. One that is shown must be of the configured authority."""

    OFF = "off"
    ALLOW = "allow"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate with those that vouch for it, and its key: names of files in PEM form."""

    certificate: str
    key: str | None = None
    """None: it stands in the certificate's file."""
    names: tuple[str, ...] = ()
    """The host names that it is for; `*.example.net` is for one label more. Not needed where there is only one."""

    def fits(self, name: str) -> bool:
        """Whether it is for the host *name* (RFC 9525 §6.3)."""
        wanted = name.lower().rstrip(".")
        wild = "*." + wanted.partition(".")[2]
        return any(own.lower() in (wanted, wild) for own in self.names)


class Certificates(Protocol):
    """Where certificates come from. Called from many threads."""

    @property
    def generation(self) -> int:
        """Another number whenever what `chains` gives, or what stands in those files, has changed."""

    def chains(self, name: str | None) -> tuple[Chain, ...]:
        """Those for the host *name* (None: of a client that names none), one for each kind of key.

        For a name that none is for it is those of None. Empty where there is no certificate at all.
        """


class FileCertificates:
    """Certificates in files that never change. The first is for clients that name no host, or an unknown one."""

    generation = 0

    def __init__(self, chains: tuple[Chain, ...]) -> None:
        self._chains = chains

    def chains(self, name: str | None) -> tuple[Chain, ...]:
        fitting = tuple(chain for chain in self._chains if chain.fits(name)) if name is not None else ()
        if fitting or not self._chains:
            return fitting
        first = self._chains[0]
        # The same names with another kind of key: the client's algorithms decide which one it gets.
        return (first, *(one for one in self._chains[1:] if set(one.names) & set(first.names)))


class Contexts:
    """Where the layers of one server come from. All methods may be called from any thread."""

    def __init__(
        self,
        certificates: Certificates,
        *,
        client_authority: str | None = None,
        client_certificates: ClientCertificates = ClientCertificates.OFF,
    ) -> None:
        """*client_authority*: a file with the certificates that vouch for clients."""
        self._certificates = certificates
        self._client_authority = client_authority
        self._verify_mode = _VERIFY_MODES[client_certificates]
        self._lock = threading.Lock()
        self._tickets: weakref.WeakValueDictionary[str, ssl.SSLContext] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._identities: OrderedDict[tuple[int, tuple[Chain, ...]], Identity] = OrderedDict()

    @property
    def available(self) -> bool:
        """Whether there is a certificate, as far as one can tell without reading it."""
        return bool(self._certificates.chains(None))

    def check(self) -> None:
        """Make sure that a handshake could succeed. Raises NoCertificate."""
        self._identity(None)

    def control(self, address: str, host: str | None) -> Layer:
        """The layer of a control connection from *address*. A client without SNI gets the certificate of *host*.

        Raises NoCertificate.
        """
        identity = self._identity(host)

        def by_name(name: str | None) -> Identity:
            return identity if name is None else self._identity(name)

        return Layer(self._resumable(address), by_name, data=False)

    def data(self, control: Layer, address: str, *, resumable: bool = True) -> Layer:
        """The layer of a data connection that belongs to the *control* connection: the same certificate for both.

        With *resumable* false no earlier session counts, and none is offered for later.
        """
        context = self._resumable(address) if resumable else self._bare()
        if not resumable:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        return Layer(context, None, _identity_of(control), data=True)

    def data_socket(self, control: Layer, address: str, connection: socket.socket) -> ssl.SSLSocket:
        """As `data`, over *connection* itself, which is spent, for the kernel to encrypt (`net.kernel`). OSError if it
        is gone.
        """
        tls = self._resumable(address).wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        if not isinstance(tls, NegotiationSocket):
            raise TypeError("the context is not one of these")
        tls.identity, tls.data = _identity_of(control), True
        return tls

    def _resumable(self, address: str) -> ssl.SSLContext:
        with self._lock:
            context = self._recent.get(address)
            if context is not None:
                self._recent.move_to_end(address)
                return context
            context = self._tickets.get(address)
            if context is None:
                # 110 µs under the lock, once for each address: two threads must not make two.
                context = self._tickets[address] = self._bare()
            self._recent[address] = context
            if len(self._recent) > _RECENT_ADDRESSES:
                self._recent.popitem(last=False)
        return context

    def _identity(self, name: str | None) -> Identity:
        certificates = self._certificates
        key = (certificates.generation, certificates.chains(name))
        with self._lock:
            identity = self._identities.get(key)
            if identity is not None:
                return identity
        if not key[1]:
            raise NoCertificate("there is no certificate")
        try:
            identity = Identity(self._with_chains(key[1], "ftp"), self._with_chains(key[1], "ftp-data"))
        except OSError as error:
            raise NoCertificate(f"{key[1][0].certificate}: {reason(error)}") from error
        with self._lock:
            self._identities[key] = identity
            if len(self._identities) > _CERTIFICATE_SETS:
                self._identities.popitem(last=False)
        return identity

    def _with_chains(self, chains: tuple[Chain, ...], application: str) -> ssl.SSLContext:
        context = self._bare()
        if self._client_authority is not None:
            context.load_verify_locations(self._client_authority)
        for chain in chains:
            # An encrypted key is an error here, and not a question on the terminal.
            context.load_cert_chain(chain.certificate, chain.key, password="")
        # A client that offers neither name is served all the same: most send no ALPN at all.
        context.set_alpn_protocols([application])
        return context

    def _bare(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        # Protection is changed by AUTH, never by renegotiation (RFC 9325 §3.5).
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
        context.verify_mode = self._verify_mode
        context.options |= kernel.OP_ENABLE_KTLS
        context.sslobject_class = Negotiation
        context.sslsocket_class = NegotiationSocket
        context.sni_callback = choose
        return context


_VERIFY_MODES = {
    ClientCertificates.OFF: ssl.CERT_NONE,
    ClientCertificates.ALLOW: ssl.CERT_OPTIONAL,
    ClientCertificates.REQUIRE: ssl.CERT_REQUIRED,
}


def _identity_of(control: Layer) -> Identity:
    """What a data connection shows: the certificate of its control connection."""
    identity = control.tls.identity
    if identity is None:
        raise HandshakeError("there was no handshake on the control connection")
    return identity
