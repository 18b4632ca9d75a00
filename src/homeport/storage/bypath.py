"""PathRoot: a root where nothing can be opened relative to a directory (Windows).

Weaker than `beneath.py`: a path is made real, compared with the root's real path, and used a moment later. Who may
write in the tree from outside of FTP could put a link in between. FTP clients cannot, since they cannot make links.
Names that Windows reads as something else (devices, streams, drives, "..\\") are refused.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys

from .beneath import Directory, Place
from .linux import How
from .status import Status, figures

_MISREAD = re.compile(
    rb'[<>:"\\|?*\x00-\x1f]|[. ]$|^(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(?:\.|$)', re.IGNORECASE
)


class PathRoot:
    """A root held by its real path."""

    __slots__ = ("_path",)

    def __init__(self, path: bytes) -> None:
        self._path = os.path.realpath(path)
        if not os.path.isdir(self._path):
            number = errno.ENOTDIR if os.path.exists(self._path) else errno.ENOENT
            raise OSError(number, os.strerror(number))

    def open(self, path: bytes, how: How) -> int:
        return os.open(self._checked(path), how.flags)

    def in_place(self) -> bool:
        return True  # every path is asked anew

    def directory(self, path: bytes) -> Directory:
        checked = self._checked(path)
        if not stat.S_ISDIR(os.stat(checked).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return Directory(None, checked)

    def list_directory(self, path: bytes) -> Directory:
        return self.directory(path)

    def locate(self, path: bytes, *, follow: bool) -> Place:
        parent, _slash, name = path.rpartition(b"/")
        if path == b".":
            return Place(Directory(None, self._path), b".", Status(*figures(os.stat(self._path))))
        if name in (b"", b".", b".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        checked = self._checked(path) if follow else b""
        if checked:
            directory, name = Directory(None, os.path.dirname(checked)), os.path.basename(checked)
        else:
            _check_names(path)
            directory = self.directory(parent or b".")
        try:
            return Place(directory, name, Status(*figures(os.lstat(directory.at(name)))))
        except FileNotFoundError:
            os.stat(directory.at(b"."))  # the parent, however, must be there
            return Place(directory, name, None)

    def status(self, path: bytes) -> tuple[os.stat_result, bytes | None]:
        status = os.stat(self._checked(path))
        spelled = os.path.join(self._path, path)
        return status, os.readlink(spelled) if os.path.islink(spelled) else None

    def close(self) -> None:
        """Nothing is held."""

    def _checked(self, path: bytes) -> bytes:
        _check_names(path)
        real = os.path.realpath(os.path.join(self._path, path))
        if os.path.commonpath((self._path, real)) != self._path:
            raise PermissionError(errno.EACCES, "a way out of the root")
        return real


def _check_names(path: bytes) -> None:
    for name in path.split(b"/"):
        if name == b"..":
            raise PermissionError(errno.EACCES, "a way out of the root")
        if sys.platform == "win32" and name != b"." and _MISREAD.search(name):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
