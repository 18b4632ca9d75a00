"""Names that nobody has: an upload that never replaces (Access.CREATE)."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import contextlib
import threading

import pytest

from homeport.storage.base import (
    Access,
    AlreadyExists,
    BadOffset,
    Storage,
)

from .content import get, names, path, put


class Creating:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-STOU")
    def test_create_never_replaces(self, storage: Storage) -> None:
        put(storage, "/file", b"old")
        storage.make_directory(path("/directory"))
        for name in ("/file", "/directory"):
            with pytest.raises(AlreadyExists):
                storage.open_write(path(name), Access.CREATE)
        put(storage, "/new", b"new", Access.CREATE)
        assert (get(storage, "/file"), get(storage, "/new")) == (b"old", b"new")

    @pytest.mark.standard("959-4.1.3-STOU")
    def test_create_holds_its_name_from_the_beginning(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.CREATE) as first:
            with pytest.raises(AlreadyExists):
                storage.open_write(path("/file"), Access.CREATE)
            assert names(storage) == []
            first.write(memoryview(b"first"))
            first.commit()
        assert get(storage, "/file") == b"first"

    def test_create_gives_its_name_back(self, storage: Storage) -> None:
        storage.open_write(path("/file"), Access.CREATE).abort(keep=False)
        put(storage, "/file", b"second", Access.CREATE)
        assert get(storage, "/file") == b"second"

    def test_create_does_not_replace_what_came_meanwhile(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.CREATE) as writer:
            writer.write(memoryview(b"created"))
            put(storage, "/file", b"stored meanwhile")
            with pytest.raises(AlreadyExists):
                writer.commit()
        assert get(storage, "/file") == b"stored meanwhile"
        assert names(storage) == ["file"]

    def test_create_has_an_offset_only_in_what_was_kept(self, storage: Storage) -> None:
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.CREATE, 1)
        with storage.open_write(path("/file"), Access.CREATE) as writer:
            writer.write(memoryview(b"kept"))
            writer.abort(keep=True)
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.CREATE, 5)
        with storage.open_write(path("/file"), Access.CREATE, 3) as writer:
            writer.write(memoryview(b"new"))
            writer.commit()
        assert get(storage, "/file") == b"kepnew"
        with pytest.raises(AlreadyExists):
            storage.open_write(path("/file"), Access.CREATE, 1)

    def test_create_that_goes_on_does_not_replace_what_came_meanwhile(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.CREATE) as writer:
            writer.write(memoryview(b"kept"))
            writer.abort(keep=True)
        with storage.open_write(path("/file"), Access.CREATE, 4) as writer:
            put(storage, "/file", b"stored meanwhile")
            with pytest.raises(AlreadyExists):
                writer.commit()
        assert get(storage, "/file") == b"stored meanwhile"
        assert names(storage) == ["file"]

    @pytest.mark.standard("959-4.1.3-STOU")
    def test_one_of_many_creates_one_name(self, storage: Storage) -> None:
        won: list[int] = []
        failed: list[BaseException] = []
        gate = threading.Barrier(6, timeout=30)

        def create(number: int) -> None:
            try:
                for turn in range(20):
                    gate.wait()
                    with contextlib.suppress(AlreadyExists):
                        put(storage, f"/new{turn}", b"%d" % number, Access.CREATE)
                        won.append(turn)
            except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
                failed.append(error)
                gate.abort()

        threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert sorted(won) == list(range(20))
