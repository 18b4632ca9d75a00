"""Status: the few figures of a file that reading, writing and renaming go by."""

from __future__ import annotations

import os

Figures = tuple[int, int, int, int, int, int]
"""Mode, size, owner, group, device, inode."""


class Status:
    """What a name stands for, or an open file is. The numbers are the system's own."""

    __slots__ = ("device", "group", "inode", "mode", "owner", "size")

    def __init__(self, mode: int, size: int, owner: int, group: int, device: int, inode: int) -> None:
        self.mode = mode
        self.size = size
        self.owner = owner
        self.group = group
        self.device = device
        self.inode = inode

    @property
    def is_file(self) -> bool:
        return self.mode & 0o170000 == 0o100000

    @property
    def is_directory(self) -> bool:
        return self.mode & 0o170000 == 0o040000

    @property
    def is_link(self) -> bool:
        return self.mode & 0o170000 == 0o120000

    def is_same(self, other: Status) -> bool:
        """Whether both are of one object."""
        return self.inode == other.inode and self.device == other.device


def figures(status: os.stat_result) -> Figures:
    return status.st_mode, status.st_size, status.st_uid, status.st_gid, status.st_dev, status.st_ino
