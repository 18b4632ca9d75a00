"""Clients that dial before they send RETR, and give up without it: what the log learns, and what is no fault at all."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from homeport.data.address import Rules
from homeport.data.offer import Offer
from homeport.events.types import CloseReason, DataConnectionFailed, PassivePortUnused, SessionClosed
from homeport.session import failure
from homeport.session.conversation import Conversation
from homeport.session.services import Policy, Services
from homeport.testing.client import Client

from . import harness as harness_module
from .harness import HOST, Harness

PUBLIC = "198.51.100.7"
OUTSIDE = "203.0.113.9"
Start = Callable[..., tuple[Harness, Client]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A conversation that believes that its client is at *peer*, and that the server is known outside."""
    with ExitStack() as stack:

        def begin(peer: str = PUBLIC, external: str | None = OUTSIDE) -> tuple[Harness, Client]:
            def converse(
                connection: socket.socket, number: int, _: object, local: tuple[str, int], services: Services
            ) -> Conversation:
                return Conversation(connection, number, (peer, 40123), local, services)

            monkeypatch.setattr(harness_module, "Conversation", converse)
            policy = Policy(data_seconds=5.0, announce=Rules(external=external))
            harness = stack.enter_context(Harness(policy=policy))
            return harness, harness.client()

        yield begin


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever time a client takes is long."""
    monkeypatch.setattr(failure, "_LONG", 0.0)


def unused(harness: Harness) -> list[PassivePortUnused]:
    assert not [event for event in harness.events if isinstance(event, DataConnectionFailed)]
    return [event for event in harness.events if isinstance(event, PassivePortUnused)]


def ended(harness: Harness, client: Client) -> list[PassivePortUnused]:
    """What was told once the session is over."""
    client.ask("QUIT", 221)
    harness.wait_until_over()
    return unused(harness)


def connected(reply_text: str) -> socket.socket:
    return socket.create_connection((HOST, int(reply_text.rpartition("(|||")[2].rstrip("|)"))), timeout=5)


def test_a_client_that_takes_its_time_has_dialled_in_vain(start: Start, long: None) -> None:
    harness, client = start()
    port = int(client.ask("EPSV", 229).text.rpartition("(|||")[2].rstrip("|)"))
    (event,) = ended(harness, client)
    assert (event.diagnosis, event.side) == ("nothing-arrived", "the server's router")
    assert event.target == (HOST, port)
    assert event.user == "test"
    assert event.cause == f"{PUBLIC} was to connect to {HOST} port {port}; nothing arrived within 0 s."
    assert "Forward the whole passive range" in event.advice


@pytest.mark.parametrize("next_line", ["PASV", "EPSV", "PORT 198,51,100,7,195,80", "REIN", "ABOR"])
def test_whatever_the_client_turns_to_next(start: Start, long: None, next_line: str) -> None:
    harness, client = start()
    client.ask("PASV", 227)
    client.ask(next_line)
    (event,) = unused(harness)
    assert event.diagnosis == "nothing-arrived"
    assert event.target[0] == OUTSIDE
    assert event.user == "test"


def test_who_goes_without_a_word_has_tried(start: Start) -> None:
    """As curl and scripts do where a firewall refuses: it takes no time at all."""
    harness, client = start()
    client.ask("PASV", 227)
    client.close()
    harness.wait_until_over()
    (closed,) = (event for event in harness.events if isinstance(event, SessionClosed))
    assert closed.reason is CloseReason.CLIENT
    assert [event.diagnosis for event in unused(harness)] == ["nothing-arrived"]


def test_an_idle_end_tells_it_too(start: Start) -> None:
    harness, client = start()
    client.ask("PASV", 227)
    harness.advance(301)
    assert client.reply().code == 421
    harness.wait_until_over()
    # It stood for a moment only, by the clock of its own: the fact is told, and no fault.
    (event,) = unused(harness)
    assert (event.diagnosis, event.advice) == ("", "")


def test_who_asks_and_leaves_within_a_moment_is_no_fault(start: Start) -> None:
    harness, client = start()
    port = int(client.ask("EPSV", 229).text.rpartition("(|||")[2].rstrip("|)"))
    (event,) = ended(harness, client)
    assert (event.diagnosis, event.side, event.advice) == ("", "", "")
    assert event.target == (HOST, port)
    assert event.cause == f"{PUBLIC} asked for it by EPSV and did not come."


def test_two_in_a_row_are_a_fault_and_one_that_worked_begins_anew(start: Start) -> None:
    # From here on it is a client of this machine, so that it can come.
    harness, client = start(peer=HOST)
    client.ask("EPSV", 229)
    for _ in range(2):
        with connected(client.ask("EPSV", 229).text):
            assert client.ask("LIST", 150)
            assert client.reply().code == 226
        client.ask("EPSV", 229)
    assert [event.diagnosis for event in unused(harness)] == [""]
    client.ask("EPSV", 229)
    client.ask("EPSV", 229)
    assert [event.diagnosis for event in unused(harness)] == ["", "nothing-arrived"]


def test_each_cause_is_told_once_in_a_session(start: Start) -> None:
    harness, client = start()
    for _ in range(6):
        client.ask("EPSV", 229)
    assert [event.diagnosis for event in unused(harness)] == ["", "nothing-arrived"]


def test_an_address_that_cannot_be_reached_is_proof_enough(start: Start) -> None:
    harness, client = start(external=None)
    client.ask("PASV", 227)
    (event,) = ended(harness, client)
    assert event.diagnosis == "private-announced"
    assert event.target[0] == HOST


def test_after_a_transfer_that_went_well_a_pause_is_no_fault(start: Start, long: None) -> None:
    harness, client = start(peer=HOST)
    with connected(client.ask("EPSV", 229).text):
        client.ask("LIST", 150)
        assert client.reply().code == 226
    client.ask("EPSV", 229)
    assert [event.diagnosis for event in ended(harness, client)] == [""]


def test_a_connection_that_is_there_and_not_used_is_no_fault(start: Start, long: None) -> None:
    harness, client = start(peer=HOST)
    with connected(client.ask("EPSV", 229).text):
        client.ask("EPSV", 229)
        assert unused(harness) == []


def test_a_transfer_that_is_refused_is_reason_enough_not_to_come(start: Start, long: None) -> None:
    harness, client = start()
    for _ in range(3):
        client.ask("EPSV", 229)
        client.ask("RETR nothing", 550)
    assert ended(harness, client) == []


def test_a_transfer_that_the_client_calls_off_at_once_is_reason_enough(start: Start, long: None) -> None:
    harness, client = start()
    client.ask("EPSV", 229)
    client.send(b"LIST\r\nABOR\r\n", "LIST", "ABOR")
    assert [client.reply().code for _ in range(3)] == [150, 426, 226]
    assert unused(harness) == []


def test_strangers_are_named(start: Start, long: None) -> None:
    harness, client = start()
    with connected(client.ask("EPSV", 229).text):
        (event,) = ended(harness, client)
    assert event.diagnosis == "stranger"
    assert f"only {HOST} came" in event.cause


def test_a_port_that_another_session_got_is_told_when_its_session_goes_on(start: Start, long: None) -> None:
    harness, client = start()
    client.ask("EPSV", 229)
    # Somebody else of that address wants them all, for so long that the one that is not used is taken back.
    ports = harness.services.ports
    ports._kept = 0.0
    held: list[Offer] = [ports.offer(PUBLIC, HOST, 1) for _ in range(4)]
    assert [event.diagnosis for event in ended(harness, client)] == ["nothing-arrived"]
    for offer in held:
        offer.release()
