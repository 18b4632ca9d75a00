"""xferlog(5), field by field."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.events.logfile import LogFile
from homeport.events.types import Direction, Warned
from homeport.events.xferlog import render

from .samples import AT, ONE_OF_EACH, transfer


def test_a_download() -> None:
    assert render(transfer()) == b"Mon Nov 24 14:03:07 2025 1 192.0.2.7 3200000 /photos/a.jpg b _ o r bob ftp 0 * c\n"


def test_an_upload_in_ascii_that_was_cut_by_a_guest() -> None:
    event = transfer(
        "/in/my file.txt",
        direction=Direction.UPLOAD,
        anonymous=True,
        user="anonymous",
        binary=False,
        seconds=12.6,
        error="lost",
    )
    assert render(event) == (
        b"Mon Nov 24 14:03:07 2025 13 192.0.2.7 3200000 /in/my_file.txt a _ i a anonymous ftp 0 * i\n"
    )


def test_a_day_of_one_digit_is_filled_with_a_space() -> None:
    from dataclasses import replace

    line = render(replace(transfer(), at=AT - 20 * 86400))
    assert line is not None
    assert line.startswith(b"Tue Nov  4 14:03:07 2025 1 ")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/a b\tc\nd\x7fe", b"/a_b_c_d_e"),
        ("/größe", "/größe".encode()),
        ("/\udce9t\udce9", b"/\xe9t\xe9"),
        ("/\udc85\udc9b", b"/__"),
        ("/\u2028\u00a0\u202e", b"/___"),
    ],
)
def test_names_are_one_word(path: str, written: bytes) -> None:
    line = render(transfer(path))
    assert line is not None
    assert line.split(b" ")[8] == written


evil = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.text(" \r\n\x0b\x0c\x1c\x1b\x85\u2028\udc85\udc8a"),
)


@given(path=evil, user=evil)
def test_any_name_leaves_one_line_of_fourteen_fields(path: str, user: str) -> None:
    line = render(transfer("/" + path, user=user))
    assert line is not None
    assert line.count(b"\n") == 1
    assert line.endswith(b" ftp 0 * c\n")
    text = line.decode("utf-8", "surrogateescape")
    assert len(text.splitlines()) == 1
    # The time is five words, the other thirteen fields are one each.
    assert len(text.split(" ")) == len(text.split()) == 18


def test_only_files_that_were_moved_are_written(tmp_path: Path) -> None:
    with LogFile(tmp_path / "xferlog", render) as log:
        for event in ONE_OF_EACH:
            log(event)
    lines = (tmp_path / "xferlog").read_text().splitlines()
    assert [line.split()[11:12] + line.split()[-1:] for line in lines] == [["o", "c"], ["i", "i"], ["i", "c"]]


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "xferlog"
    with LogFile(path, render) as log:
        log(transfer())
        path.rename(tmp_path / "xferlog.1")
        log.reopen()
        log(transfer())
    assert path.read_bytes() == (tmp_path / "xferlog.1").read_bytes() == render(transfer())


def test_other_events_are_none_of_its_business() -> None:
    stream = io.BytesIO()
    LogFile(stream, render)(Warned(at=AT, text="x"))
    assert stream.getvalue() == b""
