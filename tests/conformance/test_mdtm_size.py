"""MDTM and SIZE, and the time values that all commands share (RFC 3659 §2.3, §3, §4)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.testing.client import Client

from .entries import described

# 2001-09-09 01:46:40 UTC
BILLION = 1_000_000_000
MIXED = b"one\ntwo\r\nthree\rfour\n\n\r\n\r\r\nlast without end"


@pytest.fixture
def auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def put(root: Path, name: str, data: bytes = b"", modified: float | None = None) -> None:
    (root / name).write_bytes(data)
    if modified is not None:
        os.utime(root / name, (modified, modified))


@pytest.mark.standard("3659-3.1-MDTM", "3659-3.1-213", "3659-2.3-TIMEVAL", "3659-2.1-CASE")
@pytest.mark.parametrize("verb", ["MDTM", "mdtm", "MdTm"])
def test_mdtm_is_one_line_with_nothing_but_the_time(client: Client, root: Path, verb: str) -> None:
    put(root, "a", modified=BILLION)
    reply = client.ask(f"{verb} a", 213)
    assert re.fullmatch(rb"213 \d{14}(\.\d+)?\r\n", reply.raw)
    assert reply.text.partition(".")[0] == "20010909014640"


@pytest.mark.standard("3659-3.1-MDTM", "3659-2.2-ONE-SP", "D-11")
def test_a_time_before_the_name_is_part_of_the_name(client: Client, root: Path) -> None:
    put(root, "File6", modified=BILLION)
    client.ask("MDTM 19990929043300 File6", 550)
    assert (root / "File6").stat().st_mtime == BILLION
    put(root, "19990929043300 File6", modified=BILLION + 1)
    assert client.ask("MDTM 19990929043300 File6", 213).text == "20010909014641"


@pytest.mark.standard("3659-2.3-UTC", "MFXX-3.1-UTC")
@pytest.mark.usefixtures("auckland")
def test_times_are_utc_wherever_the_server_stands(client: Client, root: Path) -> None:
    put(root, "a", modified=BILLION)
    assert client.ask("MDTM a", 213).text == "20010909014640"
    assert described(client.ask("MLST a"))["modify"] == "20010909014640"
    client.ask("MFMT 20020717210715 a", 213)
    assert (root / "a").stat().st_mtime == 1_026_940_035
    assert client.ask("MDTM a", 213).text == "20020717210715"


@pytest.mark.standard("3659-2.3-PREC")
def test_no_precision_is_invented(client: Client, root: Path) -> None:
    put(root, "a", modified=BILLION)
    assert client.ask("MDTM a", 213).text == "20010909014640"
    assert described(client.ask("MLST a"))["modify"] == "20010909014640"


@pytest.mark.standard("3659-2.3-RANGE")
@pytest.mark.parametrize(
    ("modified", "value"),
    [
        (-1, "19691231235959"),
        (-86_400 * 365, "19690101000000"),
        (2**31, "20380119031408"),
        (4_107_542_400, "21000301000000"),
        (951_782_400, "20000229000000"),
    ],
)
def test_times_far_away(client: Client, root: Path, modified: int, value: str) -> None:
    put(root, "a", modified=modified)
    if (root / "a").stat().st_mtime != modified:
        pytest.skip("the file system does not keep this time")
    assert client.ask("MDTM a", 213).text == value
    assert described(client.ask("MLST a"))["modify"] == value


@pytest.mark.standard("3659-3.2-550")
def test_mdtm_of_what_is_not_there(client: Client) -> None:
    client.ask("MDTM missing", 550)
    client.ask("MDTM missing/deeper", 550)
    client.ask("MDTM", 501)
    client.ask("MDTM ", 501)


@pytest.mark.standard("3659-3.1-DIR")
def test_mdtm_of_a_directory(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    os.utime(root / "d", (BILLION, BILLION))
    assert client.ask("MDTM d", 213).text == "20010909014640"
    client.ask("MDTM /", 213)


@pytest.mark.standard("3659-3.3-FEAT", "3659-4.3-FEAT")
def test_feat_names_both_alone(client: Client) -> None:
    body = client.ask("FEAT", 211).body
    assert body.count(b" MDTM") == 1
    assert body.count(b" SIZE") == 1
    assert not [line for line in body if line.upper().startswith((b" MDTM ", b" SIZE "))]


@pytest.mark.standard("3659-4-SIZE", "3659-4-NOEST", "3659-4.1-213", "X-10", "D-08")
@pytest.mark.parametrize("type_", ["A", "A N", "A T", "I", "L 8"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n", b"\r", b"no line end", MIXED], ids=repr)
def test_size_is_what_retr_sends(client: Client, root: Path, type_: str, data: bytes) -> None:
    put(root, "a", data)
    client.ask(f"TYPE {type_}", 200)
    reply = client.ask("SIZE a", 213)
    assert re.fullmatch(rb"213 \d+\r\n", reply.raw)
    sent = client.retr("a").data
    assert int(reply.text) == len(sent)
    assert sent == (re.sub(rb"\r?\n", b"\r\n", data) if type_.startswith("A") else data)


@pytest.mark.standard("3659-4-SIZE", "X-10")
@pytest.mark.parametrize("at", [256 * 1024, 32 * 1024, 1 << 20], ids=str)
def test_size_in_type_a_where_a_line_end_is_cut_by_a_chunk(client: Client, root: Path, at: int) -> None:
    put(root, "a", b"x" * (at - 1) + b"\r\n" + b"y\n" * 1000)
    assert int(client.ask("SIZE a", 213).text) == at + 1 + 3000
    assert len(client.retr("a").data) == at + 1 + 3000


@pytest.mark.standard("3659-4.2-550")
def test_size_of_what_has_none(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    os.mkfifo(root / "pipe")
    for type_ in ("A", "I"):
        client.ask(f"TYPE {type_}", 200)
        client.ask("SIZE missing", 550)
        client.ask("SIZE d", 550)
        client.ask("SIZE /", 550)
        client.ask("SIZE pipe", 550)
        client.ask("SIZE", 501)
        client.ask("SIZE ", 501)


@pytest.mark.standard("3659-4.2-550", "3659-4-NOEST")
def test_size_in_type_a_of_a_huge_file_is_refused_rather_than_estimated(client: Client, root: Path) -> None:
    with (root / "huge").open("wb") as file:
        file.truncate(1 << 40)
    client.ask("SIZE huge", 550)
    client.ask("TYPE I", 200)
    assert client.ask("SIZE huge", 213).text == str(1 << 40)


@pytest.mark.standard("3659-4.1-REST")
@pytest.mark.parametrize("type_", ["A", "I"])
def test_size_is_a_restart_marker_for_stor(client: Client, root: Path, type_: str) -> None:
    client.ask(f"TYPE {type_}", 200)
    put(root, "a", b"first\n")
    size = int(client.ask("SIZE a", 213).text)
    rest = b"second\r\n" if type_ == "A" else b"second\n"
    assert client.stor("a", rest, offset=size).complete
    assert (root / "a").read_bytes() == b"first\nsecond\n"
    assert client.retr("a", offset=size).data == rest


@pytest.mark.standard("3659-2.2.2-NOGLOB")
@pytest.mark.parametrize("pattern", ["*", "a*", "?", "[ab]", "{a,b}"])
def test_names_are_no_patterns(client: Client, root: Path, pattern: str) -> None:
    put(root, "a", b"1")
    put(root, "b", b"1")
    client.ask("TYPE I", 200)
    for verb in ("SIZE", "MDTM", "MLST", "MLSD"):
        client.ask(f"{verb} {pattern}", 550)
    put(root, pattern, b"literally", modified=BILLION)
    assert client.ask(f"SIZE {pattern}", 213).text == "9"
    assert client.ask(f"MDTM {pattern}", 213).text == "20010909014640"
    assert described(client.ask(f"MLST {pattern}")).name == b"/" + pattern.encode()
    client.ask(f"MLSD {pattern}", 501)
