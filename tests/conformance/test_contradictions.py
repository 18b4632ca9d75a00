"""Where the standards contradict each other (section 21 of the catalogue): what is decided holds.

Here is what concerns several commands; the other decisions are held beside the commands they are about.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeport.testing.client import Client


@pytest.mark.standard("X-01", "X-02")
def test_cwd_and_cdup_succeed_with_250(client: Client) -> None:
    client.ask("MKD d", 257)
    client.ask("CWD d", 250)
    client.ask("CDUP", 250)


@pytest.mark.standard("X-03")
@pytest.mark.parametrize("name", ["d", "f"])
def test_mkd_of_a_name_that_is_taken_is_550(client: Client, root: Path, name: str) -> None:
    (root / "d").mkdir()
    (root / "f").touch()
    client.ask(f"MKD {name}", 550)


@pytest.mark.standard("X-04")
def test_names_that_cannot_be_written_are_5yz(client: Client, root: Path) -> None:
    (root / "d").mkdir()
    (root / "f").touch()
    assert client.stor("d", b"x").final.code == 553
    assert client.stor("none/f", b"x").final.code in {550, 553}
    for target in ("none/f", "f/g"):
        client.ask("RNFR f", 350)
        client.ask(f"RNTO {target}", 550, 553)
    assert sorted(one.name for one in root.iterdir()) == ["d", "f"]


@pytest.mark.standard("X-11", "X-19")
@pytest.mark.parametrize("line", ["STRU R", "STRU P", "MODE Z", "MODE B", "MODE C"])
def test_what_is_not_offered_is_504_and_changes_nothing(client: Client, root: Path, line: str) -> None:
    client.ask("TYPE I", 200)
    client.ask(line, 504)
    assert client.stor("f", b"a\nb").complete
    assert (root / "f").read_bytes() == b"a\nb"
    assert client.retr("f").data == b"a\nb"


@pytest.mark.standard("X-25")
def test_stou_tells_the_name_in_its_150(client: Client, root: Path) -> None:
    stored = client.stou(b"x")
    assert stored.final.code == 226
    match = re.fullmatch(r"150 FILE: (\S+)", str(stored.preliminary))
    assert match is not None
    assert [one.name for one in root.iterdir()] == [match[1]]
