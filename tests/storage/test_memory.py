"""MemoryStorage keeps the contract, and has its own ways to say no."""

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT, VirtualPath
from homeport.storage.base import Access, AccessDenied, NoSpace, Storage
from homeport.storage.memory import MemoryStorage
from homeport.testing.storage_contract import StorageContract, get, leave, names, path, put


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


def free(storage: Storage) -> int:
    return storage.space(ROOT).free


class TestCapacity:
    def test_a_full_storage(self) -> None:
        storage = MemoryStorage(capacity=100)
        put(storage, "/a", b"x" * 60)
        with storage.open_write(path("/b"), Access.REPLACE) as writer:
            with pytest.raises(NoSpace):
                writer.write(memoryview(b"y" * 41))
            assert writer.position == 40  # what fitted stays for a resume
            writer.abort(keep=True)
        assert (storage.partial_size(path("/b")), free(storage)) == (40, 0)
        storage.remove_file(path("/a"))
        put(storage, "/b", b"y" * 60, Access.APPEND)
        assert (len(get(storage, "/b")), free(storage)) == (100, 0)

    def test_every_octet_is_given_back(self) -> None:
        storage = MemoryStorage(capacity=1000)
        storage.make_directory(path("/d"))
        put(storage, "/d/a", b"x" * 100)
        put(storage, "/d/a", b"x" * 10)
        put(storage, "/d/a", b"x" * 10, Access.APPEND)
        put(storage, "/d/a", b"x" * 10, Access.REPLACE, 5)
        assert free(storage) == 985
        leave(storage, "/d/b", b"x" * 50)
        leave(storage, "/d/b", b"x" * 20, Access.REPLACE, 10)
        assert free(storage) == 955
        with storage.open_write(path("/d/b"), Access.APPEND) as writer:
            writer.write(memoryview(b"x" * 20))
        assert free(storage) == 955
        leave(storage, "/d/a", b"x" * 5, Access.APPEND)
        leave(storage, "/d/a", b"x" * 5)
        storage.rename(path("/d/a"), path("/d/b"))
        assert free(storage) == 980
        storage.remove_file(path("/d/b"))
        leave(storage, "/d/c", b"x")
        storage.remove_directory(path("/d"))
        assert (free(storage), names(storage)) == (1000, [])


class TestPermissionBits:
    def test_a_file_that_may_not_be_read_or_written(self) -> None:
        storage = MemoryStorage()
        put(storage, "/file", b"content")
        storage.set_mode(path("/file"), 0)
        with pytest.raises(AccessDenied):
            storage.open_read(path("/file"))
        with pytest.raises(AccessDenied):
            storage.open_write(path("/file"), Access.REPLACE)
        assert storage.may(storage.stat(path("/file"))) == (False, False, False)

    def test_a_directory_that_may_not_be_changed_entered_or_listed(self) -> None:
        storage = MemoryStorage()
        storage.make_directory(path("/d"))
        put(storage, "/d/file", b"content")
        storage.set_mode(path("/d"), 0o500)
        with pytest.raises(AccessDenied):
            storage.open_write(path("/d/new"), Access.REPLACE)
        with pytest.raises(AccessDenied):
            storage.remove_file(path("/d/file"))
        storage.set_mode(path("/d"), 0o300)
        with pytest.raises(AccessDenied):
            storage.scan(path("/d"))
        storage.set_mode(path("/d"), 0o600)
        with pytest.raises(AccessDenied):
            storage.stat(path("/d/file"))


def test_the_clock_is_the_callers() -> None:
    storage = MemoryStorage(clock=lambda: 5)
    put(storage, "/file", b"")
    assert storage.stat(VirtualPath("/file")).modified_ns == 5


def test_there_is_no_descriptor() -> None:
    storage = MemoryStorage()
    put(storage, "/file", b"")
    with storage.open_read(path("/file")) as reader:
        assert reader.fileno() is None
