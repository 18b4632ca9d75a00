"""Throttle: how fast octets may move, for one session, for all of one user's, and for the whole server.

A Bucket keeps the moment at which the next octet is due. Moving n octets puts it off by n / rate, so the average is
exact however unevenly the system wakes us: what one piece is late, the next makes up for, within `CREDIT_SECONDS`. A
Throttle asks several buckets at once. ThrottledStream puts it around any stream, plain or TLS, so a transfer without
a limit pays nothing and the pump knows only one more thing to wait for: time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol
from weakref import WeakValueDictionary

from .stream import Stream, WantTime

_PIECE_SECONDS = 0.05
"""A piece is what the rate allows in this time: small enough to be even, large enough to be cheap."""
CREDIT_SECONDS = 0.2
"""So much lateness is made up for; a longer pause is not, or it would be followed by a burst."""
_SMALLEST_PIECE, _LARGEST_PIECE = 512, 8 * 1024 * 1024


class Limit(Protocol):
    """A limit, shared by whoever holds it: a Bucket, or one that processes share (`sharedrate.py`)."""

    @property
    def rate(self) -> int:
        """Octets a second."""

    def delay(self) -> float:
        """Seconds until the next octet is due; 0 or less: now."""

    def spend(self, octets: int) -> None:
        """Say that *octets* have moved."""


MakeLimit = Callable[[str | None, bool, int], Limit]
"""From whose it is (None: the whole server's), whether it is for uploads, and octets a second."""


class Bucket:
    """One limit of *rate* octets a second, shared by whoever holds it. Safe for threads."""

    __slots__ = ("__weakref__", "_clock", "_due", "_lock", "rate")

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        if rate <= 0:
            raise ValueError("a rate is above zero")
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock()

    def delay(self) -> float:
        """Seconds until the next octet is due; 0 or less: now."""
        return self._due - self._clock()

    def spend(self, octets: int) -> None:
        """Say that *octets* have moved."""
        with self._lock:
            self._due = max(self._due, self._clock() - CREDIT_SECONDS) + octets / self.rate


class Throttle:
    """Several limits that hold together."""

    __slots__ = ("_buckets", "piece")

    def __init__(self, buckets: tuple[Limit, ...]) -> None:
        self._buckets = buckets
        slowest = min(bucket.rate for bucket in buckets)
        self.piece = min(max(int(slowest * _PIECE_SECONDS), _SMALLEST_PIECE), _LARGEST_PIECE)
        """Octets that should be moved at once at most."""

    def wait(self) -> None:
        """Raise WantTime unless octets may move now."""
        delay = max(bucket.delay() for bucket in self._buckets)
        if delay > 0:
            raise WantTime(delay)

    def spend(self, octets: int) -> None:
        for bucket in self._buckets:
            bucket.spend(octets)


class ThrottledStream(Stream):
    """A Stream whose octets move no faster than *throttle* allows."""

    __slots__ = ("_stream", "_throttle")

    def __init__(self, stream: Stream, throttle: Throttle) -> None:
        self._stream = stream
        self._throttle = throttle

    @property
    def zero_copy(self) -> bool:
        return self._stream.zero_copy

    def fileno(self) -> int:
        return self._stream.fileno()

    def pending(self) -> int:
        return self._stream.pending()

    def read_into(self, buffer: memoryview) -> int:
        self._throttle.wait()
        octets = self._stream.read_into(buffer[: self._throttle.piece])
        self._throttle.spend(octets)
        return octets

    def room(self) -> int:
        self._throttle.wait()
        return min(self._stream.room(), self._throttle.piece)

    def write(self, data: memoryview) -> int:
        self._throttle.wait()
        octets = self._stream.write(data[: self._throttle.piece])
        self._throttle.spend(octets)
        return octets

    def send_file(self, file: int, offset: int, count: int) -> int:
        self._throttle.wait()
        octets = self._stream.send_file(file, offset, min(count, self._throttle.piece))
        self._throttle.spend(octets)
        return octets

    def finish(self) -> None:
        self._stream.finish()

    def abort(self) -> None:
        self._stream.abort()


class Pace(NamedTuple):
    """Octets a second in both directions, as the client sees them; 0 is no limit."""

    download: int = 0
    upload: int = 0


UNLIMITED = Pace()


class Throttles(NamedTuple):
    """What holds for one session."""

    download: Throttle | None = None
    upload: Throttle | None = None


class Rates:
    """The limits of a server, from which each session gets its own. Safe for threads."""

    def __init__(
        self,
        *,
        server: Pace = UNLIMITED,
        session: Pace = UNLIMITED,
        clock: Callable[[], float] = time.monotonic,
        make: MakeLimit | None = None,
    ) -> None:
        """*make* makes the limits that hold for several sessions together, where they may be in several processes."""
        self._session = session
        self._clock = clock
        self._make = make if make is not None else lambda _, __, rate: Bucket(rate, clock)
        self._lock = threading.Lock()
        self._server = (
            self._make(None, False, server.download) if server.download else None,
            self._make(None, True, server.upload) if server.upload else None,
        )
        self._limited = any((*session, *server))
        self._users: WeakValueDictionary[tuple[str, bool], Limit] = WeakValueDictionary()

    def throttles(self, user: str, pace: Pace) -> Throttles:
        """For a new session of *user*, all of whose sessions together have *pace*."""
        if not (self._limited or pace.download or pace.upload):
            return NO_THROTTLES
        return Throttles(
            self._throttle(self._server[0], self._session.download, self._of(user, pace.download, upload=False)),
            self._throttle(self._server[1], self._session.upload, self._of(user, pace.upload, upload=True)),
        )

    def _throttle(self, server: Limit | None, session: int, user: Limit | None) -> Throttle | None:
        buckets = tuple(bucket for bucket in (server, self._bucket(session), user) if bucket is not None)
        return Throttle(buckets) if buckets else None

    def _bucket(self, rate: int) -> Limit | None:
        return Bucket(rate, self._clock) if rate else None

    def _of(self, user: str, rate: int, *, upload: bool) -> Limit | None:
        """The bucket that all sessions of *user* share; it lives as long as one of them does."""
        if not rate:
            return None
        with self._lock:
            bucket = self._users.get((user, upload))
            if bucket is None or bucket.rate != rate:
                bucket = self._users[user, upload] = self._make(user, upload, rate)
            return bucket


NO_THROTTLES = Throttles()
