"""LocalReader: an open regular file."""

from __future__ import annotations

import os
import warnings

from homeport.protocol.path import VirtualPath

from .base import Reader
from .errors import translate


class LocalReader(Reader):
    """Reads at any offset; nothing is kept between two reads."""

    __slots__ = ("_descriptor", "_path", "size")

    size: int  # said here as well: a compiler lays out a class by its own annotations

    def __init__(self, path: VirtualPath, descriptor: int, size: int) -> None:
        """Takes *descriptor* over."""
        self._path = path
        self._descriptor = descriptor
        self.size = size

    def fileno(self) -> int | None:
        return self._descriptor

    def read_into(self, buffer: memoryview, offset: int) -> int:
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._descriptor, (buffer,), offset)
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            data = os.read(self._descriptor, len(buffer))
        except OSError as error:
            raise translate(error, self._path) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        descriptor = self._descriptor
        if descriptor >= 0:
            self._descriptor = -1
            os.close(descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            warnings.warn(f"reader of {self._path!r} was never closed", ResourceWarning, stacklevel=1)
            self.close()
