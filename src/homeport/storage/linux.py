"""System calls that Python has no function for: openat2, renameat2 and linkat of an open file are Linux's. And a status
of a file at a small part of the price that `os.stat` has, which makes nineteen objects of it.

They raise OSError like the functions of `os`, ENOSYS where the system has none; the calls release the GIL.
"""

from __future__ import annotations

import errno
import os
from functools import cache
from typing import Protocol

from .native import calls
from .status import Figures, Status

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
_AT_FDCWD = -100
"""Linux's number. Where another system is asked, too, the path is absolute, and it does not matter."""
_PATH = getattr(os, "O_PATH", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)


class How:
    """The flags of an open beneath a root."""

    __slots__ = ("alone", "flags")

    def __init__(self, flags: int) -> None:
        self.flags = flags | getattr(os, "O_CLOEXEC", 0)
        link_is_opened = flags & _PATH and not flags & (_NOFOLLOW | _DIRECTORY)
        self.alone = 0 if link_is_opened else self.flags | _NOFOLLOW
        """The flags that open a single name as these do a path, but fail where a link would have to be followed.

        0: there are none, O_PATH would open the link itself.
        """


class Calls(Protocol):
    """The calls, as `_calls.c` and `foreign.py` have them."""

    def openat2(self, directory: int, path: bytes, flags: int, resolve: int, /) -> int: ...
    def link_open(self, descriptor: int, directory: int, new: bytes, /) -> None: ...
    def rename_new(self, old_directory: int, old: bytes, new_directory: int, new: bytes, /) -> None: ...
    def status(self, descriptor: int, /) -> Figures: ...
    def status_at(self, directory: int, name: bytes, follow: bool, /) -> Figures | None: ...


def _found() -> Calls:
    native = calls()
    if native is not None:
        return native
    from .foreign import Foreign

    return Foreign()


_calls: Calls = _found()


def openat2(directory: int, path: bytes, how: How) -> int:
    """Open *path* beneath *directory*; the kernel itself refuses every way out with EXDEV.

    EINTR is tried again, as in Python's own calls. EAGAIN is the caller's: something was renamed while a ".."
    of a link was followed, and the kernel could not be sure.
    """
    return _calls.openat2(directory, path, how.flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)


@cache
def has_openat2() -> bool:
    """Whether the running kernel has openat2 and lets us call it: container sandboxes say EPERM or ENOSYS."""
    try:
        os.close(openat2(_AT_FDCWD, b".", How(getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0))))
    except OSError:
        return False
    return True


def rename_new(old_directory: int, old: bytes, new_directory: int, new: bytes) -> None:
    """Rename in one step unless *new* exists (EEXIST). ENOSYS or EINVAL where kernel or file system cannot."""
    _calls.rename_new(old_directory, old, new_directory, new)


def link_open(descriptor: int, directory: int, new: bytes) -> None:
    """Give an open file the name *new*, which nobody may have (EEXIST). ENOENT also for whom the kernel forbids it."""
    _calls.link_open(descriptor, directory, new)


@cache
def may_link_open() -> bool:
    """Whether the kernel lets this process call `link_open`: root, and since Linux 6.10 whoever opened the file.

    Found out by a call that can do nothing: it would link a directory, under a name that is taken. Who has given up
    rights since then hears ENOENT.
    """
    try:
        link_open(_AT_FDCWD, _AT_FDCWD, b"/")
    except OSError as error:
        return error.errno == errno.EEXIST
    return False


def status_of(descriptor: int) -> Status:
    """What an open file is."""
    mode, size, owner, group, device, inode = _calls.status(descriptor)
    return Status(mode, size, owner, group, device, inode)


def status_at(directory: int, name: bytes) -> Status | None:
    """What *name* in an open directory is, links not followed; None if there is no such name."""
    found = _calls.status_at(directory, name, False)
    if found is None:
        return None
    mode, size, owner, group, device, inode = found
    return Status(mode, size, owner, group, device, inode)


def identity_of(path: bytes) -> tuple[int, int] | None:
    """Device and inode of what a path of the host leads to; None if that is nothing."""
    found = _calls.status_at(_AT_FDCWD, path, True)
    return None if found is None else (found[4], found[5])
