"""Leases over a router that a test plays, and the thread that keeps them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from tests.net.patience import FakePatience

from homeport.net.background import Background, Patience, Stopped
from homeport.net.leases import PORT_AGAIN, TRY_AGAIN, Leases
from homeport.net.mapping import Mapping, listen_for_announcements
from homeport.net.router import Grant, Router, RouterError, RouterState, Trouble, halved

States = tuple[RouterState, ...]


class Played:
    """A Router that does as the test says."""

    def __init__(
        self, protocol: str = "PCP", *, error: RouterError | None = None, wan: str | None = "11.0.50.20"
    ) -> None:
        self.protocol = protocol
        self.gateway = "192.0.2.254"
        self.error = error
        self.errors: dict[int, RouterError] = {}
        self.wan = wan
        self.lease: float | None = None
        self.asked: list[tuple[str, int]] = []
        self.restarted = False
        self.address_error: RouterError | None = None

    def map(self, inside: int, outside: int, seconds: float, *, renewal: bool = False) -> Grant:
        self.asked.append(("renew" if renewal else "map", inside))
        error = self.errors.get(inside, self.error)
        if error is not None:
            raise error
        return Grant(inside, outside, self.lease or seconds)

    def unmap(self, grant: Grant) -> None:
        self.asked.append(("unmap", grant.inside))
        if self.error is not None:
            raise self.error

    def address(self) -> str | None:
        if self.address_error is not None:
            raise self.address_error
        return self.wan

    def heard(self, octets: bytes) -> bool:
        self.restarted = octets == b"restart"
        return self.restarted

    def take_restart(self) -> bool:
        restarted, self.restarted = self.restarted, False
        return restarted

    def renewal(self, seconds: float, attempt: int) -> float:
        return halved(seconds, attempt)


def candidate(router: Router | None) -> Callable[[Patience], Router | None]:
    return lambda _: router


def leases(*routers: Router | None, ports: Sequence[int] = (50000,), family: int = 4) -> Leases:
    return Leases(family, [candidate(one) for one in routers], ports, 7200)


def silent(text: str = "192.0.2.254 does not answer") -> RouterError:
    return RouterError(Trouble.SILENT, text)


def go_on(one: Leases, patience: FakePatience, until: float) -> None:
    while one.due <= until:
        patience.time = max(patience.time, one.due)
        one.attend(patience)
    patience.time = max(until, patience.time)


# -- leases -------------------------------------------------------------------------------------------------------


def test_the_first_that_grants_anything_stays() -> None:
    first, second, third = Played("PCP", error=silent()), Played("NAT-PMP"), Played("UPnP")
    one = leases(None, first, second, third)
    one.attend(FakePatience())
    assert (first.asked, second.asked, third.asked) == ([("map", 50000)], [("map", 50000)], [])
    assert one.state == RouterState(4, "NAT-PMP", "192.0.2.254", "11.0.50.20", (Grant(50000, 50000, 7200),))


def test_low_ports_come_last_and_a_silent_router_is_asked_once() -> None:
    router = Played()
    leases(router, ports=[50001, 21, 50000]).attend(FakePatience())
    assert [port for _, port in router.asked] == [50000, 50001, 21]
    mute = Played(error=silent())
    leases(mute, ports=[50001, 21, 50000]).attend(FakePatience())
    assert len(mute.asked) == 1


def test_where_nobody_answers_all_are_tried_again_later() -> None:
    routers = Played("PCP", error=silent()), Played("UPnP", error=silent("no router answers"))
    one = leases(*routers)
    patience = FakePatience()
    one.attend(patience)
    assert one.state.trouble is Trouble.SILENT
    assert "PCP: 192.0.2.254 does not answer; UPnP: no router answers" in one.state.problem
    assert one.due == patience.now() + TRY_AGAIN
    routers[1].error = None
    go_on(one, patience, patience.now() + TRY_AGAIN)
    assert (one.state.protocol, one.state.problem) == ("UPnP", "")


def test_the_trouble_that_tells_most_is_reported() -> None:
    one = leases(
        Played("PCP", error=RouterError(Trouble.RESOURCES, "it is full", 30)),
        Played("NAT-PMP", error=RouterError(Trouble.NO_ADDRESS, "it has no public address itself")),
        Played("UPnP", error=silent()),
    )
    one.attend(FakePatience())
    assert one.state.trouble is Trouble.NO_ADDRESS
    assert one.state.problem.startswith("The router was asked to forward the ports by NAT-PMP, but it has no public")


def test_without_any_router_it_says_so() -> None:
    one = leases(None)
    one.attend(FakePatience())
    assert "No router is known" in one.state.problem


def test_a_port_that_was_refused_is_asked_for_again() -> None:
    router = Played()
    router.errors[21] = RouterError(Trouble.REFUSED, "it may not be")
    one = leases(router, ports=[21, 50000])
    patience = FakePatience()
    one.attend(patience)
    assert [grant.inside for grant in one.state.grants] == [50000]
    router.errors.clear()
    go_on(one, patience, patience.now() + PORT_AGAIN)
    assert [grant.inside for grant in one.state.grants] == [21, 50000]
    assert one.state.problem == ""


def test_when_all_leases_are_over_everything_begins_anew() -> None:
    first, second = Played("PCP"), Played("UPnP")
    first.lease = 100
    one = leases(first, second)
    patience = FakePatience()
    one.attend(patience)
    first.error = silent()
    go_on(one, patience, patience.now() + 99)
    assert [what for what, _ in first.asked] == ["map", "renew", "renew", "renew", "renew", "renew"]
    assert one.state.protocol == "PCP"
    go_on(one, patience, patience.now() + 2)
    assert one.state.protocol == "UPnP"


def test_in_one_round_a_silent_router_is_asked_once() -> None:
    router = Played()
    one = leases(router, ports=[50000, 50001, 50002])
    patience = FakePatience()
    one.attend(patience)
    router.asked.clear()
    router.error = silent()
    patience.time += 3600
    one.attend(patience)
    assert len(router.asked) == 1


def test_a_restart_makes_all_anew_and_not_at_once() -> None:
    router = Played()
    one = leases(router, ports=[50000, 50001])
    patience = FakePatience()
    one.attend(patience)
    router.asked.clear()
    patience.time += 60
    one.heard(b"restart", "192.0.2.66", patience)
    go_on(one, patience, patience.now() + 10)
    assert router.asked == [], "it was another router"
    one.heard(b"restart", "192.0.2.254", patience)
    go_on(one, patience, patience.now() + 5)
    assert router.asked == [("renew", 50000), ("renew", 50001)]


def test_an_announcement_lets_a_router_be_looked_for() -> None:
    router = Played(error=silent())
    one = leases(router)
    patience = FakePatience()
    one.attend(patience)
    router.error = None
    one.heard(b"anything", "192.0.2.254", patience)
    assert one.due <= patience.now() + 5


@pytest.mark.parametrize("wan", ["192.168.178.20", "100.65.0.2", "10.0.0.1", None])
def test_a_router_behind_a_router_is_told_apart(wan: str | None) -> None:
    one = leases(Played(wan=wan))
    one.attend(FakePatience())
    assert (one.state.trouble, one.state.wan, one.state.external) == (Trouble.NO_ADDRESS, wan, None)
    assert one.state.grants != ()


def test_for_ipv6_there_is_no_other_address() -> None:
    one = leases(Played(wan="2001:db8::10"), family=6)
    one.attend(FakePatience())
    assert (one.state.trouble, one.state.problem) == (None, "")


def test_an_address_that_cannot_be_asked_for_now_stays() -> None:
    router = Played()
    one = leases(router)
    patience = FakePatience()
    one.attend(patience)
    router.address_error = silent()
    patience.time = one.due
    one.attend(patience)
    assert one.state.wan == "11.0.50.20"
    router.address_error = RouterError(Trouble.NO_ADDRESS, "offline")
    patience.time = one.due
    one.attend(patience)
    assert one.state.wan is None


def test_all_is_given_back_even_if_something_fails_and_only_once() -> None:
    router = Played()
    one = leases(router, ports=[50000, 50001])
    patience = FakePatience()
    one.attend(patience)
    router.error = RouterError(Trouble.REFUSED, "no")
    one.give_back(patience)
    one.give_back(patience)
    assert [port for what, port in router.asked if what == "unmap"] == [50000, 50001]


# -- the thread ---------------------------------------------------------------------------------------------------


def told_by(
    states: list[tuple[RouterState, ...]], changed: threading.Event
) -> Callable[[tuple[RouterState, ...]], None]:
    def told(now: States) -> None:
        states.append(now)
        changed.set()

    return told


def test_it_tells_once_what_it_has_and_gives_it_back_at_the_end() -> None:
    router = Played()
    states: list[States] = []
    changed = threading.Event()
    background = Background("mapping", Mapping([leases(router)], told_by(states, changed), list))
    background.start()
    try:
        assert changed.wait(10)
    finally:
        assert background.stop(10)
    assert [what for what, _ in router.asked] == ["map", "unmap"]
    assert [state.protocol for (state,) in states] == ["PCP"]


def test_an_announcement_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Played(error=silent())
    states: list[States] = []
    changed = threading.Event()
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.bind(("127.0.0.1", 0))
    ear.setblocking(False)
    address = ear.getsockname()
    one = leases(router)
    monkeypatch.setattr(one._random, "uniform", lambda low, _: low)  # at once
    background = Background("mapping", Mapping([one], told_by(states, changed), lambda: [ear]))
    background.start()
    try:
        assert changed.wait(10)
        changed.clear()
        router.error = None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            mouth.sendto(b"here I am", address)
        assert changed.wait(10)
        assert states[-1][0].protocol == "PCP"
    finally:
        assert background.stop(10)


class Waiting:
    """Work that waits, and whose end waits too long."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended: str | None = None

    def run(self, patience: Patience) -> None:
        self.began.set()
        while True:
            patience.wait((), 3600)

    def end(self, patience: Patience) -> None:
        try:
            patience.wait((), 3600)
            self.ended = "too early"
        except Stopped:
            self.ended = "in time"
            raise


