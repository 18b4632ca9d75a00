"""Who comes and is no FTP client: other protocols, octets of chance, and clients that only hold the line."""

from __future__ import annotations

import socket
import ssl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.session.harness import Harness

from homeport.events.types import Event, Failed
from homeport.protocol.grammar import GRAMMAR
from homeport.testing.plugin import FtpServer
from homeport.testing.replies import HeardReply, ReplyParser

# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.standard("D-28")
def test_421_comes_to_who_says_nothing(harness: Harness) -> None:
    client = harness.client()
    harness.advance(299)
    client.ask("NOOP", 200)
    harness.advance(301)
    assert client.reply().code == 421
    client.end()


@pytest.mark.parametrize(
    "said", [b"N", b"NOOP\r\n", b"\r\n", b"\xff\xf1"], ids=["octet", "NOOP", "empty line", "Telnet"]
)
def test_nothing_but_a_login_extends_the_time_for_it(harness: Harness, said: bytes) -> None:
    """A client that sends an octet now and then holds its session no longer than one that is silent."""
    client = harness.client(login=False)
    for _ in range(6):
        client.send(said, *(["NOOP"] if said == b"NOOP\r\n" else []))
        if said == b"NOOP\r\n":
            assert client.reply().code == 200
        harness.advance(9.9)
    assert not client.pending()
    harness.advance(1.0)
    assert client.reply().code == 421
    client.end()


@pytest.mark.parametrize("octet", [b"N", b"\xff\xf1"], ids=["octet", "Telnet"])
def test_octets_that_are_no_command_do_not_extend_the_idle_time(harness: Harness, octet: bytes) -> None:
    client = harness.client()
    for _ in range(3):
        client.send(octet)
        harness.advance(99)
    harness.advance(4)
    assert client.reply().code == 421
    client.end()


# -- no FTP at all ---------------------------------------------------------------------------------------------------


def answers(server: FtpServer, octets: bytes, *, login: bool = False) -> list[HeardReply]:
    """Everything that the server says to *octets* until it closes, read strictly. The client only closes its side."""
    parser = ReplyParser()
    replies: list[HeardReply] = []
    greeting = f"USER {server.user}\r\nPASS {server.password}\r\n".encode() if login else b""
    with socket.create_connection((server.host, server.port), 10) as connection:
        connection.sendall(greeting + octets)
        connection.shutdown(socket.SHUT_WR)
        try:
            while heard := connection.recv(1 << 16):
                parser.feed(heard)
                while (reply := parser.next_reply()) is not None:
                    replies.append(reply)
        except ConnectionResetError:
            return replies  # it did not wait for the rest of what was said
    assert not parser.unfinished
    return replies


@pytest.fixture
def failures(ftp_server: FtpServer) -> list[Event]:
    """The bugs that the server's log would tell of."""
    heard: list[Event] = []

    def hear(event: Event) -> None:
        if isinstance(event, Failed):
            heard.append(event)

    ftp_server.server.subscribe(hear)
    return heard


@pytest.mark.standard("D-29")
@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nUSER test\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"HELO a\r\nMAIL FROM:<a@b>\r\n", b"EHLO a\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"CONNECT a:21 HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_other_protocols_hear_one_reply_and_the_end(
    ftp_server: FtpServer, failures: list[Event], octets: bytes
) -> None:
    replies = answers(ftp_server, octets + b"USER test\r\nNOOP\r\n")
    assert [reply.code for reply in replies] == [220, 421]
    assert not failures


def test_a_tls_client_on_the_plain_port(ftp_server: FtpServer, failures: list[Event]) -> None:
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    for octets in (hello, hello + b"\r\n", hello * 50 + b"\r\n"):
        replies = answers(ftp_server, octets)
        assert replies[0].code == 220
        assert {reply.code for reply in replies[1:]} <= {421, 500, 501}
    with ftp_server.client() as other:
        other.ask("NOOP", 200)
    assert not failures


ARGUMENTS = st.one_of(
    st.sampled_from(
        [b"", b"f", b"d", b"/", b"..", b"../" * 40, b"-al", b"*", b"~", b"\xff" * 4, b"a" * 5000, b"A N", b"I"]
    ),
    st.sampled_from(
        [b"127,0,0,1,200,1", b"|1|127.0.0.1|50000|", b"9" * 400, b"20020717210715 f", b"Modify=1; f", b"HELP"]
    ),
    st.binary(max_size=40),
)
COMMANDS = st.builds(
    lambda verb, argument, end: verb + b" " + argument + end,
    # USER would make the PASS behind it a login that fails, after which the server takes its time.
    st.sampled_from([verb.encode() for verb in GRAMMAR if verb != "USER"]),
    ARGUMENTS,
    st.sampled_from([b"\r\n", b"\n", b"\r\n\r\n", b"\r\0\n", b"", b"\xff\xf4\xff\xf2\r\n", b"\xff\xfd\r\r\n"]),
)


@pytest.mark.parametrize("login", [False, True])
def test_any_octets_get_replies_and_never_a_traceback(
    ftp_server: FtpServer, failures: list[Event], *, login: bool
) -> None:
    (ftp_server.root / "f").write_bytes(b"content")
    (ftp_server.root / "d").mkdir()
    around = set(ftp_server.root.parent.iterdir())

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.one_of(COMMANDS, st.binary(max_size=200)), min_size=4, max_size=16))
    def storm(pieces: list[bytes]) -> None:
        replies = answers(ftp_server, b"".join(pieces), login=login)
        assert replies[0].code == 220
        assert not failures

    storm()
    with ftp_server.client(login=False) as client:
        client.ask("NOOP", 200)
    assert set(ftp_server.root.parent.iterdir()) == around
