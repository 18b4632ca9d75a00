"""The facts of MLST and MLSD, and that perm tells what this user can really do (RFC 3659 §7.4 to §7.6)."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .conftest import ClientWith
from .entries import Listed, described, listed

READ_WRITE = frozenset({
    "list", "read", "create", "overwrite", "append", "delete", "rename", "make-directory", "remove-directory",
    "set-time", "set-mode",
})  # fmt: skip
FILE_LETTERS = "adfrw"
DIRECTORY_LETTERS = "cdeflmp"


def everything(client: Client) -> None:
    client.ask("OPTS MLST type;size;modify;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;UNIX.uid;UNIX.gid;", 200)


def fill(root: Path) -> None:
    (root / "file").write_bytes(b"12345\n")
    (root / "dir").mkdir()
    (root / "dir" / "inner").write_bytes(b"1")
    (root / "empty").mkdir()
    (root / "link").symlink_to("file")
    (root / "dirlink").symlink_to("dir")
    os.link(root / "file", root / "dir" / "hard")


@pytest.mark.standard("3659-7.4-CHARS", "3659-7.6.1-OSFACT", "3659-7.5-NAMES", "3659-7.5.5-PERM")
def test_names_and_values(client: Client, root: Path) -> None:
    fill(root)
    if os.geteuid() == 0:
        os.chown(root / "file", 4_000_000, 4_000_001)  # nobody's: numbers stand for names
    everything(client)
    for one in listed(client.mlsd()).values():
        assert set(one.facts) <= {
            "type", "size", "modify", "perm", "unique", "unix.mode", "unix.owner", "unix.group", "unix.uid", "unix.gid"
        }  # fmt: skip
        assert re.fullmatch(r"[0-7]{4}", one["unix.mode"])
        assert re.fullmatch(r"\d+", one["unix.uid"])
        assert re.fullmatch(r"\d{14}(\.\d+)?", one["modify"])
        assert re.fullmatch(r"[acdeflmprw]*", one["perm"])
        assert len(one.perm) == len(one["perm"])


@pytest.mark.standard("3659-7.5.1-TYPE", "3659-7.5.1.5-LINK", "3659-7.5.2-UNIQUE")
def test_types_and_links(client: Client, root: Path) -> None:
    fill(root)
    os.mkfifo(root / "pipe")
    (root / "dangling").symlink_to("nowhere")
    (root / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.path.relpath(root / "socket"))
        entries = listed(client.mlsd())
    kinds = {name: one["type"] for name, one in entries.items()}
    assert kinds.pop(b"pipe").lower().startswith("os.unix=")
    assert kinds.pop(b"socket").lower().startswith("os.unix=")
    assert kinds == {b"file": "file", b"dir": "dir", b"empty": "dir", b"link": "file", b"dirlink": "dir"}
    assert entries[b"link"]["unique"] == entries[b"file"]["unique"]
    assert entries[b"dirlink"]["unique"] == entries[b"dir"]["unique"]
    assert entries[b"link"]["size"] == "6"
    assert described(client.ask("MLST link"))["type"] == "file"
    for name in ("dangling", "circle"):
        client.ask(f"MLST {name}", 550)


@pytest.mark.standard("3659-7.5.2-UNIQUE")
def test_unique_is_of_the_object_and_not_of_the_name(ftp_server: FtpServer, client: Client, root: Path) -> None:
    fill(root)
    for number in range(50):
        (root / f"{number}").touch()

    def unique(path: str) -> str:
        return described(client.ask(f"MLST {path}"))["unique"]

    tokens = {name: one["unique"] for name, one in listed(client.mlsd()).items() if b"link" not in name}
    assert len(set(tokens.values())) == len(tokens)
    assert unique("dir/hard") == unique("file") == unique("/dir/../file")
    before = unique("file")
    client.ask("RNFR file", 350)
    client.ask("RNTO dir/renamed", 250)
    assert unique("dir/renamed") == before
    # For the life of the control connection, whoever logs in on it.
    client.ask("REIN", 220)
    client.login(ftp_server.user, ftp_server.password)
    assert unique("dir/renamed") == before
    assert unique("dir/renamed") == before


@pytest.mark.standard("3659-7.5.2-UNIQUE-SEC")
def test_unique_is_no_inode_number(client: Client, root: Path) -> None:
    (root / "file").touch()
    inode = (root / "file").stat().st_ino
    token = described(client.ask("MLST file"))["unique"].lower()
    for shown in (str(inode), f"{inode:x}", inode.to_bytes(8, "little").rstrip(b"\0").hex()):
        assert len(shown) < 3 or shown not in token


@pytest.mark.standard("3659-7.5.3-MODIFY")
def test_modify_follows_the_content(client: Client, root: Path) -> None:
    fill(root)
    long_ago = 1_000_000_000
    for name in ("file", "dir", "empty"):
        os.utime(root / name, (long_ago, long_ago))
        assert described(client.ask(f"MLST {name}"))["modify"] == "20010909014640"
        assert client.ask(f"MDTM {name}", 213).text == "20010909014640"
    assert client.stor("file", b"new").complete
    assert client.stor("dir/another", b"new").complete
    client.ask("MKD empty/sub", 257)
    for name in ("file", "dir", "empty"):
        assert described(client.ask(f"MLST {name}"))["modify"] != "20010909014640"
        assert client.ask(f"MDTM {name}", 213).text == described(client.ask(f"MLST {name}"))["modify"]


@pytest.mark.standard("3659-7.5.7-SIZE")
def test_size_is_of_the_file_in_every_type(client: Client, root: Path) -> None:
    fill(root)
    for type_ in ("A", "I"):
        client.ask(f"TYPE {type_}", 200)
        assert described(client.ask("MLST file"))["size"] == "6"
        assert listed(client.mlsd())[b"file"]["size"] == "6"
        assert not [one for one in listed(client.mlsd()).values() if one["type"] == "dir" and "size" in one.facts]


# -- perm -------------------------------------------------------------------------------------------------------------


def make_probes(root: Path, mode: int = 0o644, directory_mode: int = 0o755) -> None:
    """One object for each letter of perm, since the trial changes it."""
    for letter in FILE_LETTERS:
        (root / f"file-{letter}").write_bytes(b"1")
        (root / f"file-{letter}").chmod(mode)
    for letter in DIRECTORY_LETTERS:
        directory = root / f"dir-{letter}"
        directory.mkdir()
        if letter != "d":
            (directory / "inner").write_bytes(b"1")
        directory.chmod(directory_mode)


def works(client: Client, letter: str, name: str) -> bool:
    """Try what *letter* promises for the object *name*; whether it worked."""
    match letter:
        case "a":
            return client.appe(name, b"2").complete
        case "r":
            return client.retr(name).complete
        case "w":
            return client.stor(name, b"2").complete
        case "f":
            return client.ask(f"RNFR {name}").positive and client.ask(f"RNTO {name}-renamed").positive
        case "c":
            return client.stor(f"{name}/new", b"2").complete
        case "e":
            return client.ask(f"CWD {name}").positive and client.ask("CWD /").positive
        case "l":
            return client.mlsd(name).complete and client.list_(name).complete and client.nlst(name).complete
        case "m":
            return client.ask(f"MKD {name}/made").positive
        case "p":
            return client.ask(f"DELE {name}/inner").positive
        case _:
            return client.ask(f"{'RMD' if name.startswith('dir') else 'DELE'} {name}").positive


def check(client: Client, where: str = "") -> dict[str, Listed]:
    """Every letter is there exactly when it is true."""
    entries = {name.decode(): one for name, one in listed(client.mlsd(where or None)).items()}
    for name, one in sorted(entries.items()):
        letter = name[-1]
        if one["type"] == "file" or "l" in one.perm:
            assert described(client.ask(f"MLST {where}{name}"))["perm"] == one["perm"]
        assert one.perm <= set(DIRECTORY_LETTERS if one["type"] == "dir" else FILE_LETTERS)
        assert works(client, letter, where + name) == (letter in one.perm), (name, one)
    return entries


PERM_ROWS = tuple(f"3659-7.5.5-{letter}" for letter in "acdeflmprw")


@pytest.mark.standard("3659-7.5.5-PERM", *PERM_ROWS)
@pytest.mark.parametrize("missing", [None, *sorted(READ_WRITE - {"list"})])
def test_perm_tells_the_rights_of_the_account(client_with: ClientWith, tmp_path: Path, missing: str | None) -> None:
    make_probes(tmp_path)
    entries = check(client_with(tmp_path, sorted(READ_WRITE - {missing})))
    letters = {letter for name, one in entries.items() for letter in one.perm & {name[-1]}}
    gone = {
        "append": {"a"}, "create": {"c"}, "make-directory": {"m"}, "read": {"r"}, "overwrite": {"w"}, "rename": {"f"},
        "delete": {"p"},
    }  # fmt: skip
    assert set(FILE_LETTERS + DIRECTORY_LETTERS) - letters == gone.get(missing or "", set())


@pytest.mark.standard("3659-7.5.5-PERM", *PERM_ROWS)
def test_perm_where_nothing_may_be_changed(client_with: ClientWith, tmp_path: Path) -> None:
    make_probes(tmp_path)
    entries = check(client_with(tmp_path, "read"))
    assert {one["perm"] for one in entries.values()} == {"r", "el"}


@pytest.mark.standard("3659-7.5.5-PERM", "3659-7.5.5-l", "3659-7.5.5-c")
def test_perm_where_rights_differ_by_path(client_with: ClientWith, tmp_path: Path) -> None:
    make_probes(tmp_path)
    client = client_with(
        tmp_path, "read", {"/dir-c": ["list", "create"], "/dir-l": ["create"], "/file-w": "read-write"}
    )
    entries = check(client)
    assert entries["dir-c"]["perm"] == "cel"
    assert entries["dir-l"]["perm"] == "ce"
    assert "w" in entries["file-w"].perm


@pytest.mark.standard("3659-7.5.5-PERM", *PERM_ROWS)
@pytest.mark.parametrize("mode", [0o644, 0o444, 0o222, 0o000], ids=oct)
@pytest.mark.parametrize("directory_mode", [0o755, 0o555, 0o700], ids=oct)
def test_perm_tells_what_the_system_allows(
    client_with: ClientWith, ordinary_home: Path, mode: int, directory_mode: int
) -> None:
    make_probes(ordinary_home, mode, directory_mode)
    client = client_with(ordinary_home, "read-write")
    client.ask("TYPE I", 200)
    check(client)
    for directory in ordinary_home.iterdir():
        if directory.is_dir():
            directory.chmod(0o755)


@pytest.mark.standard("3659-7.5.5-PERM", "3659-7.5.5-d", "3659-7.5.5-f", "3659-7.5.5-w", "3659-7.5.5-a")
@pytest.mark.parametrize("mode", [0o644, 0o444], ids=oct)
def test_perm_in_a_directory_that_the_system_protects(client_with: ClientWith, ordinary_home: Path, mode: int) -> None:
    inside = ordinary_home / "protected"
    inside.mkdir()
    make_probes(inside, mode)
    inside.chmod(0o555)
    client = client_with(ordinary_home, "read-write")
    client.ask("TYPE I", 200)
    try:
        assert "d" not in check(client, "protected/")["file-d"].perm
    finally:
        inside.chmod(0o755)


@pytest.mark.standard("3659-7.5.5-e", "3659-7.5.5-l")
@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400, 0o500], ids=oct)
def test_perm_of_directories_that_cannot_be_entered(client_with: ClientWith, ordinary_home: Path, mode: int) -> None:
    for letter in "el":
        (ordinary_home / f"dir-{letter}").mkdir()
        (ordinary_home / f"dir-{letter}").chmod(mode)
    check(client_with(ordinary_home, "read-write"))


@pytest.mark.standard("3659-7.5.5-d")
def test_only_what_can_be_removed_has_the_letter_d(client: Client, root: Path) -> None:
    fill(root)
    (root / "with-dangling-link").mkdir()
    (root / "with-dangling-link" / "dangling").symlink_to("nowhere")
    entries = listed(client.mlsd())
    assert {name for name, one in entries.items() if one["type"] == "dir" and "d" in one.perm} == {b"empty"}
    for name in (b"dir", b"dirlink", b"with-dangling-link"):
        client.ask(b"RMD " + name, 550)
    assert "d" not in described(client.ask("MLST /")).perm
    assert "f" not in described(client.ask("MLST /")).perm
    client.ask("RMD empty", 250)
