"""SharedRate: a limit of so many octets a second that several processes keep together.

A Bucket (`throttle.py`) is one number, the moment at which the next octet is due, on a clock that all processes of a
machine share. Here it lies in memory that they share as well. A record lock of its eight octets keeps them from adding
at the same time; the system takes that lock from a process that dies, and eight octets are written at once, so nobody
is held up by who was killed. To look at it takes no lock.
"""

from __future__ import annotations

import fcntl
import mmap
import threading
import time

from .throttle import CREDIT_SECONDS


class SharedRates:
    """The memory: a file that begins as zeros, eight octets for each limit. *descriptor* stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, 0)  # all of the file
        self.due = memoryview(self._memory).cast("d")
        """For each slot, when its next octet is due (`time.monotonic`)."""
        # A record lock is a process's; its threads exclude each other by this one.
        self.lock = threading.Lock()

    def close(self) -> None:
        self.due.release()
        self._memory.close()


class SharedBucket:
    """A limit as `throttle.Bucket`. Safe for threads, and for processes."""

    __slots__ = ("__weakref__", "_rates", "_slot", "rate")

    def __init__(self, rates: SharedRates, slot: int, rate: int) -> None:
        self._rates = rates
        self._slot = slot
        self.rate = rate

    def delay(self) -> float:
        """Seconds until the next octet is due; 0 or less: now."""
        return self._rates.due[self._slot] - time.monotonic()

    def spend(self, octets: int) -> None:
        """Say that *octets* have moved."""
        rates, slot = self._rates, self._slot
        with rates.lock:
            fcntl.lockf(rates.descriptor, fcntl.LOCK_EX, 8, slot * 8)
            try:
                rates.due[slot] = max(rates.due[slot], time.monotonic() - CREDIT_SECONDS) + octets / self.rate
            finally:
                fcntl.lockf(rates.descriptor, fcntl.LOCK_UN, 8, slot * 8)
