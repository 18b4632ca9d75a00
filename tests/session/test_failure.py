"""What the client hears and the log gets when a data connection fails, with addresses that a loopback does not have."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address

import pytest

from homeport.data.address import Rules
from homeport.data.connection import Cause, DataConnectionError
from homeport.data.destination import PrivatePort
from homeport.data.offer import Offer
from homeport.data.watch import Watch
from homeport.events.types import DataConnectionFailed
from homeport.protocol.reply import Code
from homeport.session import exchange
from homeport.session.conversation import Conversation
from homeport.session.services import Policy, Services
from homeport.testing.client import Client

from . import harness as harness_module
from .harness import Harness

PUBLIC = "198.51.100.7"
PRIVATE_PORT = "PORT 192,168,1,20,195,180"  # 50100
Start = Callable[..., tuple[Harness, Client]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A conversation that believes that its client is at *peer*."""
    with ExitStack() as stack:

        def begin(peer: str = PUBLIC, policy: Policy | None = None) -> tuple[Harness, Client]:
            def converse(
                connection: socket.socket, number: int, _: object, local: tuple[str, int], services: Services
            ) -> Conversation:
                return Conversation(connection, number, (peer, 40123), local, services)

            monkeypatch.setattr(harness_module, "Conversation", converse)
            policy = policy if policy is not None else Policy(data_seconds=0.05)
            harness = stack.enter_context(Harness(policy=policy))
            return harness, harness.client()

        yield begin


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """Targets and sources of connections; all of them fail, without a network."""
    seen: list[tuple[tuple[str, int], tuple[str, int]]] = []

    def dial(
        target: tuple[str, int], source: tuple[str, int], _: Watch, __: float, other_port: Callable[[str], None]
    ) -> socket.socket:
        seen.append((target, source))
        if source[1]:
            other_port("Permission denied")
        raise DataConnectionError(Cause.TIMED_OUT, "No answer.", number=errno.ETIMEDOUT)

    monkeypatch.setattr(exchange, "dial", dial)
    return seen


def failures(harness: Harness) -> list[DataConnectionFailed]:
    return [event for event in harness.events if isinstance(event, DataConnectionFailed)]


def test_a_private_address_is_answered_at_the_clients_own(
    start: Start, dialled: list[tuple[tuple[str, int], tuple[str, int]]]
) -> None:
    harness, client = start()
    reply = client.ask(PRIVATE_PORT, 200)
    assert reply.text == (
        "The data connection will go to 198.51.100.7 port 50100, because 192.168.1.20 is behind the client's router"
    )
    client.ask("LIST", 150)
    reply = client.reply()
    assert reply.code == 425
    assert reply.text == (
        "192.168.1.20 cannot be reached, so port 50100 of your outside address was tried, in vain; use EPSV or PASV"
    )
    assert dialled == [((PUBLIC, 50100), ("127.0.0.1", 0))]
    (event,) = failures(harness)
    assert (event.diagnosis, event.side, event.target) == ("private-requested", "the client", (PUBLIC, 50100))
    assert event.cause == (
        "This server, 127.0.0.1, was to connect to 198.51.100.7 port 50100; PORT had named 192.168.1.20; "
        "there was no answer within 0.05 s."
    )
    assert event.advice.startswith("192.168.1.20 is private (RFC 1918), and means nothing here")


def test_what_failed_once_is_refused_at_once_so_that_the_client_turns_to_passive_mode(
    start: Start, dialled: list[tuple[tuple[str, int], tuple[str, int]]]
) -> None:
    harness, client = start()
    client.ask(PRIVATE_PORT, 200)
    client.ask("LIST", 150)
    assert client.reply().code == 425
    client.ask(PRIVATE_PORT, 504)
    assert len(dialled) == 1
    # An address that can be dialled is, and proves nothing about the others.
    client.ask("PORT 198,51,100,7,195,181", 200)
    client.ask("LIST", 150)
    assert client.reply().code == 425
    client.ask(PRIVATE_PORT, 504)
    assert [event.diagnosis for event in failures(harness)] == [
        "private-requested", "private-requested", "timed-out", "private-requested",
    ]  # fmt: skip


def test_what_port_had_named_is_forgotten_with_it(
    start: Start, dialled: list[tuple[tuple[str, int], tuple[str, int]]]
) -> None:
    harness, client = start()
    client.ask(PRIVATE_PORT, 200)
    client.ask("PORT 198,51,100,7,195,181", 200)
    client.ask("LIST", 150)
    assert client.reply().code == 425
    assert dialled == [((PUBLIC, 50101), ("127.0.0.1", 0))]
    assert failures(harness)[-1].diagnosis == "timed-out"


@pytest.mark.standard("2577-3-BOUNCE")
@pytest.mark.parametrize(
    ("line", "diagnosis", "text"),
    [
        (
            PRIVATE_PORT,
            "private-requested",
            "192.168.1.20 is not the address you come from, nor one of the internet; use EPSV or PASV",
        ),
        (
            "EPRT |1|192.0.2.66|50100|",
            "foreign-requested",
            "192.0.2.66 is not the address that you come from, and no data goes to others; use EPSV or PASV",
        ),
        (
            "PORT 198,51,100,7,0,25",
            "low-port-requested",
            "No data connection to port 25: ports below 1024 belong to services; use EPSV or PASV",
        ),
    ],
)
def test_what_is_refused_is_said_and_logged(start: Start, line: str, diagnosis: str, text: str) -> None:
    harness, client = start(policy=Policy(private_port=PrivatePort.REFUSE))
    assert client.ask(line, 504).text == text
    (event,) = failures(harness)
    assert event.diagnosis == diagnosis
    assert not event.passive


