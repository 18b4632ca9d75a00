"""The JSON log: every field, stable names, one line per event, any octets."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.events.jsonlog import escape, octets, render
from homeport.events.logfile import LogFile
from homeport.events.types import Direction, Failed, LoggedIn, ServerStarted

from .samples import AT, ONE_OF_EACH, PEER, transfer


def test_a_transfer() -> None:
    assert render(transfer("/größe \\ \udce9.jpg", direction=Direction.UPLOAD)) == (
        b'{"event": "TransferEnded", "at": "2025-11-24T13:03:07.250000Z", "session": 3, '
        b'"peer": {"address": "192.0.2.7", "port": 40123}, "user": "bob", "anonymous": false, "direction": "upload", '
        b'"path": "/gr\\u00f6\\u00dfe \\\\\\\\ \\\\xe9.jpg", "octets": 3200000, "seconds": 0.31, "binary": true, '
        b'"passive": true, "appended": false, "error": null}\n'
    )


def test_addresses_and_ports_of_a_start() -> None:
    event = ServerStarted(at=AT, addresses=(("0.0.0.0", 21), ("::", 21)), passive_ports=(50000, 50001))
    assert json.loads(render(event)) == {
        "event": "ServerStarted",
        "at": "2025-11-24T13:03:07.250000Z",
        "addresses": [{"address": "0.0.0.0", "port": 21}, {"address": "::", "port": 21}],
        "passive_ports": [50000, 50001],
    }


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_field_of_every_event_is_there_on_one_line(event: object) -> None:
    line = render(event)  # type: ignore[arg-type] # parametrize knows no types
    assert line.count(b"\n") == 1
    assert list(json.loads(line)) == ["event", *(field.name for field in fields(event))]  # type: ignore[arg-type]


names = st.one_of(st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")), st.text("\\x0af\udcff\u2028\n"))


@given(names)
def test_the_octets_of_any_name_come_back(name: str) -> None:
    line = render(LoggedIn(at=AT, session=1, peer=PEER, user=name, anonymous=False))
    assert len(line.decode("utf-8").splitlines()) == 1
    # A strict reader of JSON takes no surrogates: none may be in it, whole pairs apart.
    text = json.loads(line)["user"]
    text.encode("utf-8")
    assert octets(text) == name.encode("utf-8", "surrogateescape")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\")))
def test_ordinary_names_stand_as_they_are(name: str) -> None:
    assert escape(name) == name


def test_a_trace_stays_on_its_line() -> None:
    line = render(Failed(at=AT, session=None, id="1", text="t", trace='File "a.py", line 1\n  x = "\\n"\n'))
    assert line.count(b"\n") == 1
    assert octets(json.loads(line)["trace"]) == b'File "a.py", line 1\n  x = "\\n"\n'


def test_a_path_is_appended_to_and_reopened(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_bytes(b"{}\n")
    with LogFile(path, render) as log:
        log(transfer())
        path.rename(tmp_path / "events.json.1")
        log(transfer())
        log.reopen()
        log(transfer())
    assert (tmp_path / "events.json.1").read_bytes() == b"{}\n" + 2 * render(transfer())
    assert path.read_bytes() == render(transfer())


def test_a_stream_stays_open() -> None:
    stream = io.BytesIO()
    with LogFile(stream, render) as log:
        log.reopen()
        log(transfer())
    assert stream.getvalue() == render(transfer())
