"""Link: the data connection of a session that is being made or used, for who looks from outside.

The session's own thread makes it and drops it. It costs one small object for each transfer: what only a view wants to
know, such as the ports of both ends, is asked of the socket when somebody looks.
"""

from __future__ import annotations

from typing import Protocol

from homeport.data.plan import Progress
from homeport.net.listener import text_of


class Named(Protocol):
    """A connected socket, as far as its names go."""

    def getsockname(self) -> tuple[str, int]: ...

    def getpeername(self) -> tuple[str, int]: ...


class Link:
    """A data connection that is there."""

    __slots__ = ("_connection", "_progress", "mode", "since")

    def __init__(self, connection: Named, mode: str, since: float) -> None:
        self._connection = connection
        self.mode = mode
        """The verb that had set it up; empty: the default data port."""
        self.since = since
        """Monotonic seconds."""
        self._progress: Progress | None = None

    def follow(self, progress: Progress) -> None:
        """The transfer has begun."""
        self._progress = progress

    @property
    def octets(self) -> int:
        """Moved so far."""
        return self._progress.octets if self._progress is not None else 0

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]] | None:
        """The server's end and the client's; None when the connection has just been closed."""
        try:
            return text_of(self._connection.getsockname()), text_of(self._connection.getpeername())
        except OSError:
            return None
