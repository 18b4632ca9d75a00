"""The registry of commands (RFC 5797), and what a server does for the gateways before it (RFC 6384)."""

from __future__ import annotations

import pytest

from homeport.testing.plugin import FtpServer

MANDATORY = (
    "ABOR", "ACCT a", "ALLO 1", "APPE f", "CWD /", "DELE f", "HELP", "LIST", "MODE S", "NLST", "NOOP", "PASV",
    "PORT 127,0,0,1,200,1", "REST 0", "RETR f", "RNFR none", "RNTO none", "SITE HELP", "STAT", "STOR f", "STRU F",
    "TYPE A", "FEAT", "OPTS MLST type;", "USER test", "PASS x", "REIN", "QUIT",
)  # fmt: skip
OPTIONAL_IN_5797 = ("SYST", "PWD", "CDUP", "MKD d", "RMD d", "STOU")
"""Required by RFC 1123 §4.1.2.13; SMNT is in neither a must and not there."""


@pytest.mark.standard("5797-2.4-MAND", "X-14", "1123-4.1.2.13-CMDS")
@pytest.mark.parametrize("line", MANDATORY + OPTIONAL_IN_5797)
def test_every_mandatory_command_is_there(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        client.passive()
        client.command(line)
        while (reply := client.reply()).preliminary:
            client.send(b"ABOR\r\n", "ABOR")
            assert client.final().code in {226, 426}
        assert reply.code not in {500, 502}


@pytest.mark.standard("5797-2.5-HIST")
def test_the_x_commands_are_the_same_as_those_without(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        for plain, twin in (
            ("MKD a", "XMKD b"),
            ("CWD a", "XCWD /b"),
            ("PWD", "XPWD"),
            ("CDUP", "XCUP"),
            ("RMD a", "XRMD b"),
        ):
            code = client.ask(plain).code
            assert code // 100 == 2
            client.ask(twin, code)
            client.ask("CWD /" if plain in {"PWD", "CDUP"} else "NOOP", 200, 250)
        assert not list(ftp_server.root.iterdir())


@pytest.mark.standard("5797-2.5-HIST")
def test_the_historic_long_forms_work_too(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        fields = [int(number) for number in client.ask("LPSV", 228).text.partition("(")[2].rstrip(")").split(",")]
        assert fields[:7] == [4, 4, 127, 0, 0, 1, 2]
        data = client.connect(("127.0.0.1", fields[7] << 8 | fields[8]))
        client.ask("NLST", 150)
        assert data.recv(1) == b""
        assert client.final().code == 226


@pytest.mark.standard("6384-11-ALGS")
@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("line", ["ALGS", "ALGS STATUS64", "ALGS ENABLE64", "ALGS DISABLE64", "ALGS x y"])
def test_algs_is_answered_and_does_nothing(ftp_server: FtpServer, line: str, *, login: bool) -> None:
    with ftp_server.client(login=login) as client:
        before = client.ask("STAT", 211).body
        client.ask(line, 202, 500, 502)
        assert client.ask("STAT", 211).body == before


@pytest.mark.standard("6384-12-NOOP")
def test_noop_is_200_at_any_time(ftp_server: FtpServer) -> None:
    """Gateways put it in the place of commands that they hide."""
    (ftp_server.root / "f").write_bytes(b"0123456789")
    with ftp_server.client(login=False) as client:
        for line in (
            "NOOP",
            f"USER {ftp_server.user}",
            "NOOP",
            f"PASS {ftp_server.password}",
            "NOOP",
            "TYPE I",
            "NOOP",
        ):
            client.ask(line, 200, 230, 331)
        data = client.connect(client.passive())
        for line, code in (("NOOP", 200), ("REST 5", 350), ("NOOP", 200), ("RETR f", 150)):
            client.ask(line, code)
        assert data.recv(100) == b"56789"
        assert client.final().code == 226
        for line, code in (
            ("RNFR f", 350),
            ("NOOP", 200),
            ("RNTO g", 250),
            ("NOOP x", 200),
            ("REIN", 220),
            ("NOOP", 200),
        ):
            client.ask(line, code)
    assert (ftp_server.root / "g").exists()
