"""Log injection: whatever a client calls itself or its files, an event is one line, and no terminal obeys it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from tests.attacks.conftest import Attack

from homeport.events.console import Console
from homeport.events.jsonlog import octets

NAMES = [
    b"\x1b]0;owned\x07", b"\x1b[2J\x1b[31m", b"a\rb", b"a\tb", b"\x7f\x08\x08", b"\xff\xfe\xed\xa0\x80",
    b"\xe2\x80\xaetxt.exe", b"\xe2\x80\xa8next", b"\xc2\x85x", b"\xc2\x9b31m", b"\x0b\x0c\x1c\x1d\x1e",
    b'"},{"event":"x', b"\\x1b", b"%s%n", b" ", b"..%0a", b"\xf3\xa0\x80\x81", b"a" * 200,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_one_event_is_one_line_in_every_log(attack: Attack, tmp_path: Path, name: bytes) -> None:
    json_file, xferlog = tmp_path / "json", tmp_path / "xferlog"
    target = attack(sections={
        "log": {"json_file": str(json_file), "xferlog_file": str(xferlog), "commands": True, "console": False}
    })  # fmt: skip
    shown = io.StringIO()
    target.server.subscribe(Console(shown, colour=False))
    stranger = target.client(None, source="127.0.0.2")  # its failure slows nobody else
    stranger.ask(b"USER " + name + b"x", 331)
    stranger.ask(b"PASS x", 530)
    client = target.client()
    client.ask(b"CLNT " + name + b"x")
    client.ask(name + b" x")
    assert client.stor(name, b"content").complete
    client.ask(b"SITE " + name + b"x", 501)
    client.ask(b"RNFR " + name, 350)
    client.ask(b"RNTO " + name + b"2", 250)
    client.ask(b"DELE " + name + b"2", 250)
    client.quit()
    target.server.stop(5.0)
    for line in shown.getvalue().removesuffix("\n").split("\n"):
        assert line.isprintable(), line
        assert line[:2].isdigit() or line.startswith("      "), line
    events = [json.loads(line) for line in json_file.read_bytes().decode("ascii").removesuffix("\n").split("\n")]
    assert [one["event"] for one in events].count("TransferEnded") == 1
    ended = next(one for one in events if one["event"] == "TransferEnded")
    assert octets(ended["path"]) == b"/" + name
    (record,) = xferlog.read_bytes().splitlines()
    assert len(record.split(b" ")) == 18
    assert not [octet for octet in record if octet < 32 or octet == 127]
