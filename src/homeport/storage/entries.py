"""LocalScan, and what turns the host's description of an object into an Entry."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import Self

from homeport.protocol.path import VirtualPath

from .base import Entry, Kind
from .beneath import Directory, Root
from .errors import translate
from .own import is_reserved

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY}
_NATIVE_NAMES = sys.getfilesystemencoding().lower() == "utf-8"
_LEADS_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG})

KEY_OCTETS = 32
"""Of the key of a Describer."""


def text(octets: bytes) -> str:
    """A host's name as a path element."""
    return octets.decode("utf-8", "surrogateescape")


class Describer:
    """Makes entries. The key makes their unique tokens: equal for one object, and no way back to its inode."""

    __slots__ = ("_tokens",)

    def __init__(self, key: bytes) -> None:
        self._tokens = hashlib.blake2b(key=key, digest_size=9)

    def entry(self, name: str, status: os.stat_result, target: str | None = None) -> Entry:
        token = self._tokens.copy()
        token.update(b"%x.%x" % (status.st_dev, status.st_ino))
        mode = status.st_mode
        return Entry(
            name,
            _KINDS.get(mode & 0o170000, Kind.OTHER),
            status.st_size,
            status.st_mtime_ns,
            mode & 0o7777,
            status.st_nlink,
            status.st_uid,
            status.st_gid,
            token.hexdigest(),
            target,
        )


class LocalScan(Iterator[Entry]):
    """The entries of a directory, one lstat each, as the host hands them out."""

    __slots__ = ("_describer", "_directory", "_items", "_octets", "_path", "_root")

    def __init__(
        self, root: Root, directory: Directory, octets: bytes, path: VirtualPath, describer: Describer
    ) -> None:
        """Takes *directory* over; *octets* is its path beneath *root*, for its links."""
        self._root = root
        self._directory = directory
        self._octets = octets
        self._path = path
        self._describer = describer
        held = directory.descriptor
        self._items = os.scandir(held) if held is not None else os.scandir(os.fsdecode(directory.at(b".")))

    def __next__(self) -> Entry:
        try:
            for item in self._items:
                name = item.name
                if not _NATIVE_NAMES:
                    name = text(os.fsencode(name))
                if "\n" in name or (name[0] == "." and is_reserved("/" + name)):
                    continue  # ours, or no client could name it (path.py)
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not stat.S_ISLNK(status.st_mode):
                    return self._describer.entry(name, status)
                entry = self._follow(name, os.fsencode(item.name))
                if entry is not None:
                    return entry
        except OSError as error:
            self.close()
            raise translate(error, self._path) from error
        self.close()
        raise StopIteration

    def _follow(self, name: str, octets: bytes) -> Entry | None:
        """The entry of a link; None when it leads out or nowhere."""
        try:
            status, link = self._root.status(self._octets + b"/" + octets if self._octets != b"." else octets)
        except OSError as error:
            if error.errno in _LEADS_NOWHERE:
                return None
            raise
        return self._describer.entry(name, status, None if link is None else text(link))

    def close(self) -> None:
        self._items.close()
        self._directory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_items"):
            self.close()
