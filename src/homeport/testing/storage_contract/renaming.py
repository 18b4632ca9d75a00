"""Names are moved; files are replaced, and directories never."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT
from homeport.storage.base import (
    AccessDenied,
    AlreadyExists,
    NameNotAllowed,
    NotADirectory,
    NotFound,
    Storage,
)

from .content import get, names, path, put


class Renaming:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-RNFR-RNTO")
    def test_rename(self, storage: Storage) -> None:
        put(storage, "/file", b"content")
        storage.make_directory(path("/directory"))
        storage.rename(path("/file"), path("/directory/moved"))
        assert get(storage, "/directory/moved") == b"content"
        storage.rename(path("/directory"), path("/other"))
        assert get(storage, "/other/moved") == b"content"
        assert names(storage) == ["other"]

    def test_rename_replaces_a_file(self, storage: Storage) -> None:
        put(storage, "/new", b"new")
        put(storage, "/old", b"old")
        storage.rename(path("/new"), path("/old"))
        assert (names(storage), get(storage, "/old")) == (["old"], b"new")

    def test_rename_onto_itself(self, storage: Storage) -> None:
        put(storage, "/file", b"content")
        storage.make_directory(path("/directory"))
        for name in ("/file", "/directory"):
            storage.rename(path(name), path(name))
        assert names(storage) == ["directory", "file"]

    def test_rename_never_replaces_a_directory(self, storage: Storage) -> None:
        put(storage, "/file", b"content")
        storage.make_directory(path("/empty"))
        storage.make_directory(path("/directory"))
        for source in ("/file", "/directory"):
            with pytest.raises(AlreadyExists):
                storage.rename(path(source), path("/empty"))
        with pytest.raises(AlreadyExists):
            storage.rename(path("/directory"), path("/file"))
        assert names(storage) == ["directory", "empty", "file"]

    def test_what_cannot_be_renamed(self, storage: Storage) -> None:
        put(storage, "/file", b"content")
        storage.make_directory(path("/directory"))
        with pytest.raises(NotFound):
            storage.rename(path("/nothing"), path("/name"))
        with pytest.raises(NotFound):
            storage.rename(path("/file"), path("/nothing/file"))
        with pytest.raises(NotADirectory):
            storage.rename(path("/directory"), path("/file/name"))
        with pytest.raises(NameNotAllowed):
            storage.rename(path("/directory"), path("/directory/inner"))
        with pytest.raises(NameNotAllowed):
            storage.rename(path("/file"), path("/" + "x" * 300))
        for source, target in ((ROOT, path("/name")), (path("/file"), ROOT)):
            with pytest.raises(AccessDenied):
                storage.rename(source, target)
        assert names(storage) == ["directory", "file"]
