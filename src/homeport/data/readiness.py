"""Wait until one of a few descriptors can be read or written, in the cheapest way that the system has.

poll knows no highest descriptor number, as select does, and needs no object that lives on, as epoll does. Windows has
only select.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Final

_POLL: Final[Callable[[], Any] | None] = getattr(select, "poll", None)
_INPUT: Final[int] = getattr(select, "POLLIN", 0)
_OUTPUT: Final[int] = getattr(select, "POLLOUT", 0)


def ready(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
    """Those that can go on now (or would fail at once); [] after *seconds*. Negative ones are ignored."""
    return selected(reading, writing, seconds) if _POLL is None else polled(_POLL(), reading, writing, seconds)


def stirs(descriptor: int) -> bool:
    """Whether there is anything to be read: octets, an end, or a fault. True, too, where one can but try.

    To ask costs a fourth of an attempt that fails, which becomes an exception.
    """
    if _POLL is None:
        return True
    poll = _POLL()
    poll.register(descriptor, _INPUT)
    return bool(poll.poll(0))


def polled(poll: Any, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
    """`ready` by an object of the system's poll."""
    register = poll.register
    for descriptor in reading:
        if descriptor >= 0:
            register(descriptor, _INPUT)
    for descriptor in writing:
        if descriptor >= 0:
            register(descriptor, _OUTPUT)
    found: list[tuple[int, int]] = poll.poll(max(seconds, 0.0) * 1000)
    return [one[0] for one in found]


def selected(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
    """`ready` by select."""
    to_read = [one for one in reading if one >= 0]
    to_write = [one for one in writing if one >= 0]
    # A connection attempt that failed is told among the exceptions (winsock's select).
    readable, writable, broken = select.select(to_read, to_write, to_write, max(seconds, 0.0))
    return list({*readable, *writable, *broken})
