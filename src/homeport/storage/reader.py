"""LocalReader: an open regular file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from homeport.protocol.path import VirtualPath

from .base import Reader
from .errors import translate

if hasattr(os, "preadv"):

    def _read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
        return os.preadv(descriptor, (buffer,), offset)

else:

    def _read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        data = os.read(descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class LocalReader(Reader):
    """Reads at any offset; nothing is kept between two reads."""

    __slots__ = ("_descriptor", "_path", "size")

    def __init__(self, path: VirtualPath, descriptor: int, size: int) -> None:
        """Takes *descriptor* over."""
        self._path = path
        self._descriptor = descriptor
        self.size = size

    def fileno(self) -> int | None:
        return self._descriptor

    def read_into(self, buffer: memoryview, offset: int) -> int:
        try:
            return _read_at(self._descriptor, buffer, offset)
        except OSError as error:
            raise translate(error, self._path) from error

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __del__(self, warn: Callable[[str, type[Warning]], None] = warnings.warn) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            warn(f"reader of {self._path!r} was never closed", ResourceWarning)
            self.close()
