"""LocalWriter, and the two ways in which an upload on disk ends.

* Beside: what is written is a file of its own, and becomes the target by link or rename. Where the file system can,
  it has no name until then (O_TMPFILE), so a crash leaves nothing; else it is called as own.py says.
* InPlace: for octets that go to the end of a file. Copying the file first would cost its whole length for the sake
  of a few octets more. The file's old content is never touched, an abort cuts off what was added, and a lock keeps
  a second writer out.
"""

from __future__ import annotations

import abc
import errno
import os
import sys
import warnings
from types import TracebackType
from typing import Final

from homeport.protocol.path import VirtualPath

from .base import InputOutputError, Writer
from .beneath import Directory
from .errors import translate
from .linux import link_open, may_link_open, rename_new
from .own import forget_partial, partial_name, upload_name

_ATTEMPTS = 8
_NAMES_ARE_HELD: Final = sys.platform == "win32"
"""Windows renames and removes no file that is open."""


class Ending(abc.ABC):
    """What becomes of the octets. `publish` and `withdraw` may raise OSError; `close` ends it after either."""

    __slots__ = ()

    @abc.abstractmethod
    def publish(self) -> None: ...

    @abc.abstractmethod
    def withdraw(self, *, keep: bool) -> None: ...

    @abc.abstractmethod
    def close(self) -> None: ...


class InPlace(Ending):
    """Octets at the end of an old file, whose length was *start*."""

    __slots__ = ("_descriptor", "_start", "_sync")

    def __init__(self, descriptor: int, start: int, *, sync: bool) -> None:
        self._descriptor = descriptor
        self._start = start
        self._sync = sync

    def publish(self) -> None:
        if self._sync:
            os.fsync(self._descriptor)

    def withdraw(self, *, keep: bool) -> None:
        if not keep:
            os.ftruncate(self._descriptor, self._start)

    def close(self) -> None:
        os.close(self._descriptor)


