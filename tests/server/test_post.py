"""The post: who holds it, who takes it over, and that there is always one holder and never two."""

from __future__ import annotations

import queue
import select
import socket
import threading
from collections.abc import Callable
from functools import partial

import pytest

from homeport.server.threads import Threads

from .fakes import wait_for
from .house import LINUX, Guest, House, epoll_house, house, settle

__all__ = ["epoll_house", "house"]


def test_what_waits_by_the_post_holds_up_nobody(house: House) -> None:
    """The one who waits gets what he waits for, and keeps the post if nobody else needs it."""
    one, other = house.guest(), house.guest()
    names: queue.Queue[str] = queue.Queue()

    def work(guest: Guest) -> None:
        house.resumed.put(guest)
        if guest is one:
            one.here.recv(10)
            assert house.post.ready((one.fileno(),), (), 20) == [one.fileno()]
            names.put(threading.current_thread().name)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    one.there.send(b"a")
    assert house.resumed.get(timeout=5) is one
    other.there.send(b"x")
    assert house.resumed.get(timeout=5) is other
    one.there.send(b"b")
    assert names.get(timeout=5) == "test-lobby-1"
    assert house.threads.size == 2


@LINUX
def test_who_waits_and_is_alone_keeps_the_post(epoll_house: House) -> None:
    house = epoll_house
    guest = house.guest()
    here, there = socket.socketpair()

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        assert house.post.ready((here.fileno(),), (), 20) == [here.fileno()]
        here.recv(10)
        house.lobby.park(guest)
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(guest)
    with here, there:
        for _ in range(20):
            guest.there.send(b"x")
            there.send(b"y")
            house.resumed.get(timeout=5)
    assert house.threads.size == 1


@pytest.mark.parametrize("way", ["give_way", "make_way"])
def test_before_long_work_the_post_is_handed_on(house: House, way: str) -> None:
    one, other = house.guest(), house.guest()
    release = threading.Event()

    def work(guest: Guest) -> None:
        if guest is one:
            one.here.recv(10)
            wait_for(lambda: way == "give_way" or select.select([other.here], [], [], 0)[0])
            getattr(house.post, way)()
            wait_for(lambda: not house.lobby.owns_current())
            release.wait(20)
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    one.there.send(b"a")
    other.there.send(b"x")
    assert house.resumed.get(timeout=5) is other
    release.set()
    assert house.resumed.get(timeout=5) is one


def test_on_the_way_one_is_told_whether_a_descriptor_can_be_read(house: House) -> None:
    guest = house.guest()
    seen: queue.Queue[list[bool]] = queue.Queue()

    def look() -> list[bool]:
        found = []
        here, there = socket.socketpair()
        with here, there:
            found.append(house.post.make_way(here.fileno()))
            there.send(b"x")
            found.append(house.post.make_way(here.fileno()))
        return [*found, house.post.make_way()]

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        seen.put(look())
        house.lobby.park(guest)

    house.work = work
    house.lobby.park(guest)
    guest.there.send(b"a")
    assert seen.get(timeout=5) == [False, True, False]
    assert look() == [False, True, False]  # who does not hold the post is told as well


def test_the_deputy_relieves_who_is_held_up_by_surprise(house: House) -> None:
    """And when that happens again and again, each piece of work has a thread of its own at once."""
    release = threading.Event()
    begun: queue.Queue[Guest] = queue.Queue()

    def work(guest: Guest) -> None:
        begun.put(guest)
        release.wait(20)  # a disk that does not answer
        house.resumed.put(guest)

    house.work = work
    guests = [house.guest() for _ in range(8)]
    for guest in guests:
        house.lobby.park(guest)
    for guest in guests:
        guest.there.send(b"x")
    assert {begun.get(timeout=5) for _ in guests} == set(guests)
    done = threading.Event()
    house.lobby.call(done.set)
    assert done.wait(5)
    assert house.resumed.empty()
    release.set()
    assert {house.resumed.get(timeout=5) for _ in guests} == set(guests)


@LINUX
def test_the_deputy_sleeps_while_nothing_happens(epoll_house: House) -> None:
    house = epoll_house
    wait_for(lambda: house.lobby._deputy.asleep)
    guest = house.guest()
    house.lobby.park(guest)
    guest.there.send(b"x")
    house.resumed.get(timeout=5)
    wait_for(lambda: house.lobby._deputy.asleep)


def test_who_waits_by_the_post_is_not_relieved_of_it(house: House) -> None:
    """However long it takes; and two threads never hold it at the same time."""
    one, other = house.guest(), house.guest()
    looks: queue.Queue[bool] = queue.Queue()

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        if guest is one:
            wait_for(lambda: not house.lobby._deputy.asleep)
            house.post.ready((), (), 0.05)  # ten looks of the deputy
            if house.post.selector < 0:
                # Where nobody can wait for all the others meanwhile, the post was handed on.
                wait_for(lambda: not house.lobby.owns_current())
            looks.put(house.lobby.owns_current())
        house.lobby.park(guest)
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    for _ in range(5):
        one.there.send(b"a")
        assert house.resumed.get(timeout=5) is one
        other.there.send(b"b")
        assert house.resumed.get(timeout=5) is other
        assert looks.get(timeout=5) == (house.post.selector >= 0)


