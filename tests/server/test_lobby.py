"""The lobby: parked guests, deadlines, turns, watched sockets, and no needless awakening."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from homeport.server.readiness import SelectorReadiness

from .fakes import wait_for
from .house import LINUX, Guest, House, epoll_house, house, settle

__all__ = ["epoll_house", "house"]


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
    settle(house)
    assert house.resumed.empty()


def test_who_is_not_parked_may_make_noise(house: House) -> None:
    """Whoever works for him reads it, or it is found when he is parked again. Until then it wakes nobody twice."""
    guest = house.guest()
    house.lobby.park(guest)
    guest.there.send(b"a")
    house.resumed.get(timeout=5)
    settle(house)
    count = house.watcher.awakenings
    for _ in range(5):
        guest.there.send(b"b")
    settle(house)
    assert house.watcher.awakenings <= count + 2  # the noise of the first, and what settles
    house.lobby.park(guest)
    assert house.resumed.get(timeout=5) is guest


def test_a_new_one_is_resumed_without_input(house: House) -> None:
    guest = house.guest()
    assert house.lobby.welcome(guest)
    assert house.resumed.get(timeout=5) is guest
    assert house.lobby.park(guest)
    settle(house)
    assert house.resumed.empty()
    guest.there.send(b"x")
    assert house.resumed.get(timeout=5) is guest


def test_who_has_left_is_forgotten_and_his_number_may_be_somebody_elses(house: House) -> None:
    first = house.guest(10)
    house.lobby.park(first)
    number = first.fileno()
    first.there.send(b"x")
    house.resumed.get(timeout=5)
    settle(house)
    first.close()
    second = house.guest(20)
    assert second.fileno() == number
    assert house.lobby.welcome(second)
    house.lobby.leave(first, number)
    assert house.resumed.get(timeout=5) is second
    house.lobby.park(second)
    house.pass_time(30)
    assert house.expired.get(timeout=5) is second
    house.lobby.leave(second, number)
    assert not house.lobby._places
    settle(house)
    assert house.lobby._deadlines.earliest() is None
    assert house.expired.empty()


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
    settle(house)
    house.pass_time(9)
    settle(house)
    guest.there.send(b"x")
    assert house.resumed.get(timeout=5) is guest
    assert house.expired.empty()


def test_a_deadline_may_come_nearer(house: House) -> None:
    guest = house.guest(300)
    house.lobby.park(guest)
    guest.there.send(b"x")
    house.resumed.get(timeout=5)
    guest.here.recv(10)
    guest.deadline = house.time.now + 10  # as SITE IDLE has it
    house.lobby.park(guest)
    house.pass_time(11)
    assert house.expired.get(timeout=5) is guest


@LINUX
def test_it_sleeps_until_the_earliest_deadline_and_no_more_often(epoll_house: House) -> None:
    house = epoll_house
    house.lobby.park(house.guest(300))
    wait_for(lambda: house.watcher.timeouts and house.watcher.timeouts[-1] is not None)
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
    wait_for(lambda: house.watcher.timeouts and house.watcher.timeouts[-1] is not None)
    count = house.watcher.awakenings

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        guest.deadline += 1
        house.lobby.park(guest)
        house.resumed.put(guest)

    house.work = work
    for _ in range(50):
        guest.there.send(b"x")
        house.resumed.get(timeout=5)
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
    assert made.threads.stop(5)


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
        assert made.threads.stop(5)
        made.lobby.wake()
        made.lobby.call(lambda: None)
        assert not made.lobby.park(guest)


@pytest.mark.parametrize("fault", [OSError, MemoryError])
def test_a_wait_that_fails_is_logged_and_tried_again(
    house: House, fault: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    inner, failed = house.watcher.inner, threading.Event()

    class Failing:
        def wait(self, timeout: float | None) -> list[int]:
            house.watcher.inner = inner
            failed.set()
            raise fault("on purpose")

    house.watcher.inner = Failing()  # type: ignore[assignment]
    house.lobby.wake()
    assert failed.wait(5)
    guest = house.guest()
    house.lobby.park(guest)
    guest.there.send(b"x")
    assert house.resumed.get(timeout=5) is guest
    assert "on purpose" in caplog.text


def test_who_exits_ends_nobody_elses_session(house: House, caplog: pytest.LogCaptureFixture) -> None:
    one, other = house.guest(), house.guest()

    def work(guest: Guest) -> None:
        if guest is one:
            raise SystemExit(3)  # a subscriber of somebody's program may call sys.exit
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    one.there.send(b"x")
    wait_for(lambda: "SystemExit" in caplog.text)
    other.there.send(b"x")
    assert house.resumed.get(timeout=5) is other


def _park(house: House, guest: Guest) -> None:
    assert house.lobby.park(guest)


@pytest.mark.parametrize("by_itself", [True, False])
def test_who_has_more_to_do_comes_again_after_the_others(house: House, by_itself: bool) -> None:
    """And again without any input, parked by the one who holds the post or by another thread."""
    greedy, other = house.guest(), house.guest()
    order: list[Guest] = []
    done = threading.Event()

    def work(guest: Guest) -> None:
        order.append(guest)
        if guest is greedy:
            greedy.waiting = order.count(greedy) < 40
            if order.count(greedy) == 10:
                other.there.send(b"x")
            if not greedy.waiting:
                greedy.here.recv(10)
                done.set()
            elif by_itself:
                house.lobby.park(greedy)
            else:
                house.threads.submit(partial(_park, house, greedy))

    house.work = work
    house.lobby.park(greedy)
    house.lobby.park(other)
    greedy.there.send(b"x")  # is not read until the end: who has input as well has no second turn for it
    assert done.wait(5)
    settle(house)
    assert order.count(greedy) == 40
    assert order.index(other) in (10, 11)


def test_what_has_come_in_time_counts_although_nobody_looked(house: House) -> None:
    """The process was stopped for an hour (SIGSTOP, a debugger, a frozen machine), and the clock went on."""
    talkative, silent = house.guest(10), house.guest(10)
    house.lobby.park(talkative)
    house.lobby.park(silent)

    def freeze() -> None:
        talkative.there.send(b"NOOP\r\n")
        house.time.now += 3600

    house.lobby.call(freeze)
    house.pass_time(0)
    assert house.expired.get(timeout=5) is silent
    assert house.resumed.get(timeout=5) is talkative
    settle(house)
    assert house.expired.empty()


# -- guests who wait for something beside ------------------------------------------------------------------------------


@pytest.fixture
def data(house: House) -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_what_is_beside_is_reported_as_such(house: House, data: tuple[socket.socket, socket.socket]) -> None:
    guest = house.guest()
    guest.beside = data[0].fileno()
    house.lobby.park(guest)
    settle(house)
    assert house.proceeding.empty()
    data[1].send(b"x")
    assert house.proceeding.get(timeout=5) is guest
    settle(house)
    assert house.proceeding.empty()  # it is not parked, and makes no noise
    house.lobby.park(guest)
    assert house.proceeding.get(timeout=5) is guest
    data[0].recv(10)
    house.lobby.park(guest)
    guest.there.send(b"STAT")
    assert house.resumed.get(timeout=5) is guest
    guest.here.recv(10)
    house.lobby.park(guest)
    data[1].close()
    assert house.proceeding.get(timeout=5) is guest
    assert house.resumed.empty()


def test_it_may_wait_to_send(house: House, data: tuple[socket.socket, socket.socket]) -> None:
    guest = house.guest()
    guest.beside, guest.sending = data[0].fileno(), True
    house.lobby.park(guest)
    assert house.proceeding.get(timeout=5) is guest
    guest.sending = False
    house.lobby.park(guest)
    settle(house)
    assert house.proceeding.empty()


def test_what_happens_while_it_is_not_parked_is_not_lost(
    house: House, data: tuple[socket.socket, socket.socket]
) -> None:
    guest = house.guest()
    guest.beside = data[0].fileno()
    house.lobby.park(guest)
    guest.there.send(b"STAT")
    assert house.resumed.get(timeout=5) is guest
    data[1].send(b"x")
    settle(house)
    assert house.proceeding.empty()
    guest.here.recv(10)
    house.lobby.park(guest)
    assert house.proceeding.get(timeout=5) is guest


def test_when_it_is_over_its_number_may_be_anothers(house: House) -> None:
    """A data connection's, of the same guest or another one; or a new guest's own."""
    one, other = house.guest(), house.guest(20)
    first, there = socket.socketpair()
    number = one.beside = first.fileno()
    house.lobby.park(one)
    first.close()
    second, peer = socket.socketpair()
    with there, second, peer:
        assert second.fileno() == number
        other.beside = number
        house.lobby.park(other)
        one.beside = -1
        house.lobby.park(one)
        peer.send(b"x")
        assert house.proceeding.get(timeout=5) is other
        one.beside = number  # as if there had been no other
        house.lobby.park(one)
        assert house.proceeding.get(timeout=5) is one
    third = house.guest(10)
    assert third.fileno() == number or third.there.fileno() == number
    if third.fileno() != number:
        third.here, third.there = third.there, third.here
    assert house.lobby.welcome(third)
    assert number not in house.lobby._beside
    assert house.resumed.get(timeout=5) is third
    third.there.send(b"x")
    house.lobby.park(third)
    assert house.resumed.get(timeout=5) is third
    for guest in (one, other, third):
        house.lobby.leave(guest, guest.fileno())
    assert not house.lobby._places
    assert not house.lobby._beside


def test_a_guest_who_has_closed_makes_room_for_what_is_beside(house: House) -> None:
    gone, guest = house.guest(10), house.guest(20)
    house.lobby.park(gone)
    number = gone.fileno()
    gone.here.close()
    here, there = socket.socketpair()
    with here, there:
        assert here.fileno() == number
        guest.beside = number
        house.lobby.park(guest)
        there.send(b"x")
        assert house.proceeding.get(timeout=5) is guest
        house.lobby.leave(gone, number)
        house.lobby.park(guest)
        assert house.proceeding.get(timeout=5) is guest
    house.pass_time(15)
    settle(house)
    assert house.expired.empty()


def test_it_expires_like_any_other(house: House, data: tuple[socket.socket, socket.socket]) -> None:
    guest = house.guest(10)
    guest.beside = data[0].fileno()
    house.lobby.park(guest)
    house.pass_time(11)
    assert house.expired.get(timeout=5) is guest
    guest.deadline += 300
    house.lobby.park(guest)
    data[1].send(b"x")
    assert house.proceeding.get(timeout=5) is guest


def test_only_who_is_idle_is_taken_out(house: House, data: tuple[socket.socket, socket.socket]) -> None:
    idle, waiting = house.guest(), house.guest()
    waiting.beside = data[0].fileno()
    house.lobby.park(idle)
    house.lobby.park(waiting)
    assert house.lobby.empty() == [idle]
    data[1].send(b"x")
    assert house.proceeding.get(timeout=5) is waiting
    assert house.lobby.park(waiting)
    assert house.proceeding.get(timeout=5) is waiting
    waiting.beside = -1
    assert not house.lobby.park(waiting)
    waiting.beside = data[0].fileno()
    assert house.lobby.stop(5)
    assert not house.lobby.park(waiting)
