"""LocalStorage keeps the contract in each way to resolve paths, and what is particular to a disk."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.storage.calls import Failing, instead

from homeport.protocol.path import ROOT, VirtualPath
from homeport.storage import beneath, linux, own, upload
from homeport.storage.base import (
    Access,
    AccessDenied,
    BadOffset,
    Busy,
    DirectoryNotEmpty,
    Entry,
    InputOutputError,
    Kind,
    NameNotAllowed,
    NoSpace,
    NotADirectory,
    NotAFile,
    NotFound,
    NotSupported,
    QuotaExceeded,
    Reader,
    Storage,
)
from homeport.storage.beneath import DescriptorRoot
from homeport.storage.bypath import PathRoot
from homeport.storage.errors import translate
from homeport.storage.foreign import Foreign
from homeport.storage.identity import Identity
from homeport.storage.local import LocalStorage
from homeport.testing.storage_contract import StorageContract, get, leave, names, path, put


def walk_root(octets: bytes) -> DescriptorRoot:
    return DescriptorRoot(octets, kernel=False)


def in_root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return in_root(tmp_path)


@pytest.fixture
def storage(root: Path) -> Iterator[LocalStorage]:
    local = LocalStorage(str(root))
    yield local
    local.close()


class TestThroughOpenat2(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        local = LocalStorage(str(in_root(tmp_path)))
        yield local
        local.close()


class TestThroughCtypes(StorageContract):
    """As where the calls could not be compiled."""

    @pytest.fixture
    def storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
        monkeypatch.setattr(linux, "_calls", Foreign())
        local = LocalStorage(str(in_root(tmp_path)))
        yield local
        local.close()


class TestThroughTheWalk(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
        monkeypatch.setattr("homeport.storage.closed.open_root", walk_root)
        local = LocalStorage(bytes(in_root(tmp_path)))
        assert isinstance(local._root, DescriptorRoot)
        assert not local._root._kernel
        yield local
        local.close()


class NamedUploads(StorageContract):
    """An upload with a name keeps its directory."""

    def test_the_directory_goes_before_the_commit(self, storage: Storage) -> None:
        storage.make_directory(path("/directory"))
        with storage.open_write(path("/directory/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"data"))
            with pytest.raises(DirectoryNotEmpty):
                storage.remove_directory(path("/directory"))
            writer.commit()
        assert get(storage, "/directory/file") == b"data"


class TestByPath(NamedUploads):
    """As where there are no directory handles. Names are looked up where they are, so no file is without one."""

    @pytest.fixture
    def storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
        monkeypatch.setattr("homeport.storage.closed.open_root", PathRoot)
        monkeypatch.setattr(upload, "_NAMELESS", 0)
        local = LocalStorage(str(in_root(tmp_path)))
        assert isinstance(local._root, PathRoot)
        yield local
        local.close()


class TestWithNamedUploads(NamedUploads):
    """As on file systems that have no nameless files, and without renameat2 and copy_file_range."""

    @pytest.fixture
    def storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
        monkeypatch.setattr(upload, "_NAMELESS", 0)
        instead(monkeypatch, rename_new=Failing(errno.ENOSYS))
        monkeypatch.delattr(os, "copy_file_range", raising=False)
        local = LocalStorage(str(in_root(tmp_path)), sync=True)
        yield local
        local.close()

    def test_what_stands_beside_is_not_listed(self, storage: Storage, tmp_path: Path) -> None:
        with storage.open_write(path("/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"half"))
            (temporary,) = os.listdir(tmp_path / "root")
            assert temporary.startswith(".homeport-upload-")
            assert names(storage) == []
        assert os.listdir(tmp_path / "root") == []


class TestTheRoot:
    def test_a_root_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(NotFound):
            LocalStorage(str(tmp_path / "nothing"))
        with pytest.raises(NotADirectory):
            LocalStorage(str(tmp_path / "file"))

    def test_a_root_stays_itself_when_it_is_moved(self, tmp_path: Path, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"content")
        root.rename(tmp_path / "elsewhere")
        root.mkdir()
        assert get(storage, "/file") == b"content"

    def test_a_closed_storage_fails(self, root: Path) -> None:
        local = LocalStorage(str(root))
        local.close()
        local.close()
        with pytest.raises(Exception, match="Bad file descriptor"):
            local.stat(ROOT)

    def test_a_forgotten_storage_is_told(self, root: Path) -> None:
        local = LocalStorage(str(root))
        with pytest.warns(ResourceWarning, match="never closed"):
            del local


class TestOwnNames:
    @pytest.mark.parametrize("name", ["/.homeport-x", "/.homeport-partial-file", "/.HomePort-x", "/.homeport-d/file"])
    def test_they_do_not_exist_and_cannot_be_made(self, root: Path, storage: LocalStorage, name: str) -> None:
        (root / ".homeport-x").write_bytes(b"")
        (root / ".homeport-d").mkdir()
        (root / ".homeport-d" / "file").write_bytes(b"")
        leave(storage, "/file", b"0123")
        where = path(name)
        for call in (storage.stat, storage.scan, storage.open_read, storage.remove_file, storage.remove_directory):
            with pytest.raises(NotFound):
                call(where)
        with pytest.raises(NotFound):
            storage.rename(where, path("/name"))
        with pytest.raises(NotFound):
            storage.set_mode(where, 0o600)
        put(storage, "/other", b"")
        for access in Access:
            with pytest.raises(NameNotAllowed):
                storage.open_write(where, access)
        with pytest.raises(NameNotAllowed):
            storage.make_directory(where)
        with pytest.raises(NameNotAllowed):
            storage.rename(path("/other"), where)
        assert names(storage) == ["other"]

    def test_a_link_to_one_of_them_is_not_written(self, root: Path, storage: LocalStorage) -> None:
        (root / "link").symlink_to(".homeport-partial-file")
        leave(storage, "/file", b"kept")
        for access in (Access.REPLACE, Access.APPEND):
            with pytest.raises(AccessDenied):
                storage.open_write(path("/link"), access)

    def test_a_leftover_that_cannot_be_removed_fails_nothing(self, root: Path, storage: LocalStorage) -> None:
        (root / ".homeport-partial-file").symlink_to("elsewhere")
        put(storage, "/file", b"content")
        storage.rename(path("/file"), path("/other"))
        storage.rename(path("/other"), path("/file"))
        storage.remove_file(path("/file"))
        assert names(storage) == []

    def test_a_directory_of_that_name_is_not_ours_to_remove(self, root: Path, storage: LocalStorage) -> None:
        (root / "d" / ".homeport-x").mkdir(parents=True)
        with pytest.raises(DirectoryNotEmpty):
            storage.remove_directory(path("/d"))

    def test_a_reservation_that_a_crash_left_is_taken_over(self, root: Path, storage: LocalStorage) -> None:
        (root / ".homeport-create-file").write_bytes(b"what was lost")
        put(storage, "/file", b"new", Access.CREATE)
        assert get(storage, "/file") == b"new"
        assert os.listdir(root) == ["file"]

    def test_what_is_in_use_stays(self, root: Path, storage: LocalStorage) -> None:
        storage.make_directory(path("/d"))
        with storage.open_write(path("/d/file"), Access.CREATE) as writer:
            with pytest.raises(DirectoryNotEmpty):
                storage.remove_directory(path("/d"))
            writer.commit()
        assert os.listdir(root / "d") == ["file"]

    def test_the_lock_follows_the_file_not_the_name(self, root: Path) -> None:
        with beneath.Directory(os.open(root, os.O_RDONLY | os.O_DIRECTORY)) as directory:
            (root / "one").write_bytes(b"")
            descriptor = os.open(root / "one", os.O_WRONLY)
            assert own.lock(descriptor)
            assert not own.remove_if_unused(directory, b"one")
            (root / "one").unlink()
            (root / "one").write_bytes(b"another")
            assert not own.is_named(descriptor, directory, b"one")
            assert own.remove_if_unused(directory, b"one")
            assert own.remove_if_unused(directory, b"one")  # gone is gone
            os.close(descriptor)


class TestKindsOfFiles:
    @pytest.mark.standard("3659-7.5.1-TYPE")
    def test_what_is_no_file(self, root: Path, storage: LocalStorage) -> None:
        os.mkfifo(root / "pipe")
        entry = storage.stat(path("/pipe"))
        assert entry.kind is Kind.OTHER
        with pytest.raises(NotAFile):
            storage.open_read(path("/pipe"))
        for access in (Access.REPLACE, Access.APPEND):
            with pytest.raises(NotAFile):
                storage.open_write(path("/pipe"), access)
        storage.rename(path("/pipe"), path("/other"))
        storage.set_mode(path("/other"), 0o600)
        storage.remove_file(path("/other"))

    def test_a_socket_is_no_file(self, root: Path, storage: LocalStorage) -> None:
        os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
        with pytest.raises(NotAFile):
            storage.open_read(path("/socket"))

    @pytest.mark.standard("3659-7.5.2-UNIQUE", "3659-7.5.2-UNIQUE-SEC")
    def test_hard_links_are_one_object_and_tokens_tell_no_inode(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/one", b"")
        os.link(root / "one", root / "two")
        one, two = storage.stat(path("/one")), storage.stat(path("/two"))
        assert (one.unique, one.links) == (two.unique, 2)
        assert f"{os.stat(root / 'one').st_ino:x}" not in one.unique
        other = LocalStorage(str(root))
        assert other.stat(path("/one")).unique != one.unique
        other.close()

    def test_a_name_with_a_line_feed_is_left_out(self, root: Path, storage: LocalStorage) -> None:
        (root / "a\nb").write_bytes(b"")
        (root / "c").write_bytes(b"")
        assert names(storage) == ["c"]

    def test_every_octet_in_names(self, root: Path, storage: LocalStorage) -> None:
        octets = [bytes([number]) * 3 for number in range(1, 256) if number not in b"\n/."]
        octets += [bytes(number for number in range(1, 256) if number not in b"\n/"), b"x" * 255, "ä".encode() * 127]
        for name in octets:
            put(storage, "/" + name.decode("utf-8", "surrogateescape"), name)
        assert sorted(os.listdir(bytes(root))) == sorted(octets)
        for entry in storage.scan(ROOT):
            assert get(storage, "/" + entry.name) == entry.name.encode("utf-8", "surrogateescape")

    def test_entries_are_the_same_where_the_host_speaks_no_utf_8(
        self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("homeport.storage.entries._NATIVE_NAMES", False)
        put(storage, "/ä\udcff", b"")
        assert names(storage) == ["ä\udcff"]


class TestLinks:
    @pytest.fixture(autouse=True)
    def tree(self, tmp_path: Path, root: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret").write_bytes(b"secret")
        (root / "d").mkdir()
        (root / "d" / "file").write_bytes(b"inside")
        for name, target in {
            "relative": "d/file",
            "absolute": str(root / "d" / "file"),
            "directory": "d",
            "d/up": "../relative",
            "out": "../outside/secret",
            "out-absolute": str(tmp_path / "outside" / "secret"),
            "out-directory": "../outside",
            "dangling": "d/new",
            "loop": "loop",
        }.items():
            (root / name).symlink_to(target)

    @pytest.mark.standard("3659-7.5.1.5-LINK")
    def test_a_link_is_listed_as_what_it_points_to(self, storage: LocalStorage) -> None:
        entries = {entry.name: entry for entry in storage.scan(ROOT)}
        assert set(entries) == {"d", "relative", "absolute", "directory"}
        inside = storage.stat(path("/d/file"))
        for name in ("relative", "absolute"):
            assert (entries[name].kind, entries[name].size, entries[name].unique) == (Kind.FILE, 6, inside.unique)
            assert entries[name] == storage.stat(path("/" + name))
        assert entries["relative"].target == "d/file"
        assert entries["directory"].kind is Kind.DIRECTORY
        assert [entry.name for entry in storage.scan(path("/d")) if entry.target] == ["up"]

    @pytest.mark.parametrize("name", ["/relative", "/absolute", "/d/up", "/directory/file"])
    def test_reading_and_writing_through_links(self, root: Path, storage: LocalStorage, name: str) -> None:
        assert get(storage, name) == b"inside"
        put(storage, name, b"new")
        assert (root / "d" / "file").read_bytes() == b"new"
        put(storage, name, b"er", Access.APPEND)
        put(storage, name, b"w", Access.REPLACE, 2)
        assert (root / "d" / "file").read_bytes() == b"new"
        assert (root / "relative").is_symlink()
        assert (root / "absolute").is_symlink()

    def test_writing_through_a_dangling_link(self, root: Path, storage: LocalStorage) -> None:
        leave(storage, "/dangling", b"one ")
        assert storage.partial_size(path("/d/new")) == storage.partial_size(path("/dangling")) == 4
        put(storage, "/dangling", b"two", Access.APPEND)
        assert (root / "d" / "new").read_bytes() == b"one two"

    def test_links_out(self, tmp_path: Path, storage: LocalStorage) -> None:
        for name in ("/out", "/out-absolute", "/out-directory/secret"):
            with pytest.raises(AccessDenied):
                storage.stat(path(name))
            with pytest.raises(AccessDenied):
                storage.open_read(path(name))
            with pytest.raises(AccessDenied):
                storage.open_write(path(name), Access.REPLACE)
            with pytest.raises(AccessDenied):
                storage.set_mode(path(name), 0)
            with pytest.raises(AccessDenied):
                storage.set_modified(path(name), 0)
        with pytest.raises(AccessDenied):
            storage.scan(path("/out-directory"))
        with pytest.raises(AccessDenied):
            storage.make_directory(path("/out-directory/new"))
        with pytest.raises(AccessDenied):
            storage.rename(path("/d/file"), path("/out-directory/file"))
        with pytest.raises(AccessDenied):
            storage.remove_file(path("/out-directory/secret"))
        assert os.listdir(tmp_path / "outside") == ["secret"]

    def test_a_loop(self, storage: LocalStorage) -> None:
        for call in (storage.stat, storage.open_read, lambda where: storage.open_write(where, Access.REPLACE)):
            with pytest.raises(NotFound):
                call(path("/loop"))

    def test_removing_and_renaming_act_on_the_link(self, root: Path, storage: LocalStorage) -> None:
        with pytest.raises(NotADirectory):
            storage.remove_directory(path("/directory"))
        for name in ("relative", "directory", "out", "out-absolute", "dangling", "loop"):
            storage.rename(path("/" + name), path("/moved"))
            assert (root / "moved").is_symlink()
            storage.remove_file(path("/moved"))
        assert (root / "d" / "file").read_bytes() == b"inside"

    def test_a_link_to_a_directory_is_not_replaced(self, storage: LocalStorage) -> None:
        with pytest.raises(Exception, match="AlreadyExists"):
            storage.rename(path("/d/file"), path("/directory"))

    def test_a_new_name_is_never_a_link(self, storage: LocalStorage) -> None:
        for name in ("/dangling", "/relative", "/out"):
            with pytest.raises(Exception, match="AlreadyExists"):
                storage.open_write(path(name), Access.CREATE)

    def test_a_chain_of_links(self, root: Path, storage: LocalStorage) -> None:
        (root / "c0").symlink_to("d/file")
        for number in range(1, 45):
            (root / f"c{number}").symlink_to(f"c{number - 1}")
        assert get(storage, "/c30") == b"inside"
        with pytest.raises(NotFound):
            storage.open_read(path("/c44"))


class TestUploads:
    @pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="nameless files are Linux's")
    def test_an_upload_has_no_name_before_its_commit(self, root: Path, storage: LocalStorage) -> None:
        with storage.open_write(path("/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"half"))
            assert os.listdir(root) == []

    def test_the_umask_of_the_process_does_not_count(self, root: Path, storage: LocalStorage) -> None:
        old = os.umask(0o077)
        try:
            storage.open_write(path("/file"), Access.REPLACE, mode=0o664).commit()
            storage.make_directory(path("/d"), 0o775)
        finally:
            os.umask(old)
        assert stat.S_IMODE(os.stat(root / "file").st_mode) == 0o664
        assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o775

    def test_set_group_id_comes_from_the_parent_and_stays(self, root: Path, storage: LocalStorage) -> None:
        os.chmod(root, 0o2755)
        storage.make_directory(path("/d"), 0o705)
        assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o2705
        storage.set_mode(path("/d"), 0o755)
        assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o2755

    def test_set_user_id_does_not_survive_a_new_content(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"old")
        os.chmod(root / "file", 0o4755)
        put(storage, "/file", b"new")
        assert stat.S_IMODE(os.stat(root / "file").st_mode) == 0o755

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_root_keeps_the_owner(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"old")
        os.chown(root / "file", 12345, 23456)
        put(storage, "/file", b"new")
        status = os.stat(root / "file")
        assert (status.st_uid, status.st_gid) == (12345, 23456)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    @pytest.mark.parametrize(("owner", "group"), [(12345, -1), (-1, 23456)])
    def test_one_of_owner_and_group_is_another(self, root: Path, storage: LocalStorage, owner: int, group: int) -> None:
        """Also where the directory gives new files its group."""
        os.chmod(root, 0o2755)
        put(storage, "/file", b"old")
        os.chown(root / "file", owner, group)
        before = os.stat(root / "file")
        put(storage, "/file", b"new")
        after = os.stat(root / "file")
        assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
        assert after.st_ino != before.st_ino

    def test_what_is_right_already_is_not_changed_again(
        self, root: Path, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A change of owner or mode goes to the disk, even if it changes nothing."""
        changes: list[str] = []
        for name in ("fchmod", "fchown"):
            monkeypatch.setattr(os, name, lambda *_, name=name: changes.append(name))
        old = os.umask(0o022)
        try:
            for access in (Access.CREATE, Access.REPLACE):
                storage.open_write(path("/file"), access, mode=0o644).commit()
            os.chmod(root / "file", 0o640)
            storage.open_write(path("/file"), Access.REPLACE, mode=0o644).commit()
        finally:
            os.umask(old)
        assert stat.S_IMODE(os.stat(root / "file").st_mode) == 0o640
        assert changes == []

    @pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only a nameless file takes a name at its end")
    def test_a_name_that_is_taken(self, root: Path, storage: LocalStorage) -> None:
        """What is about to replace another file takes a name first; should somebody have that one, the next."""
        put(storage, "/file", b"old")
        state = own.chance.getstate()
        taken = os.fsdecode(own.upload_name())
        (root / taken).write_bytes(b"another's")
        with storage.open_write(path("/file"), Access.REPLACE) as writer:
            writer.write(memoryview(b"new"))
            own.chance.setstate(state)
            writer.commit()
        assert get(storage, "/file") == b"new"
        assert (root / taken).read_bytes() == b"another's"
        assert sorted(os.listdir(root)) == sorted([taken, "file"])

    def test_names_do_not_come_again_when_somebody_seeds_random(self, root: Path, storage: LocalStorage) -> None:
        """As many test suites do before each test: an upload that goes on from kept data would take another's file."""
        for name in ("/one", "/two"):
            with storage.open_write(path(name), Access.REPLACE) as writer:
                writer.write(memoryview(b"kept"))
                writer.abort(keep=True)
        random.seed(1)
        one = storage.open_write(path("/one"), Access.APPEND)
        random.seed(1)
        two = storage.open_write(path("/two"), Access.APPEND)
        with one, two:
            one.write(memoryview(b" of one"))
            two.write(memoryview(b" of two"))
            two.commit()
            one.commit()
        assert [get(storage, "/one"), get(storage, "/two")] == [b"kept of one", b"kept of two"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forked processes")
    def test_names_do_not_come_again_in_a_forked_process(self) -> None:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, own.upload_name())
            os._exit(0)
        os.waitpid(child, 0)
        try:
            assert os.read(reading, 100) != own.upload_name()
        finally:
            os.close(reading)
            os.close(writing)

    @pytest.mark.parametrize("known", [False, True])
    def test_who_may_not_link_by_descriptor(
        self, root: Path, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, known: bool
    ) -> None:
        """An ordinary user before Linux 6.10, and one who was root when this was found out."""
        forbidden = Failing(errno.ENOENT)
        linux.may_link_open.cache_clear()
        try:
            if not known:
                linux.may_link_open()
            instead(monkeypatch, link_open=forbidden)
            for access, name in ((Access.REPLACE, "/file"), (Access.REPLACE, "/file"), (Access.CREATE, "/new")):
                put(storage, name, b"content", access)
        finally:
            linux.may_link_open.cache_clear()
        assert {name: (root / name).read_bytes() for name in os.listdir(root)} == dict.fromkeys(
            ["file", "new"], b"content"
        )
        assert forbidden.asked == (1 if known else 3)

    def test_to_ask_whether_one_may_link_changes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        before = os.stat(tmp_path)
        linux.may_link_open.cache_clear()
        assert linux.may_link_open() or os.geteuid() != 0
        after = os.stat(tmp_path)
        assert (after.st_nlink, after.st_ctime_ns) == (before.st_nlink, before.st_ctime_ns)
        assert os.listdir(tmp_path) == []

    def test_an_upload_outlives_its_storage(self, root: Path) -> None:
        """In the root itself it works through the storage's own handle, which must not become another file's."""
        before = len(os.listdir("/proc/self/fd"))
        storage = LocalStorage(str(root))
        put(storage, "/file", b"old")
        writers = [storage.open_write(path(name), Access.REPLACE) for name in ("/file", "/new", "/given up")]
        storage.close()
        with pytest.raises(InputOutputError):
            storage.open_write(path("/late"), Access.REPLACE)
        others = [os.open("/", os.O_PATH) for _ in range(20)]  # they would get a number that was given back
        for writer in writers[:2]:
            writer.write(memoryview(b"new"))
            writer.commit()
        writers[2].abort(keep=False)
        for other in others:
            os.close(other)
        assert {name: (root / name).read_bytes() for name in os.listdir(root)} == {"file": b"new", "new": b"new"}
        assert len(os.listdir("/proc/self/fd")) == before

    def test_an_upload_that_is_lost_leaves_the_target_and_says_so(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"old")
        writer = storage.open_write(path("/file"), Access.REPLACE)
        writer.write(memoryview(b"new"))
        with pytest.warns(ResourceWarning, match="neither committed nor aborted"):
            del writer
        assert (get(storage, "/file"), os.listdir(root)) == (b"old", ["file"])

    def test_a_reader_that_is_lost_says_so(self, storage: LocalStorage) -> None:
        put(storage, "/file", b"content")
        reader: Reader | None = storage.open_read(path("/file"))
        assert reader is not None
        with pytest.warns(ResourceWarning, match="never closed"):
            reader = None

    def test_a_process_that_dies_leaves_the_old_file_and_nothing_else(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"old")
        script = """
import os, signal, sys
from homeport.protocol.path import VirtualPath
from homeport.storage.base import Access
from homeport.storage.local import LocalStorage
storage = LocalStorage(sys.argv[1])
writers = [storage.open_write(VirtualPath(name), access)
    for name, access in (("/file", Access.REPLACE), ("/new", Access.REPLACE), ("/unique", Access.CREATE))]
for writer in writers:
    writer.write(memoryview(b"half"))
os.kill(os.getpid(), signal.SIGKILL)
"""
        ended = subprocess.run([sys.executable, "-c", script, str(root)], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert (get(storage, "/file"), names(storage)) == (b"old", ["file"])
        put(storage, "/unique", b"again", Access.CREATE)
        assert sorted(os.listdir(root)) == ["file", "unique"]

    def test_too_large_a_file(self, storage: LocalStorage) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
            with storage.open_write(path("/file"), Access.REPLACE) as writer:
                with pytest.raises(QuotaExceeded):
                    writer.write(memoryview(b"x" * 6000))
                assert writer.position == 5000  # what fitted
                with pytest.raises(Exception, match="failed or ended"):
                    writer.commit()
                writer.abort(keep=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, ignored)
        assert storage.partial_size(path("/file")) == 5000

    def test_somebody_else_holds_the_file(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"content")
        with (root / "file").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(Busy):
                storage.open_write(path("/file"), Access.APPEND)
        put(storage, "/file", b" and more", Access.APPEND)

    def test_kept_data_that_shrank(self, root: Path, storage: LocalStorage) -> None:
        leave(storage, "/file", b"0123456")
        os.truncate(root / ".homeport-partial-file", 3)
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.REPLACE, 7)
        assert storage.partial_size(path("/file")) == 3

    def test_sync(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[bool] = []
        monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
        local = LocalStorage(str(root), sync=True)
        put(local, "/file", b"content")
        put(local, "/file", b"more", Access.APPEND)
        local.close()
        assert synced == [False, True, False]  # the file before its name, the name, and what was appended

    def test_a_large_copy_without_the_kernel(self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(source: int, target: int, count: int) -> int:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        content = os.urandom(3 << 20)
        put(storage, "/file", content)
        monkeypatch.setattr(os, "copy_file_range", refuse)
        put(storage, "/file", b"end", Access.REPLACE, (3 << 20) - 5)
        assert get(storage, "/file") == content[:-5] + b"end"


class TestRights:
    def test_identities(self) -> None:
        root, bob = Identity(0, frozenset({0})), Identity(1000, frozenset({100, 200}))
        assert root.may(0, 1000, 100) == (True, True, True)
        assert bob.may(0o421, 1000, 100) == (True, False, False)
        assert bob.may(0o421, 1, 200) == (False, True, False)
        assert bob.may(0o421, 1, 1) == (False, False, True)
        assert bob.may(0o077, 1000, 100) == (False, False, False)  # the owner's own bits, not the better ones
        assert Identity(None, frozenset()).may(0o444, 0, 0) == (True, False, True)

    def test_a_read_only_file_system(self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(storage, "_read_only", True)
        assert storage.may(storage.stat(ROOT)) == (True, False, True)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
    def test_as_an_ordinary_user(self, tmp_path: Path, root: Path) -> None:
        """In a child process, which gives up root."""
        (root / "readable").write_bytes(b"old")
        (root / "hidden").write_bytes(b"old")
        os.chmod(root / "readable", 0o444)
        os.chmod(root / "hidden", 0)
        (root / "shut").mkdir(0o700)
        (root / "mine").mkdir()
        os.chown(root / "mine", 65534, 65534)
        script = """
import os, sys
from homeport.protocol.path import VirtualPath as P
from homeport.storage.base import Access, AccessDenied
from homeport.storage.local import LocalStorage
os.chdir(sys.argv[1])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
storage = LocalStorage(".")
def denied(call, *arguments):
    try:
        call(*arguments)
    except AccessDenied:
        return
    raise AssertionError(arguments)
denied(storage.open_read, P("/hidden"))
denied(storage.open_write, P("/readable"), Access.REPLACE)
denied(storage.open_write, P("/readable"), Access.APPEND)
denied(storage.scan, P("/shut"))
denied(storage.stat, P("/shut/file"))
denied(storage.make_directory, P("/new"))
denied(storage.set_mode, P("/readable"), 0o777)
assert storage.may(storage.stat(P("/readable"))) == (True, False, False)
assert storage.may(storage.stat(P("/mine"))) == (True, True, True)
assert storage.may(storage.stat(P("/"))) == (True, False, True)
def put(name, content, mode=0o644):
    with storage.open_write(P(name), Access.REPLACE, mode=mode) as writer:
        writer.write(memoryview(content)); writer.commit()
put("/mine/file", b"one"); put("/mine/file", b"two")
storage.set_mode(P("/mine/file"), 0)
storage.set_modified(P("/mine/file"), 5_000_000_000)
assert storage.stat(P("/mine/file")).modified_ns == 5_000_000_000
denied(storage.open_read, P("/mine/file"))
denied(storage.open_write, P("/mine/file"), Access.REPLACE)
storage.set_mode(P("/mine/file"), 0o600)
put("/mine/file", b"three")
storage.make_directory(P("/mine/d"), 0o300)
assert storage.stat(P("/mine/d")).mode == 0o300
denied(storage.scan, P("/mine/d"))
put("/mine/d/file", b"x"); storage.remove_file(P("/mine/d/file")); storage.remove_directory(P("/mine/d"))
storage.close()
"""
        for directory in (tmp_path, *tmp_path.parents):
            if not os.stat(directory).st_mode & 1:
                os.chmod(directory, stat.S_IMODE(os.stat(directory).st_mode) | 0o011)
            if directory == Path("/tmp"):
                break
        ended = subprocess.run([sys.executable, "-c", script, str(root)], check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert (root / "readable").read_bytes() == b"old"


class TestSystem:
    @pytest.mark.parametrize(
        ("number", "error"),
        [
            (errno.ENOSPC, "NoSpace"),
            (errno.EDQUOT, "QuotaExceeded"),
            (errno.EMFILE, "Busy"),
            (errno.EROFS, "AccessDenied"),
            (errno.EXDEV, "NotSupported"),
            (errno.EIO, "InputOutputError"),
            (errno.ENOEXEC, "InputOutputError"),
        ],
    )
    def test_errors(self, number: int, error: str) -> None:
        translated = translate(OSError(number, "why", "/a/path/of/the/host"), path("/client"))
        assert type(translated).__name__ == error
        assert translated.detail == os.strerror(number)
        assert translated.path == path("/client")

    def test_out_of_descriptors(self, storage: LocalStorage) -> None:
        storage.make_directory(path("/directory"))
        put(storage, "/directory/file", b"content")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        low = os.open("/", os.O_RDONLY)
        os.close(low)
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        try:
            for call in (storage.stat, storage.open_read, storage.scan):
                with pytest.raises(Busy):
                    call(path("/directory/file" if call is not storage.scan else "/"))
            for access in Access:
                with pytest.raises(Busy):
                    storage.open_write(path("/other"), access)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        put(storage, "/other", b"content")

    @pytest.mark.parametrize("spare", range(1, 4))
    def test_few_descriptors_leak_none(self, root: Path, storage: LocalStorage, spare: int) -> None:
        """Every step of an upload may be the one that fails; what was opened before it is closed."""
        put(storage, "/file", b"content")
        leave(storage, "/kept", b"0123")
        before = os.listdir("/proc/self/fd")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        low = os.open("/", os.O_RDONLY)
        os.close(low)
        for name, access, offset in (
            ("/file", Access.REPLACE, 0),
            ("/file", Access.REPLACE, 3),
            ("/file", Access.APPEND, 0),
            ("/kept", Access.APPEND, 0),
            ("/new", Access.CREATE, 0),
        ):
            resource.setrlimit(resource.RLIMIT_NOFILE, (low + spare, hard))
            try:
                storage.open_write(path(name), access, offset).abort(keep=False)
            except Busy:
                pass
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert os.listdir("/proc/self/fd") == before
        assert sorted(os.listdir(root)) == [".homeport-partial-kept", "file"]
        assert storage.partial_size(path("/kept")) == 4

    @pytest.mark.parametrize("old", [False, True])
    @pytest.mark.parametrize("call", ["link", "replace"])
    @pytest.mark.parametrize("access", list(Access))
    def test_a_commit_that_fails(
        self, root: Path, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, old: bool, call: str, access: Access
    ) -> None:
        if old:
            put(storage, "/file", b"old")
        name = "/new" if access is Access.CREATE else "/file"
        writer = storage.open_write(path(name), access)
        writer.write(memoryview(b"content"))

        def full(*arguments: object, **names: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        before = sorted(os.listdir(root))
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            instead(patch, rename_new=full, **({"link_open": full} if call == "link" else {}))
            try:
                writer.commit()
            except NoSpace:
                assert sorted(os.listdir(root)) == [name for name in before if not name.startswith(".")]
                if old:
                    assert get(storage, "/file") == b"old"
            else:
                assert get(storage, name).endswith(b"content")
                assert not any(name.startswith(".") for name in os.listdir(root))

    def test_a_time_that_cannot_be(self, storage: LocalStorage) -> None:
        put(storage, "/file", b"")
        with pytest.raises(NotSupported):
            storage.set_modified(path("/file"), 10**40)

    def test_without_proc(self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(storage, "_through_proc", False)
        put(storage, "/file", b"")
        assert storage.set_modified(path("/file"), 10**18) == 10**18
        storage.set_mode(path("/file"), 0o640)
        assert storage.stat(path("/file")).mode == 0o640
        assert storage.space(path("/file")).total > 0

    def test_scanning_takes_constant_memory_and_one_descriptor_pair(self, root: Path, storage: LocalStorage) -> None:
        for number in range(500):
            (root / f"file{number}").write_bytes(b"")
        entries = storage.scan(ROOT)
        seen: list[Entry] = [next(entries)]
        count = len(os.listdir("/proc/self/fd"))
        seen += entries
        assert len(seen) == 500
        assert len(os.listdir("/proc/self/fd")) == count - 2

    def test_a_directory_that_cannot_be_read_further(self, root: Path, storage: LocalStorage) -> None:
        put(storage, "/file", b"")
        entries = storage.scan(ROOT)
        entries._directory.close()  # type: ignore[attr-defined]  # as if the disk went away
        with pytest.raises(Exception, match="Bad file descriptor"):
            list(entries)

    def test_many_threads_at_once(self, storage: LocalStorage) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(30):
                    name = f"/d{number}/f{turn}"
                    put(storage, name, name.encode())
                    assert get(storage, name) == name.encode()
                    assert storage.stat(path(name)).size == len(name)
                assert len(names(storage, f"/d{number}")) == 30
            except BaseException as error:  # noqa: BLE001 - a thread has nobody else to tell
                failures.append(error)

        for number in range(4):
            storage.make_directory(VirtualPath(f"/d{number}"))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
