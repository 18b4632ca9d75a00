"""Admission: whether a connection becomes a session. The one who asks is the door, in the lobby's thread.

A refused one is told 421 (RFC 959 §4.2.1: service not available, closing control connection) in one send that
does not wait, and costs neither a thread nor a conversation. Where clients come through proxies that introduce them,
only the number of all sessions counts here; the client's address counts as soon as the proxy has told it.
"""

from __future__ import annotations

import itertools
import logging
import socket
from collections.abc import Callable, Iterator

from homeport.accounts.limits import Places
from homeport.events.bus import Bus
from homeport.events.types import SessionRefused
from homeport.net.listener import text_of
from homeport.protocol.reply import Code, Reply
from homeport.session.services import Clock
from homeport.session.state import Session

from .door import refuse
from .introduced import Introduced, Proxies
from .sessions import Talk

_log = logging.getLogger("homeport.server")

Endpoint = tuple[str, int]
Converse = Callable[[socket.socket, int, Endpoint, Endpoint], Talk]
"""Makes the conversation of a connection, from its number, the client's address and this side's."""

_STOPPING = "The server is stopping"
_MOST_PLACES = 64


class Admission:
    """Admits connections within the limits, numbers them, and gives each its conversation."""

    def __init__(
        self,
        limits: Places,
        converse: Converse,
        begin: Callable[[Talk, socket.socket], None],
        events: Bus,
        clock: Clock,
        proxies: Proxies | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """*proxies*: every connection comes from one of them and begins with a header. *numbers*: those of the
        sessions; by default 1, 2, 3 ...
        """
        self._proxies = proxies
        self._limits = limits
        self._converse = converse
        self._begin = begin
        self._events = events
        self._clock = clock
        self._places: dict[Endpoint, Endpoint] = {}
        self._numbers = numbers if numbers is not None else itertools.count(1)
        self.stopping = False
        """Set when the server drains: everybody is refused."""

    def admit(self, connection: socket.socket, peer: Endpoint) -> None:
        """Begin a session on *connection* or refuse it. Owns the connection, does not wait, does not raise."""
        if self._proxies is not None:
            self._admit_proxy(connection, peer, self._proxies)
            return
        reason = self._objection(peer[0])
        if reason is not None:
            self._publish(peer, reason)
            refuse(connection, Reply(Code.SERVICE_CLOSING, reason).encode())
            return
        try:
            local = self._own(connection)
            talk = self._converse(connection, next(self._numbers), peer, local)
        except OSError as error:  # some systems say so here when the client has left already
            _log.debug("a connection from %s was over before it began: %s", peer[0], error)
            connection.close()
            self._limits.release(peer[0])
            return
        self._begin(talk, connection)

    def left(self, talk: Talk) -> None:
        """*talk* is over: its place is free."""
        self._limits.release(talk.place if isinstance(talk, Introduced) else talk.session.peer[0])

    def _admit_proxy(self, connection: socket.socket, peer: Endpoint, proxies: Proxies) -> None:
        """Let a proxy tell its client. Whoever is none is not spoken to (PROXY protocol §2)."""
        if not proxies.trusted(peer[0]):
            self._publish(peer, "not a proxy that is trusted")
            connection.close()
            return
        number = next(self._numbers)
        # As nobody else's, until the client is known.
        place = f"connection {number}"
        reason = self._objection(place)
        if reason is not None:
            self._publish(peer, reason)
            connection.close()
            return
        try:
            local = self._own(connection)
        except OSError as error:
            _log.debug("a connection from %s was over before it began: %s", peer[0], error)
            connection.close()
            self._limits.release(place)
            return

        def admit(client: Endpoint) -> bytes | None:
            objection: str = _STOPPING
            if not self.stopping:
                full = self._limits.move(place, client[0])
                if full is None:
                    return None
                objection = full.value
            self._publish(client, objection)
            return Reply(Code.SERVICE_CLOSING, objection).encode()

        waiting = Session(number, peer, local, self._clock.monotonic())
        talk = Introduced(
            connection,
            waiting,
            place,
            proxies,
            lambda client: self._converse(connection, number, client, local),
            admit,
            self._events,
            self._clock,
        )
        self._begin(talk, connection)

    def _publish(self, peer: Endpoint, reason: str) -> None:
        if not self._events.silent:
            self._events.publish(SessionRefused(at=self._clock.time(), peer=peer, reason=reason))

    def _own(self, connection: socket.socket) -> Endpoint:
        """This side's end of *connection*: one object for all sessions that have the same."""
        end = text_of(connection.getsockname())
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()  # addresses that change from day to day (RFC 8981)
        return self._places.setdefault(end, end)

    def _objection(self, address: str) -> str | None:
        if self.stopping:
            return _STOPPING
        full = self._limits.take(address)
        return full.value if full is not None else None
