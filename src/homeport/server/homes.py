"""Homes: one storage for each home directory that somebody uses, shared by all sessions that are logged in there.

A storage on disk holds a descriptor. With one for every session, ten thousand sessions of one user would need ten
thousand more. So the first session opens it, the others share it, and the last one closes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from homeport.accounts.model import User
from homeport.protocol.path import VirtualPath
from homeport.storage.base import Access, Entry, Reader, Space, Storage, Writer


class _Home:
    """A storage, and by how many it is used."""

    __slots__ = ("storage", "users")

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.users = 0


class Homes:
    """Storages by home directory. Safe for threads."""

    def __init__(self, open_home: Callable[[str], Storage]) -> None:
        """*open_home* makes the storage of a directory of the host; its StorageError goes to whoever logs in."""
        self._open_home = open_home
        self._lock = threading.Lock()
        self._homes: dict[str, _Home] = {}

    def __len__(self) -> int:
        """How many are open."""
        return len(self._homes)

    def storage_for(self, user: User) -> Storage:
        """The files of *user*. Close it as if it were one's own. Raises StorageError."""
        with self._lock:
            home = self._homes.get(user.home)
            if home is not None:
                home.users += 1
                return Lease(self, user.home, home.storage)
        storage = self._open_home(user.home)  # a slow disk holds up nobody else
        with self._lock:
            home = self._homes.get(user.home)
            if home is None:
                home = self._homes[user.home] = _Home(storage)
            home.users += 1
        if home.storage is not storage:  # somebody else was quicker
            storage.close()
        return Lease(self, user.home, home.storage)

    def give_back(self, directory: str) -> None:
        """One less uses the storage of *directory*."""
        with self._lock:
            home = self._homes[directory]
            home.users -= 1
            if home.users:
                return
            del self._homes[directory]
        home.storage.close()


class Lease(Storage):
    """One session's share of a storage. Closing it twice does nothing."""

    __slots__ = ("_directory", "_homes", "_storage")

    def __init__(self, homes: Homes, directory: str, storage: Storage) -> None:
        self._homes: Homes | None = homes
        self._directory = directory
        self._storage = storage

    def stat(self, path: VirtualPath) -> Entry:
        return self._storage.stat(path)

    def resolve(self, path: VirtualPath) -> VirtualPath:
        return self._storage.resolve(path)

    def scan(self, path: VirtualPath) -> Iterator[Entry]:
        return self._storage.scan(path)

    def is_empty(self, path: VirtualPath) -> bool:
        return self._storage.is_empty(path)

    def open_read(self, path: VirtualPath) -> Reader:
        return self._storage.open_read(path)

    def open_write(self, path: VirtualPath, access: Access, offset: int = 0, mode: int = 0o666) -> Writer:
        return self._storage.open_write(path, access, offset, mode)

    def partial_size(self, path: VirtualPath) -> int | None:
        return self._storage.partial_size(path)

    def make_directory(self, path: VirtualPath, mode: int = 0o777) -> None:
        self._storage.make_directory(path, mode)

    def remove_directory(self, path: VirtualPath) -> None:
        self._storage.remove_directory(path)

    def remove_file(self, path: VirtualPath) -> None:
        self._storage.remove_file(path)

    def rename(self, source: VirtualPath, target: VirtualPath) -> None:
        self._storage.rename(source, target)

    def set_modified(self, path: VirtualPath, modified_ns: int) -> int:
        return self._storage.set_modified(path, modified_ns)

    def set_mode(self, path: VirtualPath, mode: int) -> None:
        self._storage.set_mode(path, mode)

    def may(self, entry: Entry) -> tuple[bool, bool, bool]:
        return self._storage.may(entry)

    def space(self, path: VirtualPath) -> Space:
        return self._storage.space(path)

    def close(self) -> None:
        homes, self._homes = self._homes, None
        if homes is not None:
            homes.give_back(self._directory)
