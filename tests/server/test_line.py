"""The line from a worker to its supervisor: what is asked, what is only told, and what needs neither."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from homeport.accounts.limits import Full
from homeport.events.types import Failed, ServerStopped
from homeport.server.blackboard import Blackboard
from homeport.server.line import Line, Numbers, Relay, RelayHandler, RemotePlaces, RemoteThrottle, SupervisorGone
from homeport.server.packets import MOST_OCTETS, Packets
from homeport.server.workers import POSSIBLE, SLOT_OCTETS

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="several workers cannot be here")


class Ends:
    def __init__(self) -> None:
        self.supervisor, self._worker = Packets.pair()
        self.line = Line(self._worker)
        self.relay = Relay(self._worker)

    def heard(self) -> Any:
        return self.supervisor.receive()[0]

    def answered(self, answer: object, ask: Callable[[], object]) -> tuple[Any, object]:
        """What *ask* says over the line, and what it returns when the answer is *answer*."""
        said: list[Any] = []

        def reply() -> None:
            said.append(self.heard())
            self.supervisor.send(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        outcome = ask()
        thread.join()
        return said[0], outcome


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.supervisor.close()
    made.line.close()


@pytest.fixture
def blackboard() -> Iterator[Blackboard]:
    with tempfile.TemporaryFile() as file:
        file.truncate(SLOT_OCTETS)
        board = Blackboard(file.fileno())
        yield board
        board.close()


def test_a_place_was_counted_where_the_client_came_in(ends: Ends) -> None:
    places = RemotePlaces(ends.line)
    assert places.take("192.0.2.7") is None
    places.release("192.0.2.7")
    assert ends.heard() == ("release", "192.0.2.7")
    for answer in (None, Full.ADDRESS):
        said, outcome = ends.answered(answer, lambda: places.move("connection 1", "192.0.2.7"))
        assert said == ("move", "connection 1", "192.0.2.7")
        assert outcome is answer


def test_nobody_is_asked_while_no_login_has_failed(ends: Ends, blackboard: Blackboard) -> None:
    throttle = RemoteThrottle(ends.line, blackboard)
    ends.supervisor.setblocking(False)
    assert throttle.delay("192.0.2.7") == 0.0
    throttle.succeeded("192.0.2.7", "bob")
    with pytest.raises(BlockingIOError):
        ends.heard()


def test_a_failure_is_told_and_then_everybody_asks(ends: Ends, blackboard: Blackboard) -> None:
    throttle = RemoteThrottle(ends.line, blackboard)
    assert ends.answered(0.5, lambda: throttle.failed("192.0.2.7", "bob")) == (("failed", "192.0.2.7", "bob"), 0.5)
    blackboard.failures = 1
    assert ends.answered(0.5, lambda: throttle.delay("192.0.2.7")) == (("delay", "192.0.2.7"), 0.5)
    assert ends.answered(None, lambda: throttle.delay("192.0.2.7")) == (("delay", "192.0.2.7"), None)
    throttle.succeeded("192.0.2.7", "bob")
    assert ends.heard() == ("succeeded", "192.0.2.7", "bob")


def test_without_a_supervisor_nothing_is_decided(ends: Ends) -> None:
    ends.supervisor.close()
    with pytest.raises(SupervisorGone):
        ends.line.ask(("delay", "192.0.2.7"))
    ends.line.tell(("release", "192.0.2.7"))  # nobody minds
    ends.relay(ServerStopped(at=1.0))


def test_numbers_are_those_that_were_given() -> None:
    numbers = Numbers()
    numbers.next = 12
    assert next(numbers) == 12


def test_events_travel_and_one_that_is_too_long_does_not(ends: Ends) -> None:
    ends.relay(Failed(at=1.0, session=None, id="x", text="y", trace="z" * MOST_OCTETS))
    ends.relay(ServerStopped(at=2.0))
    assert ends.heard() == ServerStopped(at=2.0)


def test_log_records_travel_with_the_text_of_their_trace(ends: Ends) -> None:
    handler = RelayHandler(ends.relay)
    try:
        [].pop()
    except IndexError as error:
        trace = (type(error), error, error.__traceback__)
    handler.handle(logging.LogRecord("homeport.server", logging.ERROR, "", 1, "session %d failed", (7,), trace))
    record = ends.heard()
    assert isinstance(record, logging.LogRecord)
    assert record.getMessage() == "session 7 failed: IndexError: pop from empty list"
    assert record.levelno == logging.ERROR
    assert record.exc_text is not None
    assert record.exc_text.startswith("Traceback")
    assert logging.Formatter().format(record).endswith("IndexError: pop from empty list")
