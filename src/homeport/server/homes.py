"""Homes: one storage for each home directory that somebody uses, shared by all sessions that are logged in there.

A storage on disk holds a descriptor. With one for every session, ten thousand sessions of one user would need ten
thousand more. So the first session opens it, the others share it, and it is closed some seconds after the last has
gone: clients that log in for each file find it open. Whoever logs in gets what the home's name stands for at that
moment: where another directory has been put in its place, that one is opened, and the old one stays for those who are
there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

from homeport.accounts.model import User
from homeport.protocol.path import VirtualPath
from homeport.storage.base import Access, Entry, Reader, Space, Storage, Writer

KEPT_SECONDS = 5.0
"""For so long, and at most twice, a storage that nobody uses stays open. A file system in use cannot be unmounted."""

Later = Callable[[float, Callable[[], None]], None]


class _Home:
    """A storage, and by how many it is used."""

    __slots__ = ("directory", "retired", "storage", "turn", "users", "watched")

    def __init__(self, directory: str, storage: Storage) -> None:
        self.directory = directory
        self.storage = storage
        self.users = 0
        self.turn = 0
        """Goes up whenever it is given back."""
        self.watched = False
        """Whether somebody will look whether it is still of use."""
        self.retired = False
        """Whether its last user closes it: something else stands for its name."""


class Homes:
    """Storages by home directory. Safe for threads."""

    def __init__(self, open_home: Callable[[str], Storage]) -> None:
        """*open_home* makes the storage of a directory of the host; its StorageError goes to whoever logs in."""
        self._open_home = open_home
        self.later: Later | None = None
        """Calls something after so many seconds, if the server still runs; without it nothing is kept open."""
        self._lock = threading.Lock()
        self._homes: dict[str, _Home] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many are open."""
        return len(self._homes)

    def storage_for(self, user: User) -> Storage:
        """The files of *user*. Close it as if it were one's own. Raises StorageError."""
        with self._lock:
            home = self._homes.get(user.home)
            if home is not None:
                home.users += 1
        if home is not None:
            if home.storage.in_place():  # a slow disk holds up nobody else
                return Lease(self, home)
            self._retire(home)
        storage = self._open_home(user.home)
        with self._lock:
            home = self._homes.get(user.home)
            if home is None:
                home = self._homes[user.home] = _Home(user.home, storage)
            home.users += 1
        if home.storage is not storage:  # somebody else was quicker
            storage.close()
        return Lease(self, home)

    def give_back(self, home: _Home) -> None:
        """One less uses *home*."""
        with self._lock:
            home.users -= 1
            home.turn += 1
            if home.users:
                return
            keep = not home.retired and not self._closed and self.later is not None
            if not keep:
                self._drop(home)
            elif home.watched:
                return
            home.watched = keep
        if keep:
            self._look_later(home)
        else:
            home.storage.close()

    def close(self) -> None:
        """Close what nobody uses, and from now on whatever is given back."""
        with self._lock:
            self._closed = True
            unused = [home for home in self._homes.values() if not home.users]
            for home in unused:
                self._drop(home)
        for home in unused:
            home.storage.close()

    def _drop(self, home: _Home) -> None:
        """Under the lock: nobody finds it any more."""
        if self._homes.get(home.directory) is home:
            del self._homes[home.directory]

    def _retire(self, home: _Home) -> None:
        """Something else has its name by now."""
        with self._lock:
            home.retired = True
            self._drop(home)
        self.give_back(home)

    def _look_later(self, home: _Home) -> None:
        if self.later is not None:
            self.later(KEPT_SECONDS, partial(self._look, home, home.turn))

    def _look(self, home: _Home, turn: int) -> None:
        """Close *home* if nobody uses it, and nobody has since *turn*."""
        with self._lock:
            home.watched = False
            if home.users or self._homes.get(home.directory) is not home:
                return
            if home.turn == turn:
                self._drop(home)
            else:
                home.watched = True
        if home.watched:
            self._look_later(home)
        else:
            home.storage.close()


class Lease(Storage):
    """One session's share of a storage. Closing it twice does nothing."""

    __slots__ = ("_home", "_homes", "_storage")

    def __init__(self, homes: Homes, home: _Home) -> None:
        self._homes: Homes | None = homes
        self._home = home
        self._storage = home.storage

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
            homes.give_back(self._home)
