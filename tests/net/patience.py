"""Time that passes at once, and gateways on loopback that answer when they are asked: for tests of waiting.

Everything runs in the test's own thread. Whoever waits lets the gateways answer first; if that brings nothing, the
clock jumps to the end of the wait.
"""

from __future__ import annotations

import heapq
import itertools
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from homeport.net.background import Stopped

LOOPBACK = "127.0.0.1"
_DELIVERY = 0.01
"""Real seconds that the system gets to bring a packet over loopback, on a busy machine."""

Answer = Callable[[bytes], Sequence[bytes]]


class Gateway:
    """A UDP server. `asked` has the time and the octets of every request."""

    def __init__(self, answer: Answer = lambda _: ()) -> None:
        self.answer = answer
        self.asked: list[tuple[float, bytes]] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOOPBACK, 0))
        self.socket.setblocking(False)
        self.last: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port

    @property
    def requests(self) -> list[bytes]:
        return [octets for _, octets in self.asked]

    def intervals(self) -> list[float]:
        """Seconds between the requests."""
        return [round(later - earlier, 6) for (earlier, _), (later, _) in itertools.pairwise(self.asked)]

    def serve(self, now: float) -> None:
        while select.select([self.socket], [], [], _DELIVERY)[0]:
            octets, self.last = self.socket.recvfrom(2048)
            self.asked.append((now, octets))
            for answer in self.answer(octets):
                self.socket.sendto(answer, self.last)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class FakePatience:
    """See the head. It ends, by Stopped, when nothing is left to happen or at `until`."""

    def __init__(self, *gateways: Gateway, until: float = float("inf")) -> None:
        self.time = 1000.0
        self.until = until
        self.gateways = gateways
        self.waits: list[float | None] = []
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.time

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Do *action* when the clock has come to *when*."""
        heapq.heappush(self._events, (when, next(self._numbers), action))

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> list[int]:
        self.waits.append(seconds)
        for gateway in self.gateways:
            gateway.serve(self.time)
        found = select.select(descriptors, [], [], _DELIVERY)[0] if descriptors else []
        if found:
            return found
        end = float("inf") if seconds is None else self.time + seconds
        if self._events and self._events[0][0] <= min(end, self.until):
            when, _, action = heapq.heappop(self._events)
            self.time = max(self.time, when)
            action()
            return []
        if end > self.until or end == float("inf"):
            self.time = max(self.time, self.until if self.until != float("inf") else self.time)
            raise Stopped
        self.time = end
        return []


@contextmanager
def world(answer: Answer, *, until: float = float("inf")) -> Iterator[tuple[Gateway, FakePatience]]:
    """A gateway, and the time in which it lives."""
    with Gateway(answer) as gateway:
        yield gateway, FakePatience(gateway, until=until)
