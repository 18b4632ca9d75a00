"""The lobby: parked guests, deadlines, watched sockets, the post that goes round, and no needless awakening."""

from __future__ import annotations

import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from homeport.server import readiness
from homeport.server.lobby import Lobby
from homeport.server.post import SharedPost
from homeport.server.readiness import Readiness, SelectorReadiness
from homeport.server.threads import Threads

from .fakes import FakeTime, wait_for

KINDS: list[type] = [SelectorReadiness]
if hasattr(readiness, "EpollReadiness"):
    KINDS.append(readiness.EpollReadiness)


class Guest:
    """Two ends of a connection and a deadline."""

    def __init__(self, deadline: float) -> None:
        self.here, self.there = socket.socketpair()
        self.deadline = deadline
        self.waiting = False

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
        self.expired: queue.Queue[Guest] = queue.Queue()
        self.watcher = Counting(kind())
        self.threads = Threads("test-lobby")
        self.post = SharedPost()
        self.work: Callable[[Guest], None] = self.resumed.put
        self.lobby: Lobby[Guest] = Lobby(
            self.threads.submit, lambda guest: self.work(guest), self.expired.put, clock=self.time,
            watcher=self.watcher, post=self.post,
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
    made = House(readiness.EpollReadiness)
    made.lobby.start()
    yield made
    made.stop()


def settle(house: House) -> None:
    """Until the lobby has done all that was to be done before."""
    done = threading.Event()
    house.lobby.call(done.set)
    assert done.wait(5)


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


# -- the post ----------------------------------------------------------------------------------------------------------


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


# -- what goes wrong ---------------------------------------------------------------------------------------------------


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


# -- turns and time ----------------------------------------------------------------------------------------------------


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
