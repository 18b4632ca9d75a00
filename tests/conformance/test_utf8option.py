"""OPTS UTF-8, and OPTS UTF8 ON as clients send it (draft-ietf-ftpext-utf-8-option, RFC 2640)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .entries import listed

NAME = "na\u00efve \u20ac \U0001f600".encode()
RAW = b"caf\xe9"


@pytest.mark.standard("UTF8O-2-OPTS", "D-09", "X-15")
@pytest.mark.parametrize(
    "line",
    ["OPTS UTF-8", "opts utf-8", "OPTS UTF-8 NLST", "Opts Utf-8 nlst", "OPTS UTF8 ON", "OPTS utf8 on", "OPTS UTF8"],
)
def test_it_is_agreed_to_and_changes_nothing(client: Client, root: Path, line: str) -> None:
    for name in (NAME, RAW):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).touch()
    before = client.nlst().data
    client.ask(line, 200)
    assert client.nlst().data == before
    assert set(before.split(b"\r\n")) == {NAME, RAW, b""}
    assert set(listed(client.mlsd())) == {NAME, RAW}
    client.ask(b"SIZE " + NAME, 213)


@pytest.mark.standard("UTF8O-2-OPTS")
def test_it_may_be_said_before_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("OPTS UTF8 ON", 200)
        client.ask("OPTS UTF-8", 200)


@pytest.mark.standard("UTF8O-2-501", "UTF8O-2-OPTS", "D-09")
@pytest.mark.parametrize(
    "line",
    [
        "OPTS UTF-8 FOO",
        "OPTS UTF-8 NLST FOO",
        "OPTS UTF-8 NLSTX",
        "OPTS UTF-8  NLST",
        "OPTS UTF-8 OFF",
        "OPTS UTF8 OFF",
    ],
)
def test_other_parameters_are_refused(client: Client, line: str) -> None:
    client.ask(line, 501)


@pytest.mark.standard("UTF8O-2-NLST")
@pytest.mark.parametrize("type_", ["A", "I", "L 8"])
def test_nlst_sends_octets_in_every_type(client: Client, root: Path, type_: str) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/" + NAME)).touch()
    client.ask("OPTS UTF-8 NLST", 200)
    client.ask(f"TYPE {type_}", 200)
    assert client.nlst().data == NAME + b"\r\n"
    client.ask("OPTS UTF-8", 200)
    assert client.nlst().data == NAME + b"\r\n"


@pytest.mark.standard("UTF8O-2-END")
def test_nothing_ends_it(ftp_server: FtpServer, client: Client) -> None:
    client.ask("OPTS UTF-8", 200)
    client.ask(b"MKD " + NAME, 257)
    for line in ("OPTS UTF8 OFF", "LANG EN", "LANG", "TYPE A", "TYPE I", "OPTS MLST", "CWD /", "FEAT", "MODE S"):
        client.ask(line)
        assert client.nlst().data == NAME + b"\r\n"
        client.ask(b"MLST " + NAME, 250)
    client.ask("REIN", 220)
    client.login(ftp_server.user, ftp_server.password)
    assert client.nlst().data == NAME + b"\r\n"


@pytest.mark.standard("UTF8O-3-SHORT")
@pytest.mark.parametrize(
    "name", [b"a\xc0\xafb", b"a\xe0\x80\xafb", b"a\xf0\x80\x80\xafb", b"\xc0\xae\xc0\xae", b"a\xc0\x8ab", b"a\xc0\x80b"]
)
def test_overlong_forms_mean_nothing(client: Client, root: Path, name: bytes) -> None:
    (root / "a").mkdir()
    (root / "a" / "b").touch()
    client.ask(b"SIZE " + name, 550)
    client.ask(b"CWD " + name, 550)
    assert client.stor(name, b"raw").complete
    assert set(os.listdir(os.fsencode(root))) == {b"a", name}
    assert set(listed(client.mlsd())) == {b"a", name}
    assert client.retr(name).data == b"raw"
