"""PortRange: the passive ports on one local address, to whom each is promised, and who waits for one.

Only values and choices here; the lock around them, and all traffic, is in `ports.py`.
"""

from __future__ import annotations

import os
import random
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from homeport.net.listener import Listener, listen, plain

if TYPE_CHECKING:
    from .arrivals import Arrivals
    from .offer import Offer
    from .waker import Waker

MOST_PORTS: Final = 256
"""Of a larger range so many are opened, chosen at random: each costs a descriptor, and more would never be needed."""

_SAME_NUMBER_TRIES = 20


class Port:
    """One listening socket, and to whom it is promised."""

    __slots__ = ("arrivals", "former", "listener", "number", "offers", "range")

    def __init__(self, listener: Listener, of: PortRange) -> None:
        self.listener = listener
        self.number: int = listener.getsockname()[1]
        self.range = of
        self.offers: dict[str, Offer] = {}
        """By the peer's address, of which there is one here at most."""
        self.former: dict[str, float] = {}
        """Peers whose offer ended without a connection, and until when (monotonic) they should not come back."""
        self.arrivals: Arrivals | None = None
        """What comes from a proxy and has not told its client yet; None: clients come themselves."""

    def arriving(self) -> tuple[int, ...]:
        """Descriptors of connections that are still to tell whose they are."""
        return () if self.arrivals is None else self.arrivals.descriptors()

    def fileno(self) -> int:
        """-1 once it is closed."""
        return self.listener.fileno()


class Turn:
    """Somebody who waits in a queue."""

    __slots__ = ("among", "local", "offer", "waker")

    def __init__(self, local: str, among: frozenset[int] | None = None) -> None:
        self.local = local
        self.among = among
        """The numbers that would do; None: all."""
        self.offer: Offer | None = None
        """What was waited for, once it is there."""
        self.waker: Waker | None = None


class PortRange:
    """All ports on one local address."""

    __slots__ = ("address", "chance", "ports", "queues")

    def __init__(self, address: str) -> None:
        self.address = address
        self.chance = Chance()
        self.ports: list[Port] = []
        self.queues: dict[str, deque[Turn]] = {}
        """By peer. Somebody is in one only while every port that would do is promised to that peer."""

    def narrowed(self, among: frozenset[int]) -> frozenset[int] | None:
        """Those of *among* that are here; None, which is all, if there are none: a port in vain is better than none."""
        return among.intersection(port.number for port in self.ports) or None

    def choose(self, peer: str, now: float, among: frozenset[int] | None = None) -> Port | None:
        """A random port for *peer*, one of *among*: best one that nobody waits for, else one that others wait for.

        Last come those that the same peer had in vain shortly before. None if all are promised to *peer*.
        """
        ports = self.ports if among is None else [port for port in self.ports if port.number in among]
        port = self.chance.any_of(ports)
        if not port.offers and not port.former:
            return port
        free: list[Port] = []
        shared: list[Port] = []
        unsure: list[Port] = []
        for port in ports:
            if peer in port.offers:
                continue
            if port.former and port.former.get(peer, now) > now:
                unsure.append(port)
            elif port.offers:
                shared.append(port)
            else:
                free.append(port)
        candidates = free or shared or unsure
        return self.chance.any_of(candidates) if candidates else None

    def unused(self, peer: str, among: frozenset[int] | None = None) -> Offer | None:
        """The oldest offer to *peer*, of one of *among*, whose session does not wait for the connection."""
        offers = [
            port.offers[peer] for port in self.ports if peer in port.offers and (among is None or port.number in among)
        ]
        return min((offer for offer in offers if not offer.waited_for), key=_age, default=None)

    def enter(self, peer: str, turn: Turn) -> None:
        """Put *turn* at the end of the queue of *peer*."""
        self.queues.setdefault(peer, deque()).append(turn)

    def first(self, peer: str, number: int) -> Turn | None:
        """Take the first for whom the port *number* would do out of the queue of *peer*."""
        for turn in self.queues.get(peer, ()):
            if turn.among is None or number in turn.among:
                self.leave(peer, turn)
                return turn
        return None

    def leave(self, peer: str, turn: Turn) -> None:
        """Take *turn* out of the queue of *peer*, wherever it stands."""
        queue = self.queues[peer]
        queue.remove(turn)
        if not queue:
            del self.queues[peer]

    def close(self) -> None:
        for port in self.ports:
            port.listener.close()


def _age(offer: Offer) -> float:
    return offer.made


class Chance:
    """Random choices by the system's generator: a number that can be foreseen can be stolen (RFC 2577 §8).

    Drawn for 256 choices at once, which spares a system call at each. The caller holds the lock.
    """

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def any_of(self, ports: Sequence[Port]) -> Port:
        if not self._numbers:
            self._numbers = list(struct.unpack("256I", os.urandom(1024)))
        # Thirty bits each, so that the product is a number that needs no memory.
        return ports[(self._numbers.pop() >> 2) * len(ports) >> 30]


Unavailable = list[tuple[int, str]]


Kept = Mapping[tuple[str, int], Listener]
"""Sockets that listen already, by address and port."""
NONE_KEPT: Kept = MappingProxyType({})


def open_ranges(
    addresses: Sequence[str], numbers: Sequence[int] | None, count: int, open_already: Kept = NONE_KEPT
) -> tuple[list[PortRange], Unavailable]:
    """Listen on *numbers* of each address, or on *count* that the system chooses; and what could not be had.

    Of *numbers*, those that are *open_already* are used further.
    """
    ranges = [PortRange(plain(address)) for address in dict.fromkeys(addresses)]
    unavailable: Unavailable = []
    try:
        if numbers is None:
            _open_any(ranges, count, unavailable)
        else:
            _open_these(ranges, numbers, unavailable, open_already)
    except BaseException:
        for port in (port for one in ranges for port in one.ports if port.listener not in open_already.values()):
            port.listener.close()
        raise
    return ranges, unavailable


def _open_these(
    ranges: Sequence[PortRange], numbers: Sequence[int], unavailable: Unavailable, open_already: Kept
) -> None:
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > MOST_PORTS:
        wanted = random.SystemRandom().sample(wanted, MOST_PORTS)
    for number in wanted:
        for one in ranges:
            try:
                listener = open_already.get((one.address, number)) or listen(one.address, number)
            except OSError as error:
                unavailable.append((number, f"{one.address}: {error.strerror or error}"))
            else:
                one.ports.append(Port(listener, one))


def _open_any(ranges: Sequence[PortRange], count: int, unavailable: Unavailable) -> None:
    """The same numbers on every address, as far as the address can be had at all."""
    possible = []
    for one in ranges:
        try:
            listen(one.address, 0).close()
        except OSError as error:
            unavailable.append((0, f"{one.address}: {error.strerror or error}"))
        else:
            possible.append(one)
    for _ in range(count if possible else 0):
        for attempt in range(_SAME_NUMBER_TRIES):
            try:
                listeners = _same_number(possible)
            except OSError as error:
                if attempt == _SAME_NUMBER_TRIES - 1:
                    unavailable.append((0, f"no number was free on every address: {error.strerror or error}"))
                continue
            for one, listener in zip(possible, listeners, strict=True):
                one.ports.append(Port(listener, one))
            break


def _same_number(ranges: Sequence[PortRange]) -> list[Listener]:
    listeners: list[Listener] = []
    try:
        for one in ranges:
            listeners.append(listen(one.address, listeners[0].getsockname()[1] if listeners else 0))
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners
