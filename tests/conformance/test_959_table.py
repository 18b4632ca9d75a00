"""RFC 959 §5.4, the table of commands and replies: each command is driven into each of its outcomes.

The strict client counts the replies and their order; here it is which code comes, and that its row in the catalogue has
it. Transfers are in test_959_table_transfers.py.
"""

from __future__ import annotations

import re
import threading

import pytest
from tests.conformance.conftest import Configured
from tests.session.harness import Harness, Troubled

import conformance
from homeport.storage.base import Busy
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

CATALOGUE = conformance.read_catalogue(conformance.CATALOGUE.read_text("utf-8"))


def codes_of(row: str) -> set[int]:
    """All codes in the columns of a row of the table."""
    return {int(code) for code in re.findall(r"\b[1-5]\d\d\b", CATALOGUE[row].requirement)}


def cases(*triples: tuple[str, str, int]) -> list[object]:
    """(commands before, command, code), with the mark of the command's row."""
    return [
        pytest.param(
            before, line, code,
            id=f"{before}>{line}>{code}", marks=pytest.mark.standard(f"959-5.4-{line.split(' ')[0].upper()}"),
        )
        for before, line, code in triples
    ]  # fmt: skip


def check(client: Client, before: str, line: str, code: int) -> None:
    """Say *before* (commands with ";" between), then *line*; its reply has *code*, and the row allows that."""
    for command in filter(None, before.split(";")):
        assert client.ask(command).code < 400
    client.ask(line, code)
    assert code in codes_of(f"959-5.4-{line.split(' ', maxsplit=1)[0]}")


@pytest.mark.parametrize(
    ("before", "line", "code"),
    cases(
        ("", "USER test", 331),
        ("", "USER", 501),
        ("USER test", "PASS wrong", 530),
        ("", "PASS secret", 503),
        ("", "PASS", 501),
        ("", "ACCT any", 503),
        ("", "ACCT", 501),
        ("", "CWD d", 530),
        ("", "CDUP", 530),
        ("", "SMNT d", 502),
        ("", "REIN", 220),
        ("", "PORT 127,0,0,1,200,1", 530),
        ("", "PASV", 530),
        ("", "MODE S", 530),
        ("", "TYPE I", 530),
        ("", "STRU F", 530),
        ("", "ALLO 1", 530),
        ("", "REST 1", 530),
        ("", "STOR f", 530),
        ("", "STOU", 530),
        ("", "RETR f", 530),
        ("", "LIST", 530),
        ("", "NLST", 530),
        ("", "APPE f", 530),
        ("", "RNFR f", 530),
        ("", "RNTO f", 530),
        ("", "DELE f", 530),
        ("", "RMD d", 530),
        ("", "MKD d", 530),
        ("", "ABOR", 226),
        ("", "SYST", 215),
        ("", "STAT", 211),
        ("", "STAT f", 530),
        ("", "HELP", 214),
        ("", "SITE HELP", 530),
        ("", "NOOP", 200),
    ),
)
def test_before_login(ftp_server: FtpServer, before: str, line: str, code: int) -> None:
    with ftp_server.client(login=False) as client:
        check(client, before, line, code)
        client.ask("NOOP", 200)


@pytest.mark.parametrize(
    ("before", "line", "code"),
    cases(
        ("", "ACCT any", 202),
        ("", "CWD d", 250),
        ("", "CWD none", 550),
        ("", "CWD f", 550),
        ("", "CWD", 501),
        ("CWD d", "CDUP", 250),
        ("", "CDUP", 250),
        ("", "SMNT d", 502),
        ("", "REIN", 220),
        ("", "PORT 127,0,0,1,200,1", 200),
        ("", "PORT 127,0,0,1,200", 501),
        ("", "PASV", 227),
        ("", "PASV x", 501),
        ("", "MODE S", 200),
        ("", "MODE B", 504),
        ("", "MODE X", 501),
        ("", "TYPE I", 200),
        ("", "TYPE E", 504),
        ("", "TYPE X", 501),
        ("", "STRU F", 200),
        ("", "STRU P", 504),
        ("", "STRU X", 501),
        ("", "ALLO 1", 200),
        ("", "ALLO x", 501),
        ("", "REST 1", 350),
        ("", "REST x", 501),
        ("", "RNFR f", 350),
        ("", "RNFR none", 550),
        ("", "RNFR", 501),
        ("RNFR f", "RNTO g", 250),
        ("RNFR f", "RNTO", 501),
        ("RNFR f", f"RNTO {'g' * 300}", 553),
        ("RNFR d", "RNTO d/e", 553),
        ("RNFR f", "RNTO d", 553),
        ("", "RNTO g", 503),
        ("", "DELE f", 250),
        ("", "DELE none", 550),
        ("", "DELE", 501),
        ("", "RMD d", 250),
        ("", "RMD none", 550),
        ("", "RMD f", 550),
        ("", "RMD", 501),
        ("", "MKD new", 257),
        ("", "MKD d", 550),
        ("", "MKD none/new", 550),
        ("", "MKD", 501),
        ("", "PWD", 257),
        ("", "ABOR", 226),
        ("", "SYST", 215),
        ("", "STAT", 211),
        ("", "STAT d", 212),
        ("", "STAT f", 213),
        ("", "HELP", 214),
        ("", "HELP RETR", 214),
        ("", "HELP NONE", 502),
        ("", "SITE UMASK", 200),
        ("", "SITE", 501),
        ("", "NOOP", 200),
    ),
)
def test_after_login(ftp_server: FtpServer, before: str, line: str, code: int) -> None:
    (ftp_server.root / "d").mkdir()
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        check(client, before, line, code)
        client.ask("NOOP", 200)


