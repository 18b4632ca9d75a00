"""RFC 959 Appendix II: directories."""

from __future__ import annotations

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

AWKWARD = ('a"b', '""', '"', 'a""b', " ", "a b ", "ä", "a'b", '" current', "-", "*", "\\")


def quoted(text: str) -> str:
    """The name between the outer quotes of a 257, inner ones undone."""
    assert text.startswith('"')
    name = ""
    rest = text[1:]
    while True:
        head, _, rest = rest.partition('"')
        name += head
        if not rest.startswith('"'):
            return name
        name += '"'
        rest = rest[1:]


def place(client: Client) -> str:
    return quoted(client.ask("PWD", 257).text)


@pytest.mark.standard("959-A2-MKD-257", "959-A2-MKD-ABS", "959-4.1.3-MKD", "959-A2-RELATIVE", "959-4.1.3-PWD")
@pytest.mark.parametrize(
    ("where", "argument", "made"),
    [
        ("/", "new", "/new"),
        ("/d", "new", "/d/new"),
        ("/d", "/new", "/new"),
        ("/d", "../new", "/new"),
        ("/", "d/n/", "/d/n"),
    ],
)
def test_mkd_names_the_absolute_path(ftp_server: FtpServer, where: str, argument: str, made: str) -> None:
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask(f"CWD {where}", 250)
        assert quoted(client.ask(f"MKD {argument}", 257).text) == made
        assert (ftp_server.root / made[1:]).is_dir()
        for elsewhere in ("/", "/d", made):
            client.ask(f"CWD {elsewhere}", 250)
            client.ask(f"CWD {made}", 250)
            assert place(client) == made
        client.ask("CWD /", 250)
        client.ask(f"RMD {made}", 250)


@pytest.mark.standard("959-A2-QUOTE", "959-4.2.1-257", "959-4.1.3-PWD", "959-A2-MKD-257")
@pytest.mark.parametrize("name", AWKWARD)
def test_quotes_are_doubled(ftp_server: FtpServer, name: str) -> None:
    with ftp_server.client() as client:
        made = quoted(client.ask(f"MKD {name}", 257).text)
        assert made == f"/{name}"
        client.ask(f"CWD {made}", 250)
        assert place(client) == made
        client.ask("CWD /", 250)
        client.ask(f"CWD {made}", 250)


@pytest.mark.standard("959-A2-MKD-EXISTS")
def test_a_name_that_is_taken(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    (ftp_server.root / "d" / "inside").write_bytes(b"x")
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        for name in ("d", "f", "/", ".", "d/"):
            client.ask(f"MKD {name}", 550)
    assert (ftp_server.root / "d" / "inside").read_bytes() == b"x"
    assert (ftp_server.root / "f").read_bytes() == b"f"


@pytest.mark.standard("959-4.1.3-MKD", "959-4.1.3-RMD", "959-A2-RELATIVE")
def test_relative_and_absolute(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("MKD x", 257)
        client.ask("CWD x", 250)
        client.ask("MKD y", 257)
        client.ask("MKD /y", 257)
        assert sorted(one.relative_to(ftp_server.root).as_posix() for one in ftp_server.root.rglob("*")) == [
            "x", "x/y", "y",
        ]  # fmt: skip
        client.ask("RMD y", 250)
        assert (ftp_server.root / "y").is_dir()
        client.ask("RMD /y", 250)
        client.ask("RMD /x", 250)
        client.ask("MKD none/y", 550)
    assert list(ftp_server.root.iterdir()) == []


@pytest.mark.standard("775-ALIASES", "1123-4.1.3.1-X")
def test_the_x_commands_answer_as_their_twins(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        for lines in (("PWD",), ("MKD d", "RMD d"), ("MKD d", "CWD d", "PWD", "CDUP", "RMD d"), ("CWD none",),
                      ("RMD none",), ("MKD",), ("CWD",), ("MKD /",)):  # fmt: skip
            plain = [client.ask(line) for line in lines]
            twins = [client.ask("XCUP" if line == "CDUP" else f"X{line}") for line in lines]
            assert [(one.code, one.lines) for one in plain] == [(one.code, one.lines) for one in twins]
        for line, code in (("XMKD d", 257), ("XCWD d", 250), ("XPWD", 257), ("XCUP", 250), ("XRMD d", 250)):
            client.ask(line, code)
    with ftp_server.client(login=False) as client:
        for line in ("XMKD d", "XCWD d", "XPWD", "XCUP", "XRMD d"):
            client.ask(line, 530)