def test_a_stop_ends_every_wait_and_the_farewell_is_bounded() -> None:
    work = Waiting()
    background = Background("waiting", work, farewell=0.05)
    background.start()
    assert work.began.wait(10)
    began = time.monotonic()
    assert background.stop(10)
    assert time.monotonic() - began < 5
    assert work.ended == "in time"


def test_what_was_never_started_is_stopped() -> None:
    background = Background("waiting", Waiting())
    assert background.stop(0)
    background.nudge()
    background.tell_to_stop()


def test_work_that_fails_is_logged_and_still_ends(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def run(self, patience: Patience) -> None:
            raise LookupError("on purpose")

        def end(self, patience: Patience) -> None:
            raise AssertionError

    background = Background("failing", Failing())
    background.start()
    assert background.stop(10)
    assert "on purpose" in caplog.text


def test_a_nudge_ends_a_wait_and_nothing_else() -> None:
    rounds = threading.Semaphore(0)

    class Rounds:
        def run(self, patience: Patience) -> None:
            while True:
                assert patience.wait((), None) == []
                rounds.release()

        def end(self, patience: Patience) -> None:
            pass

    background = Background("rounds", Rounds())
    background.start()
    try:
        for _ in range(3):
            background.nudge()
            assert rounds.acquire(timeout=10)
    finally:
        assert background.stop(10)


def test_announcements_can_be_listened_for_on_loopback() -> None:
    found = listen_for_announcements(["127.0.0.1"], families=[4])
    for one in found:
        one.close()
    assert len(found) == 1
