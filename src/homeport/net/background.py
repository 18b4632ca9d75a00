"""Background: a thread that waits for most of its life, and can always be told to stop.

Its work gets a Patience, through which alone it looks at the clock and waits. So it ends within a moment when it is
told to, whatever it waits for, and a test can give it a Patience whose time passes at once.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

_log = logging.getLogger("homeport.net")


class Stopped(Exception):
    """Raised by `Patience.wait`: leave off, time is up."""


class Patience(Protocol):
    """The clock, and the only way to wait."""

    def now(self) -> float:
        """Monotonic seconds."""

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> list[int]:
        """Those of *descriptors* that have input; [] after *seconds*, or earlier if something has changed.

        Raises Stopped.
        """


class Work(Protocol):
    """What a Background does. Both methods run in its thread."""

    def run(self, patience: Patience) -> None:
        """Work until *patience* raises Stopped."""

    def end(self, patience: Patience) -> None:
        """Undo what others would be left with. *patience* raises Stopped when the time for that is over."""


class Background:
    """Runs one Work in a thread of its own, from `start` to `stop`."""

    def __init__(
        self, name: str, work: Work, *, clock: Callable[[], float] = time.monotonic, farewell: float = 1.5
    ) -> None:
        """*farewell*: seconds that the work gets to end."""
        self._work = work
        self._clock = clock
        self._farewell = farewell
        self._patience: _Patience | None = None
        self._thread: threading.Thread | None = None
        self._name = name

    def start(self) -> None:
        """Raises OSError or RuntimeError if the system refuses a thread or a pair of sockets."""
        patience = _Patience(self._clock)
        # Daemon: a call into a library or the resolver that does not return must not hold the program.
        thread = threading.Thread(target=self._live, args=(patience,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            patience.close()
            raise
        self._patience, self._thread = patience, thread

    def nudge(self) -> None:
        """Let the work look again at what it waits for. From any thread."""
        if self._patience is not None:
            self._patience.wake()

    def tell_to_stop(self) -> None:
        """Let the work end, and do not wait for it."""
        if self._patience is not None:
            self._patience.stop(self._clock() + self._farewell)

    def stop(self, timeout: float) -> bool:
        """Tell it to stop and wait at most *timeout* seconds; whether it has ended."""
        thread = self._thread
        if thread is None:
            return True
        self.tell_to_stop()
        if thread is not threading.current_thread():
            thread.join(timeout)
        return not thread.is_alive()

    def _live(self, patience: _Patience) -> None:
        try:
            try:
                self._work.run(patience)
            except Stopped:
                pass
            patience.bid_farewell()
            try:
                self._work.end(patience)
            except Stopped:
                pass
        except Exception:  # noqa: BLE001 - nobody is there to hear of it; the server goes on without
            _log.exception("%s ended by an error", self._name)
        finally:
            patience.close()


class _Patience:
    """Patience on real time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self._lock = threading.Lock()
        self._reading, self._writing = socket.socketpair()
        for one in (self._reading, self._writing):
            one.setblocking(False)
        self._until: float | None = None
        """When all is over; None: nobody has said stop."""
        self._farewell = False
        self._closed = False

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> list[int]:
        if self._until is not None:
            left = self._until - self.now()
            if not self._farewell or left <= 0:
                raise Stopped
            seconds = left if seconds is None else min(seconds, left)
        own = self._reading.fileno()
        with selectors.DefaultSelector() as selector:
            for descriptor in (own, *descriptors):
                selector.register(descriptor, selectors.EVENT_READ)
            found = [key.fd for key, _ in selector.select(None if seconds is None else max(seconds, 0.0))]
        if own in found:
            found.remove(own)
            self._clear()
            if self._until is not None and not self._farewell:
                raise Stopped
        if not found and self._until is not None and self.now() >= self._until:
            raise Stopped
        return found

    def stop(self, until: float) -> None:
        if self._until is None:
            self._until = until
        self.wake()

    def bid_farewell(self) -> None:
        """From now on waiting is possible again, until the time is up."""
        if self._until is None:  # the work ended by itself
            self._until = self.now()
        self._farewell = True

    def wake(self) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                self._writing.send(b"\0")
            except BlockingIOError:
                pass  # so full that it is readable anyway

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._reading.close()
            self._writing.close()

    def _clear(self) -> None:
        try:
            while self._reading.recv(512):
                pass
        except BlockingIOError:
            pass  # that was all
