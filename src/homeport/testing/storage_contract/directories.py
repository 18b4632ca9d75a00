"""Directories come and go, and files go."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT
from homeport.storage.base import (
    AccessDenied,
    AlreadyExists,
    DirectoryNotEmpty,
    IsADirectory,
    Kind,
    NameNotAllowed,
    NotADirectory,
    NotFound,
    Storage,
)

from .content import leave, names, path, put


class Directories:
    """A part of StorageContract."""

    @pytest.mark.standard("959-4.1.3-MKD", "959-4.1.3-RMD")
    def test_directories(self, storage: Storage) -> None:
        storage.make_directory(path("/a"))
        storage.make_directory(path("/a/b"))
        assert storage.stat(path("/a/b")).kind is Kind.DIRECTORY
        with pytest.raises(DirectoryNotEmpty):
            storage.remove_directory(path("/a"))
        storage.remove_directory(path("/a/b"))
        storage.remove_directory(path("/a"))
        with pytest.raises(NotFound):
            storage.stat(path("/a"))

    def test_directories_that_cannot_be_made(self, storage: Storage) -> None:
        put(storage, "/file", b"")
        storage.make_directory(path("/directory"))
        for taken in ("/file", "/directory", "/"):
            with pytest.raises(AlreadyExists):
                storage.make_directory(path(taken))
        with pytest.raises(NotFound):
            storage.make_directory(path("/nothing/directory"))
        with pytest.raises(NotADirectory):
            storage.make_directory(path("/file/directory"))
        with pytest.raises(NameNotAllowed):
            storage.make_directory(path("/" + "x" * 300))

    def test_directories_that_cannot_be_removed(self, storage: Storage) -> None:
        put(storage, "/file", b"")
        with pytest.raises(AccessDenied):
            storage.remove_directory(ROOT)
        with pytest.raises(NotADirectory):
            storage.remove_directory(path("/file"))
        with pytest.raises(NotFound):
            storage.remove_directory(path("/nothing"))

    def test_a_directory_with_nothing_but_kept_data_is_empty(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        leave(storage, "/directory/file", b"0123")
        assert names(storage, "/directory") == []
        storage.remove_directory(path("/directory"))
        assert names(storage) == []

    @pytest.mark.standard("959-4.1.3-DELE")
    def test_files_are_removed_and_directories_are_not(self, storage: Storage) -> None:
        put(storage, "/file", b"")
        storage.make_directory(path("/directory"))
        storage.remove_file(path("/file"))
        with pytest.raises(NotFound):
            storage.remove_file(path("/file"))
        for directory in ("/directory", "/"):
            with pytest.raises(IsADirectory):
                storage.remove_file(path(directory))
