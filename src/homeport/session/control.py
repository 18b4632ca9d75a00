"""Control: the control connection, as lines in and replies out.

Telnet is dealt with by `protocol.telnet`; here is only the socket. Urgent data is read in-line (SO_OOBINLINE), so
that the Synch of RFC 854 and the bare urgent octet that some clients send both arrive in their place.

Under TLS the socket stays what it is, and a `Layer` stands between it and the lines: the same system calls, time-outs
and ends. What a read brings is decrypted at once and whole, so a descriptor that is not readable means that nothing is
there: a session can be parked, and a transfer can wait for it, as without TLS. Telnet is inside of TLS, and nothing
relies on urgent data there (RFC 4217 §14).

Nothing here blocks. What has come in is read in one call (`peek`), and the lobby tells when there is something: who is
slow with a handshake is waited for like who is slow with a command, and costs no thread. The only wait that there is,
for a client that reads slowly, is the post's (`data.post`).
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

from homeport.data.post import Post
from homeport.data.readiness import stirs
from homeport.net.layer import Layer, Parting
from homeport.net.listener import MORE, NOW
from homeport.protocol.reply import Code, Reply
from homeport.protocol.telnet import Framer, LineTooLong

from .lost import ControlLost

_LAST: Final = frozenset({int(Code.GOODBYE), int(Code.SERVICE_CLOSING)})
"""Replies behind which the connection is closed."""
_RECEIVE_OCTETS: Final = 4096
_DROPPED_AT_END: Final = 64
"""Pieces of unread input that are taken in before a close. Who sends on and on has no more of our time than that."""
_QUEUE_OCTETS: Final = 64 * 1024
"""Commands that a client may send ahead while a transfer runs, some thousands; more are an abuse."""


class Control:
    """One control connection. `lost` is set once the client has closed it or it broke."""

    __slots__ = (
        "_connection", "_framer", "_inbound", "_layer", "_post", "_queue", "_queue_octets", "_secured", "_send_seconds",
        "descriptor", "held", "lost",
    )  # fmt: skip

    def __init__(self, connection: socket.socket, line_octets: int, send_seconds: float, post: Post) -> None:
        """*send_seconds*: for how long a client may not read what it is told."""
        self._connection = connection
        self._post = post
        self._send_seconds = send_seconds
        self._framer = Framer(line_octets)
        self._queue: deque[bytes | LineTooLong] | None = None
        self._queue_octets = 0
        self.held = b""
        """What is to be said together with the next reply."""
        self._layer: Layer | None = None
        # What comes in goes through this; None is clear text.
        self._inbound: Layer | Parting | None = None
        # What is to be called at the end of the handshake that is under way.
        self._secured: Callable[[], None] | None = None
        self.lost = False
        self.descriptor = connection.fileno()
        """Of the connection; -1 once it is closed."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        if not NOW:
            connection.setblocking(False)

    @property
    def ended(self) -> bool:
        """Whether nothing more can come, so that there is nothing to wait for."""
        return self.lost or (self._inbound is not None and self._inbound.ended)

    def say(self, reply: Reply) -> None:
        """Send *reply* whole, behind what was held back. Raises ControlLost.

        One that closes the connection (221, 421: RFC 959 §4.2.1) is held back for `close`, which follows at once.
        """
        octets = reply.encode()
        if self.held:
            octets, self.held = self.held + octets, b""
        if reply.code in _LAST:
            self.held = octets
        else:
            self._send(octets)

    def hold(self, reply: Reply) -> None:
        """Keep *reply* for the next `say`, `flush` or `close`: one segment and one awakening of the client for both."""
        self.held += reply.encode()

    def flush(self) -> None:
        """Send what was held back. Raises ControlLost."""
        if self.held:
            octets, self.held = self.held, b""
            self._send(octets)

    def _send(self, octets: bytes, flags: int = NOW) -> None:
        try:
            if self._layer is not None:
                octets = self._layer.encrypt(octets)
            sent = self._connection.send(octets, flags)
            if sent < len(octets):
                self._send_rest(memoryview(octets)[sent:])
        except BlockingIOError:
            self._send_rest(memoryview(octets))
        except OSError as error:
            self.lost = True
            raise ControlLost(str(error)) from None

    def _send_rest(self, octets: memoryview) -> None:
        """To a client that is slow to read."""
        deadline = monotonic() + self._send_seconds
        while octets:
            left = deadline - monotonic()
            if left <= 0 or not self._post.ready((), (self.descriptor,), left):
                self.lost = True
                raise ControlLost("the client does not read what it is told")
            try:
                sent = self._connection.send(octets, NOW)
                octets = octets[sent:]
            except BlockingIOError:
                continue
            except OSError as error:
                self.lost = True
                raise ControlLost(str(error)) from None

    # -- lines in ------------------------------------------------------------------------------------

    def next_line(self) -> bytes | LineTooLong | None:
        """The next line that is here already; None when there is none."""
        if self._queue:
            line = self._queue.popleft()
            self._queue_octets -= _size(line)
            return line
        # Asked twice for each command, and the second time there is none.
        return None if self._framer.next is None else self._framer.next_line()

    def framed_line(self) -> bytes | LineTooLong | None:
        """The next line that was framed and not put back; for looking at commands during a transfer."""
        return None if self._framer.next is None else self._framer.next_line()

    def peek(self) -> bool:
        """Take in, without waiting, what has come; whether there was anything. Raises ControlLost.

        In a handshake also HandshakeError; an alert, if there is one, was sent then.
        """
        octets = b""
        if not self.ended:
            try:
                octets = self._connection.recv(_RECEIVE_OCTETS, NOW)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                self.lost = True
                raise ControlLost(str(error)) from None
        if not octets:
            self.lost = True
            raise ControlLost("the client closed the control connection")
        if self._inbound is not None:
            octets = self._decrypted(octets)
            if not octets:
                return True  # a part of a record, or one that is TLS's own business
        framer = self._framer
        framer.feed(octets)
        if framer.answers:
            self.flush()
            self._send(framer.take_answers())
        return True

    @property
    def waiting(self) -> bool:
        """Whether `next_line` has one."""
        return bool(self._queue) or self._framer.next is not None

    @property
    def queued(self) -> bool:
        """Whether lines wait for their turn."""
        return bool(self._queue)

    @property
    def will_quit(self) -> bool:
        """Whether a QUIT waits for its turn."""
        return any(isinstance(line, bytes) and line.strip().upper() == b"QUIT" for line in self._queue or ())

    def put_back(self, line: bytes | LineTooLong, *, first: bool = False) -> None:
        """Keep *line* for `next_line`, behind those that wait or *first* of all. ControlLost if there are too many."""
        if self._queue is None:
            self._queue = deque()
        self._queue_octets += _size(line)
        if first:
            self._queue.appendleft(line)
        elif self._queue_octets <= _QUEUE_OCTETS:
            self._queue.append(line)
        else:
            # None of them is carried out any more, and nothing more is read: the session ends with the transfer.
            self.lost = True
            self._framer.clear()
            self._queue = None
            self._queue_octets = 0
            self.hang_up()
            raise ControlLost("too many commands were sent ahead of a transfer's end")

    # -- protection ---------------------------------------------------------------------------------------

    @property
    def handshaking(self) -> bool:
        """Whether a handshake is under way."""
        return self._secured is not None

    def protect(self, layer: Layer, secured: Callable[[], None]) -> None:
        """Begin TLS with the client: from now on everything goes through *layer*, the handshake first.

        What had been said in clear and not been carried out is forgotten, and never will be (RFC 4217 §4.2). `peek`
        goes on with the handshake, and calls *secured* at its end, before anything that came along is taken in.
        """
        self._framer.clear()
        self._queue = None
        self._queue_octets = 0
        self._inbound = layer
        self._secured = secured

    def _shake_hands(self, layer: Layer, octets: bytes, secured: Callable[[], None]) -> bytes:
        """Go on with the handshake. What came along with its end: a command, as a rule, or nothing."""
        self._post.make_way()
        complete = False
        try:
            complete = layer.handshake(octets)
        finally:
            flight = layer.outgoing.read()
            if flight:
                self._send(flight)
        if not complete:
            return b""
        self._layer = layer
        self._secured = None
        secured()
        return self._decrypted(b"") if layer.incoming.pending else b""

    def unprotect(self) -> None:
        """End TLS and go on in clear: our close_notify is sent; the client's may come or not (RFC 4217 §5, §13)."""
        layer, self._layer = self._layer, None
        if layer is not None:
            self._send(layer.close_notify())
            self._inbound = Parting(layer)

    def _decrypted(self, octets: bytes) -> bytes:
        """What *octets* say; nothing, where they are only a part of a record. Raises ControlLost."""
        inbound = self._inbound
        if inbound is None:
            return octets
        if self._secured is not None and isinstance(inbound, Layer):
            return self._shake_hands(inbound, octets, self._secured)
        try:
            said = inbound.decrypt(octets)
        except OSError as error:
            self.lost = True
            raise ControlLost(f"TLS: {error}") from None
        if isinstance(inbound, Parting):
            if inbound.over:
                self._inbound = None
        elif inbound.outgoing.pending:
            self._send(b"")  # nothing of ours: the layer has something to say
        return said

    # -- ends -------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """From any thread: let every wait for input end now, as if the client had closed. Replies still go out."""
        try:
            self._connection.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # it is gone already, which is what was wanted

    def close(self) -> None:
        """Close the connection. What was said still reaches the client, and what was held back comes with the end."""
        connection = self._connection
        try:
            if self.held:
                octets, self.held = self.held, b""
                self._send(octets, NOW | MORE)
            if self._layer is not None:
                connection.send(self._layer.close_notify(), NOW | MORE)
            # Unread input would turn our FIN into a RST and take what was held back from the client. So the end is sent
            # before it is looked for input; as a rule there is none.
            connection.shutdown(socket.SHUT_WR)
            if stirs(self.descriptor):
                for _ in range(_DROPPED_AT_END):
                    if not connection.recv(_RECEIVE_OCTETS, NOW):
                        break
        except OSError:
            pass  # gone, or nothing more to read: both are the end
        self.descriptor = -1
        connection.close()


def _size(line: bytes | LineTooLong) -> int:
    """Octets of *line* with its end, as the client sent it; what was too long was not kept."""
    return 2 if isinstance(line, LineTooLong) else len(line) + 2
