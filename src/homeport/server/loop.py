"""Loop: a thread that waits for descriptors and moments and calls whoever asked for them.

For the supervisor, which has no sessions: the lobby is for those. What is called must not wait.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from . import readiness

_log = logging.getLogger("homeport.server")


class Loop:
    """A `door.Watcher`. `call`, `at` and `stop` may be called from any thread, all else in its own."""

    def __init__(self, name: str) -> None:
        """Raises OSError. Nothing runs before `start`; `stop` closes its descriptors."""
        self._readiness = readiness.best()
        self._watched: dict[int, Callable[[], None]] = {}
        self._calls: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._running = True
        self._closed = False
        # Daemon: a program that forgets to stop its server can still end.
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def start(self) -> None:
        """Raises RuntimeError if the system refuses a thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it was started, and is not stopped."""
        return self._running and self._thread.ident is not None

    def owns_current(self) -> bool:
        """Whether the caller runs in this thread."""
        return threading.current_thread() is self._thread

    def call(self, action: Callable[[], None]) -> bool:
        """Call *action* in this thread soon, after all that was asked for before. False: it has stopped already."""
        with self._lock:
            if not self._running:
                return False
            self._calls.append(action)
            self._readiness.wake()
            return True

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Call *action* at *when* (monotonic); never if the loop is stopped before."""
        self.call(lambda: heapq.heappush(self._timers, (when, next(self._numbers), action)))

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call *ready* whenever *descriptor* has input. In this thread, or before `start`."""
        self._watched[descriptor] = ready
        self._readiness.watch(descriptor)

    def forget(self, descriptor: int) -> None:
        """Undo `watch`. In this thread; before the descriptor is closed."""
        del self._watched[descriptor]
        self._readiness.forget(descriptor)

    def stop(self, timeout: float) -> bool:
        """End when all that was asked for by `call` is done. Does not wait in this thread itself; whether it ended."""
        with self._lock:
            if self._running:
                self._running = False
                self._readiness.wake()
        if self._thread.ident is None:
            self._close()
        elif not self.owns_current():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            while self._running or self._calls:
                self._once()
        finally:
            with self._lock:
                self._close()

    def _once(self) -> None:
        for descriptor in self._readiness.wait(self._patience()):
            ready = self._watched.get(descriptor)
            if ready is not None:  # one before it may have had it forgotten
                self._do(ready)
        while self._calls:
            self._do(self._calls.popleft())
        while self._timers and self._timers[0][0] <= time.monotonic():
            self._do(heapq.heappop(self._timers)[2])

    def _patience(self) -> float | None:
        if self._calls:
            return 0.0
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 - the thread is needed for all else
            _log.exception("what the supervisor had to do failed")

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._running = False
            self._readiness.close()
