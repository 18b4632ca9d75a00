"""Deputy: relieves the holder of the lobby's post when one piece of work takes too long.

Nobody can tell beforehand whether an `open` or an `fsync` takes ten microseconds or ten seconds. So it is carried out
by the thread that serves all the others as well, and this one looks on: what is still the same piece of work at the
next look has lost the post. While nothing happens the deputy sleeps, and is woken by the next piece of work.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger("homeport.server")

LOOK = 0.005
"""Seconds between two looks: for so long, at most twice, a slow disk holds up the other sessions."""
_QUIET_LOOKS = 20
"""After so many looks without any work the deputy goes to sleep."""


class Works(Protocol):
    """What is looked at."""

    @property
    def work(self) -> int:
        """The number of the piece of work under way; 0 while there is none."""


class Deputy:
    """A thread of its own."""

    def __init__(self, lobby: Works, relieve: Callable[[int], None]) -> None:
        """*relieve* gets the number of the piece of work that has taken too long."""
        self._lobby = lobby
        self._relieve = relieve
        self._gate = threading.Lock()
        self._gate.acquire()
        self._lock = threading.Lock()
        self._running = True
        self.asleep = False
        # Daemon: a program that forgets to stop its server can still end.
        self._runner = threading.Thread(target=self._live, name="homeport-deputy", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError if the system refuses a thread."""
        self._runner.start()

    def wake(self) -> None:
        """Look again. To be called when a piece of work begins while `asleep`."""
        with self._lock:
            if self.asleep:
                self.asleep = False
                self._gate.release()

    def stop(self) -> None:
        """End the thread; does not wait for it."""
        self._running = False
        self.wake()

    def join(self, timeout: float) -> None:
        if self._runner.ident is not None:
            self._runner.join(timeout)

    def _live(self) -> None:
        seen, quiet = 0, 0
        while self._running:
            if quiet == _QUIET_LOOKS:
                self._sleep()
                quiet = 0
            else:
                self._gate.acquire(timeout=LOOK)
            work = self._lobby.work
            if work and work == seen:
                try:
                    self._relieve(work)
                except Exception:  # noqa: BLE001 - the next look may find it better
                    _log.exception("who holds the post could not be relieved")
            quiet = 0 if work or work != seen else quiet + 1
            seen = work

    def _sleep(self) -> None:
        with self._lock:
            self.asleep = True
        if self._lobby.work or not self._running:  # it began, or ended, in this very moment
            with self._lock:
                if self.asleep:
                    self.asleep = False
                    return
        self._gate.acquire()
