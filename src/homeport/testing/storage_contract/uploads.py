"""Uploads are transactions: seen whole or not at all, and the old file stays until then."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import threading

import pytest

from homeport.protocol.path import ROOT
from homeport.storage.base import (
    Access,
    AlreadyExists,
    InputOutputError,
    IsADirectory,
    Kind,
    NameNotAllowed,
    NotADirectory,
    NotFound,
    Storage,
)

from .content import get, names, path, put


class Uploads:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-STOR")
    def test_an_upload_replaces_and_leaves_no_old_tail(self, storage: Storage) -> None:
        put(storage, "/file", b"a long old content")
        put(storage, "/file", b"new")
        assert get(storage, "/file") == b"new"
        assert names(storage) == ["file"]

    def test_nobody_sees_an_upload_before_its_commit(self, storage: Storage) -> None:
        put(storage, "/old", b"old")
        with (
            storage.open_write(path("/new"), Access.REPLACE) as new,
            storage.open_write(path("/old"), Access.REPLACE) as replacing,
        ):
            new.write(memoryview(b"half"))
            replacing.write(memoryview(b"half"))
            assert names(storage) == ["old"]
            assert get(storage, "/old") == b"old"
            with pytest.raises(NotFound):
                storage.stat(path("/new"))
            new.commit()
            replacing.commit()
        assert (get(storage, "/new"), get(storage, "/old")) == (b"half", b"half")

    @pytest.mark.parametrize("keep", [False, True])
    def test_an_abort_leaves_the_old_file(self, storage: Storage, keep: bool) -> None:
        put(storage, "/file", b"old")
        with storage.open_write(path("/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"new content"))
            writer.abort(keep=keep)
        assert get(storage, "/file") == b"old"
        assert storage.partial_size(path("/file")) is None

    def test_leaving_without_a_word_aborts(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"data"))
        assert names(storage) == []
        assert storage.partial_size(path("/file")) is None

    def test_an_upload_ends_once(self, storage: Storage) -> None:
        writer = storage.open_write(path("/file"), Access.REPLACE)
        writer.write(memoryview(b"data"))
        writer.commit()
        writer.abort(keep=False)
        with pytest.raises(InputOutputError):
            writer.commit()
        with pytest.raises(InputOutputError):
            writer.write(memoryview(b"more"))
        assert get(storage, "/file") == b"data"

    def test_an_empty_file(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.REPLACE) as writer:
            writer.commit()
        assert storage.stat(path("/file")).size == 0

    def test_position_counts_from_the_start_of_the_file(self, storage: Storage) -> None:
        put(storage, "/file", b"0123456789")
        for access, offset, begins in ((Access.REPLACE, 0, 0), (Access.APPEND, 0, 10), (Access.REPLACE, 4, 4)):
            with storage.open_write(path("/file"), access, offset) as writer:
                assert writer.position == begins
                writer.write(memoryview(b"abc"))
                assert writer.position == begins + 3
        assert get(storage, "/file") == b"0123456789"

    def test_where_nothing_can_be_uploaded(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        put(storage, "/file", b"")
        for access in Access:
            with pytest.raises((IsADirectory, AlreadyExists)):
                storage.open_write(path("/directory"), access)
            with pytest.raises(IsADirectory):
                storage.open_write(ROOT, access)
            with pytest.raises(NotFound):
                storage.open_write(path("/nothing/file"), access)
            with pytest.raises(NotADirectory):
                storage.open_write(path("/file/file"), access)

    @pytest.mark.parametrize("access", list(Access))
    def test_a_name_that_is_too_long(self, storage: Storage, access: Access) -> None:
        with pytest.raises(NameNotAllowed):
            storage.open_write(path("/" + "x" * 300), access).commit()
        assert names(storage) == []

    def test_the_directory_goes_before_the_commit(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        with storage.open_write(path("/directory/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"data"))
            storage.remove_directory(path("/directory"))
            with pytest.raises(NotFound):
                writer.commit()
        assert names(storage) == []

    def test_a_directory_takes_the_name_before_the_commit(self, storage: Storage) -> None:
        with storage.open_write(path("/name"), Access.REPLACE) as writer:
            writer.write(memoryview(b"data"))
            storage.make_directory(path("/name"))
            with pytest.raises(IsADirectory):
                writer.commit()
        assert storage.stat(path("/name")).kind is Kind.DIRECTORY

    def test_two_uploads_to_one_name(self, storage: Storage) -> None:
        first = storage.open_write(path("/file"), Access.REPLACE)
        second = storage.open_write(path("/file"), Access.REPLACE)
        for _ in range(10):
            first.write(memoryview(b"1" * 1000))
            second.write(memoryview(b"2" * 900))
        second.commit()
        assert get(storage, "/file") == b"2" * 9000
        first.commit()
        assert get(storage, "/file") == b"1" * 10000
        assert names(storage) == ["file"]

    def test_many_uploads_to_one_name_from_many_threads(self, storage: Storage) -> None:
        contents = [bytes([65 + number]) * (5000 + number) for number in range(8)]

        def upload(content: bytes) -> None:
            for _ in range(10):
                put(storage, "/file", content)
                assert get(storage, "/file") in contents

        threads = [threading.Thread(target=upload, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert get(storage, "/file") in contents
        assert names(storage) == ["file"]
