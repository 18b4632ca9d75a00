"""LocalScan, and what turns the host's description of an object into an Entry."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from homeport.protocol.path import VirtualPath

from .base import Entry, Form, Kind, LineScan
from .beneath import Directory, Root
from .errors import translate
from .native import compiled
from .own import is_reserved

if TYPE_CHECKING:
    from ._lines import Lines

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY}
_NATIVE_NAMES = sys.getfilesystemencoding().lower() == "utf-8"
_LEADS_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG})

_FIRST_ENTRIES = 100
_ENTRIES = 1000
"""How many entries become lines at a time, at first and then: a client sees something soon."""

KEY_OCTETS = 32
"""Of the key of a Describer."""


def text(octets: bytes) -> str:
    """A host's name as a path element."""
    return octets.decode("utf-8", "surrogateescape")


class Describer:
    """Makes entries. The key makes their unique tokens: equal for one object, and no way back to its inode.

    `_lines.c` makes the same tokens.
    """

    __slots__ = ("_tokens", "key")

    def __init__(self, key: bytes) -> None:
        self.key = key
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


class LocalScan(LineScan):
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
                if _is_hidden(name):
                    continue
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                entry = self._entry(name, status)
                if entry is not None:
                    return entry
        except OSError as error:
            self.close()
            raise translate(error, self._path) from error
        self.close()
        raise StopIteration

    def _entry(self, name: str, status: os.stat_result) -> Entry | None:
        """The entry of a name; None for a link that leads out or nowhere."""
        if not stat.S_ISLNK(status.st_mode):
            return self._describer.entry(name, status)
        octets = name.encode("utf-8", "surrogateescape")
        try:
            status, link = self._root.status(self._octets + b"/" + octets if self._octets != b"." else octets)
        except OSError as error:
            if error.errno in _LEADS_NOWHERE:
                return None
            raise
        return self._describer.entry(name, status, None if link is None else text(link))

    def lines(self, form: Form, ordered: int = 0, *, descending: bool = False) -> Iterator[bytes] | None:
        held, native = self._directory.descriptor, compiled()
        return None if held is None or native is None else self._lines(native, held, form, ordered, descending)

    def _lines(self, native: type[Lines], held: int, form: Form, ordered: int, descending: bool) -> Iterator[bytes]:
        """What is everyday the compiled scan writes; what it hands back is judged here, and may teach it a class."""
        try:
            scan = native(held, self._describer.key, form.names_only, *form.recent)
            try:
                if ordered:
                    scan.gather(ordered, descending)
                most = _FIRST_ENTRIES
                while (found := scan.read(most)) is not None:
                    lines, octets = found
                    yield lines
                    most = _ENTRIES
                    if octets is not None:
                        yield self._judge(scan, held, octets, form)
            finally:
                scan.close()
        except OSError as error:
            raise translate(error, self._path) from error
        finally:
            self.close()

    def _judge(self, scan: Lines, held: int, octets: bytes, form: Form) -> bytes:
        """The line of an entry that the compiled scan does not know; nothing for what is not listed."""
        name = text(octets)
        if _is_hidden(name):
            return b""
        try:
            status = os.stat(octets, dir_fd=held, follow_symlinks=False)
        except FileNotFoundError:
            return b""
        entry = self._entry(name, status)
        if entry is None:
            return b""
        if not stat.S_ISLNK(status.st_mode):
            template = form.template(entry)
            if template is not None:
                scan.teach(status.st_mode, status.st_uid, status.st_gid, template.octets())
        return form.line(entry)

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


def _is_hidden(name: str) -> bool:
    """Whether a name is ours, or no client could name it (path.py)."""
    return "\n" in name or (name[0] == "." and is_reserved("/" + name))
