"""LocalStorage: a directory of the host as a user's tree.

Every path goes through `beneath.py`; this module adds what the contract in `base.py` says of files. One LocalStorage
serves any number of sessions and threads; it holds one descriptor. Close it only when none of them is left.

What it is good to know:

* A Writer that replaces a file publishes a new file, so hard links to the old one keep the old content. Permission bits
  are kept and, for root, the owner; set-user-id and set-group-id are dropped as any write drops them.
* Octets for the end of a file go straight there, see `writer.py`. A second such upload meanwhile is Busy.
* A resume in the middle of a file copies what stays (shared blocks where the file system can) before it begins.
* A symbolic link to a file is followed when it is read or written: the upload replaces what it leads to, inside the
  root. Removing and renaming act on the link itself.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from homeport.protocol.path import VirtualPath

from .base import (
    Access,
    AccessDenied,
    AlreadyExists,
    Entry,
    IsADirectory,
    NameNotAllowed,
    NotAFile,
    NotFound,
    NotSupported,
    Reader,
    Space,
    Storage,
    Writer,
)
from .beneath import LIST, OBJECT, READ, Directory, Place, Root
from .closed import open_but_for, real_path, within
from .entries import KEY_OCTETS, Describer, LocalScan, text
from .errors import Translating, translate
from .identity import Identity
from .linux import rename_new, status_of
from .own import forget_partial, holds_only_ours, is_reserved, partial_name, remove_leftovers
from .reader import LocalReader
from .status import Status
from .upload import Uploads

_PERMISSIONS = 0o777
_SPECIAL = 0o7000


class LocalStorage(Storage):
    """The tree below the directory *root* of the host."""

    __slots__ = ("_describer", "_identity", "_read_only", "_root", "_through_proc", "_uploads")

    def __init__(
        self,
        root: str | bytes,
        *,
        sync: bool = False,
        key: bytes | None = None,
        shut: Sequence[bytes] = (),
    ) -> None:
        """Hold *root*, which must be a directory; NotFound, NotADirectory or AccessDenied.

        *sync*: a commit returns when file and name are on stable storage. *key* makes the unique tokens of entries,
        which are the same in all storages with the same key; None is a random one. The process's user of this moment
        is the one whose rights count in `may`. What lies at *shut* (`closed.real_places`) is nobody's business:
        AccessDenied for it, and for a *root* within it.
        """
        octets = os.fsencode(root)
        with Translating(None):
            self._root: Root = open_but_for(octets, shut)
        self._describer = Describer(secrets.token_bytes(KEY_OCTETS) if key is None else key)
        self._identity = Identity.current()
        self._through_proc = _through_proc()
        self._read_only: bool | None = None
        self._uploads = Uploads(self._root, self._identity, nameless=self._through_proc, sync=sync)

    def stat(self, path: VirtualPath) -> Entry:
        octets = _existing(path)
        with Translating(path):
            status, link = self._root.status(octets)
        return self._describer.entry(path.name, status, None if link is None else text(link))

    def resolve(self, path: VirtualPath) -> VirtualPath:
        octets, names = _octets(path), path.names
        root = self._real_path(b".")
        if root is None:
            return path
        beyond = len(names)
        while beyond:
            try:
                real = self._real_path(octets)
            except FileNotFoundError:
                real = self._real_place(octets)
            except OSError:
                real = None
            if real is not None:
                there = real.removeprefix(root).strip(b"/") if within(real, root) else octets
                return VirtualPath("/" + "/".join([text(there), *names[beyond:]]))
            # Of a name that is not there, what counts is where its directory is.
            octets = octets.rpartition(b"/")[0] or b"."
            beyond -= 1
        return path

    def _real_path(self, octets: bytes) -> bytes | None:
        descriptor = self._root.open(octets, OBJECT)
        try:
            return real_path(descriptor)
        finally:
            os.close(descriptor)

    def _real_place(self, octets: bytes) -> bytes | None:
        """Of a link that leads to nothing: an upload would make what it names."""
        try:
            place = self._root.locate(octets, follow=True)
        except OSError:
            return None
        with place.directory as directory:
            real = None if directory.descriptor is None else real_path(directory.descriptor)
            return None if real is None else os.path.join(real, place.name)

    def scan(self, path: VirtualPath) -> Iterator[Entry]:
        octets = _existing(path)
        with Translating(path):
            directory = self._root.list_directory(octets)
            try:
                return LocalScan(self._root, directory, octets, path, self._describer)
            except BaseException:
                directory.close()
                raise

    def is_empty(self, path: VirtualPath) -> bool:
        octets = _existing(path)
        with Translating(path), self._root.list_directory(octets) as directory:
            return holds_only_ours(directory)

    def open_read(self, path: VirtualPath) -> Reader:
        octets = _existing(path)
        try:
            descriptor = self._root.open(octets, READ)
            try:
                status = status_of(descriptor)
                if status.is_file:
                    return LocalReader(path, descriptor, status.size)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        except OSError as error:
            raise translate(error, path) from error
        raise IsADirectory(path) if status.is_directory else NotAFile(path)

    def open_write(self, path: VirtualPath, access: Access, offset: int = 0, mode: int = 0o666) -> Writer:
        octets = _to_be_made(path)
        if octets == b".":
            raise IsADirectory(path)
        try:
            return self._uploads.begin(path, octets, access, offset, mode & _PERMISSIONS)
        except OSError as error:
            raise translate(error, path) from error

    def partial_size(self, path: VirtualPath) -> int | None:
        if path.is_root:
            return None
        octets = _existing(path)
        try:
            place = self._root.locate(octets, follow=True)
            with place.directory as directory:
                if place.status is not None:
                    return None
                name = directory.at(partial_name(place.name))
                status = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
                return status.st_size if stat.S_ISREG(status.st_mode) else None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise translate(error, path) from error

    def make_directory(self, path: VirtualPath, mode: int = 0o777) -> None:
        octets = _to_be_made(path)
        if path.is_root:
            raise AlreadyExists(path)
        with Translating(path), self._place(octets) as place:
            directory = place.directory
            name = directory.at(place.name)
            os.mkdir(name, mode | 0o700, dir_fd=directory.descriptor)
            if not hasattr(os, "O_DIRECTORY"):
                return
            # Now the exact mode: the umask has taken bits off. What a set-group-id parent gave stays.
            made = os.open(name, LIST.flags | os.O_NOFOLLOW, dir_fd=directory.descriptor)
            try:
                has = os.fstat(made).st_mode
                if has & _PERMISSIONS != mode & _PERMISSIONS:
                    os.fchmod(made, has & _SPECIAL | mode & _PERMISSIONS)
            finally:
                os.close(made)

    def remove_directory(self, path: VirtualPath) -> None:
        octets = _existing(path)
        if path.is_root:
            raise AccessDenied(path, "the root cannot be removed")
        with Translating(path), self._place(octets) as place:
            name = place.directory.at(place.name)
            held = place.directory.descriptor
            try:
                os.rmdir(name, dir_fd=held)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                if not self._remove_leftovers(place):
                    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY)) from error
                os.rmdir(name, dir_fd=held)

    def _remove_leftovers(self, place: Place) -> bool:
        name = place.directory.at(place.name)
        held = place.directory.descriptor
        if held is None:
            return remove_leftovers(Directory(None, name))
        with Directory(os.open(name, LIST.flags | os.O_NOFOLLOW, dir_fd=held)) as directory:
            return remove_leftovers(directory)

    def remove_file(self, path: VirtualPath) -> None:
        """Kept partial data go with the file; where there is no file, removing them is success."""
        octets = _existing(path)
        if path.is_root:
            raise IsADirectory(path)
        with Translating(path), self._place(octets) as place:
            directory, status = place.directory, place.status
            if status is None:
                os.unlink(directory.at(partial_name(place.name)), dir_fd=directory.descriptor)
            elif status.is_directory:  # asked here: unlink of a directory is EPERM by POSIX, EISDIR on Linux
                raise IsADirectory(path)
            else:
                os.unlink(directory.at(place.name), dir_fd=directory.descriptor)
                forget_partial(directory, place.name)

    def rename(self, source: VirtualPath, target: VirtualPath) -> None:
        old, new = _existing(source), _to_be_made(target)
        if source.is_root or target.is_root:
            raise AccessDenied(source if source.is_root else target, "the root cannot be renamed or replaced")
        with Translating(source):
            origin = self._root.locate(old, follow=False)
        with origin.directory as here:
            if origin.status is None:
                raise NotFound(source)
            with Translating(target), self._place(new) as goal:
                there = goal.directory
                if goal.status is not None:
                    if goal.status.is_same(origin.status) and origin.name == goal.name:
                        return  # onto itself
                    if origin.status.is_directory or self._is_directory(goal.status, new):
                        raise AlreadyExists(target)
                _move(origin, goal)
                forget_partial(here, origin.name)
                forget_partial(there, goal.name)

    def _is_directory(self, status: Status, octets: bytes) -> bool:
        if not status.is_link:
            return status.is_directory
        try:
            there, _link = self._root.status(octets)
        except OSError:
            return False  # it leads nowhere that a client could have meant
        return stat.S_ISDIR(there.st_mode)

    def set_modified(self, path: VirtualPath, modified_ns: int) -> int:
        octets = _existing(path)
        with Translating(path), self._handle(octets) as (handle, status):
            try:
                os.utime(handle, ns=(status.st_atime_ns, modified_ns))
            except OverflowError as error:
                raise NotSupported(path, "no such time in this storage") from error
            return os.stat(handle).st_mtime_ns

    def set_mode(self, path: VirtualPath, mode: int) -> None:
        octets = _existing(path)
        with Translating(path), self._handle(octets) as (handle, status):
            special = status.st_mode & _SPECIAL if stat.S_ISDIR(status.st_mode) else 0
            os.chmod(handle, mode & _PERMISSIONS | special)

    def may(self, entry: Entry) -> tuple[bool, bool, bool]:
        read, write, enter = self._identity.may(entry.mode, entry.owner, entry.group)
        if self._read_only is None:
            with Translating(None), self._handle(b".") as (handle, _):
                self._read_only = hasattr(os, "statvfs") and bool(os.statvfs(handle).f_flag & os.ST_RDONLY)
        return read, write and not self._read_only, enter

    def space(self, path: VirtualPath) -> Space:
        octets = _existing(path)
        while True:
            try:
                with self._handle(octets) as (handle, status):
                    if not hasattr(os, "statvfs"):
                        usage = shutil.disk_usage(_directory_of(handle, status))
                        return Space(usage.free, usage.total)
                    figures = os.statvfs(handle)
                    return Space(figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize)
            except FileNotFoundError as missing:
                if octets == b".":
                    raise translate(missing, path) from missing
                octets = octets.rpartition(b"/")[0] or b"."
            except OSError as error:
                raise translate(error, path) from error

    def in_place(self) -> bool:
        return self._root.in_place()

    def close(self) -> None:
        self._root.close()

    @contextmanager
    def _place(self, octets: bytes) -> Iterator[Place]:
        """The place of a name itself, links not followed."""
        place = self._root.locate(octets, follow=False)
        with place.directory:
            yield place

    @contextmanager
    def _handle(self, octets: bytes) -> Iterator[tuple[int | bytes, os.stat_result]]:
        """What `os` functions take for exactly the object at a path, and its status."""
        if os.utime not in os.supports_fd:
            place = self._root.locate(octets, follow=True)
            name = place.directory.at(place.name)
            yield name, os.lstat(name)
            return
        # An O_PATH descriptor needs no right to read, but only /proc lets one change things through it.
        descriptor = self._root.open(octets, OBJECT if self._through_proc else READ)
        try:
            status = os.fstat(descriptor)
            yield b"/proc/self/fd/%d" % descriptor if self._through_proc else descriptor, status
        finally:
            os.close(descriptor)


@cache
def _through_proc() -> bool:
    """Whether an open file has a name below /proc; does not change while a program runs."""
    return os.path.isdir("/proc/self/fd")


def _octets(path: VirtualPath) -> bytes:
    """The path beneath the root, in the host's octets."""
    try:
        octets = path.text[1:].encode("utf-8", "surrogateescape") or b"."
    except UnicodeEncodeError as error:
        raise NameNotAllowed(path) from error
    if 0 in octets:
        raise NameNotAllowed(path)
    return octets


def _existing(path: VirtualPath) -> bytes:
    if is_reserved(path.text):
        raise NotFound(path)
    return _octets(path)


def _to_be_made(path: VirtualPath) -> bytes:
    if is_reserved(path.text):
        raise NameNotAllowed(path, "names that begin with .homeport- are the storage's own")
    return _octets(path)


def _directory_of(handle: int | bytes, status: os.stat_result) -> int | bytes:
    return handle if isinstance(handle, int) or stat.S_ISDIR(status.st_mode) else os.path.dirname(handle)


def _move(origin: Place, goal: Place) -> None:
    """Rename; what is at the goal is no directory, or came there just now."""
    old, new = origin.directory, goal.directory
    if old.descriptor is not None and new.descriptor is not None and _status(origin).is_directory:
        # A plain rename would put a directory over an empty one that was made meanwhile.
        try:
            rename_new(old.descriptor, origin.name, new.descriptor, goal.name)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EINVAL):
                raise
        else:
            return
    try:
        os.replace(old.at(origin.name), new.at(goal.name), src_dir_fd=old.descriptor, dst_dir_fd=new.descriptor)
    except IsADirectoryError as occupied:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from occupied


def _status(place: Place) -> Status:
    if place.status is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return place.status