@pytest.mark.parametrize(
    ("line", "diagnosis", "target"),
    [
        ("PASV", "private-announced", ("127.0.0.1", 0)),
        ("EPSV", "nothing-arrived", ("127.0.0.1", 0)),
    ],
)
def test_nothing_arrives(start: Start, line: str, diagnosis: str, target: tuple[str, int]) -> None:
    harness, client = start()
    client.ask(line, 227 if line == "PASV" else 229)
    client.ask("LIST", 150)
    reply = client.reply()
    assert reply.code == Code.CANNOT_OPEN_DATA
    assert reply.text.startswith("Nothing reached port ")
    assert "127.0.0.1" not in reply.text
    (event,) = failures(harness)
    assert (event.diagnosis, event.passive, event.target[0]) == (diagnosis, True, target[0])


def test_the_announced_address_and_its_reason_are_in_the_log(start: Start) -> None:
    rules = Rules(external="203.0.113.9")
    harness, client = start(policy=Policy(data_seconds=0.05, announce=rules))
    client.ask("PASV", 227)
    client.ask("LIST", 150)
    assert client.reply().code == 425
    (event,) = failures(harness)
    assert event.target[0] == "203.0.113.9"
    assert event.cause == (
        f"198.51.100.7 was to connect to 203.0.113.9 port {event.target[1]}, which the answer to PASV had named, "
        "because it is the external address (configured); nothing arrived within 0.05 s."
    )


def test_a_stranger_comes_instead(start: Start) -> None:
    harness, client = start(policy=Policy(data_seconds=0.5))
    # The client really is 127.0.0.1, so for a session of 198.51.100.7 it is a stranger.
    target = client.passive()
    with socket.create_connection(target):
        client.ask("LIST", 150)
        reply = client.reply()
    assert reply.code == 425
    assert reply.text.startswith("Only another address reached port ")
    (event,) = failures(harness)
    assert event.diagnosis == "stranger"
    assert "only 127.0.0.1 came" in event.cause


def test_the_default_port_after_a_passive_one(
    start: Start, dialled: list[tuple[tuple[str, int], tuple[str, int]]]
) -> None:
    harness, client = start()
    client.ask("EPSV", 229)
    for _ in range(2):
        client.ask("LIST", 150)
        assert client.reply().code == 425
    assert [event.diagnosis for event in failures(harness)] == ["nothing-arrived", "no-port-command"]
    assert dialled == [((PUBLIC, 40123), ("127.0.0.1", 0))]


def test_a_source_port_that_could_not_be_had(
    start: Start, dialled: list[tuple[tuple[str, int], tuple[str, int]]]
) -> None:
    harness, client = start(policy=Policy(active_port=20))
    client.ask("PORT 198,51,100,7,195,180", 200)
    client.ask("LIST", 150)
    assert client.reply().code == 425
    assert dialled == [((PUBLIC, 50100), ("127.0.0.1", 20))]
    (event,) = failures(harness)
    assert event.diagnosis == "source-port"
    assert event.cause.endswith("The data port, 20, could not be used: Permission denied.")


def test_no_port_is_free(start: Start) -> None:
    harness, client = start()
    # Another session of the same address holds all four.
    held: list[Offer] = [harness.services.ports.offer(PUBLIC, "127.0.0.1", 1) for _ in range(4)]
    reply = client.ask("EPSV", 425)
    for offer in held:
        offer.release()
    assert reply.text.startswith("All passive ports wait for other sessions from your address")
    assert failures(harness)[0].diagnosis == "range-too-small"
    assert "all 4 passive ports" in failures(harness)[0].cause


def test_a_guess_that_led_nowhere_is_not_repeated(start: Start) -> None:
    rules = Rules(external="203.0.113.9", gateway=IPv4Address("192.168.1.1"))
    # The harness is on loopback, which decides as any inside address of a server does.
    harness, client = start(peer="192.168.1.1", policy=Policy(data_seconds=0.05, announce=rules))
    client.ask("PASV", 227)
    client.ask("ABOR", 226)  # it had no time to try, which proves nothing
    assert client.ask("PASV", 227).text.startswith("Entering Passive Mode (203,0,113,9,")
    client.ask("LIST", 150)
    assert client.reply().code == 425
    (event,) = failures(harness)
    assert event.diagnosis == "hairpin"
    assert "because the client comes from this server's router, 192.168.1.1" in event.cause
    assert client.ask("PASV", 227).text.startswith("Entering Passive Mode (127,0,0,1,")


def test_a_guess_is_not_repeated_to_a_client_that_gave_up_by_itself(start: Start) -> None:
    rules = Rules(external="203.0.113.9", gateway=IPv4Address("192.168.1.1"))
    _, client = start(peer="192.168.1.1", policy=Policy(announce=rules))
    for address in ("203,0,113,9", "203,0,113,9", "127,0,0,1"):
        assert client.ask("PASV", 227).text.startswith(f"Entering Passive Mode ({address},")


@pytest.mark.parametrize("line", ["EPRT |1|0.0.0.0|{port}|", "PORT 0,0,0,0,{high},{low}"])
def test_the_unspecified_address_is_the_clients_own(line: str) -> None:
    with Harness() as harness, harness.client() as client, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client.ask(line.format(port=port, high=port >> 8, low=port & 255), 200)
        client.ask("LIST", 150)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""
        assert client.reply().code == 226
    assert failures(harness) == []
