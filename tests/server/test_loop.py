"""The supervisor's loop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from homeport.server.loop import Loop

from .fakes import wait_for


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop("a loop")
    loop.start()
    yield loop
    assert loop.stop(10)


def test_calls_come_in_order_and_in_its_thread(loop: Loop) -> None:
    seen: list[tuple[int, bool]] = []
    for number in range(3):
        assert loop.call(lambda number=number: seen.append((number, loop.owns_current())))  # type: ignore[misc]
    wait_for(lambda: len(seen) == 3)
    assert seen == [(0, True), (1, True), (2, True)]
    assert not loop.owns_current()


def test_what_is_to_be_done_later_comes_in_the_order_of_its_times(loop: Loop) -> None:
    seen: list[str] = []
    now = time.monotonic()
    loop.at(now + 0.05, lambda: seen.append("later"))
    loop.at(now + 0.02, lambda: seen.append("sooner"))
    loop.at(now - 1, lambda: seen.append("at once"))
    wait_for(lambda: len(seen) == 3)
    assert seen == ["at once", "sooner", "later"]
    assert time.monotonic() >= now + 0.05


def test_a_watched_socket_that_another_one_has_forgotten_is_left_alone(loop: Loop) -> None:
    seen: list[int] = []
    pairs = [socket.socketpair() for _ in range(2)]
    ready = threading.Event()

    def heard(own: socket.socket) -> None:
        seen.append(own.fileno())
        for one, _ in pairs:
            loop.forget(one.fileno())

    def watch() -> None:
        for one, other in pairs:
            other.send(b"x")
            loop.watch(one.fileno(), lambda one=one: heard(one))  # type: ignore[misc]
        ready.set()

    loop.call(watch)
    ready.wait(10)
    wait_for(lambda: seen)
    done = threading.Event()
    loop.call(done.set)
    assert done.wait(10)
    assert len(seen) == 1
    for pair in pairs:
        for one in pair:
            one.close()


def test_a_failure_does_not_end_it(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    with caplog.at_level(logging.ERROR):
        loop.call(lambda: 1 / 0)  # type: ignore[arg-type]
        loop.call(done.set)
        assert done.wait(10)
    assert "ZeroDivisionError" in caplog.text


def test_the_end_comes_after_what_was_asked_for_before() -> None:
    loop = Loop("a loop")
    seen: list[int] = []
    loop.start()
    loop.call(lambda: time.sleep(0.01))
    loop.call(lambda: seen.append(1))
    assert loop.stop(10)
    assert seen == [1]
    assert not loop.running
    assert not loop.call(lambda: seen.append(2))
    assert loop.stop(10)


def test_one_that_never_started_leaves_nothing() -> None:
    assert Loop("a loop").stop(0)
