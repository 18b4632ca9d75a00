"""Workers: how many processes share the clients, and which passive ports are whose (`server.workers`)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

POSSIBLE = hasattr(socket, "send_fds") and hasattr(socket, "SOCK_SEQPACKET") and sys.platform != "darwin"
"""Whether one process can hand a connection to another, with a word to it that stays whole. Not on Windows, whose
Python has no sockets for that, and not on macOS, whose local sockets keep no boundaries between messages."""


SLOTS = 4096
"""For so many limits of rates there is room in the memory that workers share, the first place being the blackboard's.
Those beyond are each worker's own."""
SLOT_OCTETS = 8


def count_of(wanted: int | None) -> int:
    """The number of workers for the option `server.workers`; None is "auto"."""
    if not POSSIBLE:
        return 1
    return wanted if wanted is not None else usable_processors()


def usable_processors() -> int:
    """Those that this process may run on; 1 where nobody tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def most_workers(ports: Mapping[str, Sequence[T]], wanted: int) -> int:
    """As many of *wanted* workers as have a port on every address. *ports*: those of each address."""
    return min(wanted, *(len(ones) for ones in ports.values()))


def slices(ports: Mapping[str, Sequence[T]], workers: int) -> list[dict[str, list[T]]]:
    """What each of *workers* gets of *ports*: on every address about as many as the others, and none of theirs."""
    return [{address: list(ones[index::workers]) for address, ones in ports.items()} for index in range(workers)]
