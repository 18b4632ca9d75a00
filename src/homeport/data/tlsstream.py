"""TlsStream: octets over one protected data connection (RFC 4217 §9), and the handshake that comes before them.

The server is always the TLS server, whoever has connected (RFC 4217 §7).

The end of data is the peer's close_notify, and nothing else proves it: a FIN can be sent by anybody on the way
(RFC 8446 §6.1). So a FIN without it is `Truncated`, unless the client is known not to send one; then it must at
least fall between two records. Everything that came in is decrypted before the end is decided.

Two things here are about what a client does *not* read. One that only sends never reads our TLS 1.3 tickets, and its
system turns `close` into a reset if they lie there, which can take the last octets of its upload. So tickets leave
together with the first data or with our close_notify, and not before. And one that has read our close_notify may
answer with its own; it is not waited for. (A client that uses each ticket once, as RFC 8446 §C.4 advises, has none
after such an upload. Sent at once they would not help: curl 7.88 reads them no more than before, and rclone's uploads
are reset.)

That we say nothing while we receive would cost 40 ms with clients that have Nagle's algorithm on: they send the end of
the handshake, the data and the close_notify one after another, and wait for an acknowledgement between two small ones.
So the first octets are acknowledged at once.
"""

from __future__ import annotations

import socket
import ssl
import time

from homeport.net.layer import HandshakeError, Layer, NotTls

from .connection import Cause, DataConnectionError, attend
from .readiness import ready
from .stream import PlainStream, WantRead, WantWrite
from .watch import Watch

_RECEIVE_OCTETS = 64 * 1024
_HANDSHAKE_OCTETS = 16 * 1024
_PIECE_OCTETS = 256 * 1024
"""Most that is encrypted at once, and so the most that is held while the peer does not read."""
_HEADER_OCTETS = 5
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_QUICK_WAITS = 8
"""So many waits for input begin with an acknowledgement; a transfer that has more is not a small one."""


class Truncated(ConnectionError):
    """The peer ended the connection without close_notify: whether that was all nobody knows."""


class Boundary:
    """Whether the octets so far end between two records (RFC 8446 §5.1)."""

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    @property
    def inside(self) -> bool:
        return bool(self._header) or self._left > 0

    def pass_over(self, octets: bytes | memoryview) -> None:
        """Take *octets* as they come from the connection, from its very first on."""
        at, end = 0, len(octets)
        while at < end:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
                continue
            wanted = _HEADER_OCTETS - len(self._header)
            self._header += bytes(octets[at : at + wanted])
            at += wanted
            if len(self._header) == _HEADER_OCTETS:
                self._left = int.from_bytes(self._header[3:], "big")
                self._header = b""


def secure(
    connection: socket.socket, layer: Layer, watch: Watch, seconds: float, boundary: Boundary | None = None
) -> None:
    """The handshake, on a *connection* that is non-blocking. Where it fails, the alert was sent and it is closed.

    Takes at most *seconds*, and lets *watch* attend to the control connection meanwhile. Raises DataConnectionError:
    PLAIN_TEXT, TLS_FAILED, ABORTED or CONTROL_LOST.
    """
    deadline = time.monotonic() + seconds
    try:
        while not layer.handshake(_receive(connection, watch, deadline, seconds, boundary)):
            if layer.outgoing.pending:
                _send_all(connection, layer.outgoing.read(), deadline)
            elif _QUICK_ACK is not None:
                # A part of a flight, as GnuTLS sends it: the rest may wait for our acknowledgement.
                connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        if layer.tls.version() != "TLSv1.3":
            _send_all(connection, layer.outgoing.read(), deadline)  # the client waits for our Finished
    except (HandshakeError, OSError) as error:
        try:
            connection.send(layer.outgoing.read())  # the alert, which says why
        except OSError:
            pass  # nobody is there to be told
        connection.close()
        cause = Cause.PLAIN_TEXT if isinstance(error, NotTls) else Cause.TLS_FAILED
        raise DataConnectionError(cause, f"The TLS handshake on the data connection failed: {error}.") from None


def _receive(
    connection: socket.socket, watch: Watch, deadline: float, seconds: float, boundary: Boundary | None
) -> bytes:
    while True:
        # Nearly always the client has been waiting for our 150 or our last flight, and its own is still under way.
        _await(connection, watch, deadline, seconds)
        try:
            octets = connection.recv(_HANDSHAKE_OCTETS)
        except BlockingIOError:
            continue
        if not octets:
            raise HandshakeError("the client closed the connection")
        if boundary is not None:
            boundary.pass_over(octets)
        return octets


