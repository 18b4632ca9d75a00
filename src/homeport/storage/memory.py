"""MemoryStorage: the reference implementation of the contract, all in memory.

One file, so that it can be read from end to end as what `base.py` means; and quick enough for every test. One lock
guards the whole tree; nothing blocks while it is held. Permission bits count for the owner, as if this process were an
ordinary user.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from homeport.protocol.path import VirtualPath

from .base import (
    Access,
    AccessDenied,
    AlreadyExists,
    BadOffset,
    Busy,
    DirectoryNotEmpty,
    Entry,
    InputOutputError,
    IsADirectory,
    Kind,
    NameNotAllowed,
    NoSpace,
    NotADirectory,
    NotFound,
    Reader,
    Space,
    Storage,
    Writer,
)

_LONGEST_NAME = 255
"""Octets, as nearly all file systems have it."""
_BOUNDLESS = 1 << 50
"""What `space` says without a capacity."""


class _File:
    __slots__ = ("content", "extended", "mode", "modified_ns", "number")

    def __init__(self, number: int, mode: int, modified_ns: int, content: bytes) -> None:
        self.number = number
        self.mode = mode
        self.modified_ns = modified_ns
        self.content = content
        self.extended = False
        """Whether a Writer is at its end."""


class _Directory:
    __slots__ = ("children", "creating", "mode", "modified_ns", "number", "partials", "removed")

    def __init__(self, number: int, mode: int, modified_ns: int) -> None:
        self.number = number
        self.mode = mode
        self.modified_ns = modified_ns
        self.children: dict[str, _File | _Directory] = {}
        self.partials: dict[str, bytes] = {}
        self.creating: set[str] = set()
        """Names that a Writer with CREATE has taken already."""
        self.removed = False


class MemoryReader(Reader):
    """Reads the content as it was when it was opened."""

    __slots__ = ("_content", "size")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def fileno(self) -> int | None:
        return None

    def read_into(self, buffer: memoryview, offset: int) -> int:
        part = memoryview(self._content)[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Nothing is held."""


class MemoryWriter(Writer):
    """Collects octets; the storage publishes them."""

    __slots__ = (
        "_storage",
        "_whole",
        "access",
        "content",
        "directory",
        "mode",
        "old",
        "open",
        "path",
        "position",
        "start",
    )

    position: int  # said here as well: a compiler lays out a class by its own annotations

    def __init__(
        self,
        storage: MemoryStorage,
        path: VirtualPath,
        directory: _Directory,
        access: Access,
        mode: int,
        content: bytes,
        old: _File | None,
    ) -> None:
        """Begins with *content*. *old* is the file whose end is written, or None."""
        self._storage = storage
        self._whole = True
        self.path = path
        self.directory = directory
        self.access = access
        self.mode = mode
        self.content = bytearray(content)
        self.old = old
        self.start = self.position = len(content)
        self.open = True

    def write(self, data: memoryview) -> None:
        fits = self._storage.take(len(data)) if self.open else 0
        self.content += data[:fits]
        self.position += fits
        if fits < len(data):
            self._whole = False
            raise NoSpace(self.path) if self.open else InputOutputError(self.path, "the upload has ended already")

    def commit(self) -> None:
        if not self.open or not self._whole:
            raise InputOutputError(self.path, "the upload has failed or ended already")
        self._storage.publish(self)

    def abort(self, *, keep: bool) -> None:
        if self.open:
            self._storage.withdraw(self, keep=keep)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort(keep=False)


