"""Uploads: how a Writer on disk begins. How it ends is `writer.py`.

    nothing there, offset 0       a new file beside; APPE goes on from kept partial data if there are any
    nothing there, offset n       the kept partial data, cut to n octets
    a file, STOR                  a new file beside, with the old one's mode and owner
    a file, APPE or offset = size in place
    a file, 0 < offset < size     a copy of the first n octets beside

Kept partial data are taken by renaming them, so only one upload goes on from them. With an offset APPE is STOR
(RFC 3659 §5.3).
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import ExitStack
from typing import Final

from homeport.protocol.path import VirtualPath

from .base import Access, AccessDenied, AlreadyExists, BadOffset, Busy, IsADirectory, NotAFile, Writer
from .beneath import Directory, Place, Root
from .identity import Identity
from .linux import status_of
from .own import creation_name, is_named, is_own, lock, partial_name, remove_if_unused, upload_name
from .status import Status
from .writer import Beside, InPlace, LocalWriter, give_name

_QUIET = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_OLD = os.O_WRONLY | _QUIET
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _QUIET
_NAMELESS = os.O_WRONLY | os.O_TMPFILE | _QUIET if hasattr(os, "O_TMPFILE") else 0
_NO_NAMELESS_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
_CREATE: Final = Access.CREATE
_APPEND: Final = Access.APPEND
"""Bound here, since a member of an enum is dear to look up."""
_HAVE_MODES: Final = sys.platform != "win32"
_CHUNK = 1 << 20
_ATTEMPTS = 8
_MOST_TURNS = 100
"""Of several who want one name with no nameless files at hand each may spoil the others' attempts for a while, but the
last one left has it: nobody gives up before that."""


class Uploads:
    """Begins uploads beneath one root."""

    __slots__ = ("_as_root", "_ask", "_nameless", "_root", "_sync")

    def __init__(self, root: Root, identity: Identity, *, nameless: bool, sync: bool) -> None:
        """*nameless*: files without a name can be published, which takes /proc."""
        self._root = root
        self._as_root = identity.is_root
        self._ask = not identity.is_root and os.access in os.supports_effective_ids
        self._nameless = nameless and bool(_NAMELESS)
        self._sync = sync

    def begin(self, path: VirtualPath, octets: bytes, access: Access, offset: int, mode: int) -> Writer:
        """As `Storage.open_write`; may also raise OSError."""
        new = access is _CREATE
        place = self._root.locate(octets, follow=not new)
        if is_own(place.name):  # only a link can have led here
            place.directory.close()
            raise AccessDenied(path)
        try:
            return self._create(path, place, offset, mode) if new else self._begin(path, place, access, offset, mode)
        except BaseException:
            place.directory.close()
            raise

    def _create(self, path: VirtualPath, place: Place, offset: int, mode: int) -> Writer:
        directory = place.directory
        if offset:
            if place.status is not None:
                raise AlreadyExists(path)
            writer = self._resume(path, place, offset, mode, exclusive=True)
            if writer is None:
                raise BadOffset(path)
            return writer
        temporary = creation_name(place.name)
        with ExitStack() as undo:
            descriptor = self._reserve(directory, temporary, mode)
            undo.callback(os.close, descriptor)
            undo.callback(os.unlink, directory.at(temporary), dir_fd=directory.descriptor)
            # Looked up only now: with the reservation held nobody else can be about to publish that name as new.
            if _exists(directory, place.name):
                raise AlreadyExists(path)
            _set_mode(descriptor, mode)
            undo.pop_all()
        ending = Beside(descriptor, temporary, directory, place.name, exclusive=True, sync=self._sync)
        return LocalWriter(path, descriptor, 0, ending)

    def _begin(self, path: VirtualPath, place: Place, access: Access, offset: int, mode: int) -> Writer:
        status = place.status
        if status is None:
            if offset or access is _APPEND:
                writer = self._resume(path, place, offset, mode)
                if writer is not None:
                    return writer
                if offset:
                    raise BadOffset(path)
        elif not status.is_file:
            raise IsADirectory(path) if status.is_directory else NotAFile(path)
        elif (access is _APPEND and not offset) or (offset and offset == status.size):
            return self._extend(path, place, offset)
        elif offset > status.size:
            raise BadOffset(path)
        else:
            if self._ask:
                _check_writable(place)
            mode = status.mode & 0o777
        directory = place.directory
        descriptor, temporary = self._new_file(directory, mode)
        try:
            _set_mode(descriptor, mode, status if self._as_root else None)
            if offset:
                _copy_start(path, place, descriptor, offset)
        except BaseException:
            os.close(descriptor)
            if temporary is not None:
                os.unlink(directory.at(temporary), dir_fd=directory.descriptor)
            raise
        ending = Beside(descriptor, temporary, directory, place.name, replaces=status is not None, sync=self._sync)
        return LocalWriter(path, descriptor, offset, ending)

    def _new_file(self, directory: Directory, mode: int) -> tuple[int, bytes | None]:
        """An empty file in *directory* and its name, if it needs one."""
        descriptor = self._nameless_file(directory, mode)
        if descriptor is not None:
            return descriptor, None
        for _ in range(_ATTEMPTS):
            name = upload_name()
            descriptor = _locked_file(directory, name, mode)
            if descriptor is not None:
                return descriptor, name
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _nameless_file(self, directory: Directory, mode: int) -> int | None:
        if self._nameless:
            try:
                return os.open(b".", _NAMELESS, mode, dir_fd=directory.descriptor)
            except OSError as error:
                if error.errno not in _NO_NAMELESS_FILES:
                    raise
        return None

    def _reserve(self, directory: Directory, name: bytes, mode: int) -> int:
        """A new file called *name*, locked; EEXIST while another upload holds it. What a crash has left goes."""
        for _ in range(_MOST_TURNS):
            descriptor = self._nameless_file(directory, mode)
            try:
                if descriptor is None:
                    descriptor = _locked_file(directory, name, mode)
                    if descriptor is not None:
                        return descriptor
                    continue
                lock(descriptor)  # before it has a name: nobody ever sees it unlocked
                give_name(descriptor, directory, name)
            except FileExistsError:
                if descriptor is not None:
                    os.close(descriptor)
                # On Windows a file is closed, and so looks unused, in the moment before it gets its name.
                if sys.platform == "win32" or not remove_if_unused(directory, name):
                    raise
            except BaseException:
                if descriptor is not None:
                    os.close(descriptor)
                raise
            else:
                return descriptor
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _resume(
        self, path: VirtualPath, place: Place, offset: int, mode: int, *, exclusive: bool = False
    ) -> Writer | None:
        """Go on from kept partial data; None when there are none."""
        directory = place.directory
        held = directory.descriptor
        partial = directory.at(partial_name(place.name))
        try:
            size = os.stat(partial, dir_fd=held, follow_symlinks=False).st_size
            if offset > size:
                raise BadOffset(path)
            temporary = upload_name()
            os.rename(partial, directory.at(temporary), src_dir_fd=held, dst_dir_fd=held)
        except FileNotFoundError:
            return None
        start = offset or size
        with ExitStack() as undo:
            undo.callback(os.rename, directory.at(temporary), partial, src_dir_fd=held, dst_dir_fd=held)
            descriptor = os.open(directory.at(temporary), _OLD, dir_fd=held)
            undo.callback(os.close, descriptor)
            lock(descriptor)
            if os.fstat(descriptor).st_size < start:  # another upload's, kept since we looked
                raise Busy(path)
            os.ftruncate(descriptor, start)
            os.lseek(descriptor, start, os.SEEK_SET)
            _set_mode(descriptor, mode)
            undo.pop_all()
        ending = Beside(
            descriptor, temporary, directory, place.name, exclusive=exclusive, resumed=start, sync=self._sync
        )
        return LocalWriter(path, descriptor, start, ending)

    def _extend(self, path: VirtualPath, place: Place, offset: int) -> Writer:
        directory = place.directory
        with ExitStack() as undo:
            descriptor = os.open(directory.at(place.name), _OLD, dir_fd=directory.descriptor)
            undo.callback(os.close, descriptor)
            if not lock(descriptor):
                raise Busy(path)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotAFile(path)
            if offset and offset != status.st_size:  # it has grown or shrunk since we looked
                raise Busy(path)
            os.lseek(descriptor, status.st_size, os.SEEK_SET)
            undo.pop_all()
        directory.close()
        return LocalWriter(path, descriptor, status.st_size, InPlace(descriptor, status.st_size, sync=self._sync))


def _check_writable(place: Place) -> None:
    """A file that may not be written is not to be replaced either, although a rename would not ask."""
    directory = place.directory
    if not os.access(directory.at(place.name), os.W_OK, dir_fd=directory.descriptor, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _set_mode(descriptor: int, mode: int, old: Status | None = None) -> None:
    """The exact mode, where the process's umask has taken bits off, and the owner and group of *old*.

    Both are asked for first: mostly they are right, and to change them again is dear, since it has to reach the disk.
    """
    if not _HAVE_MODES:
        return
    new = status_of(descriptor)
    if old is not None and (new.owner != old.owner or new.group != old.group):
        os.fchown(descriptor, old.owner, old.group)
    if new.mode & 0o7777 != mode:
        try:
            os.fchmod(descriptor, mode)
        except PermissionError:
            pass  # a file system without these bits (FAT): the file is as it can be


def _exists(directory: Directory, name: bytes) -> bool:
    try:
        os.stat(directory.at(name), dir_fd=directory.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _locked_file(directory: Directory, name: bytes, mode: int) -> int | None:
    """A new file with a name, locked. None if it was taken for a leftover in the moment before the lock was there."""
    descriptor = os.open(directory.at(name), _NEW, mode, dir_fd=directory.descriptor)
    try:
        if lock(descriptor) and is_named(descriptor, directory, name):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _copy_start(path: VirtualPath, place: Place, descriptor: int, octets: int) -> None:
    """Copy the first *octets* of the file at *place*; *descriptor* then stands behind them."""
    directory = place.directory
    source = os.open(directory.at(place.name), os.O_RDONLY | _QUIET, dir_fd=directory.descriptor)
    try:
        left = octets
        in_kernel = hasattr(os, "copy_file_range")
        while left:
            moved = 0
            if in_kernel:
                try:
                    moved = os.copy_file_range(source, descriptor, min(left, 1 << 30))
                except OSError as error:
                    if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                        raise
                    in_kernel = False
                    continue
            else:
                chunk = memoryview(os.read(source, min(left, _CHUNK)))
                while chunk:
                    written = os.write(descriptor, chunk)
                    moved += written
                    chunk = chunk[written:]
            if not moved:  # shorter than it was a moment ago
                raise BadOffset(path)
            left -= moved
    finally:
        os.close(source)
