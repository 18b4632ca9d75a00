"""Who becomes a session, and what the others hear."""

from __future__ import annotations

import socket

import pytest
from tests.compiled import COMPILED

from homeport.accounts.limits import SessionLimits
from homeport.events.types import SessionRefused
from homeport.server.admission import Admission
from homeport.server.sessions import Talk

from .fakes import Echo, FakeTime, Recorder, clock_of

PEER = ("192.0.2.7", 40000)


class Place:
    def __init__(self, sessions: int = 100, per_address: int = 2) -> None:
        self.recorder = Recorder()
        self.limits = SessionLimits(sessions, per_address)
        self.begun: list[Talk] = []
        self.admission = Admission(
            self.limits, Echo, lambda talk, _: self.begun.append(talk), self.recorder.bus, clock_of(FakeTime())
        )
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def arrive(self, peer: tuple[str, int] = PEER) -> socket.socket:
        """The client's end of a connection that the door has just accepted."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), timeout=5)
            here, _ = listener.accept()
        here.setblocking(False)
        self.pairs.append((here, client))
        self.admission.admit(here, peer)
        return client

    def close(self) -> None:
        for here, client in self.pairs:
            here.close()
            client.close()


def test_a_session_is_numbered_and_knows_both_ends() -> None:
    place = Place()
    client = place.arrive()
    place.arrive()
    first, second = place.begun
    assert (first.session.number, second.session.number) == (1, 2)
    assert first.session.peer == PEER
    assert first.session.local == client.getpeername()
    place.close()


def test_sessions_share_what_they_have_of_this_side() -> None:
    place = Place(sessions=200)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for last in (7, 8):
            client = socket.create_connection(listener.getsockname(), timeout=5)
            here, _ = listener.accept()
            here.setblocking(False)
            place.pairs.append((here, client))
            place.admission.admit(here, (f"192.0.2.{last}", 40000))
    first, second = place.begun
    one, other = first.session.local, second.session.local
    # A compiled class holds the pair itself in place, and only its text is an object.
    assert one[0] is other[0] if COMPILED else one is other
    for count in range(100):  # ports that come and go
        place.arrive((f"198.51.100.{count}", 40000))
    for talk, (here, _) in zip(place.begun, place.pairs, strict=True):
        assert talk.session.local == here.getsockname()
    place.close()


@pytest.mark.standard("959-5.4-CONN")
def test_too_many_from_one_address_hear_421() -> None:
    place = Place(per_address=2)
    place.arrive()
    place.arrive()
    refused = place.arrive()
    assert refused.recv(200) == b"421 Too many connections from your address\r\n"
    assert refused.recv(1) == b""
    other = place.arrive(("192.0.2.8", 1))
    assert len(place.begun) == 3
    [event] = place.recorder.of(SessionRefused)
    assert isinstance(event, SessionRefused)
    assert (event.peer, event.reason) == (PEER, "Too many connections from your address")
    place.admission.left(place.begun[0])
    place.arrive()
    assert len(place.begun) == 4
    assert other.fileno() >= 0
    place.close()


def test_too_many_in_all_hear_421() -> None:
    place = Place(sessions=1)
    place.arrive()
    assert place.arrive(("192.0.2.8", 1)).recv(200).startswith(b"421 Too many connections to this server")
    place.close()


def test_while_it_stops_everybody_hears_421() -> None:
    place = Place()
    place.admission.stopping = True
    assert place.arrive().recv(200) == b"421 The server is stopping\r\n"
    assert place.limits.total == 0
    place.close()


def test_a_client_that_has_left_costs_no_place() -> None:
    place = Place()

    def converse(*_: object) -> Talk:
        raise OSError(22, "Invalid argument")  # setsockopt on a connection that was reset, on some systems

    place.admission = Admission(
        place.limits, converse, lambda talk, _: place.begun.append(talk), place.recorder.bus, clock_of(FakeTime())
    )
    client = place.arrive()
    assert client.recv(1) == b""
    assert place.limits.total == 0
    assert place.begun == []
    place.close()
