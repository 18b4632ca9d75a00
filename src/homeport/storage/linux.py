"""The Linux system calls that Python has no function for: openat2, renameat2, and linkat of an open file.

They raise OSError like the functions of `os`, ENOSYS where the system has none; the calls release the GIL.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from functools import cache

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_PATH = getattr(os, "O_PATH", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_OPEN_HOW = struct.Struct("=QQQ")
"""struct open_how: flags, mode, resolve."""


class How:
    """The flags of an open beneath a root, and the kernel's structure for them.

    The structure is made once and only ever read, so any number of threads may share it.
    """

    __slots__ = ("_structure", "alone", "flags", "reference")

    def __init__(self, flags: int) -> None:
        self.flags = flags | getattr(os, "O_CLOEXEC", 0)
        link_is_opened = flags & _PATH and not flags & (_NOFOLLOW | _DIRECTORY)
        self.alone = 0 if link_is_opened else self.flags | _NOFOLLOW
        """The flags that open a single name as these do a path, but fail where a link would have to be followed.

        0: there are none, O_PATH would open the link itself.
        """
        how = _OPEN_HOW.pack(self.flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
        self._structure = ctypes.create_string_buffer(how, len(how))
        self.reference = ctypes.addressof(self._structure)


_OPENAT2 = 547 if platform.machine() == "alpha" else 437
"""The number of openat2: calls that are younger than 2019 have one number on all machines but Alpha."""

_library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_syscall = None
_renameat2 = None
_linkat = None
if _library is not None:
    # An index makes a function object of our own; an attribute's would be shared with everybody's argtypes.
    _syscall = _library["syscall"]
    _syscall.restype = ctypes.c_long
    _syscall.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    _linkat = _library["linkat"]
    _linkat.restype = ctypes.c_int
    _linkat.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    try:
        _renameat2 = _library["renameat2"]
    except AttributeError:  # a C library older than glibc 2.28
        pass
    else:
        _renameat2.restype = ctypes.c_int
        _renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


def openat2(directory: int, path: bytes, how: How) -> int:
    """Open *path* beneath *directory*; the kernel itself refuses every way out with EXDEV.

    EINTR is tried again, as in Python's own calls. EAGAIN is the caller's: something was renamed while a ".."
    of a link was followed, and the kernel could not be sure.
    """
    if _syscall is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if b"\0" in path:  # a C string would end there
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    while True:
        descriptor: int = _syscall(_OPENAT2, directory, path, how.reference, _OPEN_HOW.size)
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


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
    if _renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _renameat2(old_directory, old, new_directory, new, RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def link_open(descriptor: int, directory: int, new: bytes) -> None:
    """Give an open file the name *new*, which nobody may have (EEXIST). ENOENT also for whom the kernel forbids it."""
    if _linkat is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _linkat(descriptor, b"", directory, new, _AT_EMPTY_PATH) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


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
