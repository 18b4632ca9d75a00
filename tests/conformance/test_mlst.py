"""MLST and MLSD: what they are asked and how they answer (RFC 3659 §7.1 to §7.3, §11)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

from .conftest import ClientWith
from .entries import described, listed

NAMES = (
    b"plain", b"with space", b" before", b"behind ", b"two  spaces", b'"quoted"', b"semi;colon", b"size=1; a b",
    b"caf\xc3\xa9", b"caf\xe9", b"\xff\xfe\xfa", b"a\rb", b"cr at end\r", b"\ttab", b"*", b"-al", b"\\", b"\x01\x7f",
    b"250 End", b"226", b"...", b"~", b"x" * 255, b"\xe2\x82\xac" * 85,
)  # fmt: skip


def fill(root: Path) -> None:
    (root / "file").write_bytes(b"12345")
    (root / "sub").mkdir()
    (root / "sub" / "inner").write_bytes(b"1")
    (root / "empty").mkdir()


@pytest.mark.standard("3659-7-BOTH", "3659-7.1-NOARG", "3659-7.3.1-MLST-CWD", "3659-7.1-NODATA", "3659-2.1-CASE")
def test_mlst_is_about_one_object_and_mlsd_about_what_is_in_it(client: Client, root: Path) -> None:
    fill(root)
    assert described(client.ask("MLST file")).name == b"/file"
    assert described(client.ask("mLsT sub")).name == b"/sub"
    assert described(client.ask("MLST")).name == b"/"
    assert set(listed(client.mlsd("sub"))) == {b"inner"}
    assert set(listed(client.mlsd())) == {b"file", b"sub", b"empty"}
    client.ask("CWD sub", 250)
    here = described(client.ask("MLST"))
    assert (here.name, here["type"]) == (b"/sub", "dir")
    assert set(listed(client.download("mlsd"))) == {b"inner"}


@pytest.mark.standard("3659-7.1-NODATA", "3659-7.1-501-FILE")
def test_no_data_connection_is_used_for_what_needs_none(client: Client, root: Path) -> None:
    fill(root)
    os.mkfifo(root / "pipe")
    end = client.connect(client.passive())
    client.ask("MLST sub", 250)
    for name in ("file", "pipe"):
        client.ask(f"MLSD {name}", 501)
    client.ask("MLSD missing", 550)
    client.ask("MLSD sub", 150)
    end.settimeout(client.timeout)
    assert end.recv(4096).endswith(b" inner\r\n")
    assert client.final().code == 226
    end.close()


@pytest.mark.standard("3659-7.1-501-ARG")
@pytest.mark.parametrize("verb", ["MLST", "MLSD"])
def test_an_invalid_argument(client: Client, verb: str) -> None:
    client.passive()
    client.ask(f"{verb} a\x00b", 501)


@pytest.mark.standard("3659-7.2.1-550", "X-05")
def test_what_is_not_there_or_not_permitted(client_with: ClientWith, tmp_path: Path) -> None:
    fill(tmp_path)
    client = client_with(tmp_path, "read", {"/sub": ["create"]})
    client.passive()
    for verb in ("MLST", "MLSD"):
        for name in ("missing", "missing/deeper", "file/deeper", "sub", "sub/inner", "sub/missing"):
            client.ask(f"{verb} {name}", 550)


@pytest.mark.standard("3659-7.2-MLST-FORM", "3659-7.2-MLST-MULTI", "X-31")
@pytest.mark.parametrize("name", ["file", "sub", "link"])
def test_the_form_of_mlst(client: Client, root: Path, name: str) -> None:
    fill(root)
    (root / "link").symlink_to("file")
    raw = client.ask(f"MLST {name}", 250).raw
    assert re.fullmatch(rb"250-[^\r\n]*\r\n (?:[^ =;]+=[^ ;]*;)+ /%s\r\n250 [^\r\n]*\r\n" % name.encode(), raw)


@pytest.mark.standard("3659-7.2-MLSD-FORM", "X-13", "D-04", "D-16")
@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("name", ["sub", "empty"])
def test_mlsd_is_150_and_226(client: Client, root: Path, name: str, way: Way) -> None:
    fill(root)
    transfer = client.mlsd(name, way=way)
    assert transfer.preliminary is not None
    assert (transfer.preliminary.code, transfer.final.code) == (150, 226)
    assert set(listed(transfer)) == ({b"inner"} if name == "sub" else set())


@pytest.mark.standard(
    "3659-7.2-ENTRY", "3659-7.1-NOHEAD", "3659-7.2-NOVARY", "3659-7.2-CRLF", "3659-7.3-8BIT", "3659-2.2-FORMS",
    "3659-6.1-SLASH",
)  # fmt: skip
def test_any_name_comes_as_it_is(client: Client, root: Path) -> None:
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).touch()
    entries = listed(client.mlsd())
    assert set(entries) == set(NAMES)
    for name in NAMES:
        one = described(client.ask(b"MLST " + name))
        assert one.name == b"/" + name
        assert one.facts == entries[name].facts


@pytest.mark.standard("3659-7.2-CRLF", "3659-7.3.1-MLST-NAME")
def test_lines_have_no_greatest_length(client: Client, root: Path) -> None:
    depth = 15
    where = os.fsencode(root)
    for _ in range(depth):
        where += b"/" + b"d" * 250
        os.mkdir(where)
    path = (b"/" + b"d" * 250) * depth
    one = described(client.ask(b"MLST " + path))
    assert (one.name, one["type"]) == (path, "dir")
    assert set(listed(client.mlsd(path.rpartition(b"/")[0]))) == {b"d" * 250}


@pytest.mark.standard("3659-7.2-TYPEL8")
@pytest.mark.parametrize("type_", ["A", "A T", "I", "L 8"])
def test_mlsd_is_sent_as_octets_and_leaves_the_settings_alone(client: Client, root: Path, type_: str) -> None:
    (root / "text").write_bytes(b"a\n")
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).touch()
    client.ask(f"TYPE {type_}", 200)
    assert set(listed(client.mlsd())) == {*NAMES, b"text"}
    assert client.retr("text").data == (b"a\r\n" if type_.startswith("A") else b"a\n")
    assert f"TYPE {type_}" in b"\n".join(client.ask("STAT", 211).body).decode()


@pytest.mark.standard("3659-7.2-RELEVANT", "D-26")
def test_a_directory_has_no_size(client: Client, root: Path) -> None:
    fill(root)
    entries = listed(client.mlsd())
    assert entries[b"file"]["size"] == "5"
    assert "size" not in entries[b"sub"].facts
    assert "size" not in described(client.ask("MLST sub")).facts
    client.ask("OPTS MLST size;", 200)
    assert {name: set(one.facts) for name, one in listed(client.mlsd()).items()} == {
        b"file": {"size"}, b"sub": set(), b"empty": set()
    }  # fmt: skip


@pytest.mark.standard("3659-7.3.1-MLST-NAME", "3659-7.3.1-MLSD-BARE")
def test_mlst_names_fully_and_mlsd_barely(client: Client, root: Path) -> None:
    fill(root)
    for given in ("sub/inner", "/sub/inner", "empty/../sub/inner", "./sub//inner"):
        assert described(client.ask(f"MLST {given}")).name == b"/sub/inner"
    for given in ("sub", "/sub", "sub/", "/empty/../sub"):
        assert set(listed(client.mlsd(given))) == {b"inner"}


@pytest.mark.standard("3659-7.3.1-CDIR", "3659-7.5.1.4-PDIR", "3659-7.5.1.2-CDIR")
def test_a_listing_names_neither_itself_nor_its_parent(client: Client, root: Path) -> None:
    """Both are optional; where they are not sent, their rules are kept."""
    fill(root)
    for line in ("MLSD", "MLSD sub", "MLSD empty"):
        for options in ("type;", "Size;", ""):
            client.ask(f"OPTS MLST {options}".rstrip(), 200)
            entries = listed(client.download(line))
            assert not {b".", b"..", b"/", b"/sub"} & set(entries)
            assert {one.facts.get("type", "file") for one in entries.values()} <= {"file", "dir"}
    client.ask("OPTS MLST type;", 200)
    assert described(client.ask("MLST sub"))["type"] == "dir"
    assert described(client.ask("MLST /"))["type"] == "dir"


@pytest.mark.standard("3659-11-AUTHED")
def test_nothing_is_listed_before_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        for line in ("MLST", "MLSD", "MLST /", "MLSD /", "SIZE a", "MDTM a"):
            client.ask(line, 530)


@pytest.mark.standard("3659-11-LEAK")
def test_what_may_not_be_seen_is_as_if_it_were_not_there(client_with: ClientWith, tmp_path: Path) -> None:
    fill(tmp_path)
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "out").symlink_to(outside)
    client = client_with(tmp_path, "read", {"/sub": []})
    assert b"out" not in listed(client.mlsd())
    client.passive()
    for verb in ("MLST", "MLSD", "SIZE", "MDTM", "RETR"):
        hidden = client.ask(f"{verb} sub/inner", 550).text
        missing = client.ask(f"{verb} sub/other", 550).text
        assert hidden.replace("inner", "other") == missing
        there = client.ask(f"{verb} out/secret", 550).text
        nowhere = client.ask(f"{verb} out/other", 550).text
        assert there.replace("secret", "other") == nowhere


@pytest.mark.standard("3659-11-LEAK")
def test_an_upload_under_way_is_not_shown(ftp_server: FtpServer, client: Client) -> None:
    with ftp_server.client() as other:
        end = client.connect(client.passive())
        client.ask("STOR new", 150)
        end.sendall(b"half")
        assert not listed(other.mlsd())
        other.ask("MLST new", 550)
        end.close()
        assert client.final().code == 226
        assert set(listed(other.mlsd())) == {b"new"}


def test_a_directory_of_thousands(client: Client, root: Path) -> None:
    names = {f"file number {number}".encode() for number in range(3000)}
    for name in names:
        os.mknod(os.fsencode(root) + b"/" + name)
    assert set(listed(client.mlsd())) == names
