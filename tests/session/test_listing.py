"""Listings that the storage writes itself are those that the session would write: every verb, option and right."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.session.harness import Harness

from homeport.accounts.model import READ_ONLY, READ_WRITE, Grant, Permission
from homeport.protocol.path import ROOT, VirtualPath
from homeport.session import selection
from homeport.storage import native
from homeport.storage.identity import Identity
from homeport.storage.local import LocalStorage

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the compiled scan is not there")

NOW = 1_795_500_000.0
GRANTS = {
    "everything": (Grant(ROOT, READ_WRITE),),
    "reading": (Grant(ROOT, READ_ONLY),),
    "all but RMD": (Grant(ROOT, READ_WRITE - {Permission.REMOVE_DIRECTORY}),),
    "deeper": (Grant(ROOT, READ_ONLY), Grant(VirtualPath("/dir/sub"), READ_WRITE)),
    "elsewhere": (Grant(ROOT, READ_WRITE), Grant(VirtualPath("/other"), READ_ONLY)),
}
COMMANDS = (
    *("LIST", "LIST -r", "LIST -t", "LIST -rt", "LIST -R", "LIST -1", "LIST -d", "LIST dir", "LIST d*", "LIST link"),
    *("NLST", "NLST -l", "NLST dir", "NLST ./dir/", "NLST /dir", "NLST -r dir", "NLST *", "NLST a b"),
    *("MLSD", "MLSD dir", "MLSD dir/sub", "MLSD link"),
)
_NAMES = (b"a b", b"-r", b"\xff\xfe", b"\xee\x80\x80", b"\xf0\x90\x80\x80", b".hidden", b".homeport-x", b"\n")
FACTS = ("", "type;perm;", "size;modify;", "unique;", "type;UNIX.owner;UNIX.group;UNIX.uid;UNIX.gid;UNIX.mode;")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name in ("dir", "dir/sub", "dir/sub/deeper", "other", "empty"):
        (tree / name).mkdir(parents=True)
    for place in (b"", b"dir"):
        for octets in _NAMES:
            with open(os.path.join(os.fsencode(tree), place, octets), "wb") as file:
                file.write(octets)
    (tree / "link").symlink_to("dir")
    (tree / "dir" / "link").symlink_to("../a b")
    (tree / "dangling").symlink_to("nothing")
    (tree / "out").symlink_to("/etc")
    os.mkfifo(tree / "dir" / "fifo")
    for number, path in enumerate(sorted(tree.rglob("*"))):
        if not path.is_symlink():
            path.chmod((0o755, 0o700, 0o1777, 0o555)[number % 4])
            os.utime(path, (0, NOW - number * 2_000_000))
    tree.chmod(0o755)
    return tree


def transcripts(tree: Path, grants: Sequence[Grant], identity: Identity | None) -> Iterator[bytes]:
    """What each command brings; the session closes its storage at its end."""
    storage = LocalStorage(str(tree), key=b"key")
    if identity is not None:
        storage._identity = identity
    with Harness(storage, grants=grants) as harness:
        harness.services = dataclasses.replace(
            harness.services, clock=dataclasses.replace(harness.services.clock, time=lambda: NOW)
        )
        client = harness.client()
        client.ask("TYPE I", 200)
        for line in COMMANDS:
            transfer = client.download(line)
            yield b"%s %d " % (line.encode(), transfer.final.code) + transfer.data
        for chosen in FACTS:
            client.ask(f"OPTS MLST {chosen}", 200)
            yield chosen.encode() + client.mlsd("dir").data


@pytest.fixture
def pure(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    compiled = native.compiled()

    def switch(on: bool) -> None:
        monkeypatch.setattr("homeport.storage.entries.compiled", lambda: None if on else compiled)

    return switch


@pytest.mark.parametrize("grants", GRANTS.values(), ids=GRANTS)
@pytest.mark.parametrize("identity", [None, Identity(12345, frozenset({0})), Identity(12345, frozenset())])
def test_compiled_and_pure_send_the_same(
    tree: Path, pure: Callable[[bool], None], grants: Sequence[Grant], identity: Identity | None
) -> None:
    pure(False)
    compiled = list(transcripts(tree, grants, identity))
    pure(True)
    assert list(transcripts(tree, grants, identity)) == compiled
    assert sum(b"a b" in text for text in compiled) > 20  # they were no refusals


def test_beyond_what_is_sorted_all_come(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_SORTED", 20)
    for number in range(100):
        (tree / f"n{number}").touch()
    with Harness(LocalStorage(str(tree))) as harness, harness.client() as client:
        lines = client.nlst().data.splitlines()
        assert len(lines) == len(set(lines)) == 100 + 10
        assert [int(name[1:]) for name in sorted(lines) if name[:1] == b"n"] == sorted(range(100), key=str)


def test_commands_are_answered_while_a_large_directory_is_listed(tree: Path) -> None:
    for number in range(15_000):  # more than the sockets take
        (tree / "empty" / f"{number}{'-long' * 40}").hardlink_to(tree / "a b")
    with Harness(LocalStorage(str(tree))) as harness, harness.client() as client:
        with socket.socket() as data:
            data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            data.connect(client.passive())
            client.command("MLSD empty")
            assert client.reply().code == 150
            data.recv(100)
            client.ask("NOOP", 200)
            client.ask("STAT", 211)
            client.command("ABOR")
            assert client.reply().code == 426
            assert client.reply().code == 226
        client.ask("NOOP", 200)
