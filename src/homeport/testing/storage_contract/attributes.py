"""Times, modes and rights, and what is asked of the root."""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT, VirtualPath
from homeport.storage.base import (
    Access,
    Kind,
    NameNotAllowed,
    NotFound,
    Storage,
    StorageError,
)

from .content import SECOND, path, put


class Attributes:
    """A part of StorageContract."""

    @pytest.mark.parametrize("seconds", [-86_400, 0, 1_700_000_000, 4_102_444_800, 2**33])
    def test_times_before_1970_and_after_2038(self, storage: Storage, seconds: int) -> None:
        put(storage, "/file", b"")
        kept = storage.set_modified(path("/file"), seconds * SECOND + 123_000_000)
        assert abs(kept - (seconds * SECOND + 123_000_000)) <= 2 * SECOND  # FAT counts in pairs
        assert storage.stat(path("/file")).modified_ns == kept

    def test_the_time_of_a_directory(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        kept = storage.set_modified(path("/directory"), 1_000_000_000 * SECOND)
        assert storage.stat(path("/directory")).modified_ns == kept

    @pytest.mark.standard("3659-7.5.3-MODIFY")
    def test_a_new_content_has_a_new_time(self, storage: Storage) -> None:
        put(storage, "/file", b"one")
        old = storage.set_modified(path("/file"), 1_000_000_000 * SECOND)
        put(storage, "/file", b"two")
        assert storage.stat(path("/file")).modified_ns > old
        old = storage.set_modified(path("/file"), 1_000_000_000 * SECOND)
        put(storage, "/file", b" and more", Access.APPEND)
        assert storage.stat(path("/file")).modified_ns > old

    def test_modes(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.REPLACE, mode=0o646) as writer:
            writer.commit()
        storage.make_directory(path("/directory"), 0o753)
        assert storage.stat(path("/file")).mode == 0o646
        assert storage.stat(path("/directory")).mode & 0o777 == 0o753
        storage.set_mode(path("/file"), 0o604)
        put(storage, "/file", b"a new content keeps the mode")
        assert storage.stat(path("/file")).mode == 0o604
        storage.set_mode(path("/directory"), 0o700)
        assert storage.stat(path("/directory")).mode & 0o777 == 0o700

    def test_attributes_of_nothing(self, storage: Storage) -> None:
        with pytest.raises(NotFound):
            storage.set_modified(path("/nothing"), 0)
        with pytest.raises(NotFound):
            storage.set_mode(path("/nothing"), 0o600)

    @pytest.mark.standard("3659-7.5.5-PERM")
    def test_we_may_what_we_made(self, storage: Storage) -> None:
        put(storage, "/file", b"")
        storage.make_directory(path("/directory"))
        assert storage.may(storage.stat(path("/file")))[:2] == (True, True)
        assert storage.may(storage.stat(path("/directory"))) == (True, True, True)

    def test_space(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        for where in ("/", "/directory", "/directory/new", "/directory/new/newer"):
            space = storage.space(path(where))
            assert 0 < space.free <= space.total

    def test_the_root(self, storage: Storage) -> None:
        entry = storage.stat(ROOT)
        assert (entry.kind, entry.name) == (Kind.DIRECTORY, "")

    def test_every_refusal_is_a_storage_error(self, storage: Storage) -> None:
        nowhere = path("/no/such/place")
        for call in (
            lambda: storage.stat(nowhere),
            lambda: storage.scan(nowhere),
            lambda: storage.open_read(nowhere),
            lambda: storage.open_write(nowhere, Access.REPLACE),
            lambda: storage.make_directory(nowhere),
            lambda: storage.remove_directory(nowhere),
            lambda: storage.remove_file(nowhere),
            lambda: storage.rename(nowhere, path("/here")),
            lambda: storage.set_mode(nowhere, 0),
        ):
            with pytest.raises(StorageError):
                call()

    def test_names_that_no_storage_keeps(self, storage: Storage) -> None:
        for name in ("/\ud800", "/a\0b"):
            with pytest.raises(NameNotAllowed):
                storage.open_write(VirtualPath(name), Access.REPLACE)
