"""Partials: what was kept of uploads that broke off goes, once nobody has come back for it for long.

They may lie in any directory of a tree, under names that only the storage uses (`own.py`), so the tree is walked. Links
are not followed, other file systems are not entered, and the walk pauses again and again, since it is never urgent.

An upload that goes on from kept data takes them by renaming them, and so does the removal: whoever is first has them,
and nobody takes away what another has begun to use. What is kept at the very moment is younger, and is given back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .beneath import Directory, Root
from .closed import open_but_for, real_places
from .own import is_named, is_partial, lock, upload_name
from .writer import rename_to_new

PAUSE_AFTER = 1000
"""Names between two pauses."""
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Removed:
    files: int = 0
    octets: int = 0


def remove_old(home: str, before: float, pause: Callable[[], object], *, shut: Iterable[str] = ()) -> Removed:
    """Remove what was kept below the directory *home* and last written before *before* (seconds since 1970).

    *pause* is called every now and then; what it raises ends the walk. What lies at the paths *shut* is left alone.
    Raises OSError if *home* itself cannot be opened; what cannot be opened below it is passed over.
    """
    root = open_but_for(os.fsencode(home), real_places(shut))
    try:
        return _Walk(root, before, pause).run()
    finally:
        root.close()


class _Walk:
    """One walk through a tree; it holds one directory at a time."""

    def __init__(self, root: Root, before: float, pause: Callable[[], object]) -> None:
        self._root = root
        self._before = before
        self._pause = pause
        self._seen = 0
        self._files = 0
        self._octets = 0

    def run(self) -> Removed:
        with self._root.list_directory(b".") as directory:
            device = _device(directory)
        ahead = [b"."]
        while ahead:
            path = ahead.pop()
            try:
                with self._root.list_directory(path) as directory:
                    if _device(directory) == device:
                        prefix = b"" if path == b"." else path + b"/"
                        ahead.extend(prefix + name for name in self._look(directory))
            except OSError:
                continue  # it vanished, or is not ours to read: what lies in it was not kept by us, or is kept on
        return Removed(self._files, self._octets)

    def _look(self, directory: Directory) -> list[bytes]:
        """Remove what is old in *directory*; the directories in it."""
        below: list[bytes] = []
        old: list[bytes] = []
        held = directory.descriptor
        with os.scandir(held if held is not None else os.fsdecode(directory.at(b"."))) as items:
            for item in items:
                self._seen += 1
                if self._seen % PAUSE_AFTER == 0:
                    self._pause()
                name = os.fsencode(item.name)
                if is_partial(name):
                    old.append(name)
                elif item.is_dir(follow_symlinks=False):
                    below.append(name)
        for name in old:
            try:
                octets = _remove(directory, name, self._before)
            except OSError:
                continue  # somebody goes on from it just now, or it is not ours to remove
            if octets is not None:
                self._files += 1
                self._octets += octets
        return below


def _device(directory: Directory) -> int:
    held = directory.descriptor
    return os.stat(directory.at(b".") if held is None else held).st_dev


def _remove(directory: Directory, name: bytes, before: float) -> int | None:
    """Remove one, if it is old and in nobody's hands: how large it was; None if it stays."""
    held = directory.descriptor
    if held is None:
        # Windows itself keeps what is open.
        status = os.stat(directory.at(name), follow_symlinks=False)
        if not _is_old(status, before):
            return None
        os.unlink(directory.at(name))
        return status.st_size
    descriptor = os.open(name, _OPEN, dir_fd=held)
    try:
        status = os.fstat(descriptor)
        if not _is_old(status, before) or not lock(descriptor):
            return None
        taken = upload_name()
        os.rename(name, taken, src_dir_fd=held, dst_dir_fd=held)
        if not is_named(descriptor, directory, taken):
            try:
                rename_to_new(directory, taken, directory, name)
            except FileExistsError:
                os.unlink(taken, dir_fd=held)  # a third upload was kept meanwhile, and the last one counts
            return None
        os.unlink(taken, dir_fd=held)
    finally:
        os.close(descriptor)
    return status.st_size


def _is_old(status: os.stat_result, before: float) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_mtime < before
