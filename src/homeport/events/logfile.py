"""LogFile: a subscriber of the bus that writes a line for each event to a file, which logrotate may move away.

What the line says is the business of `jsonlog.py` and `xferlog.py`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import BinaryIO, Self

from .types import Event

Render = Callable[[Event], bytes | None]
"""From an event to its line, LF at its end and nowhere else; None for one that is not written down."""


class LogFile:
    """Each line is one write at the end of the file, so lines of several processes do not mix either.

    A path is opened at once (OSError if it cannot be) and again by `reopen`; a stream that somebody else opened
    stays open in `close` and is left alone by `reopen`.
    """

    def __init__(self, target: str | os.PathLike[str] | BinaryIO, render: Render) -> None:
        self._render = render
        self._lock = threading.Lock()
        self._path: str | None = None
        if isinstance(target, str | os.PathLike):
            # Absolute, because a daemon may have changed its directory before the next `reopen`.
            self._path = os.path.abspath(target)
            self._file: BinaryIO = _open(self._path)
        else:
            self._file = target

    def __call__(self, event: Event) -> None:
        line = self._render(event)
        if line is not None:
            self.append(line)

    def append(self, line: bytes) -> None:
        """Write *line*, which ends in LF and holds no other. OSError when the disk does not take it."""
        with self._lock:
            rest = line
            # A raw file may take less than all of it (a full disk, a signal); then what is missing follows.
            while rest:
                rest = rest[self._file.write(rest) :]
            self._file.flush()

    def reopen(self) -> None:
        """Go on in a new file of the same name. If that cannot be opened: OSError, and the old one stays in use."""
        with self._lock:
            if self._path is None:
                return
            fresh = _open(self._path)
            self._file.close()
            self._file = fresh

    def close(self) -> None:
        """Close what was opened here. Closing twice does nothing."""
        with self._lock:
            if self._path is not None:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: str) -> BinaryIO:
    # Unbuffered: one call of write is one system call. "a" is O_APPEND.
    return open(path, "ab", buffering=0)
