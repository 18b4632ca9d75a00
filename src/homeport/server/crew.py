"""Crew: the worker processes of one configuration, as their supervisor sees them, and how one is started.

A worker is a fresh interpreter, not a fork: a fork of a program with threads may inherit locks that nobody will
release, and a server may be embedded in any program (docs/decisions/workers.md). It inherits its ends of the
socket pairs, and its brief as standard input; all else is handed to it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum, auto
from socket import socket
from typing import BinaryIO

from homeport.net.listener import Listener

from .brief import Brief
from .packets import MOST_DESCRIPTORS, Packets

Place = tuple[str, int]
"""A passive port: its address and number."""


class State(Enum):
    STARTING = auto()
    SERVING = auto()
    DRAINING = auto()
    """It gets no more connections."""
    GONE = auto()


class Worker:
    """One process. Everything is called in the supervisor's thread."""

    def __init__(self, brief: Brief, index: int) -> None:
        """Start it. *index*: its place in the crew. Raises OSError; PicklingError, TypeError or AttributeError where
        the brief holds what cannot travel.
        """
        self.index = index
        self.state = State.STARTING
        self.since = time.monotonic()
        self.places: Counter[str] = Counter()
        """The sessions that it has, by what they count as."""
        self.turn = 0
        """When it got its latest connection, in the order of all."""
        self.ports: set[Place] = set()
        """The passive ports that it uses."""
        self.fault: str | None = None
        """Why it could not start."""
        with ExitStack() as theirs, ExitStack() as undo:
            ends: list[Packets] = []
            own: list[Packets] = []
            for _ in range(3):
                here, there = Packets.pair()
                undo.callback(here.close)
                theirs.callback(there.close)
                here.setblocking(False)
                own.append(here)
                ends.append(there)
            self.orders, self.line, self.news = own
            """To it; from it, and back the answers; and from it events and log records. None is ever waited for."""
            with _brief_file(brief) as file:
                self.process = _start(file, [end.fileno() for end in ends], brief.memory)
            undo.pop_all()

    @property
    def sessions(self) -> int:
        return self.places.total()

    def order(self, message: object, descriptors: tuple[int, ...] = ()) -> bool:
        """Say *message*; whether it was taken. One that does not listen is gone, or as good as that."""
        try:
            self.orders.send(message, descriptors)
        except OSError:
            return False
        return True

    def hand(self, connection: socket, number: int, peer: tuple[str, int], place: str) -> bool:
        """Give it a client; whether it takes it. *place*: what the session counts as."""
        if not self.order(("connection", number, peer), (connection.fileno(),)):
            return False
        self.places[place] += 1
        return True

    def lend(self, ports: dict[Place, Listener]) -> bool:
        """Let it use these passive ports; whether it took all of them. `ports` tells which it has."""
        items = [(place, listener) for place, listener in ports.items() if place not in self.ports]
        for start in range(0, len(items), MOST_DESCRIPTORS):
            some = items[start : start + MOST_DESCRIPTORS]
            order = ("ports", [address for (address, _), _ in some])
            if not self.order(order, tuple(one.fileno() for _, one in some)):
                return False
            self.ports.update(place for place, _ in some)
        return True

    def close(self) -> None:
        """Close this side of the sockets but for the news; the process notices, and ends."""
        self.orders.close()
        self.line.close()


@dataclass(slots=True, eq=False, repr=False)
class Crew:
    """The workers of one configuration."""

    brief: Brief
    shares: list[dict[Place, Listener]]
    """The passive ports of each place in it."""
    workers: dict[int, Worker] = field(default_factory=dict)
    """By their place. One that died is missing until it is replaced."""
    fault: str | None = None
    """Why it did not come about."""
    deaths: Counter[int] = field(default_factory=Counter)
    """How often in a row a worker in that place did not live long."""

    @property
    def complete(self) -> bool:
        """Whether all are ready."""
        return len(self.workers) == len(self.shares) and all(
            worker.state is State.SERVING for worker in self.workers.values()
        )


def _brief_file(brief: Brief) -> BinaryIO:
    file = nameless_file()
    try:
        pickle.dump(brief, file, pickle.HIGHEST_PROTOCOL)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def nameless_file() -> BinaryIO:
    """A file that nobody can open: it may hold passwords. Raises OSError."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("homeport"), "w+b")
    return tempfile.TemporaryFile()


def _start(brief: BinaryIO, descriptors: list[int], memory: int) -> subprocess.Popen[bytes]:
    # -P: nothing is imported from the directory that the server happens to be started in.
    flags = ["-P", *(["-X", "dev"] if sys.flags.dev_mode else []), *(f"-W{option}" for option in sys.warnoptions)]
    # The modules come from where this process has its own, in the same order.
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = [path for path in sys.path if path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*paths, *([own] if own not in paths else [])])}
    return subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
        [sys.executable, *flags, "-m", "homeport.server.worker", *map(str, descriptors)],
        stdin=brief,
        pass_fds=[*descriptors, memory],
        env=environment,
        # Ctrl-C is for the supervisor alone, who lets the workers finish.
        process_group=0,
    )
