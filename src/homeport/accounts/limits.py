"""Limits: how many sessions there may be, and how fast somebody may guess passwords.

Both count by network: an IPv4 address, or the /64 of an IPv6 address, within which a single host may
choose its address freely. Nothing here waits; what is told is how long to wait.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from ipaddress import IPv6Address, ip_address
from typing import Protocol


class Full(Enum):
    """Why there is no room for one more session. The value is the sentence for the client."""

    SERVER = "Too many connections to this server; please try again later"
    ADDRESS = "Too many connections from your address"


class Places(Protocol):
    """Whoever counts sessions: `SessionLimits`, or what asks it in another process."""

    def take(self, address: str) -> Full | None: ...

    def release(self, address: str) -> None: ...

    def move(self, old: str, new: str) -> Full | None: ...


class Slowing(Protocol):
    """Whoever slows logins down: `LoginThrottle`, or what asks it in another process."""

    def delay(self, address: str) -> float | None: ...

    def failed(self, address: str, name: str) -> float: ...

    def succeeded(self, address: str, name: str) -> None: ...


class SessionLimits:
    """Counts sessions, in all and by network."""

    __slots__ = ("_by_network", "_lock", "_per_address", "_sessions", "_total")

    def __init__(self, sessions: int, per_address: int) -> None:
        """At most *sessions* in all and *per_address* from one network; 0 is no limit."""
        self._sessions = sessions
        self._per_address = per_address
        self._lock = threading.Lock()
        self._total = 0
        self._by_network: dict[str | bytes, int] = {}

    def change(self, sessions: int, per_address: int) -> None:
        """Other limits from now on. Who is there already stays."""
        with self._lock:
            self._sessions, self._per_address = sessions, per_address

    def take(self, address: str) -> Full | None:
        """Count one more session from *address*, or tell why not. What was taken must be released once."""
        network = network_of(address)
        with self._lock:
            if self._sessions and self._total >= self._sessions:
                return Full.SERVER
            count = self._by_network.get(network, 0)
            if self._per_address and count >= self._per_address:
                return Full.ADDRESS
            self._total += 1
            self._by_network[network] = count + 1
            return None

    def release(self, address: str) -> None:
        """Count one session from *address* less. ValueError where none was taken."""
        network = network_of(address)
        with self._lock:
            count = self._by_network.get(network, 0)
            if count == 0:
                raise ValueError(f"no session from {address} was counted")
            self._total -= 1
            if count == 1:
                del self._by_network[network]
            else:
                self._by_network[network] = count - 1

    def move(self, old: str, new: str) -> Full | None:
        """Count a session that was counted from *old* as one from *new*, or tell why not: then nothing has changed."""
        network = network_of(new)
        with self._lock:
            count = self._by_network.get(network, 0)
            if self._per_address and count >= self._per_address:
                return Full.ADDRESS
            self._total += 1
            self._by_network[network] = count + 1
        self.release(old)
        return None

    @property
    def total(self) -> int:
        """The sessions there are."""
        return self._total


PACE: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Seconds between two logins from a network, by the failures that are held against it."""
DECAY = 60.0
"""After so many seconds one failure is forgotten."""
LONGEST_DELAY = 30.0
"""Nobody waits longer: however many try at once, those whose turn would come later have none."""
NETWORKS = 10_000
"""So many networks are remembered at most; those whose last failure is longest ago go first."""


class _Record:
    """What is held against a network: failures as they were at `at`, and when its next login may be looked at."""

    __slots__ = ("at", "names", "turn")

    def __init__(self, now: float) -> None:
        self.names: list[int] = []
        """For each failure, the oldest first, a hash of the name that was tried: the name itself may be long."""
        self.at = now
        self.turn = now

    @property
    def failures(self) -> int:
        return len(self.names)


class LoginThrottle:
    """Slows down logins from where logins fail (RFC 2577 §5), and from nowhere else.

    Each login takes its turn with `delay` before its password is looked at. To wait *before* the check is what counts:
    a client that was made to wait after it could hang up and come back. Turns of one network follow each other
    at the pace of its failures, so that many connections at once gain nothing; somebody who types slowly waits for
    nothing. A success takes back one failure of the same name: an account of one's own, or the anonymous one, must not
    buy free guesses at another's.
    """

    __slots__ = ("_capacity", "_clock", "_lock", "_records")

    def __init__(self, clock: Callable[[], float] = time.monotonic, capacity: int = NETWORKS) -> None:
        self._clock = clock
        self._capacity = capacity
        self._lock = threading.Lock()
        self._records: OrderedDict[str | bytes, _Record] = OrderedDict()

    def delay(self, address: str) -> float | None:
        """Take a turn: the seconds that a login from *address* must wait before it is looked at.

        None: so many wait already that it is not to be looked at.
        """
        if not self._records:
            return 0.0  # nobody has failed: the way of nearly all logins
        network = network_of(address)
        with self._lock:
            record = self._recall(network)
            if record is None:
                return 0.0
            now = self._clock()
            turn = max(now, record.turn)
            if turn - now > LONGEST_DELAY:
                return None
            record.turn = turn + _pace(record.failures)
            return turn - now

    def failed(self, address: str, name: str) -> float:
        """Hold one more failure, as *name*, against *address*: the seconds until its next login is looked at."""
        network = network_of(address)
        with self._lock:
            record = self._recall(network)
            now = self._clock()
            if record is None:
                record = self._records[network] = _Record(now)
                while len(self._records) > self._capacity:
                    self._records.popitem(last=False)
            if record.failures < len(PACE):
                record.names.append(hash(name))
            record.at = now
            record.turn = max(record.turn, now + _pace(record.failures))
            self._records.move_to_end(network)
            return min(record.turn - now, LONGEST_DELAY)

    def succeeded(self, address: str, name: str) -> None:
        """Take back one failure of *address* as *name*, if there is any."""
        if not self._records:
            return
        network = network_of(address)
        with self._lock:
            record = self._recall(network)
            if record is not None and hash(name) in record.names:
                record.names.remove(hash(name))
                record.turn = min(record.turn, self._clock() + _pace(record.failures))
                if record.failures == 0:
                    del self._records[network]

    def __len__(self) -> int:
        """The networks that are remembered."""
        return len(self._records)

    def _recall(self, network: str | bytes) -> _Record | None:
        """The record of *network* with what time has healed taken off; called under the lock."""
        record = self._records.get(network)
        if record is None:
            return None
        healed = int((self._clock() - record.at) / DECAY)
        if healed >= record.failures:
            del self._records[network]
            return None
        del record.names[:healed]
        record.at += healed * DECAY
        return record


def _pace(failures: int) -> float:
    return PACE[min(failures, len(PACE) - 1)]


def network_of(address: str) -> str | bytes:
    """What *address*, a valid IP address, is counted as: itself, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    value = ip_address(address.partition("%")[0])
    if isinstance(value, IPv6Address):
        # IPv4 in IPv6 clothes, as a socket for both families shows it, is IPv4.
        return str(value.ipv4_mapped) if value.ipv4_mapped is not None else value.packed[:8]
    return address
