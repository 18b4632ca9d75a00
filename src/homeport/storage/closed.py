"""ClosedRoot: a root in which some places are shut to everybody, whatever rights he has and however he names them.

A server that shares a home directory may well share the directory that its own state lies in: users and their hashes,
the private key of its certificate. To hide a spelling would not do: links, and a rename of a directory above it, would
give the place another one. So what was opened is asked where it really is, and given back only if that lies
elsewhere. The names on the way to a shut place cannot be moved, removed or made either; what lies around it can.

It costs two system calls for each path, so that `local.py` uses it only where a shut place lies within the root.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence

from .beneath import OBJECT, DescriptorRoot, Directory, Place, Root, open_root
from .linux import How

if sys.platform != "win32":
    import fcntl

    _GET_PATH: int | None = getattr(fcntl, "F_GETPATH", None)
else:
    _GET_PATH = None
_LONGEST_PATH = 1024


class ClosedRoot:
    """*root*, but for the shut places within it. It owns *root*."""

    __slots__ = ("_path", "_root", "_shut")

    def __init__(self, root: Root, path: bytes, shut: Iterable[bytes]) -> None:
        """*path* is that of the root; *shut* are real paths."""
        self._root = root
        self._path = os.path.realpath(path)
        self._shut = tuple(shut)

    def open(self, path: bytes, how: How) -> int:
        descriptor = self._root.open(path, how)
        try:
            self._check(self._real(descriptor, path))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def directory(self, path: bytes) -> Directory:
        return self._checked(self._root.directory(path), path)

    def list_directory(self, path: bytes) -> Directory:
        return self._checked(self._root.list_directory(path), path)

    def locate(self, path: bytes, *, follow: bool) -> Place:
        place = self._root.locate(path, follow=follow)
        try:
            here = self._real_directory(place.directory, path.rpartition(b"/")[0] or b".")
            self._check(here)
            self._check_way(os.path.join(here, place.name))
        except BaseException:
            place.directory.close()
            raise
        return place

    def status(self, path: bytes) -> tuple[os.stat_result, bytes | None]:
        os.close(self.open(path, OBJECT))
        return self._root.status(path)

    def in_place(self) -> bool:
        return self._root.in_place()

    def close(self) -> None:
        self._root.close()

    def _checked(self, directory: Directory, path: bytes) -> Directory:
        try:
            self._check(self._real_directory(directory, path))
        except BaseException:
            directory.close()
            raise
        return directory

    def _check(self, real: bytes) -> None:
        if any(within(real, shut) for shut in self._shut):
            raise PermissionError(errno.EACCES, "a place that is shut to everybody")

    def _check_way(self, real: bytes) -> None:
        """A name may be neither in a shut place nor on the way to one: to move it would move the place."""
        if any(within(real, shut) or within(shut, real) for shut in self._shut):
            raise PermissionError(errno.EACCES, "the way to a place that is shut to everybody")

    def _real_directory(self, directory: Directory, path: bytes) -> bytes:
        if directory.descriptor is None:
            return os.path.realpath(directory.at(b"."))
        return self._real(directory.descriptor, path)

    def _real(self, descriptor: int, path: bytes) -> bytes:
        """Where an open file really is. Where the system cannot tell that of a descriptor, its path is asked anew."""
        real = real_path(descriptor)
        return os.path.realpath(os.path.join(self._path, path)) if real is None else real


def real_places(paths: Iterable[str | bytes]) -> tuple[bytes, ...]:
    """Where they really are at this moment."""
    return tuple(os.path.realpath(os.fsencode(path)) for path in paths)


def open_but_for(path: bytes, shut: Sequence[bytes]) -> Root:
    """The root at *path*, but for the real places *shut*. Raises OSError, EACCES if it lies in one of them itself."""
    root = open_root(path)
    if not shut:
        return root
    real = real_path(root.descriptor) if isinstance(root, DescriptorRoot) else None
    if real is None:
        real = os.path.realpath(path)
    if any(within(real, place) for place in shut):
        root.close()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    inside = [place for place in shut if within(place, real)]
    return ClosedRoot(root, path, inside) if inside else root


def within(path: bytes, place: bytes) -> bool:
    """Whether the real path *path* is *place* or lies below it."""
    return path == place or path.startswith(place.rstrip(b"/") + b"/")


def real_path(descriptor: int) -> bytes | None:
    """The path of an open file without links, as Linux and macOS tell it; None elsewhere."""
    if _GET_PATH is not None:
        return fcntl.fcntl(descriptor, _GET_PATH, bytes(_LONGEST_PATH)).rstrip(b"\0")
    try:
        return os.readlink(b"/proc/self/fd/%d" % descriptor)
    except OSError:
        return None  # another system, or no /proc in here
