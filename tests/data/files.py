"""A Reader and a Writer in memory, which fail where they are told to."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType

from homeport.storage.base import InputOutputError, NoSpace, Reader, Writer


class Octets(Reader):
    """*data* as a file. `on_disk` has a descriptor, the other has none."""

    def __init__(
        self, data: bytes, *, on_disk: bool = False, size: int | None = None, fails_at: int | None = None
    ) -> None:
        self.size = len(data) if size is None else size
        self._data = data
        self._fails_at = fails_at
        self.reads: list[int] = []
        self._file = -1
        if on_disk:
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.flush()
                self._file = os.dup(file.fileno())

    def fileno(self) -> int | None:
        return self._file if self._file >= 0 else None

    def read_into(self, buffer: memoryview, offset: int) -> int:
        if self._fails_at is not None and offset >= self._fails_at:
            raise InputOutputError(detail="a bad block")
        self.reads.append(len(buffer))
        part = self._data[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Collected(Writer):
    """Keeps what is written; the disk is full after *room* octets."""

    def __init__(self, room: int | None = None) -> None:
        self.position = 0
        self.data = bytearray()
        self.writes: list[int] = []
        self.ended: str | None = None
        self._room = room

    def write(self, data: memoryview) -> None:
        if self._room is not None and self.position + len(data) > self._room:
            raise NoSpace
        self.data += data
        self.writes.append(len(data))
        self.position += len(data)

    def commit(self) -> None:
        self.ended = "committed"

    def abort(self, *, keep: bool) -> None:
        self.ended = "aborted"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.ended is None:
            self.abort(keep=False)
