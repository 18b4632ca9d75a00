"""Link: the data connection of a session that is being made or used, for who looks from outside.

The session's own thread makes it and drops it. It costs one small object for each transfer: what only a view wants to
know, such as the ports of both ends, is asked of the socket when somebody looks.
"""

from __future__ import annotations

from typing import Protocol

from homeport.net.listener import text_of


class Progress(Protocol):
    """What counts the octets of a transfer while it runs."""

    octets: int


class Named(Protocol):
    """A connected socket, as far as its names go."""

    def getsockname(self) -> tuple[str, int]: ...

    def getpeername(self) -> tuple[str, int]: ...


class Link:
    """A data connection that is there."""

    __slots__ = ("_connection", "progress", "protected", "since")

    def __init__(self, connection: Named, since: float, *, protected: bool = False) -> None:
        """*since*: monotonic seconds."""
        self._connection = connection
        self.since = since
        self.protected = protected
        """Whether it is encrypted."""
        self.progress: Progress | None = None

    def follow(self, progress: Progress) -> None:
        """The transfer has begun."""
        self.progress = progress

    @property
    def octets(self) -> int:
        """Moved so far."""
        return self.progress.octets if self.progress is not None else 0

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]] | None:
        """The server's end and the client's; None when the connection has just been closed."""
        try:
            return text_of(self._connection.getsockname()), text_of(self._connection.getpeername())
        except OSError:
            return None
