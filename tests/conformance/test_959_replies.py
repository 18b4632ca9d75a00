"""RFC 959 §4.2 and §5.4: the form of replies, their number and order, and what their digits mean."""

from __future__ import annotations

import re
import socket
import time

import pytest
from tests.conformance.conftest import Configured
from tests.conformance.test_959_table import codes_of

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

FIRST_DIAGRAM = (
    "ABOR", "ALLO 1", "DELE f", "CWD d", "CDUP", "SMNT d", "HELP", "MODE S", "NOOP", "PASV", "SITE UMASK",
    "PORT 127,0,0,1,200,1", "SYST", "STAT", "RMD d", "MKD e", "PWD", "STRU F", "TYPE I", "QUIT",
)  # fmt: skip
"""The commands of the first state diagram (§6), QUIT last."""

KNOWN = {int(code) for code in re.findall(r"\d{3}", """
    110 120 125 150 200 202 211 212 213 214 215 220 221 225 226 227 230 250 257 331 332 350 421 425 426 450 451 452
    500 501 502 503 504 530 532 550 551 552 553
    228 229 232 234 235 334 335 336 431 521 522 533 534 535 536 537 554 555 556
""")}  # fmt: skip
"""The codes of RFC 959, and those of its successors."""


@pytest.mark.standard("959-4.2-1YZ-ONLY-DATA", "959-4.2-REPLY-ONE", "959-4.2-CODES-STRICT", "1123-4.1.2.11-CODES")
def test_commands_without_a_data_connection_have_one_reply_and_no_1yz(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").touch()
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        for line in FIRST_DIAGRAM:
            reply = client.ask(line)
            assert reply.code // 100 in {2, 4, 5}
            assert reply.code in codes_of(f"959-5.4-{line.partition(' ')[0]}") & KNOWN
        client.end()


@pytest.mark.standard("959-4.2-REPLY-SHAPE", "959-4.2-REPLY-ONE", "1123-4.1.2.11-FORMAT")
def test_every_line_of_a_session_has_the_form_of_a_reply(ftp_server: FtpServer) -> None:
    """Read without a parser: octets as they come until the server closes."""
    lines = ["NONE", "", "USER test", f"PASS {ftp_server.password}", *FIRST_DIAGRAM]
    with (
        socket.create_connection((ftp_server.host, ftp_server.port), 10) as connection,
        connection.makefile("rb") as heard,
    ):
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        octets = heard.read()
    replies = re.findall(rb"([1-6]\d\d)(?: [^\r\n]*|-[^\r\n]*\r\n(?:(?!\d\d\d)[^\r\n]*\r\n)*\1 [^\r\n]*)\r\n", octets)
    rest = re.sub(rb"(?m)([1-6]\d\d)(?: [^\r\n]*|-[^\r\n]*\r\n(?:(?!\d\d\d)[^\r\n]*\r\n)*\1 [^\r\n]*)\r\n", b"", octets)
    assert rest == b""
    # The greeting, and one reply for every line but the empty one (D-23).
    assert len(replies) == len(lines)
    assert {int(code) for code in replies} <= KNOWN


@pytest.mark.standard("959-4.2-MULTI-FIRST", "959-4.2-MULTI-LAST")
def test_multi_line_replies_begin_with_a_hyphen_and_end_with_a_space(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        for line, code in (("HELP", b"214"), ("STAT", b"211"), ("FEAT", b"211"), ("SITE HELP", b"214")):
            reply = client.ask(line, int(code))
            assert reply.multi_line
            lines = reply.raw.split(b"\r\n")
            assert lines[0].startswith(code + b"-")
            assert lines[-2].startswith(code + b" ")
            assert not any(re.match(rb"\d{3}[ -]", one) for one in lines[1:-2])


@pytest.mark.standard("959-4.2-MULTI-PAD", "959-4.1.3-STAT-PATH")
@pytest.mark.parametrize("name", ["211 End", "212 End", "212-", "213 ", "226 x"])
def test_names_like_replies_in_a_listing_are_padded(ftp_server: FtpServer, name: str) -> None:
    (ftp_server.root / name).touch()
    with ftp_server.client() as client:
        reply = client.ask("STAT .", 212)
        assert any(line.startswith(b" ") and line.endswith(b" " + name.encode()) for line in reply.body)
        assert client.ask(f"STAT {name}", 213).body[0].startswith(b" ")
        client.ask("NOOP", 200)


@pytest.mark.standard("959-4.2-MULTI-PAD", "959-4.2-MULTI-FIRST", "959-4.2-MULTI-LAST")
def test_a_banner_like_replies_is_padded(configured: Configured) -> None:
    server = configured({"server": {"greeting": "Welcome\n220 hello\n220-again\nlast"}})
    with Client(server.host, server.port, greeted=False) as client:
        reply = client.reply()
        assert reply.code == 220
        assert reply.body == (b" 220 hello", b" 220-again")
        client.login(server.user, server.password)


@pytest.mark.standard("959-4.2-MULTI-NEST", "959-4.2-QUEUE", "959-4.2-REPLY-ONE", "1123-4.1.2.10-READ")
def test_hundreds_of_commands_in_one_segment_are_answered_in_order(ftp_server: FtpServer) -> None:
    expected = (("HELP", 214), ("PWD", 257), ("SYST", 215), ("STAT", 211), ("NONE", 500), ("NOOP", 200), ("PASV", 227))
    with ftp_server.client() as client:
        client.send(
            b"".join(b"%s\r\n" % verb.encode() for verb, _ in expected) * 100, *[verb for verb, _ in expected] * 100
        )
        heard = [client.reply().code for _ in range(100 * len(expected))]
        assert heard == [code for _, code in expected] * 100


@pytest.mark.standard("959-4.2-QUEUE", "959-4.2-MULTI-NEST")
def test_commands_sent_behind_a_transfer_wait_for_its_end(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"x" * 1000)
    with ftp_server.client() as client:
        data = client.connect(client.passive())
        client.send(b"RETR f\r\nPWD\r\nSYST\r\nHELP\r\n", "RETR", "PWD", "SYST", "HELP")
        assert [client.reply().code for _ in range(5)] == [150, 226, 257, 215, 214]
        assert len(data.recv(2000)) == 1000


@pytest.mark.standard("959-4.2-SEQ-FAIL", "959-4.1.3-RNFR-RNTO", "959-4.1.1-PASS-SEQ")
def test_after_a_failed_step_the_whole_sequence_begins_again(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        client.ask("RNFR none", 550)
        client.ask("RNTO g", 503)
        client.ask("RNFR f", 350)
        client.ask("RNFR none", 550)
        client.ask("RNTO g", 503)
        client.ask("REIN", 220)
        client.ask(f"USER {ftp_server.user}", 331)
        client.ask("PASS wrong", 530)
        client.ask(f"PASS {ftp_server.password}", 503)
    assert (ftp_server.root / "f").exists()


@pytest.mark.standard("959-4.2-200-VS-202")
def test_what_is_superfluous_here_is_no_error(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("ALLO 100", 200, 202)
        client.ask("ACCT any", 202)


@pytest.mark.standard("959-4.2-502")
def test_not_implemented_and_unknown(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("SMNT d", 502)
        client.ask("XYZZ", 500)
        client.ask("XYZZ d", 500)


@pytest.mark.standard("959-4.2-504", "959-4.1.2-TYPE-BAD", "959-4.1.2-STRU-BAD", "959-4.1.2-MODE-BAD")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("TYPE E", 504), ("TYPE E N", 504), ("TYPE A C", 504), ("TYPE L 36", 504), ("TYPE L 7", 504),
        ("TYPE Q", 501), ("TYPE A X", 501), ("TYPE AN", 501), ("TYPE I N", 501), ("TYPE L", 501), ("TYPE L x", 501),
        ("STRU R", 504), ("STRU P", 504), ("STRU X", 501), ("MODE B", 504), ("MODE C", 504), ("MODE X", 501),
    ],
)  # fmt: skip
def test_a_parameter_that_is_refused_changes_nothing(ftp_server: FtpServer, line: str, code: int) -> None:
    (ftp_server.root / "f").write_bytes(b"a\n\xff")
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        before = client.ask("STAT", 211).body
        client.ask(line, code)
        assert client.ask("STAT", 211).body == before
        assert client.retr("f").data == b"a\n\xff"


@pytest.mark.standard("959-4.2-500-LONG")
def test_a_line_that_is_too_long_is_one_error(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.send(b"NOOP " + b"x" * 65536)
        client.send(b" NOOP\r\nSYST\r\n", "NOOP", "SYST")
        assert client.reply().code == 500
        assert client.reply().code == 215


@pytest.mark.standard("959-5.4-SPONT", "1123-4.1.2.11-FORMAT")
def test_nothing_is_said_unasked(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client, ftp_server.client() as other:
        other.ask("MKD d", 257)
        other.quit()
        assert not client.pending(0.5)
        client.ask("NOOP", 200)


@pytest.mark.standard("959-5.4-PROMPT")
def test_replies_are_prompt_while_another_session_transfers(ftp_server: FtpServer) -> None:
    with (ftp_server.root / "f").open("wb") as file:
        file.truncate(1 << 30)
    with ftp_server.client() as busy, ftp_server.client() as client:
        data = busy.connect(busy.passive())
        busy.ask("RETR f", 150)
        assert data.recv(1)
        for line in ("NOOP", "PWD", "STAT", "PASV", "HELP") * 20:
            began = time.monotonic()
            client.ask(line)
            assert time.monotonic() - began < 2
        busy.ask("ABOR", 426)
        assert busy.reply().code == 226


@pytest.mark.standard("959-4.2.1-215")
def test_syst_names_a_system_of_the_official_list(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        assert client.ask("SYST", 215).text.split()[0] in {"UNIX", "WIN32", "MACOS"}


@pytest.mark.standard("959-4.2.1-227", "959-4.1.2-PASV")
def test_227_has_six_numbers_and_the_servers_address(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        text = client.ask("PASV", 227).text
        numbers = re.fullmatch(r"[^\d]*\((\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})\)[^\d]*", text)
        assert numbers is not None
        assert ".".join(numbers.groups()[:4]) == client.peer[0]
        port = int(numbers[5]) * 256 + int(numbers[6])
        assert port not in {20, 21, client.peer[1], client.peer[1] - 1}


@pytest.mark.standard("959-4.2.1-257", "959-A2-QUOTE")
def test_257_has_a_quoted_pathname(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        assert re.match(r'"/"( |$)', client.ask("PWD", 257).text)
        assert re.match(r'"/a""b"( |$)', client.ask('MKD a"b', 257).text)
        client.ask('CWD a"b', 250)
        assert re.match(r'"/a""b"( |$)', client.ask("PWD", 257).text)
