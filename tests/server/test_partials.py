from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import homeport
from homeport.accounts.database import Database
from homeport.accounts.model import User
from homeport.accounts.passwords import plain
from homeport.events.bus import Bus
from homeport.events.types import Event, PartialsRemoved
from homeport.net.background import Stopped
from homeport.server import partials
from homeport.server.config import Config
from homeport.server.partials import DAY, FIRST, PartialSweep, outermost, partial_sweep
from homeport.session.services import Clock

NOW = time.time()


class Days:
    """A patience in which each wait for a day is over at once, for so many days."""

    def __init__(self, days: int) -> None:
        self._left = days

    def now(self) -> float:
        return 0.0

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> list[int]:
        if seconds == FIRST:
            return []
        assert seconds == DAY
        self._left -= 1
        if not self._left:
            raise Stopped
        return []


def old(home: Path, name: str = "file", *, days: float = 8) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    kept = home / f".homeport-partial-{name}"
    kept.write_bytes(b"half")
    os.utime(kept, (NOW - days * DAY, NOW - days * DAY))
    return kept


def run(homes: Sequence[Path], days: int, rounds: int = 1, shut: Sequence[str] = ()) -> list[Event]:
    events: list[Event] = []
    bus = Bus()
    bus.subscribe(events.append)
    work = PartialSweep(lambda: map(os.fspath, homes), days, shut, bus, Clock(time=lambda: NOW))
    with pytest.raises(Stopped):
        work.run(Days(rounds))
    return events


def test_all_homes_are_looked_through_and_the_log_hears_of_it(tmp_path: Path) -> None:
    one, other = old(tmp_path / "bob"), old(tmp_path / "eve", days=6)
    events = run([tmp_path / "bob", tmp_path / "eve", tmp_path / "missing"], 7)
    assert not one.exists()
    assert other.exists()
    assert events == [PartialsRemoved(at=NOW, directory=os.path.realpath(tmp_path / "bob"), files=1, octets=4, days=7)]


def test_it_comes_again_every_day_and_asks_anew_whose_homes_there_are(tmp_path: Path) -> None:
    homes = [tmp_path / "bob"]
    old(homes[0])

    class Later(Days):
        def wait(self, descriptors: Sequence[int], seconds: float | None) -> list[int]:
            super().wait(descriptors, seconds)
            if seconds == DAY:
                homes.append(tmp_path / "eve")
                old(homes[1])
            return []

    work = PartialSweep(lambda: map(os.fspath, homes), 7, (), Bus(), Clock())
    with pytest.raises(Stopped):
        work.run(Later(2))
    assert not list((tmp_path / "eve").iterdir())


def test_a_home_within_another_is_looked_through_once(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    names = ("a/b", "a", "ab", "link", "link/b", "a/b/..")
    real = os.path.realpath(tmp_path)
    assert outermost(os.path.join(tmp_path, name) for name in names) == [f"{real}/a", f"{real}/ab"]
    assert outermost(["/nothing/here/at/all", "/nothing/here"]) == ["/nothing/here", "/nothing/here/at/all"]


def test_zero_days_are_never() -> None:
    config = Config.model_validate({"uploads": {"partial_days": 0}})
    assert partial_sweep(config, None, (), Bus(), Clock()) is None


def test_a_server_does_it_for_every_kind_of_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "FIRST", 0.0)
    homes = {name: tmp_path / name for name in ("configured", "stored", "anonymous")}
    kept = [old(home) for home in homes.values()]
    (tmp_path / "state").mkdir()
    database = Database(os.fspath(tmp_path / "state/users.sqlite"))
    database.add(User("stored", os.fspath(homes["stored"])), plain("secret"))
    database.close()
    config = homeport.Config.model_validate({
        "listen": {"addresses": ["127.0.0.1"], "port": 0},
        "data": {"passive_ports": "any"},
        "server": {"state": os.fspath(tmp_path / "state")},
        "users": [{"name": "configured", "password": "plain:secret", "home": os.fspath(homes["configured"])}],
        "anonymous": {"enabled": True, "home": os.fspath(homes["anonymous"])},
        "log": {"console": False},
    })  # fmt: skip
    with homeport.Server(config=config):
        until = time.monotonic() + 10
        while any(path.exists() for path in kept):
            assert time.monotonic() < until
            time.sleep(0.01)
