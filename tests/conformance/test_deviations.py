"""What no standard asks for and real clients do (section 22 of the catalogue)."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from tests.conformance.conftest import ClientWith

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

LONG_LINE = re.compile(
    rb"(?P<facts>[-dl][-rwxsStT]{9} +\d+ \S+ +\S+ +\d+ [A-Z][a-z]{2} [ \d]\d (?:\d\d:\d\d| \d{4})) "
    rb"(?P<name>.+)\r\n"
)
"""A line of `ls -l`; one space before the name, further ones belong to it."""

# -- listings --------------------------------------------------------------------------------------------------------


@pytest.mark.standard("D-01")
def test_options_of_ls_are_passed_over_unless_something_has_that_name(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / ".hidden").touch()
    (root / "d" / "f").touch()
    for line in ("LIST -al d", "LIST -a d", "LIST -l -a d", "NLST -a d", "LIST -Z -al d", "LIST -la -- d"):
        data = client.download(line).data
        assert b".hidden" in data, line
        assert b"f\r\n" in data
    assert client.download("NLST -l d").data.startswith(b"-")
    assert client.list_("-al").complete
    for name in ("-al", "-a d"):
        (root / name).touch()
        assert client.nlst(name).data == name.encode() + b"\r\n"


@pytest.mark.standard("D-03")
def test_list_has_the_form_of_ls(client: Client, root: Path) -> None:
    (root / "new  name").write_bytes(b"123")
    (root / "old").touch()
    (root / "d").mkdir()
    (root / "link").symlink_to("old")
    now = time.time()
    os.utime(root / "old", (now, now - 200 * 86400))
    os.utime(root / "d", (now, now + 2 * 86400))
    data = client.list_().data
    by_name = {match["name"]: match["facts"] for match in LONG_LINE.finditer(data)}
    assert LONG_LINE.sub(b"", data) == b""
    assert set(by_name) == {b"new  name", b"old", b"d", b"link -> old"}
    assert {name: facts[:1] for name, facts in by_name.items()} == {
        b"new  name": b"-", b"old": b"-", b"d": b"d", b"link -> old": b"l",
    }  # fmt: skip
    assert re.search(rb" 3 [A-Z][a-z]{2} [ \d]\d \d\d:\d\d$", by_name[b"new  name"])
    assert re.search(rb" \d{4}$", by_name[b"old"])
    assert re.search(rb" \d{4}$", by_name[b"d"])
    assert client.ask("SYST", 215).text == "UNIX Type: L8"


@pytest.mark.standard("D-04")
@pytest.mark.parametrize("verb", ["LIST", "NLST", "MLSD"])
def test_an_empty_directory_is_a_listing_without_octets(client: Client, root: Path, verb: str) -> None:
    (root / "d").mkdir()
    client.ask("CWD d", 250)
    for line in (verb, f"{verb} /d"):
        listing = client.download(line)
        assert listing.preliminary is not None
        assert (listing.final.code, listing.data) == (226, b"")


@pytest.mark.standard("D-05", "X-36")
def test_nlst_of_one_file_and_of_a_directory(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").touch()
    assert client.nlst("d/f").data == b"d/f\r\n"
    assert client.nlst("d").data == b"d/f\r\n"
    assert client.nlst("/d").data == b"/d/f\r\n"
    assert client.nlst("none").final.code == 550
    client.ask("CWD d", 250)
    assert client.nlst().data == b"f\r\n"


@pytest.mark.standard("D-27")
def test_patterns_in_listings_and_nowhere_else(client: Client, root: Path) -> None:
    for name in ("a.txt", "b.txt", "c.bin", ".d.txt"):
        (root / name).touch()
    assert client.nlst("*.txt").data == b"a.txt\r\nb.txt\r\n"
    assert client.nlst("?.bin").data == b"c.bin\r\n"
    assert client.list_("[ab].txt").data.count(b"\r\n") == 2
    (root / "*.txt").touch()
    assert client.nlst("*.txt").data == b"*.txt\r\n"
    (root / "*.txt").unlink()
    assert client.retr("*.txt").final.code == 550
    assert client.mlsd("*").final.code in {501, 550}
    for line in ("DELE *.txt", "SIZE *", "MLST *.txt"):
        client.ask(line, 550)
    assert len(list(root.iterdir())) == 4


@pytest.mark.standard("D-30")
def test_stat_lists_like_list(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").write_bytes(b"123")
    listed = client.list_("d").data
    for line in ("STAT d", "STAT -l d", "STAT -la d"):
        reply = client.ask(line, 212)
        assert all(one.startswith(b" ") for one in reply.body)
        assert [one[1:] for one in reply.body if one.endswith(b" f")] == [listed.rstrip()]


@pytest.mark.standard("D-26")
def test_facts_of_a_directory(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    facts = client.ask("MLST d", 250).body[0].decode().strip().partition(" ")[0].lower()
    assert "type=dir;" in facts
    assert ";size=" not in facts
    assert "unix.mode=0" in facts


# -- transfers -------------------------------------------------------------------------------------------------------


@pytest.mark.standard("D-06")
@pytest.mark.parametrize("hint", ["name", "sub/name", "/elsewhere/name", "../name"])
def test_stou_takes_an_argument_as_the_base_of_the_name(client: Client, root: Path, hint: str) -> None:
    (root / "d" / "sub").mkdir(parents=True)
    (root / "elsewhere").mkdir()
    (root / "d" / "name").write_bytes(b"old")
    client.ask("CWD d", 250)
    stored = client.upload(f"STOU {hint}", b"new")
    assert stored.complete
    assert stored.preliminary is not None
    name = stored.preliminary.text.removeprefix("FILE: ")
    assert name.startswith("name")
    assert sorted(one.name for one in (root / "d").iterdir()) == sorted(["sub", "name", name])
    assert (root / "d" / name).read_bytes() == b"new"
    assert (root / "d" / "name").read_bytes() == b"old"


@pytest.mark.standard("D-08")
def test_size_in_type_a_is_exact(client: Client, root: Path) -> None:
    (root / "f").write_bytes(b"a\nb\r\nc\rd\n")
    client.ask("TYPE A", 200)
    assert int(client.ask("SIZE f", 213).text) == len(client.retr("f").data)


@pytest.mark.standard("D-10")
@pytest.mark.parametrize(
    "between", ["PASV", "EPSV", "PORT 127,0,0,1,200,1", "EPRT |1|127.0.0.1|50000|", "TYPE I", "NOOP"]
)
def test_the_marker_survives_what_stands_between_rest_and_retr(client: Client, root: Path, between: str) -> None:
    (root / "f").write_bytes(b"0123456789")
    client.ask("TYPE I", 200)
    client.ask("REST 4", 350)
    client.ask(between, 200, 227, 229)
    assert client.retr("f").data == b"456789"
    assert client.retr("f").data == b"0123456789"


@pytest.mark.standard("D-11")
def test_mdtm_sets_no_time(client: Client, root: Path) -> None:
    (root / "f").touch()
    before = (root / "f").stat().st_mtime_ns
    client.ask("MDTM 19990929003355 f", 550)
    assert (root / "f").stat().st_mtime_ns == before
    (root / "19990929003355 f").touch()
    client.ask("MDTM 19990929003355 f", 213)


@pytest.mark.standard("D-12", "D-18")
def test_227_names_the_address_that_the_client_reaches(client: Client) -> None:
    assert client.passive(Way.PASV)[0] == client.peer[0]


@pytest.mark.standard("D-16")
@pytest.mark.parametrize("first", ["connect", "150"])
def test_150_comes_without_waiting_for_the_connection(client: Client, root: Path, first: str) -> None:
    (root / "f").write_bytes(b"x")
    address = client.passive()
    if first == "connect":
        data = client.connect(address)
        client.ask("RETR f", 150)
    else:
        client.ask("RETR f", 150)
        data = client.connect(address)
    assert data.recv(10) == b"x"
    assert client.final().code == 226


@pytest.mark.standard("D-17")
def test_150_tells_the_size(client: Client, root: Path) -> None:
    (root / "f").write_bytes(bytes(12345))
    client.ask("TYPE I", 200)
    for offset, size in ((None, "12345"), (345, "12000")):
        # The pattern is that of Python's ftplib.
        assert re.findall(r"150 .* \((\d+) bytes\)", str(client.retr("f", offset=offset).preliminary)) == [size]


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.standard("D-07")
def test_a_lone_lf_ends_a_command(client: Client, root: Path) -> None:
    client.send(b"NOOP\nPWD\nMKD a\rb\n", "NOOP", "PWD", "MKD")
    assert [client.reply().code for _ in range(3)] == [200, 257, 257]
    assert [one.name for one in root.iterdir()] == ["a\rb"]
    client.send(b"MKD c\r\0\nMKD d\r\n", "MKD")  # one name, which no storage takes
    assert client.reply().code // 100 == 5
    client.ask("NOOP", 200)
    assert len(list(root.iterdir())) == 1


@pytest.mark.standard("D-19")
@pytest.mark.parametrize("login", [False, True])
def test_clnt(ftp_server: FtpServer, *, login: bool) -> None:
    with ftp_server.client(login=login) as client:
        client.ask("CLNT Some Client 1.0 (é)", 200)
        client.ask("CLNT", 501)


@pytest.mark.standard("D-20")
def test_site(client: Client, root: Path) -> None:
    (root / "f").touch()
    client.ask("SITE CHMOD 640 f", 200)
    assert (root / "f").stat().st_mode & 0o777 == 0o640
    client.ask("SITE UTIME 20020717210715 f", 200)
    assert (root / "f").stat().st_mtime == 1026940035
    client.ask("SITE UMASK 077", 200)
    client.ask("MKD private", 257)
    assert (root / "private").stat().st_mode & 0o777 == 0o700
    client.ask("SITE IDLE 600", 200)
    client.ask("site help", 211, 214)
    for line in (
        "CHMOD 999 f",
        "CHMOD f",
        "CHMOD",
        "UTIME x f",
        "UTIME",
        "UMASK 9",
        "IDLE 0",
        "IDLE x",
        "IDLE 999999999",
    ):
        client.ask(f"SITE {line}", 501)
    client.ask("SITE CHMOD 640 none", 550)


@pytest.mark.standard("D-20")
def test_site_without_rights(client_with: ClientWith, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    client = client_with(tmp_path, "read")
    client.ask("SITE CHMOD 640 f", 550)
    client.ask("SITE UTIME 20020717210715 f", 550)


@pytest.mark.standard("D-23")
def test_an_empty_line_is_passed_over(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.send(b"\r\n\n\r\nNOOP\r\n\r\n", "NOOP")
        client.reply()
        client.ask("SYST", 215)


@pytest.mark.standard("D-25")
def test_257_says_more_behind_the_path(client: Client) -> None:
    assert re.fullmatch(r'"/" \S.*', client.ask("PWD", 257).text)


@pytest.mark.standard("X-32")
@pytest.mark.parametrize("state", ["fresh", "offered", "connected", "transferred"])
def test_abor_without_a_transfer(client: Client, state: str) -> None:
    if state in {"offered", "connected"}:
        address = client.passive()
        if state == "connected":
            client.connect(address)
    elif state == "transferred":
        assert client.nlst().complete
    client.ask("ABOR", 226)
    client.ask("NOOP", 200)


@pytest.mark.standard("X-33")
def test_what_works_before_the_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        for line, code in (
            ("HELP", 214), ("NOOP", 200), ("SYST", 215), ("FEAT", 211), ("OPTS UTF8 ON", 200), ("LANG", 200),
            ("HOST a.example", 220), ("REIN", 220), ("ABOR", 226), ("STAT", 211), ("USER x", 331),
        ):  # fmt: skip
            client.ask(line, code)
        client.quit()