class MemoryStorage(Storage):
    """A tree in memory, empty at first."""

    __slots__ = ("_capacity", "_clock", "_lock", "_numbers", "_root", "_used")

    def __init__(self, *, capacity: int | None = None, clock: Callable[[], int] = time.time_ns) -> None:
        """*capacity*: octets of all files, uploads under way included; None for no bound. *clock*: ns since 1970."""
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._used = 0
        self._root = _Directory(next(self._numbers), 0o755, clock())

    def stat(self, path: VirtualPath) -> Entry:
        with self._lock:
            return _entry(path.name, self._find(path))

    def scan(self, path: VirtualPath) -> Iterator[Entry]:
        with self._lock:
            directory = self._find(path)
            if not isinstance(directory, _Directory):
                raise NotADirectory(path)
            _demand(directory, 0o400, path)
            names = tuple(directory.children)
        return self._entries(directory, names)

    def _entries(self, directory: _Directory, names: tuple[str, ...]) -> Iterator[Entry]:
        for name in names:
            with self._lock:
                node = directory.children.get(name)
                entry = None if node is None else _entry(name, node)
            if entry is not None:
                yield entry

    def open_read(self, path: VirtualPath) -> Reader:
        with self._lock:
            node = self._find(path)
            if isinstance(node, _Directory):
                raise IsADirectory(path)
            _demand(node, 0o400, path)
            return MemoryReader(node.content)

    def open_write(self, path: VirtualPath, access: Access, offset: int = 0, mode: int = 0o666) -> Writer:
        with self._lock:
            if path.is_root:
                raise IsADirectory(path)
            directory = self._parent(path, new=True)
            node = directory.children.get(path.name)
            if access is Access.CREATE:
                return self._create(path, directory, node, offset, mode)
            if isinstance(node, _Directory):
                raise IsADirectory(path)
            if node is not None:
                _demand(node, 0o200, path)
                return self._rewrite(path, directory, node, access, offset)
            content = b""
            if offset or access is Access.APPEND:
                content = directory.partials.get(path.name, b"")
                if offset > len(content):
                    raise BadOffset(path)
                # Taken out, so that nobody else goes on from the same data.
                directory.partials.pop(path.name, None)
                self._used -= len(content) - (offset or len(content))
                content = content[: offset or len(content)]
            else:
                _demand(directory, 0o300, path)
            return MemoryWriter(self, path, directory, access, mode & 0o777, content, None)

    def _create(
        self, path: VirtualPath, directory: _Directory, node: _File | _Directory | None, offset: int, mode: int
    ) -> Writer:
        if node is not None or path.name in directory.creating:
            raise AlreadyExists(path)
        kept = directory.partials.get(path.name, b"")
        if offset > len(kept):
            raise BadOffset(path)
        _demand(directory, 0o300, path)
        if offset:
            del directory.partials[path.name]
            self._used -= len(kept) - offset
        directory.creating.add(path.name)
        return MemoryWriter(self, path, directory, Access.CREATE, mode & 0o777, kept[:offset], None)

    def _rewrite(self, path: VirtualPath, directory: _Directory, old: _File, access: Access, offset: int) -> Writer:
        size = len(old.content)
        if offset > size:
            raise BadOffset(path)
        if (access is Access.APPEND and not offset) or (offset and offset == size):
            if old.extended:
                raise Busy(path)
            old.extended = True
            self._used += size  # counted twice until the end
            return MemoryWriter(self, path, directory, Access.APPEND, old.mode, old.content, old)
        self._used += offset
        return MemoryWriter(self, path, directory, Access.REPLACE, old.mode, old.content[:offset], None)

    def take(self, octets: int) -> int:
        """Reserve room for a Writer; how much of it there is."""
        with self._lock:
            if self._capacity is not None:
                octets = max(0, min(octets, self._capacity - self._used))
            self._used += octets
            return octets

    def publish(self, writer: MemoryWriter) -> None:
        with self._lock:
            directory, name = writer.directory, writer.path.name
            self._end(writer)
            if writer.old is not None:
                self._extend(writer, writer.old)
                return
            node = directory.children.get(name)
            refusal: type[NotFound | IsADirectory | AlreadyExists] | None = None
            if directory.removed:
                refusal = NotFound
            elif isinstance(node, _Directory):
                refusal = IsADirectory
            elif node is not None and writer.access is Access.CREATE:
                refusal = AlreadyExists
            if refusal is not None:
                self._used -= len(writer.content)
                raise refusal(writer.path)
            if isinstance(node, _File):
                self._used -= len(node.content)
            directory.children[name] = _File(next(self._numbers), writer.mode, self._clock(), bytes(writer.content))
            directory.modified_ns = self._clock()
            self._forget_partial(directory, name)

    def withdraw(self, writer: MemoryWriter, *, keep: bool) -> None:
        with self._lock:
            directory, name = writer.directory, writer.path.name
            self._end(writer)
            if not keep:
                self._used -= len(writer.content) - writer.start
                del writer.content[writer.start :]  # what was there before: the old file, or kept partial data
            if writer.old is not None:
                self._extend(writer, writer.old)
            elif writer.content and name not in directory.children and not directory.removed:
                self._forget_partial(directory, name)
                directory.partials[name] = bytes(writer.content)
            else:
                self._used -= len(writer.content)

    def _end(self, writer: MemoryWriter) -> None:
        writer.open = False
        if writer.access is Access.CREATE:
            writer.directory.creating.discard(writer.path.name)

    def _extend(self, writer: MemoryWriter, old: _File) -> None:
        self._used -= len(old.content)
        old.extended = False
        if len(writer.content) > writer.start:
            old.modified_ns = self._clock()
        old.content = bytes(writer.content)

    def _forget_partial(self, directory: _Directory, name: str) -> bool:
        content = directory.partials.pop(name, None)
        self._used -= len(content or b"")
        return content is not None

    def partial_size(self, path: VirtualPath) -> int | None:
        with self._lock:
            try:
                directory = self._parent(path)
            except (NotFound, NotADirectory):
                return None
            content = directory.partials.get(path.name)
            return None if content is None or path.name in directory.children else len(content)

    def make_directory(self, path: VirtualPath, mode: int = 0o777) -> None:
        with self._lock:
            if path.is_root:
                raise AlreadyExists(path)
            directory = self._parent(path, new=True)
            if path.name in directory.children:
                raise AlreadyExists(path)
            _demand(directory, 0o300, path)
            directory.children[path.name] = _Directory(next(self._numbers), mode & 0o777, self._clock())
            directory.modified_ns = self._clock()

    def remove_directory(self, path: VirtualPath) -> None:
        with self._lock:
            if path.is_root:
                raise AccessDenied(path, "the root cannot be removed")
            directory, node = self._parent(path), self._find(path)
            if not isinstance(node, _Directory):
                raise NotADirectory(path)
            if node.children:
                raise DirectoryNotEmpty(path)
            _demand(directory, 0o300, path)
            for name in tuple(node.partials):
                self._forget_partial(node, name)
            node.removed = True
            del directory.children[path.name]
            directory.modified_ns = self._clock()

    def remove_file(self, path: VirtualPath) -> None:
        with self._lock:
            if path.is_root:
                raise IsADirectory(path)
            directory = self._parent(path)
            node = directory.children.get(path.name)
            if isinstance(node, _Directory):
                raise IsADirectory(path)
            if node is None and path.name not in directory.partials:
                raise NotFound(path)
            _demand(directory, 0o300, path)
            self._forget_partial(directory, path.name)
            if node is not None:
                self._used -= len(node.content)
                del directory.children[path.name]
                directory.modified_ns = self._clock()

    def rename(self, source: VirtualPath, target: VirtualPath) -> None:
        with self._lock:
            if source.is_root or target.is_root:
                raise AccessDenied(source if source.is_root else target, "the root cannot be renamed or replaced")
            here, node, there = self._parent(source), self._find(source), self._parent(target, new=True)
            old = there.children.get(target.name)
            if old is node:
                return
            if old is not None and (isinstance(old, _Directory) or isinstance(node, _Directory)):
                raise AlreadyExists(target)
            if target.starts_with(source):
                raise NameNotAllowed(target, "a directory cannot go into itself")
            _demand(here, 0o300, source)
            _demand(there, 0o300, target)
            if isinstance(old, _File):
                self._used -= len(old.content)
            del here.children[source.name]
            there.children[target.name] = node
            self._forget_partial(here, source.name)
            self._forget_partial(there, target.name)
            here.modified_ns = there.modified_ns = self._clock()

    def set_modified(self, path: VirtualPath, modified_ns: int) -> int:
        with self._lock:
            self._find(path).modified_ns = modified_ns
            return modified_ns

    def set_mode(self, path: VirtualPath, mode: int) -> None:
        with self._lock:
            self._find(path).mode = mode & 0o777

    def may(self, entry: Entry) -> tuple[bool, bool, bool]:
        return bool(entry.mode & 0o400), bool(entry.mode & 0o200), bool(entry.mode & 0o100)

    def space(self, path: VirtualPath) -> Space:  # noqa: ARG002 - there is one room for all paths
        with self._lock:
            total = _BOUNDLESS if self._capacity is None else self._capacity
            return Space(max(0, total - self._used), total)

    def _find(self, path: VirtualPath) -> _File | _Directory:
        node: _File | _Directory = self._root
        for name in path.names:
            if not isinstance(node, _Directory):
                raise NotADirectory(path)
            _demand(node, 0o100, path)
            child = node.children.get(name)
            if child is None:
                raise NotFound(path)
            node = child
        return node

    def _parent(self, path: VirtualPath, *, new: bool = False) -> _Directory:
        """The directory that holds the name; with *new* the name must be one that can be kept."""
        if new:
            try:
                octets = path.name.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError as error:
                raise NameNotAllowed(path) from error
            if len(octets) > _LONGEST_NAME or b"\0" in octets:
                raise NameNotAllowed(path)
        directory = self._find(path.parent)
        if not isinstance(directory, _Directory):
            raise NotADirectory(path)
        return directory


def _demand(node: _File | _Directory, bits: int, path: VirtualPath) -> None:
    if node.mode & bits != bits:
        raise AccessDenied(path)


def _entry(name: str, node: _File | _Directory) -> Entry:
    if isinstance(node, _File):
        size, links, kind = len(node.content), 1, Kind.FILE
    else:
        links = 2 + sum(isinstance(child, _Directory) for child in node.children.values())
        size, kind = 0, Kind.DIRECTORY
    return Entry(name, kind, size, node.modified_ns, node.mode, links, 0, 0, f"m{node.number:x}", None)
