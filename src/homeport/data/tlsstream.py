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
from collections.abc import Callable
from time import monotonic
from typing import Final

from homeport.net.layer import HandshakeError, Layer, NotTls
from homeport.net.listener import MORE, NOW, Connection

from .connection import Cause, DataConnectionError, attend
from .readiness import ready, stirs
from .stream import PlainStream, Stream, WantRead, WantWrite, room
from .truncated import Truncated
from .watch import Watch

_HANDSHAKE_OCTETS: Final = 16 * 1024
_RECORD_OCTETS: Final = 16 * 1024
"""Most that one record protects."""
_GATHERED_OCTETS: Final = 64 * 1024
"""Up to this, what is written is encrypted record by record. All at once is a tenth cheaper, and worth the memory only
where much is written."""
_HEADER_OCTETS: Final = 5
_QUICK_ACK: Final[int] = getattr(socket, "TCP_QUICKACK", -1)
_QUICK_WAITS: Final = 8
"""So many waits for input begin with an acknowledgement; a transfer that has more is not a small one."""


class Boundary:
    """Where records end (RFC 8446 §5.1), and whether the octets so far end between two."""

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    @property
    def inside(self) -> bool:
        return bool(self._header) or self._left > 0

    def pass_over(self, octets: bytes) -> None:
        """Take *octets* as they come from the connection, from its very first on."""
        at, size = 0, len(octets)
        if not self._header and not self._left:
            # Whole records, as a rule: this is the handshake.
            while size - at >= _HEADER_OCTETS:
                whole = _HEADER_OCTETS + (octets[at + 3] << 8 | octets[at + 4])
                if whole > size - at:
                    break
                at += whole
        if at < size:
            rest = memoryview(octets)[at:]
            while rest:
                step = self.cut(rest)
                rest = rest[step:]

    def cut(self, octets: memoryview) -> int:
        """How many of *octets* come before the next end of a record, if it is among them; those are taken."""
        size = len(octets)
        if self._left:
            step = min(self._left, size)
            self._left -= step
            return step
        if not self._header and size >= _HEADER_OCTETS:
            whole = _HEADER_OCTETS + (octets[3] << 8 | octets[4])
            if whole <= size:
                return whole
            self._left = whole - size
            return size
        step = min(_HEADER_OCTETS - len(self._header), size)
        self._header += bytes(octets[:step])
        if len(self._header) == _HEADER_OCTETS:
            self._left = self._header[3] << 8 | self._header[4]
            self._header = b""
        return step


def secure(
    connection: Connection, layer: Layer, watch: Watch, seconds: float, boundary: Boundary, *, come: bool = True
) -> None:
    """The handshake, on a *connection*, blocking or not. Where it fails, the alert was sent and it is closed.

    Takes at most *seconds*, and lets *watch* attend to the control connection meanwhile. *boundary* sees what comes.
    *come*: whether anything may be here already, which is looked at before it is waited for: a 150 that was held back
    goes out at the first wait, and Node's clients, who say hello right after the connect, read ECONNRESET if they are
    at work before this end has closed (basic-ftp).

    Raises DataConnectionError: PLAIN_TEXT, TLS_FAILED, ABORTED or CONTROL_LOST.
    """
    deadline = monotonic() + seconds
    if connection.gettimeout() or not NOW:  # the program around us may have set a time-out for all new sockets
        connection.setblocking(False)
    try:
        while not layer.handshake(_receive(connection, watch, deadline, seconds, boundary, come)):
            flight = layer.outgoing.read()
            if flight:
                come = False
                _send_all(connection, flight, deadline)
                continue
            # A part of a flight, as GnuTLS sends it: the rest may wait for our acknowledgement.
            come = stirs(connection.fileno())
            if not come and _QUICK_ACK >= 0:
                connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        if layer.tls.version() != "TLSv1.3":
            _send_all(connection, layer.outgoing.read(), deadline)  # the client waits for our Finished
    except (HandshakeError, OSError) as error:
        try:
            connection.send(layer.outgoing.read(), NOW)  # the alert, which says why
        except OSError:
            pass  # nobody is there to be told
        connection.close()
        cause = Cause.PLAIN_TEXT if isinstance(error, NotTls) else Cause.TLS_FAILED
        raise DataConnectionError(cause, f"The TLS handshake on the data connection failed: {error}.") from None


def _receive(
    connection: Connection, watch: Watch, deadline: float, seconds: float, boundary: Boundary, come: bool
) -> bytes:
    """What the client sends. *come*: it may be here; otherwise it is waited for at once."""
    while True:
        if not come:
            _await(connection, watch, deadline, seconds)
        try:
            octets = connection.recv(_HANDSHAKE_OCTETS, NOW)
        except BlockingIOError:
            come = False
            continue
        if not octets:
            raise HandshakeError("the client closed the connection")
        boundary.pass_over(octets)
        return octets


def _await(connection: Connection, watch: Watch, deadline: float, seconds: float) -> None:
    left = deadline - monotonic()
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


def _send_all(connection: Connection, octets: bytes, deadline: float) -> None:
    """A flight of the handshake: some kilobytes, for which a new connection has room."""
    rest: bytes | memoryview = octets
    while rest:
        try:
            sent = connection.send(rest, NOW)
            rest = memoryview(rest)[sent:] if sent < len(rest) else b""
        except BlockingIOError:
            left = deadline - monotonic()
            if left <= 0 or not ready((), (connection.fileno(),), left):
                raise HandshakeError("the client takes nothing") from None


