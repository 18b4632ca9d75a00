"""Deadlines: which of many things expire when, at constant cost for each.

Ten thousand sessions wait all the time, and nearly none of them ever expires. So what has to be cheap is to add and to
remove: a row of buckets, each for a quarter of a second, does both in a few dictionary steps and keeps nothing of what
was removed. A thing expires up to a quarter of a second late, never early.
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_PER_SECOND: Final = 4


def due_time(bucket: int) -> float:
    """When what is in *bucket* expires."""
    return bucket / _PER_SECOND


class Deadlines(Generic[T]):
    """Not safe for threads; the lobby calls it under its lock."""

    __slots__ = ("_buckets", "_order")

    def __init__(self) -> None:
        self._buckets: dict[int, dict[T, None]] = {}
        self._order: list[int] = []  # a heap of the buckets' numbers

    def add(self, thing: T, when: float) -> int:
        """Expire *thing* at *when*; returns the bucket, with which `remove` finds it."""
        bucket = int(when * _PER_SECOND) + 1
        things = self._buckets.get(bucket)
        if things is None:
            things = self._buckets[bucket] = {}
            heapq.heappush(self._order, bucket)
        things[thing] = None
        return bucket

    def remove(self, thing: T, bucket: int) -> None:
        """*thing* does not expire any more."""
        del self._buckets[bucket][thing]

    def earliest(self) -> float | None:
        """When the next thing expires; None if nothing does."""
        while self._order:
            bucket = self._order[0]
            if self._buckets[bucket]:
                return due_time(bucket)
            heapq.heappop(self._order)  # all its things were removed: nobody need wake up for it
            del self._buckets[bucket]
        return None

    def expired(self, now: float) -> list[T]:
        """Take out what has expired at *now*."""
        due: list[T] = []
        while self._order and due_time(self._order[0]) <= now:
            due += self._buckets.pop(heapq.heappop(self._order))
        return due
