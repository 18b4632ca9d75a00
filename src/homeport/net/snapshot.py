"""Snapshot: octets under the name of a file, for OpenSSL, which takes certificates and keys from files only.

On Linux it is memory that only this process can name, so that no key is left behind by a server that was killed.
Elsewhere it is a temporary file that only its owner can read.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from types import TracebackType
from typing import Self

_DESCRIPTORS = "/proc/self/fd"


class Snapshot:
    """Octets that stay as they are until `close`. Any thread may open `path` meanwhile."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, octets: bytes) -> None:
        self._descriptor: int | None = None
        if hasattr(os, "memfd_create") and os.path.isdir(_DESCRIPTORS):
            descriptor = os.memfd_create("homeport-certificate")
            self._descriptor = descriptor
            self.path = f"{_DESCRIPTORS}/{descriptor}"
        else:
            descriptor, self.path = tempfile.mkstemp(prefix="homeport-", suffix=".pem")
        try:
            with open(descriptor, "wb", closefd=self._descriptor is None) as file:
                file.write(octets)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Forget the octets. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        elif not self.path.startswith(_DESCRIPTORS):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
