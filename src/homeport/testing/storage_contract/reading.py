"""What is read: whole, at an offset, and while the name gets another content."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT
from homeport.storage.base import (
    IsADirectory,
    Kind,
    NotADirectory,
    NotFound,
    Storage,
)

from .content import get, path, put


class Reading:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-RETR")
    def test_what_was_written_is_read(self, storage: Storage) -> None:
        content = bytes(range(256)) * 300
        put(storage, "/file", content)
        entry = storage.stat(path("/file"))
        assert get(storage, "/file") == content
        assert (entry.name, entry.kind, entry.size, entry.target) == ("file", Kind.FILE, len(content), None)

    @pytest.mark.standard("3659-5.3-RETR-END")
    def test_reading_at_an_offset(self, storage: Storage) -> None:
        put(storage, "/file", b"0123456789")
        assert get(storage, "/file", 4) == b"456789"
        assert get(storage, "/file", 10) == b""
        assert get(storage, "/file", 1 << 40) == b""

    def test_a_reader_knows_the_size_and_closes_twice(self, storage: Storage) -> None:
        put(storage, "/file", b"0123456789")
        reader = storage.open_read(path("/file"))
        assert reader.size == 10
        reader.close()
        reader.close()

    def test_a_reader_keeps_its_file_when_the_name_gets_another(self, storage: Storage) -> None:
        put(storage, "/file", b"old old old")
        with storage.open_read(path("/file")) as reader:
            put(storage, "/file", b"new")
            buffer = memoryview(bytearray(100))
            assert bytes(buffer[: reader.read_into(buffer, 0)]) == b"old old old"

    @pytest.mark.standard("959-4.1.3-RETR-DIR")
    def test_what_cannot_be_read(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        put(storage, "/file", b"")
        with pytest.raises(IsADirectory):
            storage.open_read(path("/directory"))
        with pytest.raises(IsADirectory):
            storage.open_read(ROOT)
        with pytest.raises(NotFound):
            storage.open_read(path("/nothing"))
        with pytest.raises(NotFound):
            storage.open_read(path("/nothing/below"))
        with pytest.raises(NotADirectory):
            storage.open_read(path("/file/below"))

    def test_an_error_names_the_clients_path(self, storage: Storage) -> None:
        with pytest.raises(NotFound) as caught:
            storage.stat(path("/a/b"))
        assert caught.value.path == path("/a/b")
