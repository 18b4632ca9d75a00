"""What an upload that broke off had brought, and how another goes on from it."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.storage.base import (
    Access,
    BadOffset,
    NotFound,
    Storage,
)

from .content import get, leave, names, path, put


class Kept:
    """A part of StorageContract."""

    def test_kept_data_are_seen_only_as_a_size(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        assert storage.partial_size(path("/file")) == 7
        assert names(storage) == []
        for ask in (storage.stat, storage.open_read):
            with pytest.raises(NotFound):
                ask(path("/file"))

    @pytest.mark.standard("3659-5.3-STOR", "3659-5.3-APPE", "959-4.1.3-APPE")
    @pytest.mark.parametrize(
        ("access", "offset", "begins"),
        [
            (Access.APPEND, 0, 7),
            (Access.APPEND, 7, 7),
            (Access.APPEND, 3, 3),
            (Access.REPLACE, 7, 7),
            (Access.REPLACE, 3, 3),
            (Access.REPLACE, 0, 0),
        ],
    )
    def test_going_on_from_kept_data(self, storage: Storage, access: Access, offset: int, begins: int) -> None:
        leave(storage, "/file", b"0123456")
        with storage.open_write(path("/file"), access, offset) as writer:
            assert writer.position == begins
            writer.write(memoryview(b"rest"))
            with pytest.raises(NotFound):
                storage.stat(path("/file"))
            writer.commit()
        assert get(storage, "/file") == b"0123456"[:begins] + b"rest"
        assert storage.partial_size(path("/file")) is None

    def test_going_on_several_times(self, storage: Storage) -> None:
        leave(storage, "/file", b"012")
        leave(storage, "/file", b"345", Access.APPEND)
        assert storage.partial_size(path("/file")) == 6
        leave(storage, "/file", b"678", Access.REPLACE, 6)
        put(storage, "/file", b"9", Access.REPLACE, 9)
        assert get(storage, "/file") == b"0123456789"

    def test_an_abort_gives_kept_data_back(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        with storage.open_write(path("/file"), Access.APPEND) as writer:
            writer.write(memoryview(b"more"))
            writer.abort(keep=False)
        assert storage.partial_size(path("/file")) == 7

    def test_an_upload_from_the_start_that_is_not_kept_spares_kept_data(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        storage.open_write(path("/file"), Access.REPLACE).abort(keep=False)
        assert storage.partial_size(path("/file")) == 7

    def test_only_one_goes_on_from_kept_data(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        with storage.open_write(path("/file"), Access.REPLACE, 7):
            assert storage.partial_size(path("/file")) is None
            with pytest.raises(BadOffset):
                storage.open_write(path("/file"), Access.REPLACE, 7)
        assert storage.partial_size(path("/file")) == 7

    def test_kept_data_beyond_their_end(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.APPEND, 8)
        assert storage.partial_size(path("/file")) == 7

    def test_nothing_written_is_nothing_kept(self, storage: Storage) -> None:
        leave(storage, "/file", b"")
        assert storage.partial_size(path("/file")) is None

    def test_a_whole_upload_ends_kept_data(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        put(storage, "/file", b"whole")
        storage.remove_file(path("/file"))
        assert storage.partial_size(path("/file")) is None

    def test_kept_data_of_a_name_that_got_a_file(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        put(storage, "/other", b"other")
        storage.rename(path("/other"), path("/file"))
        assert storage.partial_size(path("/file")) is None
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.REPLACE, 7)
        storage.remove_file(path("/file"))
        assert storage.partial_size(path("/file")) is None

    def test_removing_a_name_ends_its_kept_data(self, storage: Storage) -> None:
        leave(storage, "/file", b"0123456")
        storage.remove_file(path("/file"))
        assert storage.partial_size(path("/file")) is None
        with pytest.raises(NotFound):
            storage.remove_file(path("/file"))

    @pytest.mark.parametrize("length", [120, 200, 255])
    def test_kept_data_of_a_long_name(self, storage: Storage, length: int) -> None:
        name, other = "/" + "x" * length, "/" + "x" * (length - 1) + "y"
        leave(storage, name, b"0123")
        assert (storage.partial_size(path(name)), storage.partial_size(path(other))) == (4, None)
        put(storage, name, b"4567", Access.APPEND)
        put(storage, other, b"new", Access.CREATE)
        assert (get(storage, name), get(storage, other)) == (b"01234567", b"new")

    @pytest.mark.parametrize("where", ["/", "/nothing/file", "/file/file", "/directory"])
    def test_no_kept_data(self, storage: Storage, where: str) -> None:
        storage.make_directory(path("/directory"))
        put(storage, "/file", b"")
        assert storage.partial_size(path(where)) is None
