from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport.protocol.path import VirtualPath
from homeport.storage.base import Access
from homeport.storage.bypath import PathRoot
from homeport.storage.local import LocalStorage
from homeport.storage.own import is_partial
from homeport.storage.partials import PAUSE_AFTER, Removed, remove_old

DAY = 86400.0
WEEK_AGO = time.time() - 7 * DAY


def keep(home: Path, name: str, content: bytes = b"half", *, days: float = 8.0) -> Path:
    """An upload of *name* broke off, so many *days* ago; where its data are."""
    storage = LocalStorage(os.fspath(home))
    before = set(home.rglob("*"))
    with storage.open_write(VirtualPath("/" + name), Access.REPLACE) as writer:
        writer.write(memoryview(content))
        writer.abort(keep=True)
    storage.close()
    (kept,) = set(home.rglob("*")) - before
    assert is_partial(os.fsencode(kept.name))
    then = time.time() - days * DAY
    os.utime(kept, (then, then))
    return kept


def sweep(home: Path, shut: tuple[str, ...] = ()) -> Removed:
    return remove_old(os.fspath(home), WEEK_AGO, lambda: None, shut=shut)


def in_this_moment(monkeypatch: pytest.MonkeyPatch, call: str, what: Callable[[], object]) -> None:
    """Let *what* happen right behind the next system call *call*."""
    module, name = call.split(".")
    pytest.importorskip(module)
    real: Callable[..., object] = getattr(sys.modules[module], name)

    def overtaken(*arguments: object, **named: object) -> None:
        real(*arguments, **named)
        monkeypatch.setattr(call, real)
        what()

    monkeypatch.setattr(call, overtaken)


def test_what_is_old_goes_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    old = [keep(tmp_path, "a", b"12345"), keep(tmp_path, "deep/er/b"), keep(tmp_path, "deep/" + "long" * 50)]
    young = keep(tmp_path, "young", days=6.9)
    others = [tmp_path / "file", tmp_path / ".homeport-notes", tmp_path / "deep/.homeport-upload-0123456789abcdef"]
    for other in others:
        other.write_bytes(b"x")
        os.utime(other, (0, 0))
    assert sweep(tmp_path) == Removed(3, 13)
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (young, *others))
    assert sweep(tmp_path) == Removed()


def test_the_age_is_that_of_the_last_octets(tmp_path: Path) -> None:
    kept = keep(tmp_path, "file")
    storage = LocalStorage(os.fspath(tmp_path))
    with storage.open_write(VirtualPath("/file"), Access.APPEND) as writer:
        writer.write(memoryview(b"more"))
        writer.abort(keep=True)
    storage.close()
    assert sweep(tmp_path) == Removed()
    assert kept.read_bytes() == b"halfmore"


def test_an_upload_that_goes_on_is_not_disturbed(tmp_path: Path) -> None:
    keep(tmp_path, "file")
    storage = LocalStorage(os.fspath(tmp_path))
    with storage.open_write(VirtualPath("/file"), Access.APPEND) as writer:
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
        assert sweep(tmp_path) == Removed()
        writer.write(memoryview(b"more"))
        writer.commit()
    storage.close()
    assert (tmp_path / "file").read_bytes() == b"halfmore"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_an_upload_took_in_this_moment_stays_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upload renames between the look and the removal: it was first."""
    kept = keep(tmp_path, "file")
    in_this_moment(monkeypatch, "fcntl.flock", lambda: kept.rename(tmp_path / "taken"))
    assert sweep(tmp_path) == Removed()
    assert (tmp_path / "taken").read_bytes() == b"half"


@pytest.mark.parametrize("third", [False, True])
def test_what_was_kept_in_this_moment_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, third: bool) -> None:
    """Another upload of the name breaks off between the look and the removal, and perhaps one more."""
    kept = keep(tmp_path, "file")

    def replace() -> None:
        kept.unlink()
        kept.write_bytes(b"new")

    in_this_moment(monkeypatch, "fcntl.flock", replace)
    if third:
        in_this_moment(monkeypatch, "os.rename", lambda: kept.write_bytes(b"newest"))
    assert sweep(tmp_path) == Removed()
    assert kept.read_bytes() == (b"newest" if third else b"new")
    assert list(tmp_path.iterdir()) == [kept]


def test_who_holds_the_lock_keeps_it(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    kept = keep(tmp_path, "file")
    with kept.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep(tmp_path) == Removed()
    assert sweep(tmp_path) == Removed(1, 4)


def test_links_are_not_followed_and_what_is_no_file_stays(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    outside.mkdir()
    target = keep(outside, "file")
    (home / "link").symlink_to(outside)
    (home / ".homeport-partial-link").symlink_to(target)
    (home / ".homeport-partial-directory").mkdir()
    (home / "round").symlink_to(home)
    assert sweep(home) == Removed()
    assert target.exists()
    assert (home / ".homeport-partial-link").is_symlink()


def test_shut_places_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    kept = keep(tmp_path, "state/file")
    assert sweep(tmp_path, (os.fspath(tmp_path / "state"),)) == Removed()
    assert kept.exists()
    with pytest.raises(PermissionError):
        sweep(tmp_path / "state", (os.fspath(tmp_path),))


def test_it_pauses_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    for number in range(PAUSE_AFTER + 1):
        (tmp_path / f"{number}").touch()
    pauses: list[None] = []
    remove_old(os.fspath(tmp_path), WEEK_AGO, lambda: pauses.append(None))
    assert len(pauses) == 1

    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough

    with pytest.raises(Enough):
        remove_old(os.fspath(tmp_path), WEEK_AGO, stop)


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sweep(tmp_path / "nothing")


def test_where_nothing_opens_relative_to_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    old, young = keep(tmp_path, "deep/old"), keep(tmp_path, "deep/young", days=1)
    monkeypatch.setattr("homeport.storage.closed.open_root", PathRoot)
    assert sweep(tmp_path) == Removed(1, 4)
    assert not old.exists()
    assert young.exists()
