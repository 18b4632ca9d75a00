"""Wait until one of a few descriptors can be read or written, in the cheapest way that the system has.

poll knows no highest descriptor number, as select does, and needs no object that lives on, as epoll does. Windows has
only select.
"""

from __future__ import annotations

import select

if hasattr(select, "poll"):

    def ready(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        """Those that can go on now (or would fail at once); [] after *seconds*. Negative ones are ignored."""
        poll = select.poll()
        for descriptor in reading:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        for descriptor in writing:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLOUT)
        return [descriptor for descriptor, _ in poll.poll(max(seconds, 0.0) * 1000)]

else:

    def ready(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        """Those that can go on now (or would fail at once); [] after *seconds*. Negative ones are ignored."""
        to_read = [one for one in reading if one >= 0]
        to_write = [one for one in writing if one >= 0]
        # A connection attempt that failed is told among the exceptions (winsock's select).
        readable, writable, broken = select.select(to_read, to_write, to_write, max(seconds, 0.0))
        return list({*readable, *writable, *broken})
