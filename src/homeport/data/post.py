"""Post: what a session's thread may be needed for while it works for its session.

The thread that carries out a command is, as a rule, the one that waits for the next command of every other session
too (ARCHITECTURE.md, "Threads and the lobby"). As long as it does not wait for anything else, nobody misses it. So
whoever waits does it through the post of his session: where others need the thread meanwhile, the post is handed on to
another one first.
"""

from __future__ import annotations

from typing import Protocol

from .readiness import ready, stirs


class Post(Protocol):
    """Every call does next to nothing in a thread that does not hold the post."""

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        """As `readiness.ready`; the post is handed on as soon as others need the thread."""

    def make_way(self, descriptor: int = -1) -> bool:
        """Before some hundred microseconds of work without a wait: hand the post on if others need the thread now.

        Whether *descriptor* can be read, which is asked in the same call of the system.
        """

    def give_way(self) -> None:
        """Before a wait of another kind, or long work: hand the post on."""


class Unshared:
    """The post of a thread that nobody else needs."""

    __slots__ = ()

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        return ready(reading, writing, seconds)

    def make_way(self, descriptor: int = -1) -> bool:
        return descriptor >= 0 and stirs(descriptor)

    def give_way(self) -> None:
        """Nobody waits."""
