"""MFMT and MFF: facts that a client sets (draft-somers-ftp-mfxx-03). MFCT is not offered."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .conftest import ClientWith
from .entries import described

JULY = 1_026_940_035
"""20020717210715."""
BILLION = 1_000_000_000
NAMES = ("Fred.txt", " a ", "a b", "semi;colon", "Modify=1; x", 'q"', "caf\u00e9 \u20ac", "a\rb", "x" * 255, "*", "-R")
BAD_TIMES = (
    "20230229000000", "19000229000000", "20021301000000", "20020001000000", "20020732000000", "20020700000000",
    "20020717240000", "20020717216000", "20020717210761", "20020717120060", "2002071721071", "200207172107150",
    "20020717210715.", "2002071721071x", "-20020717210715", "00000717210715", "now", "2002-07-17",
)  # fmt: skip


@pytest.fixture
def file(root: Path) -> Path:
    path = root / "Fred.txt"
    path.write_bytes(b"1")
    os.utime(path, (BILLION, BILLION))
    path.chmod(0o644)
    return path


@pytest.mark.standard("MFXX-3.1-MFMT", "3659-2.1-CASE")
@pytest.mark.parametrize("verb", ["MFMT", "mfmt"])
@pytest.mark.parametrize("name", NAMES)
def test_mfmt_tells_time_and_name(client: Client, root: Path, verb: str, name: str) -> None:
    (root / name).touch()
    reply = client.ask(f"{verb} 20020717210715 {name}", 213)
    assert reply.text == f"Modify=20020717210715; {name}"
    assert (root / name).stat().st_mtime == JULY
    assert client.ask(f"MDTM {name}", 213).text == "20020717210715"


@pytest.mark.standard("MFXX-3.1-ACTUAL", "MFXX-3.1-UTC")
@pytest.mark.parametrize(
    "time",
    ["20020717210715.123", "20020717210715.9999999999", "19691231235959", "19011213204551", "10000101000000",
     "20380119031408", "21060207062816", "99991231235959", "20161231235960"],
)  # fmt: skip
def test_the_time_told_is_the_time_that_was_set(client: Client, file: Path, time: str) -> None:
    reply = client.ask(f"MFMT {time} Fred.txt", 213, 504, 550)
    if reply.code != 213:
        assert file.stat().st_mtime == BILLION
        return
    told = re.fullmatch(r"Modify=(\d{14}(?:\.\d+)?); Fred\.txt", reply.text)
    assert told is not None
    assert client.ask("MDTM Fred.txt", 213).text == told[1]
    assert described(client.ask("MLST Fred.txt"))["modify"] == told[1]


@pytest.mark.standard("MFXX-3.2-501", "MFXX-5.5-501")
@pytest.mark.parametrize("time", BAD_TIMES)
def test_a_time_that_is_none(client: Client, file: Path, time: str) -> None:
    for line in (f"MFMT {time} Fred.txt", f"MFF Modify={time}; Fred.txt", f"MFF Create={time}; Fred.txt"):
        client.ask(line, 501)
    assert file.stat().st_mtime == BILLION


@pytest.mark.standard("MFXX-3.2-501")
@pytest.mark.parametrize("line", ["MFMT", "MFMT ", "MFMT 20020717210715", "MFMT 20020717210715 ", "MFMT Fred.txt"])
def test_mfmt_that_cannot_be_parsed(client: Client, file: Path, line: str) -> None:
    client.ask(line, 501)
    assert file.stat().st_mtime == BILLION


@pytest.mark.standard("MFXX-3.2-550", "MFXX-5.1-ERR")
def test_what_is_not_there_or_not_permitted(client_with: ClientWith, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    os.utime(tmp_path / "f", (BILLION, BILLION))
    client = client_with(tmp_path, "read", {"/new": "read-write"})
    for line in ("MFMT 20020717210715 new", "MFF Modify=20020717210715; new", "MFF UNIX.mode=0600; new"):
        client.ask(line, 550)
    mode = (tmp_path / "f").stat().st_mode
    for line in ("MFMT 20020717210715 f", "MFF Modify=20020717210715; f", "MFF UNIX.mode=0600; f"):
        client.ask(line, 550)
    assert (tmp_path / "f").stat().st_mtime == BILLION
    assert (tmp_path / "f").stat().st_mode == mode


@pytest.mark.standard("MFXX-3-PRIO")
def test_the_time_of_modification_may_lie_before_that_of_creation(client: Client, root: Path) -> None:
    assert client.stor("new", b"1").complete
    client.ask("MFMT 19800101000000 new", 213)
    assert client.ask("MDTM new", 213).text == "19800101000000"


@pytest.mark.standard("MFXX-3-DIR")
def test_directories_have_times_too(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    assert client.ask("MFMT 20020717210715 d", 213).text == "Modify=20020717210715; d"
    assert (root / "d").stat().st_mtime == JULY
    client.ask("MFF UNIX.mode=0700; d", 213)
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o700


def test_a_link_stands_for_what_it_leads_to(client: Client, root: Path, file: Path) -> None:
    (root / "link").symlink_to("Fred.txt")
    outside = root.parent / f"{root.name}-outside"
    outside.touch()
    os.utime(outside, (BILLION, BILLION))
    (root / "out").symlink_to(outside)
    client.ask("MFMT 20020717210715 link", 213)
    assert file.stat().st_mtime == JULY
    client.ask("MFMT 20020717210715 out", 550)
    client.ask("MFF UNIX.mode=0777; out", 550)
    assert outside.stat().st_mtime == BILLION


@pytest.mark.standard("MFXX-3.3-FEAT", "MFXX-5.6-FEAT")
def test_feat_names_what_can_be_set(client: Client, file: Path) -> None:
    body = client.ask("FEAT", 211).body
    assert [line for line in body if line.startswith(b" MFMT")] == [b" MFMT"]
    assert not [line for line in body if line.upper().startswith(b" MFCT")]
    [line] = [line for line in body if line.startswith(b" MFF")]
    assert re.fullmatch(rb" MFF ([^ ;]+;)+", line)
    values = {"modify": "20020717210715", "unix.mode": "0640"}
    for fact in line[len(" MFF ") :].decode().split(";")[:-1]:
        value = values.pop(fact.lower())
        assert client.ask(f"MFF {fact}={value}; Fred.txt", 213).text == f"{fact}={value}; Fred.txt"
        assert described(client.ask("MLST Fred.txt"))[fact.lower()] == value
    assert not values


@pytest.mark.standard("MFXX-5.1-MFF", "MFXX-5.1-NAMES", "3659-2.1-CASE")
@pytest.mark.parametrize("facts", [
    "Modify=20020717210715;UNIX.mode=0640;", "UNIX.mode=640;Modify=20020717210715;",
    "modify=20020717210715;unix.MODE=640;",
])  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_mff_sets_several_facts(client: Client, root: Path, facts: str, name: str) -> None:
    (root / name).touch()
    reply = client.ask(f"mff {facts} {name}", 213)
    told, _, rest = reply.text.partition(" ")
    assert rest == name
    pairs = dict(fact.split("=") for fact in told.lower().rstrip(";").split(";"))
    assert set(pairs) == {"modify", "unix.mode"}
    assert (pairs["modify"], int(pairs["unix.mode"], 8)) == ("20020717210715", 0o640)
    status = (root / name).stat()
    assert (status.st_mtime, stat.S_IMODE(status.st_mode)) == (JULY, 0o640)


@pytest.mark.standard("MFXX-5.5-504", "MFXX-5.1-ERR")
@pytest.mark.parametrize("fact", ["frog", "X.ours", "Size", "Create", "Type", "UNIX.owner", "Perm"])
def test_a_fact_that_cannot_be_set_is_named(client: Client, file: Path, fact: str) -> None:
    value = "20020717210715" if fact == "Create" else "1"
    for facts in (f"{fact}={value};", f"Modify=20020717210715;{fact}={value};", f"{fact}={value};UNIX.mode=0600;"):
        assert fact.lower() in client.ask(f"MFF {facts} Fred.txt", 504).text.lower()
    assert file.stat().st_mtime == BILLION
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.standard("MFXX-5.1-ERR")
@pytest.mark.parametrize("line", [
    "MFF", "MFF ", "MFF Fred.txt", "MFF  Fred.txt", "MFF ; Fred.txt", "MFF Modify=20020717210715 Fred.txt",
    "MFF Modify=20020717210715;", "MFF Modify; Fred.txt", "MFF =1; Fred.txt", "MFF Modify=; Fred.txt",
    "MFF UNIX.mode=; Fred.txt", "MFF UNIX.mode=888; Fred.txt", "MFF UNIX.mode=10000; Fred.txt",
    "MFF UNIX.mode=-1; Fred.txt", "MFF UNIX.mode=rwx; Fred.txt", "MFF UNIX.mode=4755; Fred.txt",
    "MFF Modify=20020717210715; UNIX.mode=0600; Fred.txt",
])  # fmt: skip
def test_mff_that_cannot_be_parsed(client: Client, file: Path, line: str) -> None:
    # The last one has its second fact in the name: no such file.
    client.ask(line, 550 if line.count("; ") == 2 else 501)
    assert file.stat().st_mtime == BILLION
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_nothing_is_set_before_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("MFMT 20020717210715 f", 530)
        client.ask("MFF Modify=20020717210715; f", 530)
