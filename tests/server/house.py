"""A lobby with guests, which does what a test wants: for the tests of the lobby and of the post."""

from __future__ import annotations

import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from homeport.server.lobby import Lobby
from homeport.server.post import SharedPost
from homeport.server.readiness import Readiness, SelectorReadiness
from homeport.server.threads import Threads

from .fakes import FakeTime

KINDS: list[type] = [SelectorReadiness]
if sys.platform == "linux":
    from homeport.server.epoll import EpollReadiness

    KINDS.append(EpollReadiness)


class Guest:
    """Two ends of a connection and a deadline."""

    def __init__(self, deadline: float) -> None:
        self.here, self.there = socket.socketpair()
        self.deadline = deadline
        self.waiting = False
        self.beside = -1
        self.sending = False

    def fileno(self) -> int:
        return self.here.fileno()

    def close(self) -> None:
        self.here.close()
        self.there.close()


class Counting:
    """A Readiness that counts how often its `wait` returned."""

    def __init__(self, inner: Readiness) -> None:
        self.inner = inner
        self.awakenings = 0
        self.waiting = threading.Event()
        self.timeouts: list[float | None] = []
        self.watch, self.arm, self.disarm, self.forget = inner.watch, inner.arm, inner.disarm, inner.forget
        self.arm_once = inner.arm_once
        self.lasting, self.fileno = inner.lasting, inner.fileno
        self.wake, self.close = inner.wake, inner.close

    def wait(self, timeout: float | None) -> list[int]:
        self.timeouts.append(timeout)
        self.waiting.set()
        ready = self.inner.wait(timeout)
        self.awakenings += 1
        return ready


class House:
    """A lobby and what it did. `work`, if there is one, is done in its thread for whoever is resumed."""

    def __init__(self, kind: type) -> None:
        self.time = FakeTime()
        self.resumed: queue.Queue[Guest] = queue.Queue()
        self.proceeding: queue.Queue[Guest] = queue.Queue()
        self.expired: queue.Queue[Guest] = queue.Queue()
        self.watcher = Counting(kind())
        self.threads = Threads("test-lobby")
        self.post = SharedPost()
        self.work: Callable[[Guest], None] = self.resumed.put
        self.lobby: Lobby[Guest] = Lobby(
            self.threads.submit, lambda guest: self.work(guest), self.expired.put, clock=self.time,
            watcher=self.watcher, post=self.post, proceed=self.proceeding.put,
        )  # fmt: skip
        self.guests: list[Guest] = []

    def stop(self) -> None:
        assert self.lobby.stop(5)
        assert self.threads.stop(5)
        for guest in self.guests:
            guest.close()
        assert not [one for one in threading.enumerate() if one.name.startswith(("test-lobby", "homeport-deputy"))]

    def guest(self, seconds: float = 300.0) -> Guest:
        guest = Guest(self.time.now + seconds)
        self.guests.append(guest)
        return guest

    def pass_time(self, seconds: float) -> None:
        self.time.now += seconds
        self.lobby.wake()


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    made = House(request.param)
    made.lobby.start()
    yield made
    made.stop()


@pytest.fixture
def epoll_house() -> Iterator[House]:
    """One that is not woken by everybody who is parked."""
    made = House(KINDS[-1])
    made.lobby.start()
    yield made
    made.stop()


def settle(house: House) -> None:
    """Until the lobby has done all that was to be done before."""
    done = threading.Event()
    house.lobby.call(done.set)
    assert done.wait(5)


LINUX = pytest.mark.skipif(len(KINDS) == 1, reason="epoll is Linux's")
