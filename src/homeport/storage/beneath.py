"""Root: the only way to open a path on disk.

A path is resolved beneath the directory handle of the root, never from a string that was checked before: between
a check and an open anybody who may write in the tree could put a link in the way.

* Linux: openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS). The kernel resolves, and leaves the root under no race.
  A single name is opened as the walk does it, which is cheaper; what turns out to be a link is left to openat2.
* Elsewhere, and where a sandbox forbids openat2: a walk. Each name is opened relative to the directory before it,
  without following links; a link's text is read and walked in its stead. At no moment does the system follow
  a link for us, so a link that appears in mid-walk is seen as one and judged like any other.
* Where nothing opens relative to a directory (Windows): `bypath.py`, which is weaker and says so.

Links inside the root work, links out of it are refused (EACCES). An absolute link counts as inside when its text begins
with the root's own real path: the kernel refuses those outright, so after EXDEV the walk judges them. Text such as
"../root/file" that leaves the root and comes back is refused: it says nothing that the tree itself could vouch for.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
import warnings
from types import TracebackType
from typing import Final, Protocol, Self

from .linux import How, has_openat2, identity_of, openat2, status_at, status_of
from .status import Status

_PATH = getattr(os, "O_PATH", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_QUIET = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

READ = How(os.O_RDONLY | _QUIET)
"""For reading; a pipe does not block, a terminal does not take us over."""
LIST = How(os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
"""A directory, to read its entries."""
PASS = How(_PATH | getattr(os, "O_DIRECTORY", 0))
"""A directory, to reach what is in it; needs no right to read it."""
OBJECT = How(_PATH or os.O_RDONLY | _QUIET)
"""Whatever it is, to ask about it, links followed."""
_OBJECT_OR_LINK = How(_PATH | _NOFOLLOW)

_SLASH: Final = 0x2F
"""As a number: to look for octets in octets makes a TypeError and drops it."""
_MOST_LINKS = 40
"""Links in one path, as in the kernel."""
_MOST_STEPS = 20_000
"""Names in one walk, those behind links and those walked again after ".." included."""
_ATTEMPTS = 16
"""Calls of openat2 that may end in EAGAIN before the walk, which cannot, takes over."""
_NO_LINK_FOLLOWED = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR, getattr(errno, "EFTYPE", errno.ELOOP)})
"""What systems answer when O_NOFOLLOW or O_DIRECTORY meets a link."""


class Directory:
    """A held directory. What is done to names in it stays in it, wherever it is moved meanwhile.

    `os.stat(directory.at(name), dir_fd=directory.descriptor)` and its like work on all systems: where there are no
    directory handles the descriptor is None and `at` gives a whole path.
    """

    __slots__ = ("_base", "_lender", "descriptor")

    def __init__(self, descriptor: int | None, base: bytes = b"", lender: Lender | None = None) -> None:
        """The descriptor goes back to the *lender* at the end; without one it is closed."""
        self.descriptor = descriptor
        self._base = base
        self._lender = lender

    def at(self, name: bytes) -> bytes:
        return os.path.join(self._base, name) if self._base else name

    def close(self) -> None:
        descriptor = self.descriptor
        if descriptor is None or descriptor < 0:
            return
        self.descriptor = -1
        if self._lender is None:
            os.close(descriptor)
        else:
            self._lender.take_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Lender:
    """A descriptor that is lent, and closed when its owner is through with it and the last borrower as well.

    Nobody ever works with the number of a descriptor that is closed. Safe for threads: each step is one of a list, and
    who has borrowed looks whether it is too late after that, while who closes says so before looking for borrowers.
    """

    __slots__ = ("_borrowers", "_closing", "_descriptor", "_lock")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._borrowers: list[None] = []
        self._closing = False
        self._lock = threading.Lock()

    def lend(self) -> int:
        """The descriptor, until as many have been taken back; EBADF after `close`."""
        self._borrowers.append(None)
        if self._closing:
            self.take_back()
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._descriptor

    def take_back(self) -> None:
        self._borrowers.pop()
        if self._closing:
            self._end()

    def close(self) -> None:
        self._closing = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            if self._borrowers or self._descriptor < 0:
                return
            descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


class Place:
    """Where a name is kept: its directory, held, and what lay there when it was looked at (None: nothing)."""

    __slots__ = ("directory", "name", "status")

    def __init__(self, directory: Directory, name: bytes, status: Status | None) -> None:
        self.directory = directory
        self.name = name
        self.status = status


class Root(Protocol):
    """What `local.py` needs of a root. Paths are relative to it, without "/" at their start; b"." is the root."""

    def open(self, path: bytes, how: How) -> int:
        """A descriptor of *path*, links followed."""

    def directory(self, path: bytes) -> Directory:
        """The directory at *path*, to be closed by the caller."""

    def list_directory(self, path: bytes) -> Directory:
        """The directory at *path* with the right to read its entries."""

    def locate(self, path: bytes, *, follow: bool) -> Place:
        """The place of *path*, which need not exist; its directory must. With *follow* that which links lead to."""

    def status(self, path: bytes) -> tuple[os.stat_result, bytes | None]:
        """What *path* is, links followed, and the text of the link if it is one."""

    def in_place(self) -> bool:
        """Whether the name of the root still stands for it."""

    def close(self) -> None: ...


class DescriptorRoot:
    """A root held by a directory handle. Safe against every race in the tree.

    What is done to names in the root itself needs no other handle than the root's own, which is lent.
    """

    __slots__ = ("_identity", "_kernel", "_lender", "_path", "descriptor")

    def __init__(self, path: bytes, *, kernel: bool | None = None) -> None:
        """Hold the directory *path*. *kernel*: use openat2 or not; None finds out."""
        self._path = os.path.abspath(path)
        self.descriptor = -1
        self.descriptor = os.open(path, PASS.flags)
        self._lender = Lender(self.descriptor)
        status = status_of(self.descriptor)
        self._identity = (status.device, status.inode)
        self._kernel = has_openat2() if kernel is None else kernel

    def in_place(self) -> bool:
        try:
            return identity_of(self._path) == self._identity
        except OSError:
            return False

    def open(self, path: bytes, how: How) -> int:
        if self._kernel:
            if how.alone and _is_one_name(path):
                # As the walk would. Where nothing is followed nothing leads out, and this is half the price of openat2.
                try:
                    return os.open(path, how.alone, dir_fd=self.descriptor)
                except OSError as error:
                    if error.errno not in _NO_LINK_FOLLOWED:
                        raise
            for _ in range(_ATTEMPTS):
                try:
                    return openat2(self.descriptor, path, how)
                except OSError as error:
                    if error.errno == errno.EAGAIN:
                        continue
                    if error.errno != errno.EXDEV:
                        raise
                    break
        return self._walk(path, how.flags)

    def directory(self, path: bytes) -> Directory:
        if path == b".":
            return Directory(self._lender.lend(), b"", self._lender)
        return Directory(self.open(path, PASS))

    def list_directory(self, path: bytes) -> Directory:
        return Directory(self.open(path, LIST))

    def status(self, path: bytes) -> tuple[os.stat_result, bytes | None]:
        if not _PATH:
            place = self.locate(path, follow=False)
            with place.directory as directory:
                status = os.stat(place.name, dir_fd=directory.descriptor, follow_symlinks=False)
                if not stat.S_ISLNK(status.st_mode):
                    return status, None
                text = os.readlink(place.name, dir_fd=directory.descriptor)
            place = self.locate(path, follow=True)
            with place.directory as directory:
                return os.stat(place.name, dir_fd=directory.descriptor, follow_symlinks=False), text
        if self._kernel and _is_one_name(path):
            status = os.stat(path, dir_fd=self.descriptor, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                return status, None
        descriptor = self.open(path, _OBJECT_OR_LINK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISLNK(status.st_mode):
                return status, None
            text = os.readlink(b"", dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = self.open(path, OBJECT)
        try:
            return os.fstat(descriptor), text
        finally:
            os.close(descriptor)

    def locate(self, path: bytes, *, follow: bool) -> Place:
        for _ in range(_MOST_LINKS):
            parent, _slash, name = path.rpartition(b"/")
            if name in (b"", b".", b".."):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            directory = self.directory(parent or b".")
            try:
                held = directory.descriptor
                # Where there is none, which cannot be, the system says so: no name may pass for a free one.
                status = status_at(-1 if held is None else held, name)
                if status is None or not follow or not status.is_link:
                    return Place(directory, name, status)
                text = os.readlink(name, dir_fd=directory.descriptor)
            except BaseException:
                directory.close()
                raise
            directory.close()
            inside = self._inside(text)
            beside = parent + b"/" + text if parent else text
            path = beside if inside is None else inside
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def _walk(self, path: bytes, flags: int) -> int:
        """Open *path* name by name. Only one directory is held at a time, so that no path can use up descriptors."""
        follow = not flags & _NOFOLLOW
        ahead = path.split(b"/")[::-1]  # names still to go, the next one last
        behind: list[bytes] = []  # names between the root and `here`; none was a link when it was passed
        here = self.descriptor
        links = 0
        try:
            for _ in range(_MOST_STEPS):
                name = ahead.pop()
                if name in (b"", b"."):
                    if ahead:
                        continue
                    return os.open(b".", flags, dir_fd=here)
                if name == b"..":
                    if not behind:
                        raise PermissionError(errno.EACCES, "a way out of the root")
                    # A directory's own ".." may lead anywhere once it has been moved: walk again from the root instead.
                    behind.pop()
                    ahead = [*(ahead or [b"."]), *reversed(behind)]
                    behind = []
                    here = self._step(here, self.descriptor)
                    continue
                text = None
                try:
                    opened = os.open(name, (flags if not ahead else PASS.flags) | _NOFOLLOW, dir_fd=here)
                except OSError as error:
                    if error.errno not in _NO_LINK_FOLLOWED or not (ahead or follow):
                        raise
                    text = _link_text(name, here)
                    if text is None:
                        raise
                else:
                    if ahead:
                        here = self._step(here, opened)
                        behind.append(name)
                        continue
                    text = _text_of_opened_link(opened) if follow and flags & _PATH else None
                    if text is None:
                        return opened
                links += 1
                if links > _MOST_LINKS:
                    break
                inside = self._inside(text)
                if inside is not None:
                    text, behind = inside, []
                    here = self._step(here, self.descriptor)
                ahead += text.split(b"/")[::-1]
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        finally:
            self._step(here, self.descriptor)

    def _step(self, here: int, there: int) -> int:
        """Leave *here* for *there*."""
        if here != self.descriptor:
            os.close(here)
        return there

    def _inside(self, text: bytes) -> bytes | None:
        """The path beneath the root that an absolute link means; None for a relative one, EACCES for a way out."""
        if not text.startswith(b"/"):
            return None
        for prefix in (self._path, self._real_path()):
            if text == prefix or text.startswith(prefix.rstrip(b"/") + b"/"):
                return text[len(prefix) :].lstrip(b"/") or b"."
        raise PermissionError(errno.EACCES, "a link out of the root")

    def _real_path(self) -> bytes:
        """The root's path without links. Only absolute links ask, so it is not worth keeping."""
        if _PATH:
            try:
                return os.readlink(b"/proc/self/fd/%d" % self.descriptor)
            except OSError:
                pass  # no /proc in here
        return os.path.realpath(self._path)

    def close(self) -> None:
        """Calls after it fail. What was located in the root before can be brought to its end."""
        self.descriptor = -1
        self._lender.close()

    def __del__(self) -> None:
        if getattr(self, "descriptor", -1) >= 0:
            warnings.warn(f"storage root {self._path!r} was never closed", ResourceWarning, stacklevel=1)
            self.close()


def _is_one_name(path: bytes) -> bool:
    """Whether a path is the name of something in the root, and leads nowhere else by itself."""
    return _SLASH not in path and path not in (b".", b"..")


def _link_text(name: bytes, directory: int) -> bytes | None:
    """The text of a link, None when it is none."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _text_of_opened_link(descriptor: int) -> bytes | None:
    """O_PATH opens a link itself: its text, and the descriptor is closed; None when it is something else."""
    try:
        link = stat.S_ISLNK(os.fstat(descriptor).st_mode)
        text = os.readlink(b"", dir_fd=descriptor) if link else None
    except BaseException:
        os.close(descriptor)
        raise
    if link:
        os.close(descriptor)
    return text


def open_root(path: bytes) -> Root:
    """The strongest root that this system has."""
    if sys.platform != "win32" and os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd:
        return DescriptorRoot(path)
    from .bypath import PathRoot

    return PathRoot(path)
