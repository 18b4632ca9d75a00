"""Data connections that resume the TLS session of their control connection, and what becomes of those that do not."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest
from tests.session.harness import HOST, PASSWORD, USER, Harness

from homeport.accounts.model import Resumption
from homeport.events.types import DataConnectionFailed
from homeport.net.tls import TICKET_SECONDS, Chain, Contexts, FileCertificates
from homeport.session.protection import TlsPolicy
from homeport.session.services import Policy
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .conftest import Tls, protected, read_all, shake_hands, trusting

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = [TLS12, TLS13]


def session_ids() -> ssl.SSLContext:
    """TLS 1.2 without tickets: the server itself has to remember the session."""
    context = trusting(TLS12)
    context.options |= ssl.OP_NO_TICKET
    return context


def contexts() -> list[Any]:
    return [
        pytest.param(lambda: trusting(TLS13), id="tickets-1.3"),
        pytest.param(lambda: trusting(TLS12), id="tickets-1.2"),
        pytest.param(session_ids, id="ids-1.2"),
    ]


@pytest.mark.standard("TLS-RESUME", "D-14")
@pytest.mark.parametrize("make", contexts())
@pytest.mark.parametrize("reuse", ["prefer", "require"])
def test_every_kind_of_session_is_resumed(tls: Tls, make: Any, reuse: str) -> None:
    server = tls({"tls": {"session_reuse": reuse}})
    (server.root / "file").write_bytes(b"0123")
    with protected(server, make()) as client:
        for _ in range(30):
            assert client.retr("file").data == b"0123"
            assert client.resumed
            assert client.stor("new", b"4567").complete
            assert client.resumed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_takes_a_fresh_ticket_each_time(tls: Tls, version: ssl.TLSVersion) -> None:
    """Tickets never run out: each connection resumes the one before (RFC 8446 appendix C.4 wants each used once)."""
    server = tls({"tls": {"session_reuse": "require"}})
    (server.root / "file").write_bytes(b"0123")
    context = trusting(version)
    with protected(server, context) as client:
        control = client.control
        assert isinstance(control, ssl.SSLSocket)
        session = control.session
        for _ in range(300):
            data = client.connect(client.passive())
            client.ask("RETR file", 150)
            with context.wrap_socket(data, session=session) as tls_data:
                assert read_all(tls_data) == b"0123"
                assert tls_data.session_reused
                assert tls_data.session is not None
                session = tls_data.session
            assert client.reply().code == 226


def test_uploads_only_with_a_ticket_for_each(tls: Tls) -> None:
    """It comes with the server's close_notify, for whom waits for that (curl does from 8.10 on)."""
    server = tls({"tls": {"session_reuse": "require"}})
    context = trusting(TLS13)
    with protected(server, context) as client:
        control = client.control
        assert isinstance(control, ssl.SSLSocket)
        session = control.session
        for number in range(20):
            data = client.connect(client.passive())
            client.ask(f"STOR {number}", 150)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls_data = context.wrap_bio(incoming, outgoing, session=session)
            shake_hands(data, tls_data, incoming, outgoing)
            assert tls_data.session_reused
            tls_data.write(b"0123")
            with pytest.raises(ssl.SSLWantReadError):
                tls_data.unwrap()
            data.sendall(outgoing.read())
            while octets := data.recv(65536):
                incoming.write(octets)
            tls_data.unwrap()
            session = tls_data.session
            data.close()
            assert client.reply().code == 226


@pytest.mark.parametrize("make", contexts())
def test_a_broken_transfer_does_not_end_the_session(tls: Tls, make: Any) -> None:
    """OpenSSL forgets sessions of connections that were dropped; where resumption is required that would lock out."""
    server = tls({"tls": {"session_reuse": "require"}})
    (server.root / "big").write_bytes(bytes(30_000_000))
    with protected(server, make()) as client:
        for command in ("RETR big", "STOR new"):
            data = client.connect(client.passive())
            client.ask(command, 150)
            client.secure(data)
            client.command("ABOR")
            assert client.reply().code == 426
            assert client.reply().code == 226
        assert client.list_().complete
        assert client.resumed


@pytest.mark.standard("D-14")
@pytest.mark.parametrize("make", contexts())
def test_clients_that_cannot_resume_are_served_by_default(server: FtpServer, make: Any) -> None:
    with protected(server, make()) as client:
        client.resumes = False
        assert client.list_().complete
        assert not client.resumed
        assert client.stor("file", b"0123").complete


