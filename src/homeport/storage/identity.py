"""Identity: what the permission bits of a file mean for the user this process runs as."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Identity:
    """A user id with its groups; None where the system has no such thing and bits say nothing."""

    user: int | None
    groups: frozenset[int]

    @classmethod
    def current(cls) -> Self:
        """That of this process as it is now."""
        if not hasattr(os, "geteuid"):
            return cls(None, frozenset())
        return cls(os.geteuid(), frozenset((os.getegid(), *os.getgroups())))

    @property
    def is_root(self) -> bool:
        return self.user == 0

    def may(self, mode: int, owner: int, group: int) -> tuple[bool, bool, bool]:
        """Read, write, and enter. Access lists beyond the mode bits are not asked: that would cost a call each."""
        if self.user is None:
            return True, bool(mode & 0o200), True
        if self.user == 0:
            return True, True, True
        if owner == self.user:
            mode >>= 6
        elif group in self.groups:
            mode >>= 3
        return bool(mode & 4), bool(mode & 2), bool(mode & 1)
