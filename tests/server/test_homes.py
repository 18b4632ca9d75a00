"""One storage for a home, however many are logged in there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport.accounts.model import User
from homeport.protocol.path import ROOT, VirtualPath
from homeport.server.homes import Homes
from homeport.storage.base import Access, NotFound, Storage, StorageError
from homeport.storage.local import LocalStorage


class Place:
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.homes = Homes(self.open)

    def open(self, directory: str) -> Storage:
        self.opened.append(directory)
        return LocalStorage(directory)


def test_it_is_opened_by_the_first_and_closed_by_the_last(tmp_path: Path) -> None:
    place, user = Place(), User("bob", str(tmp_path))
    first, second = place.homes.storage_for(user), place.homes.storage_for(user)
    assert place.opened == [str(tmp_path)]
    first.close()
    first.close()  # twice does nothing
    assert len(place.homes) == 1
    assert list(second.scan(ROOT)) == []
    second.close()
    assert len(place.homes) == 0
    third = place.homes.storage_for(user)
    assert len(place.opened) == 2
    third.close()


def test_homes_are_apart(tmp_path: Path) -> None:
    place = Place()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    a, b = (place.homes.storage_for(User(name, str(tmp_path / name))) for name in ("a", "b"))
    assert [entry.name for entry in a.scan(ROOT)] == ["a"]
    assert [entry.name for entry in b.scan(ROOT)] == ["b"]
    a.close()
    b.close()


def test_a_lease_is_the_storage(tmp_path: Path) -> None:
    place = Place()
    lease = place.homes.storage_for(User("bob", str(tmp_path)))
    old, new, folder = (VirtualPath.parse(text) for text in ("/old", "/new", "/folder"))
    with lease.open_write(old, Access.REPLACE, 0, 0o600) as writer:
        writer.write(memoryview(b"hello"))
        writer.commit()
    assert lease.partial_size(new) is None
    lease.rename(old, new)
    entry = lease.stat(new)
    assert (entry.size, entry.mode) == (5, 0o600)
    lease.set_mode(new, 0o640)
    assert lease.stat(new).mode == 0o640
    assert lease.set_modified(new, 1_000_000_000) == 1_000_000_000
    assert lease.may(entry)[0]
    assert lease.space(new).total > 0
    with lease.open_read(new) as reader:
        assert reader.size == 5
    lease.make_directory(folder, 0o755)
    lease.remove_directory(folder)
    lease.remove_file(new)
    with pytest.raises(NotFound):
        lease.stat(new)
    lease.close()


def test_a_home_that_is_not_there_is_the_login_s_trouble(tmp_path: Path) -> None:
    place = Place()
    with pytest.raises(StorageError):
        place.homes.storage_for(User("bob", str(tmp_path / "missing")))
    assert len(place.homes) == 0


def test_many_at_once(tmp_path: Path) -> None:
    place, user = Place(), User("bob", str(tmp_path))
    together = threading.Barrier(8)

    def come_and_go() -> None:
        together.wait(5)
        for _ in range(50):
            lease = place.homes.storage_for(user)
            lease.stat(ROOT)
            lease.close()

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(place.homes) == 0


class Timed(Place):
    """Homes that stay open until `pass_time`."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[Callable[[], None]] = []
        self.homes.later = lambda seconds, action: self.timers.append(action)

    def pass_time(self) -> None:
        timers, self.timers = self.timers, []
        for action in timers:
            action()


def test_a_home_stays_open_for_a_while(tmp_path: Path) -> None:
    place, user = Timed(), User("bob", str(tmp_path))
    for _ in range(3):
        place.homes.storage_for(user).close()
    assert len(place.opened) == 1
    assert len(place.timers) == 1
    place.pass_time()  # it was used since the first one left
    assert len(place.homes) == 1
    place.homes.storage_for(user).close()
    place.pass_time()
    assert len(place.homes) == 1
    place.pass_time()
    assert len(place.homes) == 0
    assert not place.timers


def test_one_that_is_in_use_is_not_closed(tmp_path: Path) -> None:
    place, user = Timed(), User("bob", str(tmp_path))
    place.homes.storage_for(user).close()
    lease = place.homes.storage_for(user)
    place.pass_time()
    assert list(lease.scan(ROOT)) == []
    lease.close()
    place.pass_time()
    place.pass_time()
    assert len(place.homes) == 0


def test_a_new_directory_of_that_name_is_a_new_home(tmp_path: Path) -> None:
    place, user = Timed(), User("bob", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    first = place.homes.storage_for(user)
    (tmp_path / "home").rename(tmp_path / "old")
    (tmp_path / "old" / "old").touch()
    (tmp_path / "home").mkdir()
    second = place.homes.storage_for(user)
    assert [entry.name for entry in first.scan(ROOT)] == ["old"]
    assert [entry.name for entry in second.scan(ROOT)] == []
    first.close()
    second.close()
    (tmp_path / "home").rmdir()
    with pytest.raises(NotFound):
        place.homes.storage_for(user)
    place.pass_time()
    assert len(place.homes) == 0


def test_what_nobody_uses_is_closed_at_the_end_and_the_rest_by_its_last_user(tmp_path: Path) -> None:
    place = Timed()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    a, b = (place.homes.storage_for(User(name, str(tmp_path / name))) for name in ("a", "b"))
    a.close()
    place.homes.close()
    assert len(place.homes) == 1
    b.close()
    assert len(place.homes) == 0
    place.pass_time()  # what was to be looked at is gone
