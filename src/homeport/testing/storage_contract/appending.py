"""At the end of a file, or inside of it: the file that is there goes on."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.storage.base import (
    Access,
    BadOffset,
    Busy,
    Storage,
)

from .content import get, leave, names, path, put


class Appending:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-APPE")
    def test_append(self, storage: Storage) -> None:
        put(storage, "/file", b"one ", Access.APPEND)
        put(storage, "/file", b"two ", Access.APPEND)
        put(storage, "/file", b"three", Access.APPEND)
        assert get(storage, "/file") == b"one two three"

    def test_an_aborted_append_leaves_the_file(self, storage: Storage) -> None:
        put(storage, "/file", b"old")
        with storage.open_write(path("/file"), Access.APPEND) as writer:
            writer.write(memoryview(b" and more"))
            writer.abort(keep=False)
        assert get(storage, "/file") == b"old"

    def test_a_kept_append_goes_on(self, storage: Storage) -> None:
        put(storage, "/file", b"0123")
        leave(storage, "/file", b"45", Access.APPEND)
        assert storage.stat(path("/file")).size == 6
        put(storage, "/file", b"6789", Access.REPLACE, 6)
        assert get(storage, "/file") == b"0123456789"

    def test_two_at_the_end_of_one_file(self, storage: Storage) -> None:
        put(storage, "/file", b"old")
        with storage.open_write(path("/file"), Access.APPEND) as first:
            with pytest.raises(Busy):
                storage.open_write(path("/file"), Access.APPEND)
            first.write(memoryview(b" first"))
            first.commit()
        put(storage, "/file", b" second", Access.APPEND)
        assert get(storage, "/file") == b"old first second"

    @pytest.mark.standard("3659-5.3-STOR")
    @pytest.mark.parametrize("access", [Access.REPLACE, Access.APPEND])
    @pytest.mark.parametrize("offset", [1, 5, 9, 10])
    def test_replacing_from_an_offset(self, storage: Storage, access: Access, offset: int) -> None:
        put(storage, "/file", b"0123456789")
        with storage.open_write(path("/file"), access, offset) as writer:
            writer.write(memoryview(b"abc"))
            if offset < 10:
                assert get(storage, "/file") == b"0123456789"  # nobody sees a half change
            writer.commit()
        assert get(storage, "/file") == b"0123456789"[:offset] + b"abc"

    @pytest.mark.standard("3659-5.3-STOR")
    @pytest.mark.parametrize("keep", [False, True])
    def test_an_abort_in_the_middle_leaves_the_file(self, storage: Storage, keep: bool) -> None:
        put(storage, "/file", b"0123456789")
        with storage.open_write(path("/file"), Access.REPLACE, 5) as writer:
            writer.write(memoryview(b"abc"))
            writer.abort(keep=keep)
        assert get(storage, "/file") == b"0123456789"

    @pytest.mark.standard("1123-4.1.3.4-554", "3659-5.3-LATE")
    @pytest.mark.parametrize("access", [Access.REPLACE, Access.APPEND])
    def test_an_offset_beyond_the_end(self, storage: Storage, access: Access) -> None:
        put(storage, "/file", b"0123456789")
        for name in ("/file", "/nothing"):
            with pytest.raises(BadOffset):
                storage.open_write(path(name), access, 11)
        assert names(storage) == ["file"]

    @pytest.mark.standard("3659-5.3-APPE")
    def test_append_with_an_offset_is_replace(self, storage: Storage) -> None:
        put(storage, "/file", b"0123456789")
        put(storage, "/file", b"abc", Access.APPEND, 2)
        assert get(storage, "/file") == b"01abc"
