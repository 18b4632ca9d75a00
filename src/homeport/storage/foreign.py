"""Foreign: the system's calls by way of ctypes and `os`, where `_calls.c` could not be built.

A call by ctypes costs some 7,000 instructions.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

from .status import Figures, figures

_RENAME_NOREPLACE = 1
_AT_EMPTY_PATH = 0x1000
_OPEN_HOW = struct.Struct("=QQQ")
"""struct open_how: flags, mode, resolve."""
_OPENAT2 = 547 if platform.machine() == "alpha" else 437
"""The number of openat2: calls that are younger than 2019 have one number on all machines but Alpha."""


class Foreign:
    """As `linux.Calls`."""

    def __init__(self) -> None:
        self._syscall = self._renameat2 = self._linkat = None
        self._hows: dict[tuple[int, int], ctypes.Array[ctypes.c_char]] = {}
        """The kernel's structures, which are made once and only ever read."""
        if sys.platform != "linux":
            return
        library = ctypes.CDLL(None, use_errno=True)
        # An index makes a function object of our own; an attribute's would be shared with everybody's argtypes.
        self._syscall = library["syscall"]
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
        self._linkat = library["linkat"]
        self._linkat.restype = ctypes.c_int
        self._linkat.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        try:
            self._renameat2 = library["renameat2"]
        except AttributeError:  # a C library older than glibc 2.28
            return
        self._renameat2.restype = ctypes.c_int
        self._renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)

    def openat2(self, directory: int, path: bytes, flags: int, resolve: int) -> int:
        if self._syscall is None:
            raise _error(errno.ENOSYS)
        _check(path)
        how = self._hows.get((flags, resolve))
        if how is None:
            packed = _OPEN_HOW.pack(flags, 0, resolve)
            how = self._hows[flags, resolve] = ctypes.create_string_buffer(packed, len(packed))
        while True:
            descriptor: int = self._syscall(_OPENAT2, directory, path, ctypes.addressof(how), _OPEN_HOW.size)
            if descriptor >= 0:
                return descriptor
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise _error(number)

    def link_open(self, descriptor: int, directory: int, new: bytes) -> None:
        if self._linkat is None:
            raise _error(errno.ENOSYS)
        _check(new)
        if self._linkat(descriptor, b"", directory, new, _AT_EMPTY_PATH) != 0:
            raise _error(ctypes.get_errno())

    def rename_new(self, old_directory: int, old: bytes, new_directory: int, new: bytes) -> None:
        if self._renameat2 is None:
            raise _error(errno.ENOSYS)
        _check(old)
        _check(new)
        if self._renameat2(old_directory, old, new_directory, new, _RENAME_NOREPLACE) != 0:
            raise _error(ctypes.get_errno())

    def status(self, descriptor: int) -> Figures:
        return figures(os.fstat(descriptor))

    def status_at(self, directory: int, name: bytes, follow: bool) -> Figures | None:
        _check(name)
        try:
            return figures(os.stat(name, dir_fd=directory, follow_symlinks=follow))
        except FileNotFoundError:
            return None


def _check(path: bytes) -> None:
    if 0 in path:  # a C string would end there
        raise _error(errno.EINVAL)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
