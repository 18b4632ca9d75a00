"""The sweep: strangers at passive ports go, and nobody is woken for nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import pytest

from homeport.data.readiness import ready
from homeport.net.listener import Listener
from homeport.server.sweep import BUNDLES, SECONDS, Sweep

from .fakes import FakeTime
from .test_door import FakeLobby


class FakePorts:
    ports = (50000, 50001)

    def __init__(self) -> None:
        self.sweeps = 0
        self.unsettled = False
        self.open = [71, 72]

    def descriptors(self) -> list[int]:
        return self.open

    def adopt(self, listeners: Sequence[tuple[str, Listener]]) -> None:
        raise NotImplementedError

    def retire(self, forget: Callable[[int], None]) -> list[tuple[str, int]]:
        """Only the first is not needed."""
        if 71 not in self.open:
            return []
        forget(71)
        self.open = [72]
        return [("127.0.0.1", 50000)]

    def sweep(self) -> list[tuple[str, int]]:
        self.sweeps += 1
        return []


def test_one_look_for_many_connections() -> None:
    lobby, ports, time = FakeLobby(), FakePorts(), FakeTime()
    sweep = Sweep(ports, lobby, time, bundled=False)
    sweep.begin()
    assert set(lobby.watched) == {71, 72}
    lobby.watched[71]()
    assert set(lobby.watched) == {72}  # the next hundred connections at 71 wake nobody
    lobby.watched[72]()
    [(when, look)] = lobby.timers
    assert when == time.now + SECONDS
    assert ports.sweeps == 0
    look()
    assert ports.sweeps == 1
    assert set(lobby.watched) == {71, 72}
    lobby.watched[72]()
    assert len(lobby.timers) == 2


def test_it_looks_again_while_a_proxy_owes_a_header() -> None:
    lobby, ports, time = FakeLobby(), FakePorts(), FakeTime()
    ports.unsettled = True
    Sweep(ports, lobby, time, bundled=False).begin()
    lobby.watched[71]()
    lobby.timers[-1][1]()
    assert [when for when, _ in lobby.timers[1:]] == [time.now + SECONDS]
    ports.unsettled = False
    lobby.timers[-1][1]()
    assert len(lobby.timers) == 2


@pytest.mark.skipif(not BUNDLES, reason="only Linux has bundles")
def test_all_ports_are_one_descriptor() -> None:
    lobby, ports, time = FakeLobby(), FakePorts(), FakeTime()
    pairs = [socket.socketpair() for _ in range(3)]
    ports.descriptors = lambda: [here.fileno() for here, _ in pairs]  # type: ignore[method-assign]
    sweep = Sweep(ports, lobby, time)
    sweep.begin()
    [(bundle, stirred)] = lobby.watched.items()
    assert ready((bundle,), (), 0) == []
    pairs[1][1].send(b"x")
    pairs[2][1].send(b"x")
    assert ready((bundle,), (), 5) == [bundle]
    stirred()
    assert not lobby.watched
    assert len(lobby.timers) == 1
    lobby.timers[0][1]()
    assert ports.sweeps == 1
    assert set(lobby.watched) == {bundle}
    sweep.close()
    for pair in pairs:
        for end in pair:
            end.close()


def test_ports_come_and_go() -> None:
    lobby, ports = FakeLobby(), FakePorts()
    sweep = Sweep(ports, lobby, FakeTime(), bundled=False)
    sweep.begin()
    assert sweep.retire() == [("127.0.0.1", 50000)]
    assert set(lobby.watched) == {72}
    assert sweep.retire() == []
    ports.open = [72, 73]
    sweep.renew()
    assert set(lobby.watched) == {72, 73}


@pytest.mark.skipif(not BUNDLES, reason="only Linux has bundles")
def test_a_bundle_has_the_ports_that_there_are() -> None:
    lobby, ports = FakeLobby(), FakePorts()
    pairs = [socket.socketpair() for _ in range(2)]
    ports.descriptors = lambda: [here.fileno() for here, _ in pairs[:1]]  # type: ignore[method-assign]
    sweep = Sweep(ports, lobby, FakeTime())
    sweep.begin()
    pairs[1][1].send(b"x")
    assert ready(tuple(lobby.watched), (), 0) == []
    ports.descriptors = lambda: [here.fileno() for here, _ in pairs]  # type: ignore[method-assign]
    sweep.renew()
    assert ready(tuple(lobby.watched), (), 5) == list(lobby.watched)
    sweep.close()
    for pair in pairs:
        for end in pair:
            end.close()