class TlsStream(Stream):
    """A Stream over *connection*, whose handshake `secure` has done. It owns the connection from now on."""

    __slots__ = (
        "_boundary", "_connection", "_expected", "_layer", "_likely", "_plain", "_quick", "_tolerant", "_unsent",
        "_written",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        layer: Layer,
        boundary: Boundary,
        *,
        tolerant: bool = False,
        expected: int | None = None,
    ) -> None:
        """*boundary* has seen the handshake. *tolerant*: a FIN without close_notify is an end of data, too. *expected*:
        the octets that will be written, if that is known; the last leave in one segment with the end of data.
        """
        self._connection = connection
        self._layer = layer
        self._plain = PlainStream(connection)
        self._boundary = boundary
        self._tolerant = tolerant
        self._expected = expected
        self._written = 0
        self._unsent: bytes | memoryview = b""
        self._quick = _QUICK_WAITS
        self._likely = False  # whether anything is there to be read

    @property
    def zero_copy(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._connection.fileno()

    def pending(self) -> int:
        return self._layer.tls.pending() + self._layer.incoming.pending

    def read_into(self, buffer: memoryview) -> int:
        layer = self._layer
        filled = self._decrypt(buffer, 0) if layer.incoming.pending or layer.tls.pending() else 0
        while not filled and not layer.ended:
            # What comes in is put into the end of the buffer: there is room for what it says before it, and for what
            # the beginning of a record, taken in before, adds to that.
            middle = (len(buffer) + _RECORD_OCTETS) // 2
            raw = buffer[middle:] if middle < len(buffer) else memoryview(bytearray(_RECORD_OCTETS))
            octets = self._receive(raw)
            if not octets:
                return 0
            filled = self._take_in(raw[:octets], buffer[:middle])
        return filled

    def _receive(self, raw: memoryview) -> int:
        """What the socket has. 0 at an end without close_notify, where that may be."""
        connection = self._connection
        if not self._likely and not stirs(connection.fileno()):
            raise self._nothing()
        try:
            octets = connection.recv_into(raw, 0, NOW)
        except BlockingIOError:
            raise self._nothing() from None
        self._likely = octets >= _RECORD_OCTETS  # who sends so much sends on
        if not octets and (not self._tolerant or self._boundary.inside):
            raise Truncated("the client closed the data connection without a TLS close_notify")
        return octets

    def _nothing(self) -> WantRead:
        """Nothing is there. What comes may wait for our acknowledgement, and is there when this is asked again."""
        if self._quick and _QUICK_ACK >= 0:
            self._quick -= 1
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        self._likely = True
        return WantRead()

    def _take_in(self, raw: memoryview, buffer: memoryview) -> int:
        """Decrypt *raw* into *buffer*, record by record; how many octets there are."""
        layer, boundary = self._layer, self._boundary
        at, filled = 0, 0
        while at < len(raw):
            step = boundary.cut(raw[at:])
            layer.incoming.write(raw[at : at + step])
            at += step
            if not boundary.inside and filled < len(buffer):
                filled = self._decrypt(buffer, filled)
                if layer.ended:
                    break  # what comes behind its end is nothing of ours
        return filled

    def _decrypt(self, buffer: memoryview, filled: int) -> int:
        """Decrypt what has been taken in into *buffer*, behind the *filled* octets in it; how many there are then."""
        layer = self._layer
        tls, incoming, room = layer.tls, layer.incoming, len(buffer)
        # With a buffer it returns how many octets it has put there.
        read: Callable[[int, memoryview], int] = tls.read  # type: ignore[assignment]
        try:
            while filled < room:
                octets = read(room - filled, buffer[filled:])
                if octets == 0:
                    layer.ended = True
                    break
                filled += octets
                if not incoming.pending and not tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        return filled

    def room(self) -> int:
        if self._unsent and not self._send():
            raise WantWrite
        return room(self._connection)

    def write(self, data: memoryview) -> int:
        if self._unsent and not self._send():
            raise WantWrite
        tls, outgoing = self._layer.tls, self._layer.outgoing
        size = len(data)
        octets = tls.write(data if size <= _RECORD_OCTETS or size > _GATHERED_OCTETS else data[:_RECORD_OCTETS])
        unsent = outgoing.read()
        if octets < size:
            records = [unsent]
            while octets < size:
                octets += tls.write(data[octets : octets + _RECORD_OCTETS])
                records.append(outgoing.read())
            unsent = b"".join(records)
        self._unsent = unsent
        self._written += octets
        if self._written != self._expected:
            self._send()
        return octets

    def _send(self, flags: int = NOW) -> bool:
        """Send what is encrypted, as far as the socket takes it; whether it has taken all."""
        unsent = self._unsent
        try:
            sent = self._connection.send(unsent, flags)
            if sent < len(unsent):
                unsent = memoryview(unsent)[sent:]
                while unsent:
                    sent = self._connection.send(unsent, flags)
                    unsent = unsent[sent:]
        except BlockingIOError:
            self._unsent = unsent
            return False
        self._unsent = b""
        return True

    def send_file(self, file: int, offset: int, count: int) -> int:
        raise NotImplementedError("a protected stream has no zero copy")

    def finish(self) -> None:
        proven = self._layer.ended
        # The second time there is none: a close_notify is sent once.
        end = self._layer.close_notify()
        if end:
            self._unsent = b"".join((self._unsent, end)) if self._unsent else end
        try:
            if not self._unsent:
                sent = True
            elif proven:
                sent = self._send()
            else:
                self._plain.held = True  # one segment for all of it: our end is next
                sent = self._send(NOW | MORE)
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
