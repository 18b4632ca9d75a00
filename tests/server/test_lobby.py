"""The lobby: parked guests, deadlines, watched sockets, and no needless awakening."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from homeport.server import readiness
from homeport.server.lobby import Lobby
from homeport.server.readiness import Readiness, SelectorReadiness

from .fakes import FakeTime, wait_for

KINDS: list[type] = [SelectorReadiness]
if hasattr(readiness, "EpollReadiness"):
    KINDS.append(readiness.EpollReadiness)


class Guest:
    """Two ends of a connection and a deadline."""

    def __init__(self, deadline: float) -> None:
        self.here, self.there = socket.socketpair()
        self.deadline = deadline

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
        self.watch, self.arm, self.forget = inner.watch, inner.arm, inner.forget
        self.wake, self.close = inner.wake, inner.close

    def wait(self, timeout: float | None) -> list[int]:
        self.timeouts.append(timeout)
        self.waiting.set()
        ready = self.inner.wait(timeout)
        self.awakenings += 1
        return ready


class House:
    """A lobby and what it handed over."""

    def __init__(self, kind: type) -> None:
        self.time = FakeTime()
        self.resumed: queue.Queue[Guest] = queue.Queue()
        self.expired: queue.Queue[Guest] = queue.Queue()
        self.watcher = Counting(kind())
        self.lobby: Lobby[Guest] = Lobby(
            self.resumed.put, self.expired.put, clock=self.time, watcher=self.watcher, name="test-lobby"
        )
        self.guests: list[Guest] = []

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
    assert made.lobby.stop(5)
    for guest in made.guests:
        guest.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "test-lobby"]


@pytest.fixture
def epoll_house() -> Iterator[House]:
    """One that is not woken by everybody who is parked."""
    made = House(readiness.EpollReadiness)
    made.lobby.start()
    yield made
    assert made.lobby.stop(5)
    for guest in made.guests:
        guest.close()


LINUX = pytest.mark.skipif(not hasattr(readiness, "EpollReadiness"), reason="epoll is Linux's")


def test_input_hands_a_guest_over_once(house: House) -> None:
    guest = house.guest()
    assert house.lobby.park(guest)
    assert len(house.lobby) == 1
    guest.there.send(b"NOOP\r\n")
    assert house.resumed.get(timeout=5) is guest
    assert len(house.lobby) == 0
    guest.there.send(b"NOOP\r\n")  # nobody took the first one yet
    assert house.lobby.park(guest)
    assert house.resumed.get(timeout=5) is guest
    assert house.resumed.empty()


def test_a_client_that_leaves_hands_it_over_too(house: House) -> None:
    guest = house.guest()
    house.lobby.park(guest)
    guest.there.close()
    assert house.resumed.get(timeout=5) is guest


def test_three_hundred_guests_wait_without_a_thread(house: House) -> None:
    before = threading.active_count()
    guests = [house.guest() for _ in range(300)]
    for guest in guests:
        assert house.lobby.park(guest)
    assert threading.active_count() == before
    assert len(house.lobby) == 300
    for guest in guests[::3]:
        guest.there.send(b"x")
    assert {house.resumed.get(timeout=5) for _ in range(100)} == set(guests[::3])
    assert len(house.lobby) == 200


def test_deadlines(house: House) -> None:
    early, late = house.guest(10), house.guest(20)
    house.lobby.park(late)
    house.lobby.park(early)
    house.pass_time(9.9)
    assert house.expired.empty()
    house.pass_time(0.5)
    assert house.expired.get(timeout=5) is early
    assert len(house.lobby) == 1
    early.there.send(b"too late")
    house.pass_time(10)
    assert house.expired.get(timeout=5) is late
    assert house.resumed.empty()


def test_who_was_busy_meanwhile_does_not_expire(house: House) -> None:
    guest = house.guest(10)
    house.lobby.park(guest)
    guest.there.send(b"x")
    house.resumed.get(timeout=5)
    house.pass_time(30)
    guest.here.recv(10)
    guest.deadline = house.time.now + 10
    house.lobby.park(guest)
    house.pass_time(9)
    guest.there.send(b"x")
    assert house.resumed.get(timeout=5) is guest
    assert house.expired.empty()


@LINUX
def test_it_sleeps_until_the_earliest_deadline_and_no_more_often(epoll_house: House) -> None:
    house = epoll_house
    house.lobby.park(house.guest(300))
    wait_for(lambda: house.watcher.timeouts[-1] is not None)
    assert house.watcher.timeouts[-1] == pytest.approx(300, abs=0.26)
    count = house.watcher.awakenings
    for number in range(100):
        house.lobby.park(house.guest(300 + number % 2))
    done = threading.Event()
    house.lobby.call(done.set)
    assert done.wait(5)
    wait_for(lambda: len(house.watcher.timeouts) > house.watcher.awakenings)
    assert house.watcher.awakenings <= count + 2  # for the call, and at most for one of another bucket


@LINUX
def test_a_lone_guest_that_comes_and_goes_costs_one_awakening_each_time(epoll_house: House) -> None:
    house = epoll_house
    guest = house.guest(300)
    house.lobby.park(guest)
    wait_for(lambda: house.watcher.timeouts[-1] is not None)
    count = house.watcher.awakenings
    for _ in range(50):
        guest.there.send(b"x")
        house.resumed.get(timeout=5)
        guest.here.recv(10)
        guest.deadline += 1
        house.lobby.park(guest)
    assert house.watcher.awakenings - count <= 51


def test_an_empty_lobby_sleeps_for_ever(house: House) -> None:
    assert house.watcher.waiting.wait(5)
    assert house.watcher.timeouts == [None]


@LINUX
def test_a_dead_descriptor_is_told_at_once_and_leaves_nothing(epoll_house: House) -> None:
    house = epoll_house
    guest = house.guest()
    number = guest.fileno()
    guest.close()
    guest.fileno = lambda: number  # type: ignore[method-assign]
    with pytest.raises(OSError, match="Bad file descriptor"):
        house.lobby.park(guest)
    assert len(house.lobby) == 0


def test_empty_gives_all_back_and_closes(house: House) -> None:
    guests = [house.guest() for _ in range(5)]
    for guest in guests:
        house.lobby.park(guest)
    assert set(house.lobby.empty()) == set(guests)
    assert not house.lobby.park(guests[0])
    guests[1].there.send(b"x")
    house.pass_time(1000)
    done = threading.Event()
    house.lobby.call(done.set)
    assert done.wait(5)
    assert house.resumed.empty()
    assert house.expired.empty()


def test_watched_sockets_and_timers_are_served_in_the_lobby(house: House) -> None:
    here, there = socket.socketpair()
    seen: queue.Queue[str] = queue.Queue()

    def ready() -> None:
        assert house.lobby.owns_current()
        seen.put(here.recv(10).decode())

    with here, there:
        house.lobby.call(lambda: house.lobby.watch(here.fileno(), ready))
        there.send(b"a")
        assert seen.get(timeout=5) == "a"
        there.send(b"b")
        assert seen.get(timeout=5) == "b"
        house.lobby.at(house.time.now + 50, lambda: seen.put("later"))
        house.lobby.at(house.time.now + 20, lambda: seen.put("soon"))
        house.pass_time(19)
        assert seen.empty()
        house.pass_time(40)
        assert [seen.get(timeout=5), seen.get(timeout=5)] == ["soon", "later"]
        done = threading.Event()

        def forget() -> None:
            house.lobby.forget(here.fileno())
            done.set()

        house.lobby.call(forget)
        assert done.wait(5)


def test_what_fails_in_the_lobby_is_logged_and_it_goes_on(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("on purpose")

    house.lobby.call(fail)
    done = threading.Event()
    house.lobby.call(done.set)
    assert done.wait(5)
    assert "on purpose" in caplog.text


def test_one_that_was_never_started_can_be_stopped() -> None:
    made = House(SelectorReadiness)
    assert made.lobby.stop(1)


def test_stopping_while_it_ends_by_itself_wakes_nobody_elses_descriptor(house: House) -> None:
    """Something else may wake the thread right after it was told to end: it is over before `stop` wakes it."""
    for _ in range(50):
        made = House(type(house.watcher.inner))
        made.lobby.start()
        guest = house.guest()
        made.lobby.park(guest)
        guest.there.send(b"x")
        assert made.lobby.stop(5)
        assert made.lobby.stop(5)
        made.lobby.wake()
        made.lobby.call(lambda: None)
        assert not made.lobby.park(guest)
