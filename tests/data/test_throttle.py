"""Throttle: averages are exact, limits add up, and a throttled transfer waits for time and for nothing else."""

from __future__ import annotations

import gc
import socket

import pytest

from homeport.data.plan import Outcome, Plan
from homeport.data.stream import PlainStream, WantTime
from homeport.data.throttle import (
    NO_THROTTLES,
    Bucket,
    Pace,
    Rates,
    Throttle,
    ThrottledStream,
)

from .blocking import run
from .ends import Control

Pair = tuple[socket.socket, socket.socket]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def move(bucket: Bucket, clock: Clock, octets: int, piece: int, late: float = 0.0) -> float:
    """Move *octets* in pieces, woken *late* seconds after each wait; how long it took."""
    began = clock.now
    while octets > 0:
        clock.now += max(bucket.delay(), 0.0) + (late if bucket.delay() > 0 else 0.0)
        bucket.spend(min(piece, octets))
        octets -= piece
    return clock.now + max(bucket.delay(), 0.0) - began


@pytest.mark.parametrize("late", [0.0, 0.001, 0.02])
@pytest.mark.parametrize("piece", [512, 5_000, 50_000])
def test_the_average_is_exact_however_late_we_are_woken(piece: int, late: float) -> None:
    clock = Clock()
    bucket = Bucket(100_000, clock)
    seconds = move(bucket, clock, 1_000_000, piece, late)
    assert seconds == pytest.approx(10.0, rel=0.03)


def test_a_pause_is_not_followed_by_a_burst() -> None:
    clock = Clock()
    bucket = Bucket(100_000, clock)
    bucket.spend(1000)
    clock.now += 60
    assert move(bucket, clock, 100_000, 5_000) >= 0.75  # of what a whole second should bring


def test_a_rate_is_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Bucket(0)


def test_the_slowest_limit_counts() -> None:
    clock = Clock()
    throttle = Throttle((Bucket(1_000_000, clock), Bucket(10_000, clock)))
    throttle.wait()
    assert throttle.piece == 512
    throttle.spend(1_000)
    with pytest.raises(WantTime) as error:
        throttle.wait()
    assert error.value.seconds == pytest.approx(0.1, abs=0.21)


def test_sessions_share_what_their_user_has() -> None:
    clock = Clock()
    rates = Rates(clock=clock)
    one = rates.throttles("bob", Pace(download=1_000)).download
    two = rates.throttles("bob", Pace(download=1_000)).download
    other = rates.throttles("eve", Pace(download=1_000)).download
    assert one is not None
    assert two is not None
    assert other is not None
    one.spend(5_000)
    with pytest.raises(WantTime):
        two.wait()
    other.wait()
    assert rates.throttles("bob", Pace(download=1_000)).upload is None


def test_a_user_that_left_is_forgotten() -> None:
    rates = Rates()
    mine = rates.throttles("bob", Pace(upload=1_000))
    assert len(rates._users) == 1
    del mine
    gc.collect()
    assert len(rates._users) == 0


def test_the_server_s_limit_holds_for_all() -> None:
    clock = Clock()
    rates = Rates(server=Pace(upload=1_000), session=Pace(upload=10_000), clock=clock)
    one, two = rates.throttles("bob", Pace()).upload, rates.throttles("eve", Pace()).upload
    assert one is not None
    assert two is not None
    one.spend(5_000)
    with pytest.raises(WantTime):
        two.wait()


def test_without_limits_there_is_no_throttle() -> None:
    assert Rates().throttles("bob", Pace()) is NO_THROTTLES


def test_a_throttled_download_is_whole_and_waits(pair: Pair, control: Control) -> None:
    server, client = pair
    clock = Clock()
    waits: list[float] = []

    class Told(Bucket):
        """A bucket that lets time pass as soon as somebody asks how long to wait."""

        def delay(self) -> float:
            left = super().delay()
            if left > 0:
                waits.append(left)
                clock.now += left
                return 0.0
            return left

    stream = ThrottledStream(PlainStream(server), Throttle((Told(100_000, clock),)))
    result = run(Plan(chunks=[b"x" * 100_000]), stream, control)
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, 100_000)
    assert sum(waits) == pytest.approx(1.0, abs=0.25)
    received = b""
    while piece := client.recv(65536):
        received += piece
    assert received == b"x" * 100_000


def test_there_is_room_for_a_piece_when_its_time_has_come(pair: Pair) -> None:
    clock = Clock()
    throttle = Throttle((Bucket(100_000, clock),))
    stream = ThrottledStream(PlainStream(pair[0]), throttle)
    assert stream.room() == throttle.piece == 5000
    assert stream.write(memoryview(bytes(50_000))) == 5000
    clock.now += 0.01
    with pytest.raises(WantTime):
        stream.room()
    clock.now += 0.1
    assert stream.room() == 5000


def test_waiting_for_time_is_a_real_wait(pair: Pair, control: Control) -> None:
    server, client = pair
    stream = ThrottledStream(PlainStream(server), Throttle((Bucket(200_000),)))
    result = run(Plan(chunks=[b"x" * 60_000]), stream, control)
    assert result.outcome is Outcome.COMPLETE
    # The credit of a fresh bucket is spent at once; nothing here asks how exact the system's timer is.
    assert result.seconds > 0.02
    client.close()
