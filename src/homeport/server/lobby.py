"""Lobby: where idle sessions wait without a thread, and the one thread that waits for all of them.

A session between two commands has nothing on a stack that is worth keeping. It is parked here: an entry in a
table, a deadline, and its descriptor armed in one selector. When it has input (or is at its end) it is handed to
a pooled thread at once; when its deadline passes it is handed over to be told so. Descriptors that are armed
report once, so that what is handed over makes no noise until it is parked again.

The same thread keeps watch over listening sockets and calls what is to be called at some time. It sleeps until
the earliest deadline, however many sessions are parked, and does not wake up for anything else; nothing that it
calls may block.

Who parks need not wake it: the new deadline is put into the table, and only if it is earlier than what the
thread sleeps for (which idle deadlines, being all of a length, hardly ever are) is the thread told.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from . import readiness
from .deadlines import Deadlines, due_time
from .readiness import Readiness

_log = logging.getLogger("homeport.server")


class Guest(Protocol):
    """What can be parked."""

    def fileno(self) -> int: ...

    @property
    def deadline(self) -> float:
        """When it expires, on the lobby's clock."""


G = TypeVar("G", bound=Guest)


class Lobby(Generic[G]):
    """Parked guests, watched sockets and timers, all waited for by one thread."""

    def __init__(
        self,
        resume: Callable[[G], None],
        expire: Callable[[G], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        watcher: Readiness | None = None,
        name: str = "homeport-lobby",
    ) -> None:
        """*resume* gets a guest that has input, *expire* one whose deadline has passed, in the lobby's own
        thread: they hand it on and return. Opens the selector's descriptors; `stop` closes them."""
        self._resume = resume
        self._expire = expire
        self._clock = clock
        self._readiness = watcher if watcher is not None else readiness.best()
        self._lock = threading.Lock()
        self._parked: dict[int, tuple[G, int]] = {}  # by descriptor; with the bucket of its deadline
        self._deadlines: Deadlines[G] = Deadlines()
        self._watched: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._alarm: float | None = None  # what the thread sleeps until; None: forever
        self._open = True
        self._running = True
        self._over = False
        # Daemon: a program that forgets to stop its server can still end.
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def __len__(self) -> int:
        """How many guests are parked."""
        return len(self._parked)

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if the system refuses it."""
        self._thread.start()

    def park(self, guest: G) -> bool:
        """Let *guest* wait here. False: the lobby takes nobody any more. Raises OSError for a dead descriptor."""
        descriptor = guest.fileno()
        deadline = guest.deadline
        with self._lock:
            if not self._open:
                return False
            bucket = self._deadlines.add(descriptor, guest, deadline)
            self._parked[descriptor] = (guest, bucket)
            try:
                self._readiness.arm(descriptor)
            except OSError:
                self._take(descriptor)
                raise
            alarm = due_time(bucket)
            if self._alarm is None or alarm < self._alarm:
                self._alarm = alarm  # the next one with the same deadline need not wake the thread again
                self._readiness.wake()
        return True

    def empty(self) -> list[G]:
        """Take out all guests, and let nobody in any more: they belong to the caller now."""
        with self._lock:
            self._open = False
            guests = [guest for guest, _ in self._parked.values()]
            self._parked = {}
            self._deadlines = Deadlines()
        return guests

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call *ready* whenever *descriptor* has input. In the lobby's thread (`call`), or before `start`."""
        self._watched[descriptor] = ready
        self._readiness.watch(descriptor)

    def forget(self, descriptor: int) -> None:
        """Undo `watch`. In the lobby's thread, or before `start`; before the descriptor is closed."""
        del self._watched[descriptor]
        self._readiness.forget(descriptor)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Call *action* in the lobby's thread at *when*; never if that is stopped before. From any thread."""
        with self._lock:
            heapq.heappush(self._timers, (when, next(self._numbers), action))
            if not self._over and (self._alarm is None or when < self._alarm):
                self._readiness.wake()

    def call(self, action: Callable[[], None]) -> None:
        """Call *action* in the lobby's thread as soon as it can. From any thread."""
        self.at(float("-inf"), action)

    def wake(self) -> None:
        """Look at the clock again, which a test has moved."""
        with self._lock:
            if not self._over:
                self._readiness.wake()

    def owns_current(self) -> bool:
        """Whether the caller runs in the lobby's thread."""
        return threading.current_thread() is self._thread

    def stop(self, timeout: float) -> bool:
        """End the thread and close the selector; guests that are still parked belong to nobody. Whether it ended.

        Does not wait when it is called in the lobby's own thread, where it is the last thing that happens.
        """
        with self._lock:
            self._running = False
            if not self._over:
                if self._thread.ident is None:  # was never started
                    self._close()
                    return True
                self._readiness.wake()
        if self.owns_current():
            return False
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            while self._running:
                for descriptor in self._readiness.wait(self._patience()):
                    self._arrived(descriptor)
                self._overdue()
        finally:
            with self._lock:
                self._close()

    def _close(self) -> None:
        """Under the lock, as every wake is: so nobody wakes a descriptor that is somebody else's by now."""
        self._open = False
        self._over = True
        self._readiness.close()

    def _patience(self) -> float | None:
        """Seconds until something expires; None if nothing does."""
        with self._lock:
            times = [self._timers[0][0]] if self._timers else []
            earliest = self._deadlines.earliest()
            if earliest is not None:
                times.append(earliest)
            now = self._clock()
            if self._alarm is None or self._alarm <= now:
                self._alarm = min(times, default=None)
            elif times:
                # It is not put off before it rings, even if the guest for whom it was set has gone: one needless
                # awakening in an idle period is cheaper than one whenever the only guest is parked again.
                self._alarm = min(self._alarm, *times)
            return None if self._alarm is None else max(0.0, self._alarm - now)

    def _arrived(self, descriptor: int) -> None:
        ready = self._watched.get(descriptor)
        if ready is not None:
            self._do(ready)
            return
        with self._lock:
            # Nobody may be there: the guest was taken out, or has expired, while its input was reported.
            guest = self._take(descriptor)
        if guest is not None:
            self._hand_over(self._resume, guest)

    def _overdue(self) -> None:
        now = self._clock()
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > now:
                    break
                action = heapq.heappop(self._timers)[2]
            self._do(action)
        with self._lock:
            due = self._deadlines.expired(now)
            for descriptor, _ in due:
                del self._parked[descriptor]
        for _, guest in due:
            self._hand_over(self._expire, guest)

    def _take(self, descriptor: int) -> G | None:
        """Under the lock: the guest leaves the tables."""
        entry = self._parked.pop(descriptor, None)
        if entry is None:
            return None
        guest, bucket = entry
        self._deadlines.remove(descriptor, bucket)
        return guest

    def _hand_over(self, to: Callable[[G], None], guest: G) -> None:
        try:
            to(guest)
        except Exception:  # noqa: BLE001 - the lobby serves all the others too
            _log.exception("a session could not be handed over")

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 - the lobby serves all the others too
            _log.exception("the lobby's %r failed", action)
