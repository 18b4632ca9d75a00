"""Both ways of waiting keep the same promises."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from homeport.data.readiness import ready
from homeport.server.readiness import Readiness, SelectorReadiness

from .house import KINDS


@pytest.fixture(params=KINDS)
def watcher(request: pytest.FixtureRequest) -> Iterator[Readiness]:
    made: Readiness = request.param()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_nothing_is_reported_without_input(watcher: Readiness, pair: tuple[socket.socket, socket.socket]) -> None:
    watcher.arm(pair[0].fileno())
    assert watcher.wait(0.01) == []


def test_an_armed_one_is_reported_until_it_is_disarmed(
    watcher: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    watcher.arm(here.fileno())
    there.send(b"x")
    assert watcher.wait(5) == [here.fileno()]
    # The input is still there.
    assert watcher.wait(0.01) == ([here.fileno()] if watcher.lasting else [])
    watcher.disarm(here.fileno())
    assert watcher.wait(0.01) == []
    watcher.disarm(here.fileno())
    watcher.arm(here.fileno())
    assert watcher.wait(5) == [here.fileno()]


def test_what_is_closed_can_be_disarmed(watcher: Readiness) -> None:
    here, there = socket.socketpair()
    with there:
        number = here.fileno()
        here.close()
        watcher.disarm(number)


def test_its_descriptor_tells_whether_a_wait_would_return(
    watcher: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    watcher.arm(here.fileno())
    if watcher.fileno() < 0:
        return  # it has none, and says so
    assert ready((watcher.fileno(),), (), 0) == []
    there.send(b"x")
    assert ready((watcher.fileno(),), (), 5) == [watcher.fileno()]
    watcher.disarm(here.fileno())
    assert ready((watcher.fileno(),), (), 0) == []
    watcher.wake()
    assert ready((watcher.fileno(),), (), 5) == [watcher.fileno()]


def test_an_armed_one_is_reported_at_its_end(watcher: Readiness, pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    watcher.arm(here.fileno())
    there.shutdown(socket.SHUT_WR)
    assert watcher.wait(5) == [here.fileno()]


def test_hanging_up_here_is_reported_too(watcher: Readiness, pair: tuple[socket.socket, socket.socket]) -> None:
    here, _ = pair
    watcher.arm(here.fileno())
    here.shutdown(socket.SHUT_RD)  # how a parked session is ended from outside
    assert watcher.wait(5) == [here.fileno()]


def test_a_watched_one_is_reported_until_it_is_forgotten(
    watcher: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    watcher.watch(here.fileno())
    there.send(b"x")
    assert watcher.wait(5) == [here.fileno()]
    assert watcher.wait(5) == [here.fileno()]
    watcher.forget(here.fileno())
    assert watcher.wait(0.01) == []


def test_the_number_of_a_closed_socket_can_be_armed_again(watcher: Readiness) -> None:
    here, there = socket.socketpair()
    with there:
        number = here.fileno()
        watcher.arm(number)
        assert watcher.wait(0) == []
        here.close()
        second, far = socket.socketpair()
        with second, far:
            assert second.fileno() == number
            watcher.arm(number)
            far.send(b"x")
            assert watcher.wait(5) == [number]


def test_arming_and_waking_from_another_thread(watcher: Readiness, pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    there.send(b"x")
    found: list[int] = []

    def live() -> None:
        until = time.monotonic() + 5
        while not found and time.monotonic() < until:
            found.extend(watcher.wait(5))

    thread = threading.Thread(target=live)
    thread.start()
    watcher.arm(here.fileno())
    thread.join(5)
    assert found == [here.fileno()]
    watcher.disarm(here.fileno())
    begin = time.monotonic()
    watcher.wake()
    assert watcher.wait(5) == []
    assert time.monotonic() - begin < 2


def test_what_was_closed_while_it_was_armed_ends_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """As select has it, which is what Windows waits by: it fails for all as long as one of them is closed."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    watcher = SelectorReadiness()
    here, there = socket.socketpair()
    gone, other = socket.socketpair()
    with here, there, other:
        watcher.arm(gone.fileno())
        watcher.arm(here.fileno())
        assert watcher.wait(0.0) == []
        gone.close()
        assert watcher.wait(0.0) == []
        there.send(b"x")
        assert watcher.wait(5) == [here.fileno()]
    watcher.close()


# -- armed for once ----------------------------------------------------------------------------------------------------


def until_it_blocks(call: Callable[[], object]) -> None:
    try:
        while call():
            pass
    except BlockingIOError:
        pass


def test_what_is_armed_once_is_reported_once(watcher: Readiness, pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    watcher.arm_once(here.fileno(), False)
    assert watcher.wait(0.01) == []
    there.send(b"x")
    assert watcher.wait(5) == [here.fileno()]
    assert watcher.wait(0.01) == []
    watcher.arm_once(here.fileno(), False)
    watcher.arm_once(here.fileno(), False)
    assert watcher.wait(5) == [here.fileno()]
    assert watcher.wait(0.01) == []


def test_what_is_to_be_written_is_reported_when_there_is_room(
    watcher: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    here.setblocking(False)
    until_it_blocks(lambda: here.send(bytes(65536)))
    there.send(b"input does not matter")
    watcher.arm_once(here.fileno(), True)
    assert watcher.wait(0.01) == []
    there.setblocking(False)
    until_it_blocks(lambda: there.recv(1 << 20))
    assert watcher.wait(5) == [here.fileno()]
    # Reading is another thing, and is asked for instead.
    watcher.arm_once(here.fileno(), False)
    assert watcher.wait(5) == [here.fileno()]
    here.recv(100)
    watcher.arm_once(here.fileno(), False)
    assert watcher.wait(0.01) == []
    there.shutdown(socket.SHUT_WR)
    assert watcher.wait(5) == [here.fileno()]


def test_the_number_of_one_that_was_closed_may_be_another(watcher: Readiness) -> None:
    """Whatever it was armed for: a control connection after a data connection, a data connection after another one."""
    for again in (lambda number: watcher.arm_once(number, False), watcher.arm, watcher.watch):
        first, there = socket.socketpair()
        number = first.fileno()
        watcher.arm_once(number, False)
        assert watcher.wait(0.01) == []
        first.close()
        second, other = socket.socketpair()
        assert number in (second.fileno(), other.fileno())
        with there, second, other:
            mine, theirs = (second, other) if second.fileno() == number else (other, second)
            again(number)
            assert watcher.wait(0.01) == []
            theirs.send(b"x")
            assert watcher.wait(5) == [number]
            mine.recv(10)
            watcher.disarm(number)


def test_those_that_are_armed_come_first(watcher: Readiness) -> None:
    """What a client says (ABOR) is looked at before the end of its data."""
    for _ in range(5):
        control, client = socket.socketpair()
        data, peer = socket.socketpair()
        with control, client, data, peer:
            watcher.arm(control.fileno())
            watcher.arm_once(data.fileno(), False)
            assert watcher.wait(0) == []
            client.send(b"ABOR")
            peer.close()
            assert watcher.wait(5) == [control.fileno(), data.fileno()]
            watcher.disarm(control.fileno())
