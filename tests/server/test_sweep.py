"""The sweep: strangers at passive ports go, and nobody is woken for nothing."""

from __future__ import annotations

from homeport.server.sweep import SECONDS, Sweep

from .fakes import FakeTime
from .test_door import FakeLobby


class FakePorts:
    ports = (50000, 50001)

    def __init__(self) -> None:
        self.sweeps = 0
        self.unsettled = False

    def descriptors(self) -> list[int]:
        return [71, 72]

    def sweep(self) -> list[tuple[str, int]]:
        self.sweeps += 1
        return []


def test_one_look_for_many_connections() -> None:
    lobby, ports, time = FakeLobby(), FakePorts(), FakeTime()
    sweep = Sweep(ports, lobby, time)
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
    Sweep(ports, lobby, time).begin()
    lobby.watched[71]()
    lobby.timers[-1][1]()
    assert [when for when, _ in lobby.timers[1:]] == [time.now + SECONDS]
    ports.unsettled = False
    lobby.timers[-1][1]()
    assert len(lobby.timers) == 2