@pytest.mark.standard("4217-10.2-REUSE", "D-14", "4217-10.2-522")
@pytest.mark.parametrize("make", contexts())
@pytest.mark.parametrize("command", ["STOR old", "STOR new", "RETR old", "MLSD"])
def test_where_it_is_required_the_refusal_says_so_and_leaves_no_trace(tls: Tls, make: Any, command: str) -> None:
    server = tls({"tls": {"session_reuse": "require"}})
    events: list[object] = []
    server.server.subscribe(events.append)
    (server.root / "old").write_bytes(b"as it was")
    with protected(server, make()) as client:
        client.resumes = False
        data = client.connect(client.passive())
        client.ask(command, 150)
        tls_data = client.secure(data)
        reply = client.reply()
        assert reply.code == 522
        assert "resume" in reply.text
        with pytest.raises(OSError, match=r"reset|EOF"):
            read_all(tls_data)
        client.resumes = True
        assert client.list_().complete
    assert [path.name for path in server.root.iterdir()] == ["old"]
    assert (server.root / "old").read_bytes() == b"as it was"
    (failed,) = (event for event in events if isinstance(event, DataConnectionFailed))
    assert failed.diagnosis == "tls-not-resumed"


@pytest.mark.parametrize("make", contexts())
def test_off_means_that_nobody_resumes(tls: Tls, make: Any) -> None:
    with protected(tls({"tls": {"session_reuse": "off"}}), make()) as client:
        for _ in range(3):
            assert client.list_().complete
            assert not client.resumed


def test_a_user_and_a_network_have_rules_of_their_own(tls: Tls) -> None:
    cases = [
        ({"session_reuse": "require"}, {"session_reuse": "prefer"}, True),
        ({"session_reuse": "prefer"}, {"session_reuse": "require"}, False),
        ({"session_reuse": "require", "session_reuse_for": {"127.0.0.0/8": "prefer"}}, {}, True),
        ({"session_reuse_for": {"10.0.0.0/8": "prefer", "127.0.0.1/32": "require"}}, {}, False),
        ({"session_reuse_for": {"127.0.0.0/8": "require"}}, {"session_reuse": "prefer"}, True),
    ]
    for options, user, served in cases:
        with protected(tls({"tls": options}, **user)) as client:
            client.resumes = False
            assert client.list_().complete is served
            client.resumes = True
            assert client.list_().complete


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_of_another_address_is_worth_nothing(tls: Tls, version: ssl.TLSVersion) -> None:
    server = tls({"tls": {"session_reuse": "require"}})
    context = trusting(version)
    with protected(server, context) as client, server.client(login=False, source="127.0.0.2") as other:
        other.protect(context)
        other.login("test", "secret")
        data = other.connect(other.passive())
        other.ask("LIST", 150)
        stolen = client.control
        assert isinstance(stolen, ssl.SSLSocket)
        with context.wrap_socket(data, session=stolen.session) as tls_data:
            assert not tls_data.session_reused
            assert other.reply().code == 522


def test_sessions_of_one_address_share_their_tickets(tls: Tls) -> None:
    """As programs with several control connections and one cache of TLS sessions have it."""
    server = tls({"tls": {"session_reuse": "require"}})
    context = trusting()
    with protected(server, context) as first, protected(server, context) as second:
        data = second.connect(second.passive())
        second.ask("LIST", 150)
        other = first.control
        assert isinstance(other, ssl.SSLSocket)
        with context.wrap_socket(data, session=other.session, suppress_ragged_eofs=False) as tls_data:
            assert tls_data.session_reused
            read_all(tls_data)
        assert second.reply().code == 226


def test_a_control_connection_resumes_as_well(server: FtpServer) -> None:
    context = trusting()
    with protected(server, context) as client:
        control = client.control
        assert isinstance(control, ssl.SSLSocket)
        session = control.session
    with server.client(login=False) as client:
        client.ask("AUTH TLS", 234)
        client.control.settimeout(10)
        with context.wrap_socket(client.control, session=session) as tls:
            assert tls.session_reused
            tls.sendall(b"NOOP\r\n")
            assert tls.recv(100).startswith(b"200")


# -- hours later -----------------------------------------------------------------------------------------------------


@pytest.fixture
def harness(certificate: str) -> Any:
    """A server with a clock that stands still, where resumption is required."""
    policy = Policy(
        data_seconds=5.0, idle_seconds=10 * TICKET_SECONDS,
        tls=TlsPolicy(resumption=Resumption.REQUIRE),
    )  # fmt: skip
    with Harness(policy=policy) as harness:
        harness.services = replace(harness.services, tls=Contexts(FileCertificates((Chain(certificate),))))
        yield harness


def _log_in(harness: Harness) -> Client:
    client = harness.client(login=False)
    client.protect()
    client.login(USER, PASSWORD)
    return client


def test_a_session_that_outlives_its_ticket_is_not_locked_out(harness: Harness) -> None:
    """A client that keeps only the ticket of the control connection cannot resume after two hours, and never again."""
    client = _log_in(harness)
    client.resumes = False
    assert client.list_().final.code == 522
    harness.now += TICKET_SECONDS - 120
    assert client.list_().final.code == 522
    harness.now += 120
    assert client.list_().complete
    assert client.stor("file", b"0123").complete


def test_one_that_takes_fresh_tickets_resumes_for_ever(harness: Harness) -> None:
    client = _log_in(harness)
    harness.now += 3 * TICKET_SECONDS
    assert client.list_().complete
    assert client.resumed
    assert client.peer[0] == HOST
