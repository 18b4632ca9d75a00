"""A transfer in one thread, which waits wherever the client lets it wait: the server's own are suspended instead."""

from __future__ import annotations

import time
from collections.abc import Callable

from homeport.data.buffers import Buffers
from homeport.data.plan import Plan, Progress, Result
from homeport.data.stream import Stream
from homeport.data.transfer import Transfer
from homeport.data.watch import Watch


def run(
    plan: Plan,
    stream: Stream,
    watch: Watch,
    clock: Callable[[], float] = time.monotonic,
    show: Callable[[Progress], None] | None = None,
    buffers: Buffers | None = None,
) -> Result:
    """Carry out *plan* in this thread, which waits wherever the client lets it wait. As `Transfer`, which see.

    *show* is called at the start, with what other threads may look at meanwhile.
    """
    transfer = Transfer(plan, stream, watch, clock, buffers if buffers is not None else Buffers())
    if show is not None:
        show(transfer)
    while True:
        result = transfer.advance(patient=True)
        if result is not None:
            return result