def _await(connection: socket.socket, watch: Watch, deadline: float, seconds: float) -> None:
    left = deadline - time.monotonic()
    descriptor = connection.fileno()
    if left > 0:
        control = watch.fileno()
        found = watch.ready((descriptor, control), (), left)
        if control in found:
            attend(watch, "the TLS handshake")
        if found:
            return
    raise DataConnectionError(
        Cause.TLS_FAILED, f"The TLS handshake on the data connection was not complete after {seconds:g} seconds."
    )


def _send_all(connection: socket.socket, octets: bytes, deadline: float) -> None:
    """A flight of the handshake: some kilobytes, for which a new connection has room."""
    rest = memoryview(octets)
    while rest:
        try:
            rest = rest[connection.send(rest) :]
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0 or not ready((), (connection.fileno(),), left):
                raise HandshakeError("the client takes nothing") from None


class TlsStream:
    """A Stream over *connection*, whose handshake `secure` has done. It owns the connection from now on."""

    __slots__ = (
        "_boundary", "_connection", "_expected", "_layer", "_plain", "_quick", "_raw", "_unsent", "_written",
    )  # fmt: skip

    zero_copy = False

    def __init__(
        self, connection: socket.socket, layer: Layer, *, boundary: Boundary | None = None, expected: int | None = None
    ) -> None:
        """*boundary*, that has seen the handshake: a FIN without close_notify is an end of data, too. *expected*: the
        octets that will be written, if that is known; the last leave in one segment with the end of data.
        """
        self._connection = connection
        self._layer = layer
        self._plain = PlainStream(connection)
        self._boundary = boundary
        self._expected = expected
        self._written = 0
        self._unsent = memoryview(b"")
        self._raw: memoryview | None = None
        self._quick = _QUICK_WAITS

    def fileno(self) -> int:
        return self._connection.fileno()

    def pending(self) -> int:
        return self._layer.tls.pending() + self._layer.incoming.pending

    def read_into(self, buffer: memoryview) -> int:
        layer = self._layer
        tls, incoming = layer.tls, layer.incoming
        room, filled = len(buffer), 0
        while not layer.ended:
            try:
                while filled < room:
                    # With a buffer it returns how many octets it has put there.
                    octets: int = tls.read(room - filled, buffer[filled:])  # type: ignore[assignment]
                    if octets == 0:
                        layer.ended = True
                        break
                    filled += octets
                    if not incoming.pending and not tls.pending():
                        break
            except ssl.SSLWantReadError:
                pass
            if filled:
                return filled
            if not layer.ended and not self._take_in():
                return 0
        return 0

    def _take_in(self) -> bool:
        """What the socket has, into `incoming`. False at an end without close_notify, where that may be."""
        raw = self._raw
        if raw is None:
            raw = self._raw = memoryview(bytearray(_RECEIVE_OCTETS))
        try:
            octets = self._connection.recv_into(raw)
        except BlockingIOError:
            if self._quick and _QUICK_ACK is not None:
                self._quick -= 1
                self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            raise WantRead from None
        boundary = self._boundary
        if octets:
            if boundary is not None:
                boundary.pass_over(raw[:octets])
            self._layer.incoming.write(raw[:octets])
            return True
        if boundary is None or boundary.inside:
            raise Truncated("the client closed the data connection without a TLS close_notify")
        return False

    def write(self, data: memoryview) -> int:
        if self._unsent and not self._send():
            raise WantWrite
        octets = self._layer.tls.write(data[:_PIECE_OCTETS])
        self._written += octets
        if self._written != self._expected:
            self._send()
        return octets

    def _send(self) -> bool:
        """Send what is encrypted, as far as the socket takes it; whether it has taken all."""
        unsent = self._unsent
        try:
            while True:
                if not unsent:
                    if not self._layer.outgoing.pending:
                        break
                    unsent = memoryview(self._layer.outgoing.read())
                unsent = unsent[self._connection.send(unsent) :]
        except BlockingIOError:
            self._unsent = unsent
            return False
        self._unsent = unsent
        return True

    def send_file(self, file: int, offset: int, count: int) -> int:
        raise NotImplementedError("a protected stream has no zero copy")

    def finish(self) -> None:
        proven = self._layer.ended
        # The second time it does nothing: a close_notify is sent once.
        self._layer.forgo()
        try:
            sent = self._send()
        except OSError:
            if not proven:
                raise
            sent = True  # all of the upload is here; a client that does not wait for our end does not need it
        if not sent:
            raise WantWrite
        if proven:
            self._connection.close()
        else:
            self._plain.finish()

    def abort(self) -> None:
        if self._connection.fileno() < 0:
            return
        self._layer.forgo()
        self._plain.abort()
