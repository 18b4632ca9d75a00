"""Admission: whether a connection becomes a session. The one who asks is the door, in the lobby's thread.

A refused one is told 421 (RFC 959 §4.2.1: service not available, closing control connection) in one send that
does not wait, and costs neither a thread nor a conversation.
"""

from __future__ import annotations

import itertools
import logging
import socket
from collections.abc import Callable

from homeport.accounts.limits import SessionLimits
from homeport.events.bus import Bus
from homeport.events.types import SessionRefused
from homeport.net.listener import text_of
from homeport.protocol.reply import Code, Reply
from homeport.session.services import Clock

from .door import refuse
from .sessions import Talk

_log = logging.getLogger("homeport.server")

Endpoint = tuple[str, int]
Converse = Callable[[socket.socket, int, Endpoint, Endpoint], Talk]
"""Makes the conversation of a connection, from its number, the client's address and this side's."""

_STOPPING = "The server is stopping"


class Admission:
    """Admits connections within the limits, numbers them, and gives each its conversation."""

    def __init__(
        self,
        limits: SessionLimits,
        converse: Converse,
        begin: Callable[[Talk, socket.socket], None],
        events: Bus,
        clock: Clock,
    ) -> None:
        self._limits = limits
        self._converse = converse
        self._begin = begin
        self._events = events
        self._clock = clock
        self._numbers = itertools.count(1)
        self.stopping = False
        """Set when the server drains: everybody is refused."""

    def admit(self, connection: socket.socket, peer: Endpoint) -> None:
        """Begin a session on *connection* or refuse it. Owns the connection, does not wait, does not raise."""
        reason = self._objection(peer[0])
        if reason is not None:
            if not self._events.silent:
                self._events.publish(SessionRefused(at=self._clock.time(), peer=peer, reason=reason))
            refuse(connection, Reply(Code.SERVICE_CLOSING, reason).encode())
            return
        try:
            local = text_of(connection.getsockname())
            talk = self._converse(connection, next(self._numbers), peer, local)
        except OSError as error:  # some systems say so here when the client has left already
            _log.debug("a connection from %s was over before it began: %s", peer[0], error)
            connection.close()
            self._limits.release(peer[0])
            return
        self._begin(talk, connection)

    def left(self, talk: Talk) -> None:
        """*talk* is over: its place is free."""
        self._limits.release(talk.session.peer[0])

    def _objection(self, address: str) -> str | None:
        if self.stopping:
            return _STOPPING
        full = self._limits.take(address)
        return full.value if full is not None else None
