"""Arrivals: connections from a proxy at one passive port, until each has told whose it is (PROXY protocol).

Who connects to a passive port behind a proxy is the proxy; the client whose connection it brings stands in the
header. So a connection is accepted, waits here until its header is whole, and only then goes to the offer that is the
client's. Nothing blocks: a header that is late is looked for again whenever somebody looks at the port.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from homeport.net.listener import Connection
from homeport.protocol.proxy import ProxyError, Reader

from .stream import reset

Endpoint = tuple[str, int]

_MOST = 256
"""Connections that may wait at one port; proxies send their headers at once."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who may connect to the passive ports, with a header before everything else."""

    trusted: Callable[[str], bool]
    """Whether an address is a proxy's."""
    seconds: float = 5.0
    """For the header to come (§2: a few seconds, at least 3)."""


class _Arrival:
    __slots__ = ("connection", "peer", "reader", "until")

    def __init__(self, connection: Connection, peer: Endpoint, until: float) -> None:
        self.connection = connection
        self.peer = peer
        self.until = until
        self.reader = Reader()

    def client(self) -> Endpoint | None:
        """Who is behind it; None: that is still to come. Raises ProxyError, OSError."""
        while True:
            try:
                octets = self.connection.recv(self.reader.wanted)
            except (BlockingIOError, InterruptedError):
                if time.monotonic() >= self.until:
                    raise ProxyError("its PROXY header did not come in time") from None
                return None
            if not octets:
                raise ProxyError("it ended before its PROXY header did")
            header = self.reader.feed(octets)
            if header is not None:
                return header.source or self.peer


class Arrivals:
    """Those at one port. May be used from any number of threads."""

    __slots__ = ("_lock", "_proxies", "_waiting")

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._lock = threading.Lock()
        self._waiting: list[_Arrival] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: Connection, peer: Endpoint) -> bool:
        """Wait for the header of *connection*, which is ours then. False: *peer* is no proxy, or too many wait."""
        if not self._proxies.trusted(peer[0]):
            return False
        with self._lock:
            if len(self._waiting) >= _MOST:
                return False
            connection.setblocking(False)
            self._waiting.append(_Arrival(connection, peer, time.monotonic() + self._proxies.seconds))
        return True

    def descriptors(self) -> tuple[int, ...]:
        """Of the connections that wait."""
        with self._lock:
            return tuple(one.connection.fileno() for one in self._waiting)

    def introduced(self) -> Iterator[tuple[Connection, Endpoint]]:
        """Take out those that told their client, with it. Resets those that told nonsense, or nothing in time."""
        if not self._waiting:
            return
        known: list[tuple[Connection, Endpoint]] = []
        with self._lock:  # held while reading, which does not block: who looks meanwhile must not miss one
            still: list[_Arrival] = []
            for one in self._waiting:
                try:
                    client = one.client()
                except (ProxyError, OSError):
                    reset(one.connection)
                    continue
                if client is None:
                    still.append(one)
                else:
                    known.append((one.connection, client))
            self._waiting = still
        yield from known

    def close(self) -> None:
        with self._lock:
            for one in self._waiting:
                reset(one.connection)
            self._waiting.clear()