@pytest.mark.parametrize(
    ("before", "line", "code", "method"),
    [
        pytest.param("", "RNFR f", 450, "stat", marks=pytest.mark.standard("959-5.4-RNFR")),
        pytest.param("", "DELE f", 450, "remove_file", marks=pytest.mark.standard("959-5.4-DELE")),
        pytest.param("", "STAT f", 450, "stat", marks=pytest.mark.standard("959-5.4-STAT")),
        pytest.param("", "STAT d", 450, "scan", marks=pytest.mark.standard("959-5.4-STAT")),
        pytest.param("", "RETR f", 450, "open_read", marks=pytest.mark.standard("959-5.4-RETR")),
        pytest.param("", "STOR f", 450, "open_write", marks=pytest.mark.standard("959-5.4-STOR")),
        pytest.param("", "STOU", 450, "open_write", marks=pytest.mark.standard("959-5.4-STOU")),
        pytest.param("", "APPE f", 450, "open_write", marks=pytest.mark.standard("959-5.4-APPE")),
        pytest.param("", "LIST d", 450, "scan", marks=pytest.mark.standard("959-5.4-LIST")),
        pytest.param("", "NLST d", 450, "scan", marks=pytest.mark.standard("959-5.4-NLST")),
    ],
)
@pytest.mark.standard("959-4.2-4YZ")
def test_what_is_busy_may_be_asked_again(
    harness: Harness, troubled: Troubled, before: str, line: str, code: int, method: str
) -> None:
    troubled.put("f", b"f")
    with harness.client() as client:
        client.ask("MKD d", 257)
        troubled.troubles[method] = Busy()
        check(client, before, line, code)
        client.ask("NOOP", 200)


@pytest.mark.standard("959-5.4-RMD", "959-A2-RMD-CODES")
def test_rmd_of_what_is_busy(harness: Harness, troubled: Troubled) -> None:
    with harness.client() as client:
        client.ask("MKD d", 257)
        troubled.troubles["remove_directory"] = Busy()
        client.ask("RMD d", 450)
        troubled.troubles.clear()
        client.ask("RMD d", 250)


@pytest.mark.standard("959-5.4-USER", "959-5.4-PASS")
def test_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask(f"USER {ftp_server.user}", 331)
        client.ask(f"PASS {ftp_server.password}", 230)


@pytest.mark.standard("959-5.4-PASS")
def test_too_many_passwords_end_the_connection(configured: Configured) -> None:
    server = configured({"limits": {"login_tries": 2}})
    with server.client(login=False) as client:
        client.ask("USER test", 331)
        client.ask("PASS wrong", 530)
        client.ask("USER test", 331)
        client.ask("PASS wrong", 421)
        client.end()


@pytest.mark.standard("959-5.4-QUIT", "959-4.1.1-QUIT", "959-5.2-CLOSE-BY-QUIT")
@pytest.mark.parametrize("login", [True, False])
def test_quit(ftp_server: FtpServer, *, login: bool) -> None:
    with ftp_server.client(login=login) as client:
        client.ask("QUIT", 221)
        client.end()


@pytest.mark.standard("959-5.4-CONN", "959-5.4-GREET")
def test_the_connection_is_answered_by_220(ftp_server: FtpServer) -> None:
    with Client(ftp_server.host, ftp_server.port, greeted=False) as client:
        assert client.reply().code == 220
        assert not client.pending(0.05)


@pytest.mark.standard("959-5.4-CONN", "959-4.2-4YZ", "1123-4.1.2.11-4XX", "1123-4.1.2.11-VERBATIM-421")
def test_one_connection_too_many_hears_421_and_is_closed(configured: Configured) -> None:
    server = configured({"limits": {"sessions": 1}})
    with server.client(), Client(server.host, server.port, greeted=False) as other:
        assert other.reply().code == 421
        other.end()


@pytest.mark.standard("959-4.2-421", "1123-4.1.2.11-VERBATIM-421")
def test_a_server_that_stops_says_421_and_closes(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        stopper = threading.Thread(target=ftp_server.server.stop)
        stopper.start()
        assert client.reply().code == 421
        client.end()
        stopper.join()
