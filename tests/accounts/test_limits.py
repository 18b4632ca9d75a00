"""Limits: counts that hold among threads, and delays that fall on those who fail."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.accounts.limits import DECAY, LONGEST_DELAY, PACE, Full, LoginThrottle, SessionLimits, network_of

HERE = "192.0.2.7"
NAME = "bob"
THERE = "198.51.100.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::1", "2001:db8::ffff:ffff", True),
        ("2001:db8::1", "2001:DB8:0:0:1::", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_what_counts_as_one_network(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


@pytest.mark.standard("2577-5-LIMIT")
def test_sessions_are_limited_by_address_and_in_all() -> None:
    limits = SessionLimits(3, 2)
    assert limits.take(HERE) is None
    assert limits.take(HERE) is None
    assert limits.take(HERE) is Full.ADDRESS
    assert limits.take(THERE) is None
    assert limits.take("203.0.113.9") is Full.SERVER
    limits.release(HERE)
    assert limits.take(HERE) is None
    assert limits.total == 3


def test_a_refusal_takes_nothing() -> None:
    limits = SessionLimits(10, 1)
    limits.take(HERE)
    for _ in range(5):
        assert limits.take(HERE) is Full.ADDRESS
    assert limits.total == 1
    limits.release(HERE)
    assert (limits.total, limits._by_network) == (0, {})


def test_no_limit() -> None:
    limits = SessionLimits(0, 0)
    assert all(limits.take(HERE) is None for _ in range(1000))


def test_other_limits_leave_those_who_are_there() -> None:
    limits = SessionLimits(10, 3)
    for _ in range(3):
        limits.take(HERE)
    limits.change(10, 2)
    assert limits.take(HERE) is Full.ADDRESS
    limits.change(3, 0)
    assert limits.take(HERE) is Full.SERVER
    limits.change(4, 0)
    assert limits.take(HERE) is None
    assert limits.total == 4


def test_what_was_not_taken_cannot_be_released() -> None:
    limits = SessionLimits(10, 10)
    limits.take(HERE)
    with pytest.raises(ValueError, match=r"no session from 198\.51\.100\.1"):
        limits.release(THERE)
    assert limits.total == 1


def test_threads_never_exceed_the_limits() -> None:
    limits = SessionLimits(5, 3)
    start = threading.Barrier(8)
    lock = threading.Lock()
    inside: Counter[str] = Counter()
    wrong: list[str] = []
    taken = 0

    def work(address: str) -> None:
        nonlocal taken
        start.wait(20)
        for _ in range(300):
            if limits.take(address) is not None:
                continue
            with lock:
                taken += 1
                inside[address] += 1
                if inside[address] > 3 or inside.total() > 5:
                    wrong.append(f"{inside}")
            with lock:
                inside[address] -= 1
            limits.release(address)

    threads = [threading.Thread(target=work, args=(HERE if number % 2 else THERE,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert taken > 0
    assert (limits.total, limits._by_network) == (0, {})


@pytest.mark.standard("2577-5-DELAY")
def test_delays_grow_with_the_failures() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    waited = []
    for _ in range(8):
        delay = throttle.delay(HERE)
        waited.append(delay)
        assert delay is not None
        clock.now += delay
        throttle.failed(HERE, NAME)
    assert waited == [*PACE, 5.0, 5.0]
    assert throttle.delay(THERE) == 0.0


def test_failed_tells_when_the_next_login_is_looked_at() -> None:
    throttle = LoginThrottle(Clock())
    assert throttle.failed(HERE, NAME) == 0.5
    assert throttle.delay(HERE) == 0.5


def test_who_types_slowly_waits_for_nothing() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    for _ in range(6):
        throttle.failed(HERE, NAME)
        clock.now += 6.0
        assert throttle.delay(HERE) == 0.0


def test_hanging_up_and_coming_back_gains_nothing() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(3):
        throttle.failed(HERE, NAME)
    assert throttle.delay(HERE) == 2.0
    assert throttle.delay(HERE) == 4.0  # the turn after that one


def test_many_at_once_take_turns_and_those_who_would_wait_too_long_have_none() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(10):
        throttle.failed(HERE, NAME)
    delays = [throttle.delay(HERE) for _ in range(50)]
    assert delays == [5.0, 10.0, 15.0, 20.0, 25.0, LONGEST_DELAY, *[None] * 44]


def test_a_success_takes_back_one_failure() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(3):
        throttle.failed(HERE, NAME)
    throttle.succeeded(HERE, NAME)
    assert throttle.failed(HERE, NAME) == 2.0
    for _ in range(3):
        throttle.succeeded(HERE, NAME)
    assert (len(throttle), throttle.delay(HERE)) == (0, 0.0)
    throttle.succeeded(HERE, NAME)
    assert throttle.failed(HERE, NAME) == 0.5


def test_a_success_takes_back_no_failure_of_another_name() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(3):
        throttle.failed(HERE, NAME)
        throttle.succeeded(HERE, "another")
    assert throttle.delay(HERE) == 2.0


def test_failures_are_forgotten_one_by_one() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    for _ in range(4):
        throttle.failed(HERE, NAME)
    clock.now += 2 * DECAY
    assert throttle.delay(HERE) == 0.0
    assert throttle.delay(HERE) == PACE[2]
    clock.now += 2 * DECAY
    assert throttle.delay(HERE) == 0.0
    assert len(throttle) == 0


def test_an_ipv6_host_cannot_escape_by_another_address() -> None:
    throttle = LoginThrottle(Clock())
    throttle.failed("2001:db8::1", NAME)
    assert throttle.delay("2001:db8::2") == 0.5


def test_memory_is_bounded_and_the_oldest_failure_goes() -> None:
    throttle = LoginThrottle(Clock(), capacity=3)
    for number in (1, 2, 3, 1, 4):
        throttle.failed(f"192.0.2.{number}", NAME)
    assert len(throttle) == 3
    assert throttle.delay("192.0.2.2") == 0.0
    assert throttle.delay("192.0.2.1") == 1.0


@given(st.lists(st.tuples(st.sampled_from(["delay", "failed", "succeeded", "wait"]), st.integers(0, 3))))
def test_whatever_happens_delays_stay_within_bounds(events: list[tuple[str, int]]) -> None:
    clock = Clock()
    throttle = LoginThrottle(clock, capacity=2)
    for event, number in events:
        address = f"192.0.2.{number}"
        match event:
            case "delay":
                delay = throttle.delay(address)
                assert delay is None or 0.0 <= delay <= LONGEST_DELAY
            case "failed":
                assert 0.0 < throttle.failed(address, NAME) <= LONGEST_DELAY
            case "succeeded":
                throttle.succeeded(address, NAME)
            case _:
                clock.now += number * 20.0
        assert len(throttle) <= 2
