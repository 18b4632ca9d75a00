"""Stream: octets over one data connection, without ever blocking. PlainStream is the one without TLS.

What would block raises WantRead or WantWrite, and the caller polls for that and calls again. A TLS stream raises the
same two (a write may want to read and the other way round), so the pump knows no difference. What is limited in its
rate may want time (`throttle.py`).

How a connection ends matters more than how it begins (RFC 959 §3.2: in stream mode the close *is* the end of file).
The kernel turns `close` into a reset when octets that came in were never read, or come in afterwards, and a reset may
take from the peer what it had not read yet. So `finish` looks for unread input first, and even before that it sends
what the system still holds back, with our end of data. Nearly always there is none, and the close carries the end of
data behind the last octet. If there is some, our end of data is sent first and what comes in is read and dropped until
the peer has closed too. An end that is no success is a reset on purpose: a client must never take half a file for a
whole one.
"""

from __future__ import annotations

import abc
import os
import socket
import struct
import sys
from typing import Final

from homeport.compiled import mypyc_attr
from homeport.net.listener import MORE, NOW, Connection

from .readiness import ready, stirs

_RESET_ON_CLOSE = struct.pack("@HH" if sys.platform == "win32" else "@ii", 1, 0)
"""struct linger: on, 0 seconds."""

_ROOM_PART: Final = 5
_ROOM_OF: Final = 16
"""This part of a send buffer is free where the system calls it writable."""
_LEAST_ROOM: Final = 4096

_DROP_OCTETS: Final = 65536
_DROP_ROUNDS: Final = 16

_LAST: Final[int] = NOW | MORE
_LAST_OCTETS: Final = 16 * 1024
_SENDS_FILES: Final = hasattr(os, "sendfile")


class WouldBlock(Exception):
    """The call must be repeated when the descriptor is ready. One of the three below."""


class WantRead(WouldBlock):
    """... ready to be read."""


class WantWrite(WouldBlock):
    """... ready to be written."""


class WantTime(WouldBlock):
    """... when `seconds` have passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@mypyc_attr(allow_interpreted_subclasses=True)
class Stream(abc.ABC):
    """One data connection. Every method may raise a WouldBlock, or OSError when the connection broke."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def zero_copy(self) -> bool:
        """Whether `send_file` is possible."""

    @abc.abstractmethod
    def fileno(self) -> int: ...

    @abc.abstractmethod
    def pending(self) -> int:
        """Octets that were taken from the socket already: `read_into` gives them, and a poll does not know of them."""

    @abc.abstractmethod
    def read_into(self, buffer: memoryview) -> int:
        """Receive into *buffer*; how many octets, 0 when the peer has properly ended its data."""

    @abc.abstractmethod
    def room(self) -> int:
        """How many octets `write` is likely to take now, so that no more need be made ready. Above 0."""

    @abc.abstractmethod
    def write(self, data: memoryview) -> int:
        """Send the beginning of *data*; how many octets of it."""

    @abc.abstractmethod
    def send_file(self, file: int, offset: int, count: int) -> int:
        """Send from a file descriptor without copying; how many octets, 0 at the end of the file."""

    @abc.abstractmethod
    def finish(self) -> None:
        """End in order and close: everything sent, and the end of data behind it, will reach the peer.

        True once it returns; after WantRead or WantWrite it has to be called again.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """End at once, in a way that the peer cannot take for an end of data, and close. Never raises, never blocks.

        Does nothing after `finish` or another `abort`.
        """


@mypyc_attr(allow_interpreted_subclasses=True)
class PlainStream(Stream):
    """A Stream without protection: a connected socket, which it owns from now on. It may be a blocking one."""

    __slots__ = ("_at_end", "_connection", "_descriptor", "_dropping", "_ended", "_expected", "held")

    def __init__(self, connection: Connection, expected: int | None = None) -> None:
        """*expected*: how many octets of a file will be sent, if that is known; the last leave in one segment with the
        end of data.
        """
        if connection.gettimeout() or not NOW:
            connection.setblocking(False)
        self._connection: Final = connection
        self._descriptor = connection.fileno()
        self._expected = -1 if expected is None else expected
        self._at_end = False
        self._ended = False  # whether our end of data has been sent
        self._dropping = False
        self.held = False
        """Whether the system holds octets back for the end of data (MSG_MORE)."""

    @property
    def zero_copy(self) -> bool:
        return _SENDS_FILES

    def fileno(self) -> int:
        return self._descriptor

    def pending(self) -> int:
        return 0

    def read_into(self, buffer: memoryview) -> int:
        try:
            octets = self._connection.recv_into(buffer, 0, NOW)
        except BlockingIOError:
            raise WantRead from None
        if octets == 0:
            self._at_end = True
        return octets

    def room(self) -> int:
        return room(self._connection)

    def write(self, data: memoryview) -> int:
        try:
            return self._connection.send(data, NOW)
        except BlockingIOError:
            raise WantWrite from None

    def send_file(self, file: int, offset: int, count: int) -> int:
        connection = self._connection
        try:
            if count == self._expected and count <= _LAST_OCTETS:
                # So few are copied as quickly, and a segment less is two microseconds, and one awakening of the client.
                octets = connection.send(os.pread(file, count, offset), _LAST)
                self.held = True
            else:
                if connection.gettimeout() is None:
                    connection.setblocking(False)  # sendfile has no flag for it
                octets = os.sendfile(self._descriptor, file, offset, count)
        except BlockingIOError:
            raise WantWrite from None
        self._expected -= octets
        return octets

    def finish(self) -> None:
        if self.held:
            # Before it is looked for input: what comes in from now on cannot take away what is on its way.
            self.held = False
            self._end()
        if not self._at_end and (self._dropping or stirs(self._descriptor)):
            self._drop_input()
        self._descriptor = -1
        self._connection.close()

    def _drop_input(self) -> None:
        connection = self._connection
        came = False
        try:
            for _ in range(_DROP_ROUNDS):
                if not connection.recv(_DROP_OCTETS, NOW):
                    return  # all was read, and nothing more can come
                came = True
        except BlockingIOError:
            if not came and not self._dropping:
                return
        self._dropping = True
        self._end()
        # More may come, and would meet a closed socket: wait for the peer's end.
        raise WantRead

    def _end(self) -> None:
        """Send our end of data, once."""
        if not self._ended:
            self._ended = True
            self._connection.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        if self._descriptor >= 0:
            self._descriptor = -1
            reset(self._connection)


def reset(connection: Connection) -> None:
    """Close with a reset. Never raises; a socket that is closed already stays so."""
    if connection.fileno() < 0:
        return
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    except OSError:
        pass  # the peer's reset was quicker, and nothing is left to be told
    connection.close()


def room(connection: Connection) -> int:
    """`Stream.room` of a connected socket.

    Linux calls a socket writable when a third of its buffer is free, and what it counts is somewhat more than octets.
    On other systems it may be too much, and something is kept, or read again, for a while.
    """
    if not ready((), (connection.fileno(),), 0.0):
        raise WantWrite
    return max(connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) * _ROOM_PART // _ROOM_OF, _LEAST_ROOM)
