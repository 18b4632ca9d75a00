"""The door: accepting, running out of descriptors, and coming back from it."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from homeport.net.listener import Listener, listen
from homeport.server.door import FULL, Door

from .fakes import FakeTime


class FakeLobby:
    """Keeps what is watched and timed; the test plays the selector."""

    def __init__(self) -> None:
        self.watched: dict[int, Callable[[], None]] = {}
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        assert descriptor not in self.watched
        self.watched[descriptor] = ready

    def forget(self, descriptor: int) -> None:
        del self.watched[descriptor]

    def at(self, when: float, action: Callable[[], None]) -> None:
        self.timers.append((when, action))


class Place:
    """A door on a loopback port, and who came in."""

    def __init__(self) -> None:
        self.lobby = FakeLobby()
        self.time = FakeTime()
        self.warnings: list[str] = []
        self.admitted: list[socket.socket] = []
        self.listener = listen("127.0.0.1", 0)
        self.door = Door([self.listener], self.lobby, self.admit, self.warnings.append, self.time)
        self.door.open()

    def admit(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        assert peer[0] == "127.0.0.1"
        self.admitted.append(connection)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), timeout=5)

    def ring(self) -> None:
        for ready in list(self.lobby.watched.values()):
            ready()

    def close(self) -> None:
        self.door.close()
        for connection in self.admitted:
            connection.close()


def test_it_takes_everybody_who_waits() -> None:
    place = Place()
    clients = [place.connect() for _ in range(5)]
    for _ in clients:
        place.ring()
    assert len(place.admitted) == 5
    place.ring()  # nobody is there
    assert len(place.admitted) == 5
    for client in clients:
        client.close()
    place.close()
    assert place.lobby.watched == {}
    assert place.warnings == []
    place.door.open()  # a timer may ring after the end
    assert place.lobby.watched == {}


def test_it_takes_one_at_a_time_so_that_others_have_a_turn() -> None:
    place = Place()
    clients = [place.connect() for _ in range(3)]
    for number in (1, 2, 3, 3):
        place.ring()
        assert len(place.admitted) == number
    for client in clients:
        client.close()
    place.close()


def test_closing_takes_a_last_batch() -> None:
    place = Place()
    client = place.connect()
    place.door.close()
    assert len(place.admitted) == 1
    client.close()
    place.close()


def test_without_memory_it_shuts_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    client = place.connect()

    def fail(_: Listener) -> NoReturn:
        raise OSError(errno.ENOBUFS, "No buffer space available")

    with monkeypatch.context() as patch:
        patch.setattr(Listener, "accept", fail)
        place.ring()
    assert place.lobby.watched == {}  # so that the lobby does not spin
    [(when, again)] = place.lobby.timers
    assert when == pytest.approx(place.time.now + 0.2)
    assert len(place.warnings) == 1
    again()
    place.ring()
    assert len(place.admitted) == 1
    client.close()
    place.close()


def test_a_shortage_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()

    def fail(_: Listener) -> NoReturn:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(Listener, "accept", fail)
        for _ in range(50):
            place.ring()
            place.time.now += 0.2
            place.lobby.timers.pop()[1]()
    assert len(place.warnings) == 1
    assert "ulimit" in place.warnings[0]
    place.close()


def test_without_even_the_reserve_it_shuts_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    client = place.connect()
    real = Listener.accept

    def fail(_: Listener) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Listener, "accept", fail)  # somebody else takes what the reserve gave free
        place.ring()
    assert place.lobby.watched == {}
    place.lobby.timers.pop()[1]()
    tries: list[int] = []

    def fail_once(listener: Listener) -> tuple[socket.socket, object]:
        tries.append(1)
        if len(tries) == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(listener)

    with monkeypatch.context() as patch:
        patch.setattr(Listener, "accept", fail_once)
        place.ring()  # the reserve is back, and is given up for this one
    client.settimeout(5)
    assert client.recv(200) == FULL
    assert place.admitted == []
    assert len(place.lobby.watched) == 1
    client.close()
    place.close()


def test_a_broken_listening_socket_is_dropped() -> None:
    place = Place()
    ready = place.lobby.watched[place.listener.fileno()]
    place.listener.shutdown(socket.SHUT_RDWR)  # accept answers EINVAL from now on
    ready()
    assert place.lobby.watched == {}
    assert len(place.warnings) == 1
    place.close()


STARVING = """
import os, resource, socket, sys, threading, time
from homeport.net.listener import accept, listen
from homeport.server.door import Door
from homeport.server.lobby import Lobby
from homeport.server.threads import Threads

warnings, admitted = [], []
threads = Threads()
lobby = Lobby(threads.submit, lambda guest: None, lambda guest: None)
listener = listen("127.0.0.1", 0)
address = listener.getsockname()
door = Door([listener], lobby, lambda connection, peer: admitted.append(connection), warnings.append, time.monotonic)
clients = [socket.socket() for _ in range(30)]
taken = os.open(os.devnull, os.O_RDONLY)
os.close(taken)
resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 10, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
door.open()
lobby.start()
for client in clients:
    client.settimeout(10)
    client.connect(address)
deadline = time.monotonic() + 10
refused = []
while len(refused) + len(admitted) < 30 and time.monotonic() < deadline:
    for client in clients:
        if client not in refused:
            client.settimeout(0.01)
            try:
                octets = client.recv(200)
            except TimeoutError:
                continue
            assert octets.startswith(b"421 "), octets
            assert client.recv(10) == b""
            refused.append(client)
assert len(admitted) == 10, len(admitted)
assert len(refused) == 20, len(refused)
assert len(warnings) == 1, warnings
before = time.process_time()
time.sleep(0.3)
assert time.process_time() - before < 0.1, "it spins"
# One that leaves makes room for another.
admitted.pop().close()
refused[0].close()
late = socket.socket()
late.settimeout(10)
late.connect(address)
deadline = time.monotonic() + 10
while len(admitted) < 10 and time.monotonic() < deadline:
    time.sleep(0.01)
assert len(admitted) == 10, len(admitted)
lobby.call(door.close)
assert lobby.stop(5)
assert threads.stop(5)
for one in [*admitted, *clients, late]:
    one.close()
print("well")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of descriptors")
def test_without_descriptors_it_says_421_does_not_spin_and_recovers() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STARVING], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "well\n", "")


def test_what_is_said_in_a_shortage_is_a_reply() -> None:
    assert FULL.startswith(b"421 ")
    assert FULL.endswith(b"\r\n")
