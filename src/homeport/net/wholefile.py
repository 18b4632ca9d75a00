"""Whole files: written so that a reader finds the old or the new content and never a part of it."""

from __future__ import annotations

import contextlib
import os
import tempfile


def write_whole(path: str, octets: bytes, mode: int) -> None:
    """Write *path* whole or not at all; nobody but its owner can read it at any moment before it has its *mode*.

    Raises OSError; the old file is as it was then.
    """
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}-")
    try:
        with open(descriptor, "wb") as file:  # mkstemp has made it 0600
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def read_whole(path: str) -> bytes | None:
    """What *path* holds; None where it does not exist. Raises OSError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
