"""A server in operation, with conversations that only echo: parking, expiry, the three steps of the stop."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from homeport.accounts.limits import SessionLimits
from homeport.data.ports import PassivePorts
from homeport.events.types import CloseReason, Failed, ServerStarted, ServerStopped, ServerStopping, Warned
from homeport.net.listener import listen
from homeport.server import operation as operation_module
from homeport.server.operation import Operation, Parts
from homeport.server.sessions import Talk

from .fakes import Echo, FakeTime, Recorder, clock_of, wait_for


class Place:
    """An operation and its clients."""

    def __init__(self, *, per_address: int = 0, expiring: float = 300.0) -> None:
        self.time = FakeTime()
        self.recorder = Recorder()
        self.listener = listen("127.0.0.1", 0)
        self.passive = PassivePorts.open(["127.0.0.1"], None, count=2)
        self.talks: list[Echo] = []
        self.limits = SessionLimits(10_000, per_address)
        self.expiring = expiring
        self.closed = 0
        self.parts = Parts(
            listeners=(self.listener,), passive=self.passive, limits=self.limits, converse=self.converse,
            events=self.recorder.bus, clock=clock_of(time.monotonic), close=self.close_parts,
        )  # fmt: skip
        self.operation = Operation(self.parts)
        self.clients: list[socket.socket] = []

    def converse(self, connection: socket.socket, number: int, peer: tuple[str, int], local: tuple[str, int]) -> Talk:
        talk = Echo(connection, number, peer, local)
        talk.idle_seconds = self.expiring
        self.talks.append(talk)
        return talk

    def close_parts(self) -> None:
        self.closed += 1
        self.passive.close()

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.operation.addresses[0], timeout=10)
        self.clients.append(client)
        assert client.recv(100) == b"220\r\n"
        return client

    @property
    def parked(self) -> int:
        return len(self.operation.sessions.lobby)

    def close(self) -> None:
        self.operation.stop(0)
        for client in self.clients:
            client.close()


def everything(client: socket.socket) -> bytes:
    """What comes until the other side closes."""
    return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.fixture
def place() -> Iterator[Place]:
    threads = threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    made = Place()
    yield made
    made.close()
    assert threading.active_count() == threads
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) == descriptors


def test_sessions_talk_park_and_leave(place: Place) -> None:
    client = place.connect()
    for number in range(5):
        wait_for(lambda: place.parked == 1)
        client.sendall(b"NOOP %d\r\n" % number)
        assert client.recv(100) == b"NOOP %d\r\n" % number
    client.sendall(b"QUIT\r\n")
    assert client.recv(100) == b""
    wait_for(lambda: len(place.operation.sessions) == 0)
    assert place.limits.total == 0


def test_three_hundred_idle_sessions_cost_no_thread(place: Place) -> None:
    clients = [place.connect() for _ in range(300)]
    wait_for(lambda: place.parked == 300)
    for client in clients:
        client.sendall(b"NOOP\r\n")
        assert client.recv(100) == b"NOOP\r\n"
    wait_for(lambda: place.parked == 300)
    # One after another they were served by the few threads that happened to be there.
    names = {name for talk in place.talks for name in talk.threads}
    assert len(names) < 50
    assert [view.number for view in place.operation.view()] == list(range(1, 301))


def test_many_busy_sessions_have_a_thread_each(place: Place) -> None:
    clients = [place.connect() for _ in range(20)]
    for client in clients:
        client.sendall(b"WORK\r\n")
    wait_for(lambda: sum(talk.busy for talk in place.talks) == 20)
    other = place.connect()
    other.sendall(b"NOOP\r\n")
    assert other.recv(100) == b"NOOP\r\n"
    for talk in place.talks:
        talk.release.set()
    for client in clients:
        assert client.recv(100) == b"WORK\r\n"


def test_small_commands_of_many_sessions_take_one_thread(place: Place) -> None:
    clients = [place.connect() for _ in range(50)]
    for client in clients:
        client.sendall(b"NOOP\r\n")
    for client in clients:
        assert client.recv(100) == b"NOOP\r\n"
    # One thread at a time holds the post, and hardly ever is it taken from it: only on a machine that stands still.
    assert len({name for talk in place.talks for name in talk.threads}) < 10


def test_idle_sessions_expire() -> None:
    place = Place(expiring=0.05)
    client = place.connect()
    assert everything(client) == b"421 idle\r\n"
    wait_for(lambda: place.limits.total == 0)
    place.close()


def test_a_conversation_that_fails_is_told_and_its_place_is_free(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    client = place.connect()
    client.sendall(b"FAIL\r\n")
    assert client.recv(100) == b""
    wait_for(lambda: place.limits.total == 0)
    [event] = place.recorder.of(Failed)
    assert isinstance(event, Failed)
    assert event.session == 1
    assert "on purpose" in event.text
    assert "Traceback" in event.trace
    assert event.id in caplog.text


def test_kick(place: Place) -> None:
    client = place.connect()
    wait_for(lambda: place.parked == 1)
    assert place.operation.kick(1)
    assert everything(client) == b"421 ended by the administrator\r\n"
    wait_for(lambda: not place.operation.kick(1))


def test_the_stop_lets_the_idle_go_and_waits_for_the_busy(place: Place) -> None:
    idle, busy = place.connect(), place.connect()
    busy.sendall(b"WORK\r\n")
    wait_for(lambda: place.talks[1].busy and place.parked == 1)
    stopped: list[bool] = []
    stopper = threading.Thread(target=lambda: stopped.append(place.operation.stop(20)))
    stopper.start()
    assert everything(idle) == b"421 server is stopping\r\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place.operation.addresses[0], timeout=5)
    assert not place.operation.over
    assert place.parts.stopping.is_set()
    assert place.talks[1].reason is None
    place.talks[1].release.set()  # the transfer is complete
    assert everything(busy) == b"WORK\r\n421 server is stopping\r\n"
    stopper.join(10)
    assert stopped == [True]
    assert place.closed == 1
    kinds = [type(event) for event in place.recorder.events if not isinstance(event, Failed)]
    assert kinds[0] is ServerStarted
    assert kinds[-2:] == [ServerStopping, ServerStopped]
    [stopping] = place.recorder.of(ServerStopping)
    assert isinstance(stopping, ServerStopping)
    assert stopping.sessions == 2


def test_the_drain_ends_at_its_deadline(place: Place) -> None:
    busy = place.connect()
    busy.sendall(b"WORK\r\n")
    wait_for(lambda: place.talks[0].busy)
    begin = time.monotonic()
    assert place.operation.stop(0.1)
    assert 0.1 <= time.monotonic() - begin < 2
    assert place.talks[0].reason is CloseReason.SHUTDOWN


def test_a_second_stop_ends_everything_at_once(place: Place) -> None:
    busy = place.connect()
    busy.sendall(b"WORK\r\n")
    wait_for(lambda: place.talks[0].busy)
    first = threading.Thread(target=place.operation.stop, args=(60.0,))
    first.start()
    wait_for(place.parts.stopping.is_set)
    begin = time.monotonic()
    assert place.operation.stop(60)
    assert time.monotonic() - begin < 2
    first.join(5)
    assert not first.is_alive()
    assert place.operation.stop(1)  # a third one changes nothing


def test_a_session_that_cannot_be_ended_is_cut_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_module, "GRACE", 0.2)
    client = place.connect()
    talk = place.talks[0]
    wait_for(lambda: place.parked == 1)

    def stuck() -> bool:  # as in sendall to a client that does not read
        talk.busy = True
        while talk.connection.recv(100):
            pass
        talk._close()
        return False

    talk.run = stuck  # type: ignore[method-assign]
    talk.end = lambda reason: None  # type: ignore[method-assign]
    client.sendall(b"x")
    wait_for(lambda: talk.busy)
    begin = time.monotonic()
    assert place.operation.stop(0)
    assert time.monotonic() - begin < 2


def test_what_nothing_can_end_does_not_hold_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_module, "GRACE", 0.2)
    place = Place()
    client = place.connect()
    talk = place.talks[0]
    release = threading.Event()
    wait_for(lambda: place.parked == 1)

    def stuck() -> bool:  # as in a disk that does not answer
        talk.busy = True
        release.wait(20)
        talk.connection.close()
        return False

    talk.run = stuck  # type: ignore[method-assign]
    client.sendall(b"x")
    wait_for(lambda: talk.busy)
    begin = time.monotonic()
    assert not place.operation.stop(0)
    assert time.monotonic() - begin < 3
    assert place.operation.over
    assert len(place.recorder.of(Warned)) == 2
    release.set()
    wait_for(lambda: not [one for one in threading.enumerate() if one.name.startswith("homeport")])
    place.close()


def test_a_subscriber_may_stop_the_server(place: Place) -> None:
    """It runs in a thread of the server, which cannot wait for itself."""
    results: list[bool] = []
    client = place.connect()
    wait_for(lambda: place.parked == 1)
    talk = place.talks[0]
    run = talk.run

    def stopping() -> bool:
        results.append(place.operation.stop(5))
        return run()

    talk.run = stopping  # type: ignore[method-assign]
    client.sendall(b"NOOP\r\n")
    wait_for(lambda: place.operation.over)
    assert results[0] is False


def test_the_backlog_hears_421(place: Place) -> None:
    place.operation._admission.stopping = True
    client = socket.create_connection(place.operation.addresses[0], timeout=5)
    with client:
        assert everything(client) == b"421 The server is stopping\r\n"


def test_a_start_that_fails_closes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("homeport.server.readiness.best", refuse)
    threads = threading.active_count()
    with pytest.raises(OSError, match="Too many open files"):
        Place()
    assert threading.active_count() == threads
