"""Blackboard: what the supervisor tells all workers without being asked: whether logins have failed lately.

Nearly always none has, and then no login need be looked after. So that is one number in the memory that the workers
share anyway (`data/sharedrate.py`), in its first eight octets: written at once, by one process only, and before the
client whose login failed hears of it.
"""

from __future__ import annotations

import mmap

from .workers import SLOT_OCTETS


class Blackboard:
    """*descriptor*, of the shared memory, stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, SLOT_OCTETS)
        self._numbers = memoryview(self._memory).cast("q")

    @property
    def failures(self) -> int:
        """The networks against which a failed login is held."""
        return self._numbers[0]

    @failures.setter
    def failures(self, count: int) -> None:
        self._numbers[0] = count

    def close(self) -> None:
        self._numbers.release()
        self._memory.close()
