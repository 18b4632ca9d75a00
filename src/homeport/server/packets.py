"""Packets: what the supervisor and its workers say to each other, whole messages over pairs of local sockets.

A packet is a value of Python, and descriptors may travel with it. Both ends are processes of one program that nobody
else can reach, so pickle may be trusted. The system keeps packets apart (SOCK_SEQPACKET): one `send` is one `receive`,
threads may send at the same time without a lock, and a process that is killed leaves no half of a message behind.
"""

from __future__ import annotations

import array
import os
import pickle
import socket

MOST_OCTETS = 128 * 1024
"""Of a packet. The system takes somewhat more with its default buffers."""
MOST_DESCRIPTORS = 64
"""With one packet."""
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_ANCILLARY = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize) if hasattr(socket, "CMSG_SPACE") else 0


class PacketTooLong(OSError):
    """A packet was longer than MOST_OCTETS, and was not sent."""


class Packets:
    """One end of a pair. `send` may be called from any thread, `receive` from one at a time."""

    def __init__(self, connection: socket.socket) -> None:
        """*connection* is owned from now on."""
        self._connection = connection
        self._room = bytearray(MOST_OCTETS)

    @classmethod
    def pair(cls) -> tuple[Packets, Packets]:
        """Two connected ends. Raises OSError."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    @classmethod
    def inherited(cls, descriptor: int) -> Packets:
        """The end that another process left open as *descriptor*; processes of our own do not inherit it."""
        os.set_inheritable(descriptor, False)
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """-1 once it is closed."""
        return self._connection.fileno()

    def setblocking(self, flag: bool) -> None:
        self._connection.setblocking(flag)

    def send(self, message: object, descriptors: tuple[int, ...] = ()) -> None:
        """Send *message*; the other end gets *descriptors* of its own.

        Raises BlockingIOError if the other end does not read and this one does not wait, OSError if it is gone.
        """
        octets = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        if len(octets) > MOST_OCTETS:
            raise PacketTooLong(f"{len(octets)} octets in one packet")
        if descriptors:
            socket.send_fds(self._connection, [octets], descriptors)
        else:
            self._connection.send(octets)

    def receive(self) -> tuple[object, tuple[int, ...]]:
        """The next message and the descriptors that came with it, which are the caller's. Those that this process has
        no room for are lost.

        Raises EOFError if the other end is closed; BlockingIOError, OSError.
        """
        octets, ancillary, _, _ = self._connection.recvmsg_into([self._room], _ANCILLARY, _CLOSE_ON_EXEC)
        if not octets:
            raise EOFError
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if not _CLOSE_ON_EXEC:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
        message = pickle.loads(memoryview(self._room)[:octets])  # noqa: S301 - see the head
        return message, tuple(descriptors)

    def close(self) -> None:
        self._connection.close()
