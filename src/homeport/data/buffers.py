"""Buffers: memory that octets pass through. It belongs to work, not to transfers.

A transfer takes a buffer when octets can move and gives it back before it waits. So a thousand slow ones need as many
buffers as there are threads that move something at this very moment, and a large buffer costs a small transfer
nothing. What comes back is kept for the next, warm in the processor's cache, but no more than a few.
"""

from __future__ import annotations

import mmap
from typing import Final

from homeport.compiled import mypyc_attr

BUFFER_OCTETS: Final = 2 * 1024 * 1024
"""Of each. A fast upload fills it at once, and is woken the less often: with an eighth of it a GiB needs a third more
CPU. Twice as much gains nothing, and on a disk takes it all back."""
_KEPT: Final = 4


@mypyc_attr(allow_interpreted_subclasses=True)
class Buffers:
    """Buffers that are free. Safe for threads."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """A buffer, with whatever it was used for last still in it. It need not come back."""
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(_pages())

    def give(self, buffer: memoryview) -> None:
        """*buffer*, which `take` has given, is free again."""
        # Two threads at once may keep one more than that, which harms nobody.
        if len(self._free) < _KEPT:
            self._free.append(buffer)


def _pages() -> mmap.mmap:
    """Memory of the system's: there is none behind it where nothing was ever written, and all goes back at its end.

    Blocks of this size from the heap would stay in it, and teach malloc to keep more.
    """
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, BUFFER_OCTETS, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, BUFFER_OCTETS)
