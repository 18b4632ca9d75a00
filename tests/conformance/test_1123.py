"""RFC 1123 §4.1: what hosts must do beyond RFC 959, and the time that a session may be idle.

Rows about the same thing as one of RFC 959 are proven beside it, in test_959_*.py.
"""

from __future__ import annotations

import re

import pytest
from tests.conformance.conftest import Configured
from tests.session.harness import Harness, Troubled

from homeport.events.types import CloseReason, SessionClosed
from homeport.server.config import Config
from homeport.session.services import Policy
from homeport.testing.client import Way
from homeport.testing.plugin import FtpServer

REQUIRED = (
    "USER test", "PASS secret", "ACCT a", "PORT 127,0,0,1,200,1", "PASV", "TYPE I", "MODE S", "STRU F", "RETR none",
    "STOR none/f", "APPE none/f", "RNFR none", "RNTO none", "DELE none", "CWD none", "CDUP", "RMD none", "MKD /",
    "PWD", "LIST none", "NLST none", "SYST", "STAT", "HELP", "NOOP", "QUIT",
)  # fmt: skip
OPTIONAL = ("SMNT d", "REIN", "STOU", "ALLO 1", "REST 1", "ABOR", "SITE HELP", "TYPE A C", "TYPE E", "MODE B")


@pytest.mark.standard("1123-4.1.2.13-CMDS")
def test_every_required_command_is_there(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        for line in REQUIRED:
            assert client.ask(line).code not in {500, 502, 504}
            if line.startswith("PASS"):
                client.login(ftp_server.user, ftp_server.password)
        client.end()


@pytest.mark.standard("1123-4.1.2.13-PARAMS", "1123-4.1.2.1-I", "1123-4.1.2.1-L8")
@pytest.mark.parametrize("line", ["TYPE A", "TYPE A N", "TYPE I", "TYPE L 8", "type l 8", "MODE S", "STRU F"])
def test_every_required_parameter_is_there(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        client.ask(line, 200)


@pytest.mark.standard("1123-4.1.5-MAY")
def test_which_optional_commands_are_there(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        there = set()
        for line in OPTIONAL:
            if client.ask(line).code == 150:
                client.final()
            elif client.ask("NOOP").code == 200 and client.ask(line).code not in {500, 502, 504}:
                there.add(line)
            client.login(ftp_server.user, ftp_server.password)
    assert {"REIN", "ALLO 1", "REST 1", "ABOR", "SITE HELP"} <= there


@pytest.mark.standard("1123-4.1.2.2-AT")
@pytest.mark.parametrize("stored", [b"a\n\fb\x0b\x08c\n", b"a\rb\n", b"\x1bE\n"])
def test_print_files_are_like_others(ftp_server: FtpServer, stored: bytes) -> None:
    (ftp_server.root / "f").write_bytes(stored)
    with ftp_server.client() as client:
        client.ask("TYPE A N", 200)
        plain = client.retr("f").data
        client.ask("TYPE A T", 200)
        assert client.retr("f").data == plain
        assert client.stor("g", plain).complete
    assert (ftp_server.root / "g").read_bytes() == stored


@pytest.mark.standard("1123-4.1.2.6-227-FORM", "1123-4.1.2.6-PASV", "1579-PASV-HONOUR")
def test_227_tells_where_the_client_can_connect(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        text = client.ask("PASV", 227).text
        assert re.fullmatch(r"[^\d()]*\(\d+(?:,\d+){5}\)[^\d()]*", text)
        host, port = client.passive(Way.PASV)
        assert host == client.peer[0]
        assert port not in {20, 21, client.peer[1]}
        data = client.connect((host, port))
        client.ask("NLST", 150)
        assert data.recv(1) == b""
        assert client.reply().code == 226


@pytest.mark.standard("1123-4.1.2.6-227-FORM")
def test_227_tells_the_address_outside_of_a_router(configured: Configured) -> None:
    server = configured({"data": {"announce": {"127.0.0.0/8": "192.0.2.7"}}})
    with server.client() as client:
        assert client.passive(Way.PASV)[0] == "192.0.2.7"


@pytest.mark.standard("1123-4.1.3.4-554")
@pytest.mark.parametrize("line", ["RETR f", "STOR f", "APPE f", "STOR none"])
@pytest.mark.parametrize("kind", ["I", "A"])
def test_a_restart_beyond_the_end(ftp_server: FtpServer, line: str, kind: str) -> None:
    """554 where it is known before 1yz. RETR in TYPE A must count lines first, so that it may end in 554 only then."""
    (ftp_server.root / "f").write_bytes(b"12345")
    with ftp_server.client() as client:
        client.ask(f"TYPE {kind}", 200)
        moved = client.download(line, offset=6) if line == "RETR f" else client.upload(line, b"", offset=6)
        assert (moved.final.code, moved.data) == (554, b"")
        assert client.stor("g", b"abc").complete
        assert client.retr("f").data == b"12345"
    assert (ftp_server.root / "f").read_bytes() == b"12345"


# -- the idle time --------------------------------------------------------------------------------------------------


@pytest.mark.standard("1123-4.1.3.2-IDLE", "959-4.2-421", "1123-4.1.2.11-VERBATIM-421")
def test_who_says_nothing_is_let_go() -> None:
    with Harness() as harness, harness.client() as client:
        harness.advance(301)
        assert client.reply().code == 421
        client.end()
    ends = [event for event in harness.events if isinstance(event, SessionClosed)]
    assert [event.reason for event in ends] == [CloseReason.IDLE]


@pytest.mark.standard("1123-4.1.3.2-IDLE-CONF")
def test_five_minutes_are_granted_from_command_to_command(harness: Harness) -> None:
    assert Config().limits.idle >= 300
    with harness.client() as client:
        for _ in range(5):
            harness.advance(299)
            assert not client.pending(0.05)
            client.ask("NOOP", 200)
        harness.advance(301)
        assert client.reply().code == 421
        client.end()


@pytest.mark.standard("1123-4.1.3.2-IDLE-CONF")
def test_the_idle_time_is_configured(configured: Configured) -> None:
    server = configured({"limits": {"idle": "1s"}})
    with server.client() as client:
        assert client.reply().code == 421
        client.end()


@pytest.mark.standard("1123-4.1.3.2-IDLE-CONF")
def test_site_idle_is_for_one_session() -> None:
    policy = Policy(idle_seconds=300, idle_seconds_most=1000)
    with Harness(policy=policy) as harness, harness.client() as patient, harness.client() as other:
        patient.ask("SITE IDLE 1000", 200)
        patient.ask("SITE IDLE 1001", 501)
        harness.advance(301)
        assert other.reply().code == 421
        other.end()
        patient.ask("NOOP", 200)
        harness.advance(1001)
        assert patient.reply().code == 421
        patient.end()


@pytest.mark.standard("1123-4.1.3.2-IDLE-XFER")
@pytest.mark.parametrize("line", ["RETR big", "STOR f"])
def test_a_transfer_is_activity(troubled: Troubled, line: str) -> None:
    troubled.put("big", b"x" * (1 << 24))
    policy = Policy(idle_seconds=300, data_seconds=4000)
    with Harness(troubled, policy) as harness, harness.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask(line, 150)
        harness.advance(3000)
        assert not client.pending(0.1)
        if line == "STOR f":
            data.sendall(b"x")
            data.close()
        else:
            while data.recv(1 << 20):
                pass
        assert client.reply().code == 226
        # The time starts anew at the transfer's end.
        harness.advance(299)
        assert not client.pending(0.05)
        client.ask("NOOP", 200)
        harness.advance(301)
        assert client.reply().code == 421
        client.end()


@pytest.mark.standard("1123-4.1.3.2-IDLE")
@pytest.mark.parametrize("said", [(), ("NOOP",), ("USER test",), ("USER test", "NOOP", "SYST")])
def test_who_does_not_log_in_is_let_go_whatever_he_says(harness: Harness, said: tuple[str, ...]) -> None:
    with harness.client(login=False) as client:
        for line in said:
            harness.advance(10)
            client.ask(line)
        harness.advance(61)
        assert client.reply().code == 421
        client.end()


@pytest.mark.standard("1123-4.1.3.2-IDLE")
def test_half_a_command_is_no_activity(harness: Harness) -> None:
    with harness.client() as client:
        harness.advance(299)
        client.send(b"NOO")
        assert not client.pending(0.1)
        harness.advance(2)
        assert client.reply().code == 421
        client.end()
