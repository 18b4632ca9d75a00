"""Resets: after how many commands control connections were reset, for each client's network.

A firewall that follows FTP and dislikes what it reads cuts the control connection, at the same command every time. One
such end proves nothing, since clients are killed as well; `advice` tells from several in a row. To what belongs to one
network nobody can say from outside; taken is what one customer usually has (`advice.address.block`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from homeport.advice.address import block

MOST_NETWORKS = 1024
"""Of more, the one that was quiet for the longest is forgotten."""
_KEPT = 8
"""Ends of one network that are remembered, the last ones."""
_SECONDS = 3600.0
"""After so long without another, what was before is forgotten."""


class Resets:
    """May be told from any thread."""

    __slots__ = ("_clock", "_lock", "_networks")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._networks: OrderedDict[tuple[int, int], tuple[float, tuple[int, ...]]] = OrderedDict()

    def add(self, client: str, commands: int) -> tuple[int, ...]:
        """One more, after *commands* commands; the latest of the network of *client*, this one at the end."""
        network, now = block(client), self._clock()
        with self._lock:
            at, before = self._networks.pop(network, (now, ()))
            found = (*before, commands)[-_KEPT:] if now - at < _SECONDS else (commands,)
            self._networks[network] = (now, found)
            if len(self._networks) > MOST_NETWORKS:
                self._networks.popitem(last=False)
        return found

    def forget(self, client: str) -> None:
        """A session of *client* went well: whatever broke before, no filter did."""
        if self._networks:
            with self._lock:
                self._networks.pop(block(client), None)
