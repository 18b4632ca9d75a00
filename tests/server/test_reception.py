"""The reception: who gets whom, what is counted, and what is given back; with workers that only remember."""

from __future__ import annotations

import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest

from homeport.accounts.limits import Full
from homeport.events.types import SessionRefused
from homeport.server.blackboard import Blackboard
from homeport.server.config import Config
from homeport.server.crew import Worker
from homeport.server.reception import Reception
from homeport.server.workers import SLOT_OCTETS, SLOTS
from homeport.session.services import Clock

from .fakes import Recorder


class FakeWorker:
    """Remembers who was handed to it."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.places: Counter[str] = Counter()
        self.turn = 0
        self.deaf = deaf
        self.numbers: list[int] = []

    @property
    def sessions(self) -> int:
        return self.places.total()

    def hand(self, connection: socket.socket, number: int, peer: tuple[str, int], place: str) -> bool:
        assert connection.fileno() >= 0
        if self.deaf:
            return False
        self.numbers.append(number)
        self.places[place] += 1
        return True


class Desk:
    """A reception, and clients that come to it."""

    def __init__(self, *, hope: bool = True, **options: Any) -> None:
        self.recorder = Recorder()
        self.hope = hope
        with tempfile.TemporaryFile() as memory:
            memory.truncate(SLOT_OCTETS)
            self.blackboard = Blackboard(memory.fileno())
        config = Config.model_validate(options)
        self.reception = Reception(config, self.recorder.bus, Clock(), lambda: self.hope, self.blackboard)
        self.ends: list[socket.socket] = []

    def close(self) -> None:
        self.blackboard.close()
        for end in self.ends:
            end.close()

    def take_on(self, *, deaf: bool = False) -> FakeWorker:
        worker = FakeWorker(deaf=deaf)
        self.reception.take_on(cast(Worker, worker))
        return worker

    def come(self, address: str = "192.0.2.7") -> socket.socket:
        """A client; its end."""
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        theirs.settimeout(10)
        self.reception.admit(ours, (address, 40000 + len(self.ends)))
        return theirs

    def heard(self, worker: FakeWorker, *message: object) -> object:
        answer = self.reception.heard(cast(Worker, worker), message)
        return answer[0] if answer is not None else "nothing"

    def refusals(self) -> list[str]:
        return [event.reason for event in self.recorder.events if isinstance(event, SessionRefused)]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk(limits={"sessions": 5, "sessions_per_address": 3})
    yield made
    made.close()


def test_the_worker_with_the_fewest_sessions_gets_the_next_client(desk: Desk) -> None:
    one, other = desk.take_on(), desk.take_on()
    for number in range(4):
        desk.come(f"192.0.2.{number}")
    assert (one.numbers, other.numbers) == ([1, 3], [2, 4])
    desk.heard(other, "release", "192.0.2.1")
    desk.heard(other, "release", "192.0.2.3")
    desk.come("192.0.2.9")
    assert other.numbers == [2, 4, 5]


def test_one_that_does_not_take_a_client_is_passed_over(desk: Desk) -> None:
    deaf, other = desk.take_on(deaf=True), desk.take_on()
    desk.come()
    assert (deaf.numbers, other.numbers) == ([], [1])


def test_the_limits_hold_for_all_together(desk: Desk) -> None:
    one, other = desk.take_on(), desk.take_on()
    for _ in range(3):
        desk.come("192.0.2.1")
    assert desk.come("192.0.2.1").recv(99) == b"421 " + Full.ADDRESS.value.encode() + b"\r\n"
    desk.come("192.0.2.2")
    desk.come("192.0.2.3")
    assert desk.come("192.0.2.4").recv(99) == b"421 " + Full.SERVER.value.encode() + b"\r\n"
    assert desk.refusals() == [Full.ADDRESS.value, Full.SERVER.value]
    assert one.sessions + other.sessions == desk.reception.total == 5


def test_a_dead_worker_gives_back_what_it_had_and_no_more(desk: Desk) -> None:
    one, other = desk.take_on(), desk.take_on()
    for _ in range(3):
        desk.come("192.0.2.1")
    assert desk.reception.bury(cast(Worker, one)) == 2
    assert desk.reception.total == 1
    desk.come("192.0.2.1")
    desk.come("192.0.2.1")
    assert desk.come("192.0.2.1").recv(99).startswith(b"421 ")
    assert other.sessions == 3
    # What it had said before it died, and was read only afterwards, does not count again.
    desk.heard(one, "release", "192.0.2.1")
    assert desk.reception.total == 3


def test_who_comes_while_there_is_no_worker_waits_and_is_counted(desk: Desk) -> None:
    waiting = [desk.come("192.0.2.1") for _ in range(3)]
    assert desk.come("192.0.2.1").recv(99).startswith(b"421 ")
    worker = desk.take_on()
    assert worker.numbers == [1, 2, 3]
    desk.reception.relieve(cast(Worker, worker))
    waiting.append(desk.come("192.0.2.2"))
    desk.hope, desk.reception.stopping = False, True
    desk.reception.give_up()
    assert waiting[-1].recv(99) == b"421 The server is stopping\r\n"
    assert desk.reception.total == 3


def test_without_hope_nobody_waits(desk: Desk) -> None:
    desk.hope = False
    assert desk.come().recv(99).startswith(b"421 The server cannot serve")
    assert desk.reception.total == 0


def test_a_client_that_a_worker_had_no_descriptor_for_is_given_back(desk: Desk) -> None:
    worker = desk.take_on()
    desk.come("192.0.2.1")
    desk.heard(worker, "lost", 1, ("192.0.2.1", 40001))
    assert (worker.sessions, desk.reception.total) == (0, 0)
    assert "too many connections" in desk.refusals()[-1]


def test_who_comes_through_a_proxy_counts_as_its_client() -> None:
    desk = Desk(
        proxy={"networks": ["192.0.2.0/24"], "control": True}, limits={"sessions_per_address": 1, "sessions": 3}
    )
    worker = desk.take_on()
    for _ in range(3):
        desk.come("192.0.2.1")
    assert desk.heard(worker, "move", "connection 1", "198.51.100.1") is None
    assert desk.heard(worker, "move", "connection 2", "198.51.100.1") is Full.ADDRESS
    assert worker.places == Counter({"198.51.100.1": 1, "connection 2": 1, "connection 3": 1})
    # Nothing is said to whom nothing may be said yet (PROXY protocol §2).
    assert desk.come("192.0.2.1").recv(99) == b""
    assert desk.come("203.0.113.1").recv(99) == b""
    assert desk.refusals() == [Full.SERVER.value, "not a proxy that is trusted"]
    assert desk.reception.bury(cast(Worker, worker)) == 3
    assert desk.reception.total == 0
    desk.close()


def test_failed_logins_are_held_against_an_address_whoever_tells(desk: Desk) -> None:
    one, other = desk.take_on(), desk.take_on()
    assert desk.blackboard.failures == 0
    assert desk.heard(one, "delay", "192.0.2.1") == 0.0
    assert desk.heard(one, "failed", "192.0.2.1", "bob") == pytest.approx(0.5, abs=0.1)
    assert desk.blackboard.failures == 1
    assert desk.heard(other, "delay", "192.0.2.1") == pytest.approx(0.5, abs=0.2)
    assert desk.heard(other, "succeeded", "192.0.2.1", "bob") == "nothing"
    assert desk.blackboard.failures == 0


def test_a_limit_of_rates_has_one_place_for_all(desk: Desk) -> None:
    one, other = desk.take_on(), desk.take_on()
    assert desk.heard(one, "slot", None, False) == desk.heard(other, "slot", None, False)
    numbers = {desk.heard(one, "slot", f"user {number}", True) for number in range(SLOTS - 2)}
    assert len(numbers) == SLOTS - 2
    assert 0 not in numbers  # that is the blackboard
    assert desk.heard(other, "slot", "one more", True) is None
    assert desk.heard(other, "slot", "user 7", True) in numbers


def test_what_nobody_understands_is_an_error(desk: Desk) -> None:
    with pytest.raises(ValueError, match="nobody understands"):
        desk.heard(desk.take_on(), "sing")


def test_other_limits_count_from_then_on(desk: Desk) -> None:
    desk.take_on()
    for _ in range(3):
        desk.come("192.0.2.1")
    desk.reception.configure(Config.model_validate({"limits": {"sessions_per_address": 4}}))
    desk.come("192.0.2.1")
    assert desk.come("192.0.2.1").recv(99).startswith(b"421 ")
    assert desk.reception.total == 4
