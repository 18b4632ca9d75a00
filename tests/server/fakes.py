"""A conversation that echoes lines, and a clock that stands still: for tests of what runs conversations."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from homeport.events.bus import Bus
from homeport.events.types import CloseReason, Event
from homeport.session.services import Clock
from homeport.session.state import Session


class FakeTime:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Echo:
    """Says "220", echoes lines, obeys "QUIT", "FAIL" (raises) and "WORK" (is busy until `release`)."""

    idle_seconds = 300.0

    def __init__(
        self,
        connection: socket.socket,
        number: int,
        peer: tuple[str, int],
        local: tuple[str, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        connection.setblocking(True)
        self.connection = connection
        self.session = Session(number, peer, local, clock())
        self.busy = False
        self.waiting = False
        self.beside = -1
        self.sending = False
        self.runs = 0
        self.threads: set[str] = set()
        self.release = threading.Event()
        self.reason: CloseReason | None = None
        self.clock = clock
        self.deadline = clock() + self.idle_seconds

    def fileno(self) -> int:
        return self.connection.fileno()

    def run(self) -> bool:
        self.runs += 1
        self.threads.add(threading.current_thread().name)
        if self.runs == 1:
            self.connection.sendall(b"220\r\n")
        else:
            octets = self.connection.recv(4096)
            if not octets or octets == b"QUIT\r\n":
                self._close()
                return False
            if octets == b"FAIL\r\n":
                self._close()
                raise LookupError("on purpose")
            if octets == b"WORK\r\n":
                self.busy = True
                self.release.wait(20)
                self.busy = False
            self.connection.sendall(octets)
        self.deadline = self.clock() + self.idle_seconds
        return True

    def proceed(self) -> bool:
        raise NotImplementedError("it has no data connection")

    def expire(self) -> bool:
        self.connection.sendall(b"421 idle\r\n")
        self._close()
        return False

    def end(self, reason: CloseReason) -> None:
        self.reason = reason
        self.release.set()
        try:
            self.connection.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def _close(self) -> None:
        if self.reason is not None:
            try:
                self.connection.sendall(b"421 " + self.reason.value.encode() + b"\r\n")
            except OSError:
                pass
        self.connection.close()


class Recorder:
    """A bus, and all that was published on it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.bus = Bus()
        self.bus.subscribe(self.events.append)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def clock_of(monotonic: Callable[[], float]) -> Clock:
    return Clock(monotonic=monotonic)


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Until *condition* is true: for what other threads do in their own time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.001)
