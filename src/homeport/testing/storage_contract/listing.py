"""Directories are scanned, and what an entry tells."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT
from homeport.storage.base import (
    Kind,
    NotADirectory,
    NotFound,
    Storage,
)

from .content import get, names, path, put


class Listing:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-LIST-DIR")
    def test_scan_tells_what_stat_tells(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        put(storage, "/directory/inner", b"123")
        put(storage, "/file", b"12345")
        entries = {entry.name: entry for entry in storage.scan(ROOT)}
        assert set(entries) == {"directory", "file"}
        for name, entry in entries.items():
            assert entry == storage.stat(path("/" + name))
        assert entries["directory"].kind is Kind.DIRECTORY
        assert entries["file"].size == 5

    def test_scan_refuses_before_the_first_entry(self, storage: Storage) -> None:
        put(storage, "/file", b"")
        with pytest.raises(NotFound):
            storage.scan(path("/nothing"))
        with pytest.raises(NotADirectory):
            storage.scan(path("/file"))

    def test_is_empty(self, storage: Storage) -> None:
        storage.make_directory(path("/folder"))
        assert storage.is_empty(path("/folder"))
        put(storage, "/folder/file", b"")
        assert not storage.is_empty(path("/folder"))
        with pytest.raises(NotFound):
            storage.is_empty(path("/nothing"))
        with pytest.raises(NotADirectory):
            storage.is_empty(path("/folder/file"))

    @pytest.mark.parametrize("taken", [0, 1, 3])
    def test_scan_can_be_closed_early(self, storage: Storage, taken: int) -> None:
        for number in range(3):
            put(storage, f"/file{number}", b"")
        entries = storage.scan(ROOT)
        for _ in range(taken):
            next(entries)
        entries.close()  # type: ignore[attr-defined]  # the contract promises more than Iterator says
        assert list(entries) == []

    def test_scan_while_entries_vanish(self, storage: Storage) -> None:
        for number in range(50):
            put(storage, f"/file{number}", b"")
        entries = storage.scan(ROOT)
        seen = [next(entries).name]
        for number in range(50):
            storage.remove_file(path(f"/file{number}"))
        seen += [entry.name for entry in entries]
        assert len(set(seen)) == len(seen) <= 50

    @pytest.mark.standard("3659-7.5.2-UNIQUE")
    def test_unique(self, storage: Storage) -> None:
        put(storage, "/one", b"same")
        put(storage, "/two", b"same")
        storage.make_directory(path("/directory"))
        tokens = [entry.unique for entry in storage.scan(ROOT)]
        assert len(set(tokens)) == 3
        assert all(token and token.isascii() and token.isalnum() for token in tokens)
        before = storage.stat(path("/one")).unique
        storage.rename(path("/one"), path("/directory/moved"))
        assert storage.stat(path("/directory/moved")).unique == before

    @pytest.mark.parametrize(
        "name",
        [
            " ",
            " a",
            "a ",
            "...",
            "..a",
            "-rf",
            "a\\b",
            'a"b',
            "a\tb",
            "a\rb",
            "*",
            "?[a]",
            "ä€𐍈",
            "\udcff\udc80",
            "~",
            "|",
        ],
    )
    def test_awkward_names(self, storage: Storage, name: str) -> None:
        where = path("/" + name)
        put(storage, "/" + name, b"content")
        assert where.name == name
        assert get(storage, "/" + name) == b"content"
        assert names(storage) == [name]
        assert storage.stat(where).name == name
        storage.rename(where, path("/other"))
        storage.rename(path("/other"), where)
        storage.remove_file(where)
        storage.make_directory(where)
        put(storage, f"/{name}/{name}", b"deep")
        assert get(storage, f"/{name}/{name}") == b"deep"
