"""The one table from errno to StorageError."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from homeport.protocol.path import VirtualPath

from .base import (
    AccessDenied,
    AlreadyExists,
    Busy,
    DirectoryNotEmpty,
    InputOutputError,
    IsADirectory,
    NameNotAllowed,
    NoSpace,
    NotADirectory,
    NotAFile,
    NotFound,
    NotSupported,
    QuotaExceeded,
    StorageError,
)

_TABLE: dict[str, type[StorageError]] = {
    "ENOENT": NotFound,
    "ESTALE": NotFound,
    "ELOOP": NotFound,  # links that lead nowhere, however long one follows them
    "EEXIST": AlreadyExists,
    "ENOTDIR": NotADirectory,
    "EISDIR": IsADirectory,
    "ENOTEMPTY": DirectoryNotEmpty,
    "ENXIO": NotAFile,  # a socket, or a device that is not there
    "ENODEV": NotAFile,
    "EACCES": AccessDenied,
    "EPERM": AccessDenied,
    "EROFS": AccessDenied,
    "EBUSY": Busy,
    "ETXTBSY": Busy,
    "EAGAIN": Busy,
    "EMFILE": Busy,  # out of descriptors or memory for now
    "ENFILE": Busy,
    "ENOMEM": Busy,
    "ENOSPC": NoSpace,
    "EDQUOT": QuotaExceeded,
    "EFBIG": QuotaExceeded,  # RLIMIT_FSIZE, or more than the file system can hold
    "ENAMETOOLONG": NameNotAllowed,
    "EINVAL": NameNotAllowed,  # what FAT says of a name it cannot keep, and rename of a directory into itself
    "EILSEQ": NameNotAllowed,
    "EXDEV": NotSupported,  # rename across mounts; a way out of the root is EACCES already (beneath.py)
    "EOPNOTSUPP": NotSupported,
    "ENOSYS": NotSupported,
}

_BY_NUMBER = {getattr(errno, name): error for name, error in _TABLE.items() if hasattr(errno, name)}


def translate(error: OSError, path: VirtualPath | None) -> StorageError:
    """The StorageError for *error*. Its text is the system's own phrase; host paths stay in the cause."""
    number = error.errno or errno.EIO
    return _BY_NUMBER.get(number, InputOutputError)(path, os.strerror(number))


class Translating:
    """`with Translating(path):` turns an OSError from inside into its StorageError."""

    __slots__ = ("_path",)

    def __init__(self, path: VirtualPath | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise translate(error, self._path) from error