class Beside(Ending):
    """A file of its own until it is published as *name* in *directory*."""

    __slots__ = ("_descriptor", "_directory", "_exclusive", "_name", "_replaces", "_resumed", "_sync", "_temporary")

    def __init__(
        self,
        descriptor: int,
        temporary: bytes | None,
        directory: Directory,
        name: bytes,
        *,
        exclusive: bool = False,
        replaces: bool = False,
        resumed: int | None = None,
        sync: bool,
    ) -> None:
        """Takes *descriptor* and *directory* over. *temporary* is what the file is called meanwhile, None: nothing.

        *exclusive*: never over an existing file. *replaces*: it looks as if there were one. *resumed*: the octets
        that kept partial data had before.
        """
        self._descriptor = descriptor
        self._temporary = temporary
        self._directory = directory
        self._name = name
        self._exclusive = exclusive
        self._replaces = replaces
        self._resumed = resumed
        self._sync = sync

    def publish(self) -> None:
        if self._sync:
            os.fsync(self._descriptor)
        if self._exclusive and self._temporary is not None:
            self._close_where_names_are_held()
            rename_to_new(self._directory, self._temporary, self._directory, self._name)
            self._temporary = None
        else:
            self._become(self._name)
        if self._resumed is None and not self._replaces:  # data are kept only where there is no file
            forget_partial(self._directory, self._name)
        if self._sync:
            sync_directory(self._directory)

    def _become(self, name: bytes) -> None:
        """Let *name* be this file, in one step, whatever it was before."""
        directory = self._directory
        if self._temporary is None:
            if not self._replaces:
                try:
                    give_name(self._descriptor, directory, name)
                except FileExistsError:
                    pass
                else:
                    return
            # A link never replaces anything: the file takes a name of its own first, and that replaces the other. Then
            # ext4 begins to write the new content out (auto_da_alloc), which costs more than all the rest of an upload.
            # To exchange the names and remove the old file would avoid it, but a crash could leave an empty file.
            self._temporary = self._link_beside()
        self._close_where_names_are_held()
        held = directory.descriptor
        os.replace(directory.at(self._temporary), directory.at(name), src_dir_fd=held, dst_dir_fd=held)
        self._temporary = None

    def _link_beside(self) -> bytes:
        """Give the nameless file a name that nobody has."""
        for _ in range(_ATTEMPTS):
            name = upload_name()
            try:
                give_name(self._descriptor, self._directory, name)
            except FileExistsError:
                continue
            return name
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _close_where_names_are_held(self) -> None:
        if _NAMES_ARE_HELD:
            self._close_file()

    def withdraw(self, *, keep: bool) -> None:
        directory = self._directory
        try:
            os.stat(directory.at(self._name), dir_fd=directory.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            if self._descriptor >= 0:
                if not keep and self._resumed is not None:
                    os.ftruncate(self._descriptor, self._resumed)  # kept data that somebody went on from: as they were
                    keep = True
                if keep and os.fstat(self._descriptor).st_size > 0:
                    self._become(partial_name(self._name))
                    return
        # Beside a file that is there kept data could never be reached: a resume goes on from the file.
        if self._temporary is not None:
            self._close_where_names_are_held()
            os.unlink(directory.at(self._temporary), dir_fd=directory.descriptor)

    def close(self) -> None:
        try:
            self._close_file()
        finally:
            self._directory.close()

    def _close_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class LocalWriter(Writer):
    """An open file, written from *position* on."""

    __slots__ = ("_descriptor", "_ending", "_path", "_whole", "position")

    position: int  # said here as well: a compiler lays out a class by its own annotations

    def __init__(self, path: VirtualPath, descriptor: int, position: int, ending: Ending) -> None:
        """*descriptor* stands at *position* and belongs to *ending*, which is taken over."""
        self._path = path
        self._descriptor = descriptor
        self._ending = ending
        self._whole = True
        self.position = position

    def write(self, data: memoryview) -> None:
        try:
            written = os.write(self._descriptor, data)
            self.position += written
            if written < len(data):
                while data := data[written:]:
                    written = os.write(self._descriptor, data)
                    self.position += written
        except OSError as error:
            self._whole = False
            raise translate(error, self._path) from error

    def commit(self) -> None:
        if self._descriptor < 0 or not self._whole:
            raise InputOutputError(self._path, "the upload has failed or ended already")
        try:
            self._ending.publish()
        except OSError as error:
            self.abort(keep=False)
            raise translate(error, self._path) from error
        except BaseException:
            self.abort(keep=False)
            raise
        self._close()

    def abort(self, *, keep: bool) -> None:
        if self._descriptor < 0:
            return
        try:
            self._ending.withdraw(keep=keep)
        except OSError:
            pass  # the contract: an abort never raises. The target is as it was; a leftover goes with its directory.
        finally:
            self._close()

    def _close(self) -> None:
        self._descriptor = -1
        self._ending.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort(keep=False)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            warnings.warn(f"upload of {self._path!r} was neither committed nor aborted", ResourceWarning, stacklevel=1)
            self.abort(keep=False)


def give_name(descriptor: int, directory: Directory, name: bytes) -> None:
    """Give a nameless file a name that nobody has (EEXIST)."""
    held = directory.descriptor
    if held is not None and may_link_open():
        try:
            link_open(descriptor, held, name)
        except FileNotFoundError:
            pass  # we may not, after all; or the directory is gone, which is said below as well
        else:
            return
    os.link(b"/proc/self/fd/%d" % descriptor, name, dst_dir_fd=held)  # for everybody, but /proc makes it dearer


def rename_to_new(old_directory: Directory, old: bytes, new_directory: Directory, new: bytes) -> None:
    """Rename a file unless *new* exists (EEXIST), in one step on every system."""
    here, there = old_directory.descriptor, new_directory.descriptor
    if sys.platform == "win32":
        os.rename(old_directory.at(old), new_directory.at(new))  # never over anything, there
        return
    if here is not None and there is not None:
        try:
            rename_new(here, old, there, new)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EINVAL):
                raise
        else:
            return
    os.link(old_directory.at(old), new_directory.at(new), src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
    os.unlink(old_directory.at(old), dir_fd=here)


def sync_directory(directory: Directory) -> None:
    """Make the names in *directory* last. Nothing where a directory cannot be opened (Windows)."""
    if directory.descriptor is None:
        return
    descriptor = os.open(b".", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0), dir_fd=directory.descriptor)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
