"""Waker: ends another thread's poll."""

from __future__ import annotations

import os
import socket


class Waker:
    """A descriptor that becomes readable: an eventfd on Linux, elsewhere one end of a pair of sockets."""

    __slots__ = ("_event", "_reading", "_writing")

    def __init__(self) -> None:
        self._event = -1
        if hasattr(os, "eventfd"):
            self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)

    def fileno(self) -> int:
        return self._event if self._event >= 0 else self._reading.fileno()

    def wake(self) -> None:
        """Make `fileno` readable. From any thread; does not block."""
        if self._event >= 0:
            os.eventfd_write(self._event, 1)
            return
        try:
            self._writing.send(b"\0")
        except BlockingIOError:
            pass  # so full that it is readable anyway

    def clear(self) -> None:
        """Make it unreadable again."""
        try:
            if self._event >= 0:
                os.eventfd_read(self._event)
                return
            while self._reading.recv(4096):
                pass
        except BlockingIOError:
            pass  # there is nothing more to take

    def close(self) -> None:
        if self._event >= 0:
            os.close(self._event)
        else:
            self._reading.close()
            self._writing.close()