@LINUX
def test_who_waited_long_is_still_looked_after_by_the_deputy(epoll_house: House) -> None:
    """It has fallen asleep meanwhile; what comes after the wait may hang like everything else."""
    house = epoll_house
    one, other = house.guest(), house.guest()
    begun, release = threading.Event(), threading.Event()
    here, there = socket.socketpair()

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        if guest is one:
            assert house.post.ready((here.fileno(),), (), 20) == [here.fileno()]
            begun.set()
            release.wait(20)  # a disk that does not answer
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    with here, there:
        wait_for(lambda: house.lobby._deputy.asleep)
        one.there.send(b"a")
        wait_for(lambda: not house.lobby._deputy.asleep)
        wait_for(lambda: house.lobby._deputy.asleep)
        there.send(b"x")
        assert begun.wait(5)
        other.there.send(b"b")
        assert house.resumed.get(timeout=5) is other
        release.set()
        assert house.resumed.get(timeout=5) is one


class Withheld:
    """Threads whose system has no thread to spare: what is submitted waits until it is `granted`."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        self.withhold = False
        self.works: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        if self.withhold:
            self.works.append(work)
        else:
            self.threads.submit(work)

    def grant(self) -> None:
        """All of it is done, in other threads, before this returns."""
        for work in self.works:
            done = threading.Event()
            self.threads.submit(partial(_do_and_tell, work, done))
            assert done.wait(5)
        self.works.clear()


def _do_and_tell(work: Callable[[], None], done: threading.Event) -> None:
    work()
    done.set()


@pytest.fixture
def short_house(house: House) -> tuple[House, Withheld]:
    withheld = Withheld(house.threads)
    settle(house)
    house.lobby._submit = withheld.submit
    withheld.withhold = True
    return house, withheld


def test_without_a_thread_to_spare_the_post_stays_where_it_is(short_house: tuple[House, Withheld]) -> None:
    """And whoever comes for it later, when nobody does without it any more, does not take it."""
    house, withheld = short_house
    one, other = house.guest(), house.guest()

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        if guest is one:
            for _ in range(5):
                house.post.give_way()
        house.lobby.park(guest)
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    for guest in (one, other, one, other):
        guest.there.send(b"x")
        assert house.resumed.get(timeout=5) is guest
    settle(house)
    assert len(withheld.works) == 1
    holder = house.post.holder
    withheld.grant()
    assert house.post.holder == holder
    other.there.send(b"x")
    assert house.resumed.get(timeout=5) is other
    withheld.withhold = False


def test_who_is_stuck_is_relieved_as_soon_as_there_is_a_thread(short_house: tuple[House, Withheld]) -> None:
    house, withheld = short_house
    one, other = house.guest(), house.guest()
    release = threading.Event()

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        if guest is one:
            release.wait(20)
        house.resumed.put(guest)

    house.work = work
    house.lobby.park(one)
    house.lobby.park(other)
    one.there.send(b"x")
    wait_for(lambda: bool(withheld.works))
    other.there.send(b"x")
    withheld.withhold = False
    for taken in withheld.works:
        house.threads.submit(taken)
    assert house.resumed.get(timeout=5) is other
    release.set()
    assert house.resumed.get(timeout=5) is one


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("fault", [MemoryError, RuntimeError])
def test_a_thread_that_cannot_be_had_costs_nobody_the_post(house: House, fault: type[Exception], slow: bool) -> None:
    """*slow*: nor anything else, where each command is to have a thread."""
    guest = house.guest()
    settle(house)
    house.lobby._slow_until = float("inf") if slow else 0.0
    submit = house.lobby._submit

    def refuse(_: Callable[[], None]) -> None:
        raise fault("no thread")

    def work(guest: Guest) -> None:
        guest.here.recv(10)
        house.post.give_way()
        house.lobby.park(guest)
        house.resumed.put(guest)

    house.work = work
    house.lobby._submit = refuse
    house.lobby.park(guest)
    for _ in range(3):
        guest.there.send(b"x")
        assert house.resumed.get(timeout=5) is guest
    house.lobby._submit = submit


def test_a_timer_that_hands_on_the_post_is_no_second_holder(house: House) -> None:
    """As those of a program that embeds the server may."""
    guest = house.guest()
    for _ in range(20):
        house.lobby.call(house.post.give_way)
        settle(house)
        house.lobby.park(guest)
        guest.there.send(b"x")
        assert house.resumed.get(timeout=5) is guest
        guest.here.recv(10)
    assert not house.post.offered
