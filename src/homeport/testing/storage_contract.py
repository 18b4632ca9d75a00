"""StorageContract: what every Storage must do, as a suite of pytest tests.

    class TestMine(StorageContract):
        @pytest.fixture
        def storage(self) -> Iterator[Storage]:
            yield MyStorage(...)

The fixture gives an empty storage with room for a few MiB. All is asked through the contract in
`homeport.storage.base`.
"""

# ruff: noqa: S101 - assertions are what tests are made of

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from homeport.protocol.path import ROOT, VirtualPath
from homeport.storage.base import (
    Access,
    AccessDenied,
    AlreadyExists,
    BadOffset,
    Busy,
    DirectoryNotEmpty,
    InputOutputError,
    IsADirectory,
    Kind,
    NameNotAllowed,
    NotADirectory,
    NotFound,
    Storage,
    StorageError,
)

SECOND = 1_000_000_000


def path(text: str) -> VirtualPath:
    return VirtualPath.parse(text)


def put(storage: Storage, name: str, content: bytes, access: Access = Access.REPLACE, offset: int = 0) -> None:
    """One whole upload."""
    with storage.open_write(path(name), access, offset) as writer:
        writer.write(memoryview(content))
        writer.commit()


def leave(storage: Storage, name: str, content: bytes, access: Access = Access.REPLACE, offset: int = 0) -> None:
    """An upload that breaks off and is kept."""
    with storage.open_write(path(name), access, offset) as writer:
        writer.write(memoryview(content))
        writer.abort(keep=True)


def get(storage: Storage, name: str, offset: int = 0) -> bytes:
    """The content from *offset* on."""
    content = bytearray()
    buffer = memoryview(bytearray(1000))
    with storage.open_read(path(name)) as reader:
        while octets := reader.read_into(buffer, offset + len(content)):
            content += buffer[:octets]
    return bytes(content)


def names(storage: Storage, directory: str = "/") -> list[str]:
    return sorted(entry.name for entry in storage.scan(path(directory)))


class StorageContract:
    """Inherit, and give the fixture `storage`."""

    @pytest.fixture
    def storage(self) -> Storage | Iterator[Storage]:
        raise NotImplementedError("the subclass gives an empty storage")

    # Reading

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

    # Uploads

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

    # New names

    @pytest.mark.standard("959-4.1.3-STOU")
    def test_create_never_replaces(self, storage: Storage) -> None:
        put(storage, "/file", b"old")
        storage.make_directory(path("/directory"))
        for name in ("/file", "/directory"):
            with pytest.raises(AlreadyExists):
                storage.open_write(path(name), Access.CREATE)
        put(storage, "/new", b"new", Access.CREATE)
        assert (get(storage, "/file"), get(storage, "/new")) == (b"old", b"new")

    @pytest.mark.standard("959-4.1.3-STOU")
    def test_create_holds_its_name_from_the_beginning(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.CREATE) as first:
            with pytest.raises(AlreadyExists):
                storage.open_write(path("/file"), Access.CREATE)
            assert names(storage) == []
            first.write(memoryview(b"first"))
            first.commit()
        assert get(storage, "/file") == b"first"

    def test_create_gives_its_name_back(self, storage: Storage) -> None:
        storage.open_write(path("/file"), Access.CREATE).abort(keep=False)
        put(storage, "/file", b"second", Access.CREATE)
        assert get(storage, "/file") == b"second"

    def test_create_does_not_replace_what_came_meanwhile(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.CREATE) as writer:
            writer.write(memoryview(b"created"))
            put(storage, "/file", b"stored meanwhile")
            with pytest.raises(AlreadyExists):
                writer.commit()
        assert get(storage, "/file") == b"stored meanwhile"
        assert names(storage) == ["file"]

    def test_create_has_an_offset_only_in_what_was_kept(self, storage: Storage) -> None:
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.CREATE, 1)
        with storage.open_write(path("/file"), Access.CREATE) as writer:
            writer.write(memoryview(b"kept"))
            writer.abort(keep=True)
        with pytest.raises(BadOffset):
            storage.open_write(path("/file"), Access.CREATE, 5)
        with storage.open_write(path("/file"), Access.CREATE, 3) as writer:
            writer.write(memoryview(b"new"))
            writer.commit()
        assert get(storage, "/file") == b"kepnew"
        with pytest.raises(AlreadyExists):
            storage.open_write(path("/file"), Access.CREATE, 1)

    def test_create_that_goes_on_does_not_replace_what_came_meanwhile(self, storage: Storage) -> None:
        with storage.open_write(path("/file"), Access.CREATE) as writer:
            writer.write(memoryview(b"kept"))
            writer.abort(keep=True)
        with storage.open_write(path("/file"), Access.CREATE, 4) as writer:
            put(storage, "/file", b"stored meanwhile")
            with pytest.raises(AlreadyExists):
                writer.commit()
        assert get(storage, "/file") == b"stored meanwhile"
        assert names(storage) == ["file"]

    @pytest.mark.standard("959-4.1.3-STOU")
    def test_one_of_many_creates_one_name(self, storage: Storage) -> None:
        won: list[int] = []
        failed: list[BaseException] = []
        gate = threading.Barrier(6, timeout=30)

        def create(number: int) -> None:
            try:
                for turn in range(20):
                    gate.wait()
                    with contextlib.suppress(AlreadyExists):
                        put(storage, f"/new{turn}", b"%d" % number, Access.CREATE)
                        won.append(turn)
            except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
                failed.append(error)
                gate.abort()

        threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert sorted(won) == list(range(20))

    # Appending and going on

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

    # Kept partial data

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

    # Listing

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

    # Directories

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

    # Renaming

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

    # Attributes

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
