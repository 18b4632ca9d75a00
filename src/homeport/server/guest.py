"""Guest: what can be parked in the lobby, and its Place there."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Guest(Protocol):
    """What can be parked."""

    def fileno(self) -> int: ...

    @property
    def deadline(self) -> float:
        """When it expires, on the lobby's clock, if it says nothing until then."""

    @property
    def beside(self) -> int:
        """Another descriptor that it waits for, while a transfer is under way; -1: none."""

    @property
    def sending(self) -> bool:
        """Whether it waits for that one to take octets, and not for octets from it."""

    @property
    def waiting(self) -> bool:
        """Whether it has more to do at once, without any new input, as soon as the others had their turn."""


G = TypeVar("G", bound=Guest)


class Place(Generic[G]):
    """A guest's entry in the table, from its arrival until it leaves."""

    __slots__ = ("armed", "beside", "bucket", "guest", "parked")

    def __init__(self, guest: G) -> None:
        self.guest = guest
        self.bucket = 0
        """Where its deadline is. A deadline that was put off moves only when the bucket is due."""
        self.parked = False
        """Whether it waits here. Otherwise some thread works for it."""
        self.armed = False
        """Whether the selector reports its descriptor."""
        self.beside = -1
        """What it waited for beside that when it was parked last."""
