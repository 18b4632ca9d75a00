"""Sweep: takes from the passive ports the connections that no session waits for.

The passive sockets stay listening, so anybody may connect to one at any time and would sit in its backlog. A
session that waits at the port takes such a stranger out on its way. Where nobody waits, the lobby does, but it
must not wake up for every data connection of every session: it watches the ports until the first connection
comes, looks a second later, when whoever waits has long had his, and only then watches again. So a transfer
costs nothing here as a rule, and a server to whom nobody connects is not woken at all. On Linux all the ports are one
descriptor for that (`bundle.py`); elsewhere each of them is watched until it stirs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from homeport.net.listener import Listener

from .door import Watcher

if TYPE_CHECKING:
    from .bundle import Bundle

SECONDS = 1.0
"""From the first connection at a port to the look at who is still there."""

BUNDLES = sys.platform == "linux"


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

    def adopt(self, listeners: Sequence[tuple[str, Listener]]) -> None:
        """These are ports from now on, too: their addresses, and the listening sockets."""

    def retire(self, forget: Callable[[int], None]) -> list[tuple[str, int]]:
        """Close the ports that no session waits for, each after *forget* was called with its descriptor."""


class Sweep:
    """Runs in the lobby's thread."""

    def __init__(
        self, ports: Sweepable, lobby: Watcher, clock: Callable[[], float], *, bundled: bool = BUNDLES
    ) -> None:
        """Raises OSError if there is no descriptor for the bundle. *bundled*: to have one."""
        self._ports = ports
        self._bundled = bundled
        self._bundle: Bundle | None = None
        self._descriptors: tuple[int, ...] = ()
        self._lobby = lobby
        self._clock = clock
        self._watched: set[int] = set()
        self._due = False
        self._gather()

    def begin(self) -> None:
        """Watch what is not watched yet. Before the lobby starts, or in its thread."""
        for descriptor in self._descriptors:
            if descriptor not in self._watched:
                self._watched.add(descriptor)
                self._lobby.watch(descriptor, partial(self._stirred, descriptor))

    def renew(self) -> None:
        """There are other ports. In the lobby's thread. Raises OSError."""
        self._put_away()
        self._gather()
        self.begin()

    def retire(self) -> list[tuple[str, int]]:
        """Give up the ports that no session waits for: address and number of each. In the lobby's thread."""
        # Another process may have the same socket open, and then no selector notices that it is closed here.
        given_up = self._ports.retire(lambda _: self._put_away())
        if given_up:
            self.renew()
        return given_up

    def close(self) -> None:
        """When the lobby is over."""
        if self._bundle is not None:
            self._bundle.close()

    def _gather(self) -> None:
        descriptors = tuple(self._ports.descriptors())
        if self._bundled:
            from .bundle import Bundle

            self._bundle = Bundle(descriptors)
            descriptors = (self._bundle.fileno(),)
        self._descriptors = descriptors

    def _put_away(self) -> None:
        for descriptor in self._watched:
            self._lobby.forget(descriptor)
        self._watched.clear()
        if self._bundle is not None:
            self._bundle.close()
            self._bundle = None

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
