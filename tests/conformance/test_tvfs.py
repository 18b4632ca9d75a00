"""Pathnames: what is a name, what a path, and that every command takes them alike (RFC 3659 §2.2, §6, §8)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .entries import described, listed

NAMES = (
    b"plain", b"with space", b" before", b"behind ", b"  ", b'say "hi"', b'"', b"a\rb", b"cr\r", b"\ttab",
    b"caf\xc3\xa9", b"caf\xe9", b"\xff\xfe\xfa\xff", b"\xff", b"semi;colon=x", b"type=dir; x", b"*", b"[a]",
    b"{a,b}", b"-la", b"-", b"~", b"~root", b"$HOME", b"|ls", b"..a", b"...", b".hidden", b"\\", b"C:", b"a\\b",
    b"%2e%2e", b"\x01\x1b[0m\x7f", b"250 End", b"123-x", b"e\xcc\x81", b"\xed\xa0\x80", b"x" * 255,
    b"\xe2\x82\xac" * 85,
)  # fmt: skip


def host(root: Path, name: bytes) -> bytes:
    return os.fsencode(root) + b"/" + name


@pytest.mark.standard(
    "3659-8-OTHERS", "3659-2.2-ONE-SP", "3659-2.2-FORMS", "3659-2.2-IAC", "3659-7.3-8BIT", "X-08", "X-09", "W-12"
)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_command_takes_every_name(client: Client, root: Path, name: bytes) -> None:
    quoted = b'"/' + name.replace(b'"', b'""') + b'"'
    client.ask("TYPE I", 200)
    # directories
    assert client.ask(b"MKD " + name, 257).lines[0].startswith(quoted)
    assert os.listdir(host(root, b"")) == [name]
    client.ask(b"CWD " + name, 250)
    assert client.ask("PWD", 257).lines[0].startswith(quoted)
    client.ask("CDUP", 250)
    assert described(client.ask(b"MLST " + name)).name == b"/" + name
    assert client.ask(b"STAT " + name, 212).body == ()
    assert not listed(client.mlsd(name))
    client.ask(b"RMD " + name, 250)
    # files
    assert client.stor(name, b"one").complete
    assert os.listdir(host(root, b"")) == [name]
    assert client.appe(name, b"two").complete
    assert client.ask(b"SIZE " + name, 213).text == "6"
    client.ask(b"MDTM " + name, 213)
    assert client.retr(name).data == b"onetwo"
    [line] = client.ask(b"STAT " + name, 213).body
    assert line.endswith(b" " + name)
    assert client.nlst(name).data == name + b"\r\n"
    assert client.list_(name).data.endswith(b" " + name + b"\r\n")
    assert set(listed(client.mlsd())) == {name}
    client.ask(b"RNFR " + name, 350)
    client.ask(b"RNTO moved", 250)
    client.ask(b"RNFR moved", 350)
    client.ask(b"RNTO " + name, 250)
    assert os.listdir(host(root, b"")) == [name]
    client.ask(b"DELE " + name, 250)
    # STOU tells the name that it chose
    stored = client.upload(b"STOU " + name, b"unique")
    assert stored.preliminary is not None
    chosen = stored.preliminary.lines[0].removeprefix(b"FILE: ")
    assert client.retr(chosen).data == b"unique"
    assert os.listdir(host(root, b"")) == [chosen]


@pytest.mark.standard("3659-2.2-ONE-SP", "X-08")
def test_spaces_make_other_names(client: Client, root: Path) -> None:
    for name in ("a", " a", "a ", " a "):
        assert client.stor(name, name.encode()).complete
    assert set(os.listdir(root)) == {"a", " a", "a ", " a "}
    for name in ("a", " a", "a ", " a "):
        assert client.retr(name).data == name.encode()
        assert described(client.ask(f"MLST {name}")).name == f"/{name}".encode()
    client.ask("DELE  a", 250)
    assert set(os.listdir(root)) == {"a", "a ", " a "}


@pytest.mark.standard("3659-2.2-2640")
def test_mlst_comes_with_rfc_2640(client: Client) -> None:
    words = {line.split()[0].upper() for line in client.ask("FEAT", 211).body}
    assert {b"MLST", b"UTF8", b"LANG"} <= words
    client.ask("LANG", 200)


@pytest.mark.standard("3659-2.2-NO-NEG")
def test_the_server_does_not_negotiate(client: Client, root: Path) -> None:
    """The client takes every IAC but a refusal for a fault; here there is nothing to refuse either."""
    (root / "f").write_bytes(b"1")
    for line in ("FEAT", "MLST f", "SIZE f", "MDTM f", "STAT", "STAT f", "HELP", "PWD"):
        client.ask(line)
    client.mlsd()
    assert client.refusals(0) == ()


@pytest.mark.standard("3659-2.4-MULTILINE")
def test_single_lines_where_the_standard_wants_them(client: Client, root: Path) -> None:
    (root / "f").write_bytes(b"1")
    assert [client.ask(line).multi_line for line in ("SIZE f", "MDTM f", "REST 0", "MLST f")] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.standard("3659-2.2-CRLF-NAME", "3659-6.1-CRLF")
def test_names_that_no_listing_can_hold_are_left_out(client: Client, root: Path) -> None:
    forged = b"a\r\ntype=dir; forged"
    for name in (forged, b"b\nc", b"\n", b"d\r\n", b"kept"):
        Path(os.fsdecode(host(root, name))).touch()
    os.mkdir(host(root, b"dir\r\nname"))
    (root / "link").symlink_to("b\nc")
    for line in ("MLSD", "MLSD /"):
        assert set(listed(client.download(line))) == {b"kept", b"link"}
    for line in ("NLST", "NLST *"):
        assert set(client.download(line).data.split(b"\r\n")) == {b"kept", b"link", b""}
    for line in ("LIST", "LIST -a", "LIST -R", "LIST *"):
        lines = client.download(line).data.split(b"\r\n")
        assert {one[:1] for one in lines} == {b"-", b"l", b""}
        assert len([one for one in lines if one]) == 2
    assert len(client.ask("STAT /", 212).body) == 2


@pytest.mark.standard("3659-6.1-SLASH")
def test_no_name_holds_a_slash(client: Client, root: Path) -> None:
    (root / "a" / "b" / "c").mkdir(parents=True)
    for path in ("", "a", "a/b"):
        assert not [name for name in listed(client.download(f"MLSD {path}".strip())) if b"/" in name]


@pytest.mark.standard("3659-6.1-NONEMPTY")
def test_no_name_is_empty(client: Client, root: Path) -> None:
    (root / "a").mkdir()
    client.ask("MKD", 501)
    client.ask("MKD ", 501)
    for path in ("/", "//", "a/", "a//", "/a/", "./", "a/."):
        client.ask(f"MKD {path}", 550, 553)
    assert not client.stor("/", b"x").complete
    assert os.listdir(root) == ["a"]
    assert os.listdir(root / "a") == []


@pytest.mark.standard("3659-6.2-FQ", "3659-6.2-REL", "3659-6.2-ROOT")
def test_absolute_and_relative_paths(client: Client, root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "c").mkdir()
    (root / "a" / "b" / "f").write_bytes(b"f")
    for place, path in (("/", "a/b/f"), ("/a", "b/f"), ("/a/b", "f"), ("/c", "/a/b/f"), ("/a/b", "/a/b/f")):
        client.ask(f"CWD {place}", 250)
        assert client.ask("PWD", 257).text.startswith(f'"{place}"')
        assert client.retr(path).data == b"f"
        assert described(client.ask(f"MLST {path}")).name == b"/a/b/f"
    client.ask("CWD /", 250)
    assert client.ask("PWD", 257).text.startswith('"/"')
    client.ask("RETR b/f", 550)


@pytest.mark.standard("3659-6.2.1-DOTS", "3659-6.2.1-DSLASH")
@pytest.mark.parametrize(
    "spelling",
    ["../secret", "/../secret", "a/../../secret", "/a/b/../../../secret", "./../secret", "..//secret", "//../secret",
     "a/./.././../secret", "../{name}/../secret", "..\\secret", "a/..\\..\\secret", "C:/../secret",
     "../" * 400 + "secret"],
)  # fmt: skip
def test_no_spelling_leads_out(client: Client, root: Path, spelling: str) -> None:
    secret = root.parent / "secret"
    secret.write_bytes(b"outside")
    (root / "a" / "b").mkdir(parents=True)
    path = spelling.format(name=root.name)
    for place in ("/", "/a/b"):
        client.ask(f"CWD {place}", 250)
        for verb in ("RETR", "SIZE", "MDTM", "MLST", "DELE", "RNFR", "CWD"):
            client.ask(f"{verb} {path}", 550)
    secret.unlink()


@pytest.mark.standard("3659-6.2.1-DOTS", "3659-6.2.1-DSLASH")
def test_dots_and_slashes_are_collapsed(client: Client, root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    for path, place in (
        ("..", "/"), ("../../..", "/"), ("/..", "/"), ("a//b/", "/a/b"), ("//a", "/a"), ("a/.", "/a"),
        ("./a/./b", "/a/b"),
        ("a/../a", "/a"), ("/", "/"), ("//", "/"), (".", "/"),
    ):  # fmt: skip
        client.ask("CWD /", 250)
        client.ask(f"CWD {path}", 250)
        assert client.ask("PWD", 257).text.startswith(f'"{place}"')
    client.ask("CWD C:", 550)


@pytest.mark.standard("3659-6.2.1-DOTS")
def test_links_inside_are_followed_and_links_out_are_not(client: Client, root: Path) -> None:
    outside = root.parent / f"{root.name}-outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"outside")
    (root / "in").mkdir()
    (root / "in" / "f").write_bytes(b"inside")
    (root / "sub").mkdir()
    (root / "sub" / "up").symlink_to("../in")
    (root / "sub" / "absolute").symlink_to(root / "in")
    (root / "sub" / "out").symlink_to("../../" + outside.name)
    (root / "sub" / "away").symlink_to(outside)
    for link in ("up", "absolute"):
        assert client.retr(f"sub/{link}/f").data == b"inside"
        assert set(listed(client.mlsd(f"sub/{link}"))) == {b"f"}
    for link in ("out", "away"):
        for verb in ("RETR", "MLST", "SIZE", "MDTM"):
            client.ask(f"{verb} sub/{link}/f", 550)
        client.ask(f"CWD sub/{link}", 550)
        client.ask(f"MLSD sub/{link}", 550)
        assert not client.stor(f"sub/{link}/new", b"x").complete
    assert os.listdir(outside) == ["f"]
    assert set(listed(client.mlsd("sub"))) == {b"up", b"absolute"}


def test_names_that_are_too_long(client: Client, root: Path) -> None:
    long = "x" * 256
    for verb in ("MKD", "CWD", "RETR", "STOR", "DELE", "SIZE", "MDTM", "MLST", "MLSD", "RNFR", "RMD", "NLST", "LIST"):
        client.ask(f"{verb} {long}", 550, 553)
    client.ask(f"SIZE {'y/' * 3000}f", 550, 553)
    assert os.listdir(root) == []


@pytest.mark.standard("3659-6.3-FEAT")
def test_feat_says_tvfs(client: Client) -> None:
    body = client.ask("FEAT", 211).body
    assert [line for line in body if line.upper().startswith(b" TVFS")] == [b" TVFS"]


def test_two_sessions_have_two_places(ftp_server: FtpServer, client: Client, root: Path) -> None:
    (root / "a").mkdir()
    with ftp_server.client() as other:
        client.ask("CWD a", 250)
        assert other.ask("PWD", 257).text.startswith('"/"')
