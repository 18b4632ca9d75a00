from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import homeport
from homeport.cli import sessions
from homeport.cli.main import cli, run
from homeport.cli.sessions import render, translations
from homeport.server.view import DataView, SessionView
from homeport.testing.channel import Way
from homeport.testing.client import Client


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["sessions", *arguments])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[homeport.Server]:
    (tmp_path / "files").mkdir()
    with homeport.Server(tmp_path / "files", user="bob", password="secret", state=tmp_path / "state") as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


def test_nobody_is_connected(server: homeport.Server, state: str) -> None:
    done = ask("--state", state)
    assert (done.exit_code, done.stdout) == (0, "Nobody is connected.\n")
    assert ask("--state", state, "--json").stdout == "[]\n"


def test_somebody_is(server: homeport.Server, state: str) -> None:
    with Client(server.host, server.port) as client:
        client.login("bob", "secret")
        port = client.passive(Way.PASV)[1]
        done = ask("--state", state)
        (found,) = json.loads(ask("--state", state, "--json").stdout)
    first, control, data = done.stdout.splitlines()
    assert first.startswith("#1  bob  from 127.0.0.1 for ")
    assert control.split() == ["control", f"127.0.0.1:{client.local[1]}", "───▶", f"127.0.0.1:{server.port}"]
    assert data.split()[:4] == ["data", "127.0.0.1:…", "···▶", f"127.0.0.1:{port}"]
    assert data.endswith("PASV, agreed on: the client dials")
    assert found["user"] == "bob"


def test_somebody_is_sent_away(server: homeport.Server, state: str) -> None:
    with Client(server.host, server.port) as client:
        client.login("bob", "secret")
        done = ask("--state", state, "--kick", "1")
        assert (done.exit_code, done.stdout) == (0, "Session 1 was ended.\n")
        assert client.reply().code == 421
        client.end()
    done = ask("--state", state, "--kick", "7")
    assert done.exit_code == 1
    assert "there is no session 7" in done.output


def test_no_server_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions", "--state", str(tmp_path)]) == 1
    assert f"no server runs with the state directory {tmp_path}. Name its" in capsys.readouterr().err


def test_watching_goes_on_until_it_is_interrupted(
    server: homeport.Server, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    done = ask("--state", state, "--watch", "--json")
    assert done.stdout.splitlines()[:3] == ["[]"] * 3
    assert pauses == [sessions._PAUSE] * 3


# -- how each looks ---------------------------------------------------------------------------

PEER, LOCAL, PUBLIC = ("203.0.113.9", 40213), ("192.168.50.10", 21), ("198.51.100.20", 21)
IDLE = SessionView(
    number=7, peer=PEER, local=PUBLIC, user="bob", client=None, seconds=125.0, busy=False, activity=None,
    transfers=0, octets_in=0, octets_out=0,
)  # fmt: skip
PASSIVE = DataView(
    mode="EPSV", passive=True, made=True, server=("198.51.100.20", 50003), client=("203.0.113.9", 40217), seconds=12.3,
    octets=53_700_000, protected=True,
)  # fmt: skip
VIEWS = {
    "idle": IDLE,
    "not logged in": replace(IDLE, user=None, seconds=0.2),
    "passive": replace(
        IDLE, data=PASSIVE, activity="download of /a\x1b.iso", busy=True, client="FileZilla 3.63",
        tls="TLSv1.3, TLS_AES_256_GCM_SHA384", transfers=3, octets_in=5, octets_out=1_000_000,
    ),
    "active": replace(
        IDLE, activity="upload of /b",
        data=replace(PASSIVE, mode="PORT", passive=False, server=("198.51.100.20", 20), octets=10, protected=False),
    ),
    "waiting": replace(
        IDLE, local=LOCAL, activity="listing of /",
        data=DataView(
            mode="PASV", passive=True, made=False, server=("192.168.50.10", 50003), client=("203.0.113.9", 0),
            announced="198.51.100.20",
        ),
    ),
    "agreed, active": replace(
        IDLE, inside="192.168.1.10",
        data=DataView(
            mode="PORT", passive=False, made=False, server=("198.51.100.20", 0), client=("203.0.113.9", 50100)
        ),
    ),
    "IPv6": replace(IDLE, peer=("2001:db8::9", 40213), local=("2001:db8::20", 21)),
}  # fmt: skip


def told(view: SessionView) -> dict[str, Any]:
    """As it comes from the console."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(view)))
    return found


def test_how_each_looks() -> None:
    text = "".join(f"== {name}\n{render([told(view)])}" for name, view in VIEWS.items())
    golden = Path(__file__).parent / "golden" / "sessions.txt"
    assert text == golden.read_text("utf-8")


def test_several_are_kept_apart() -> None:
    assert render([told(IDLE), told(IDLE)]).count("\n\n") == 1


def test_what_is_seen_of_routers() -> None:
    assert translations(told(IDLE)) == []
    assert translations(told(replace(IDLE, inside="192.168.1.10", local=LOCAL))) == [
        "the client is behind a router: in its own network it is 192.168.1.10",
        "a router before this server translates: 192.168.50.10 is private (RFC 1918)",
    ]
    elsewhere = replace(PASSIVE, client=("203.0.113.99", 40217))
    assert translations(told(replace(IDLE, data=elsewhere))) == [
        "the data connection is with 203.0.113.99, the control connection with 203.0.113.9"
    ]
