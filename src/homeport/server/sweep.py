"""Sweep: takes from the passive ports the connections that no session waits for.

The passive sockets stay listening, so anybody may connect to one at any time and would sit in its backlog. A
session that waits at the port takes such a stranger out on its way. Where nobody waits, the lobby does, but it
must not wake up for every data connection of every session: it watches a port until the first connection
comes, looks a second later, when whoever waits has long had his, and only then watches it again. So a transfer
costs nothing here as a rule, and a server to whom nobody connects is not woken at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from .door import Watcher

SECONDS = 1.0
"""From the first connection at a port to the look at who is still there."""


class Sweepable(Protocol):
    """What is asked of the passive ports (`data.ports.PassivePorts`)."""

    @property
    def ports(self) -> tuple[int, ...]: ...

    def descriptors(self) -> Sequence[int]:
        """Of the listening sockets."""

    @property
    def unsettled(self) -> bool:
        """Whether another `sweep` is due soon although nobody new comes."""

    def sweep(self) -> list[tuple[str, int]]:
        """Bring connections to the sessions that they are for and reset the others. Does not wait."""


class Sweep:
    """Runs in the lobby's thread."""

    def __init__(self, ports: Sweepable, lobby: Watcher, clock: Callable[[], float]) -> None:
        self._ports = ports
        self._lobby = lobby
        self._clock = clock
        self._watched: set[int] = set()
        self._due = False

    def begin(self) -> None:
        """Watch all ports that are not watched yet. Before the lobby starts, or in its thread."""
        for descriptor in self._ports.descriptors():
            if descriptor not in self._watched:
                self._watched.add(descriptor)
                self._lobby.watch(descriptor, partial(self._stirred, descriptor))

    def _stirred(self, descriptor: int) -> None:
        self._watched.discard(descriptor)
        self._lobby.forget(descriptor)
        self._look_later()

    def _look_later(self) -> None:
        if not self._due:
            self._due = True
            self._lobby.at(self._clock() + SECONDS, self._look)

    def _look(self) -> None:
        self._due = False
        self._ports.sweep()
        self.begin()
        if self._ports.unsettled:
            self._look_later()
