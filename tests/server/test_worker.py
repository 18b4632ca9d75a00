"""A worker's orders, carried out by an operation that only remembers."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, cast

import pytest

pytest.importorskip("fcntl")

from homeport.data.address import Announcement, Rules
from homeport.net.listener import Listener, listen
from homeport.server.line import Line
from homeport.server.operation import Operation
from homeport.server.packets import MOST_OCTETS, Packets
from homeport.server.view import SessionView
from homeport.server.worker import Orders
from homeport.server.workers import POSSIBLE

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="several workers cannot be here")


class FakeOperation:
    def __init__(self) -> None:
        self.orders: Orders | None = None
        self.admitted: list[tuple[int, tuple[str, int]]] = []
        self.adopted: list[tuple[str, int]] = []
        self.views: list[SessionView] = []
        self.failure: OSError | None = None
        self.deaf = False

    def admit(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        assert self.orders is not None
        self.admitted.append((next(self.orders.numbers), peer))
        connection.sendall(b"hello")
        connection.close()

    def adopt(self, listeners: Sequence[tuple[str, Listener]]) -> None:
        for address, listener in listeners:
            self.adopted.append((address, listener.getsockname()[1]))
            listener.close()

    def kick(self, number: int) -> bool:
        return number == 7

    def view(self) -> list[SessionView]:
        return self.views

    def reopen_logs(self) -> None:
        if self.failure is not None:
            raise self.failure

    def submit(self, work: Callable[[], None]) -> None:
        work()

    def overhear(self, orders: Orders) -> None:
        assert orders is self.orders
        self.deaf = True


class Bench:
    """Both ends of everything."""

    def __init__(self) -> None:
        self.superior, self.here = Packets.pair()
        self.told, self.line = Packets.pair()
        self.here.setblocking(False)
        self.wishes: SimpleQueue[float | None] = SimpleQueue()
        self.operation = FakeOperation()
        self.orders = self.operation.orders = Orders(self.here, Line(self.line), self.wishes)

    def order(self, *message: Any, descriptors: tuple[int, ...] = ()) -> None:
        self.superior.send(message, descriptors)
        self.orders.attend(cast(Operation, self.operation))

    def heard(self) -> Any:
        return self.told.receive()[0]

    def close(self) -> None:
        for end in (self.superior, self.here, self.told, self.line):
            end.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_a_connection_is_admitted_with_its_number(bench: Bench) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bench.order("connection", 12, ("192.0.2.7", 40000), descriptors=(ours.fileno(),))
        assert bench.operation.admitted == [(12, ("192.0.2.7", 40000))]
        assert theirs.recv(9) == b"hello"


def test_one_that_there_is_no_descriptor_for_is_given_back(bench: Bench) -> None:
    bench.order("connection", 12, ("192.0.2.7", 40000))
    assert bench.operation.admitted == []
    assert bench.heard() == ("lost", 12, ("192.0.2.7", 40000))


def test_ports_are_adopted_as_far_as_there_is_room(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with listen("127.0.0.1", 0) as one:
        number = one.getsockname()[1]
        bench.order("ports", ["127.0.0.1"], descriptors=(one.fileno(),))
        assert caplog.records == []
        with caplog.at_level(logging.WARNING):
            bench.order("ports", ["127.0.0.1", "127.0.0.2"], descriptors=(one.fileno(),))
    assert bench.operation.adopted == [("127.0.0.1", number)] * 2
    assert "no room for all of its passive ports: 1 of 2" in caplog.text


def test_questions_are_answered(bench: Bench) -> None:
    bench.order("kick", 1, 7)
    bench.order("kick", 2, 8)
    bench.order("reopen", 3)
    assert [bench.heard() for _ in range(3)] == [("answer", 1, True), ("answer", 2, False), ("answer", 3, None)]
    bench.operation.failure = OSError(errno.EACCES, os.strerror(errno.EACCES), "/log")
    bench.order("reopen", 4)
    assert bench.heard() == ("answer", 4, (errno.EACCES, os.strerror(errno.EACCES), "/log"))


def test_more_sessions_are_told_than_one_packet_holds(bench: Bench) -> None:
    bench.operation.views = [
        SessionView(
            number=number, peer=("192.0.2.7", 40000), local=("192.0.2.1", 21), user="bob", client=None, seconds=1.5,
            busy=True, activity="download of /" + "x" * 8000, transfers=0, octets_in=0, octets_out=0,
        )
        for number in range(20)
    ]  # fmt: skip
    assert len(pickle.dumps(bench.operation.views)) > MOST_OCTETS
    bench.order("view", 5)
    parts: list[Any] = []
    while not parts or parts[-1][0] == "part":
        parts.append(bench.heard())
    assert len(parts) > 2
    assert {part[1] for part in parts} == {5}
    assert [pickle.loads(one) for part in parts for one in part[2]] == bench.operation.views


def test_rules_and_wishes_are_passed_on(bench: Bench) -> None:
    bench.orders.announcement = Announcement()
    heard: list[str] = []
    bench.orders.listen = lambda: heard.append("somebody listens")
    rules = Rules(external="198.51.100.7")
    bench.order("rules", rules)
    assert bench.orders.announcement.rules == rules
    bench.order("relay")
    assert heard == ["somebody listens"]
    bench.order("stop", 5)
    bench.order("stop", 0.0)
    assert [bench.wishes.get(timeout=5) for _ in range(2)] == [5, 0.0]
    bench.orders.retired([("192.0.2.1", 50000)])
    assert bench.heard() == ("retired", [("192.0.2.1", 50000)])


def test_without_a_supervisor_it_ends_at_once(bench: Bench) -> None:
    bench.superior.close()
    bench.orders.attend(cast(Operation, bench.operation))
    assert bench.operation.deaf
    assert bench.wishes.get(timeout=5) == 0.0
    bench.orders.attend(cast(Operation, bench.operation))
    assert bench.wishes.empty()


def test_what_nobody_understands_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.order("sing")
    assert "nobody understands: ('sing',)" in caplog.text
