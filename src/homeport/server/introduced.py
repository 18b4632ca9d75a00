"""Introduced: a control connection that a proxy made for a client (PROXY protocol).

Until the proxy has told for whom, nothing is said and nothing else is read (§2: the receiver must not start before the
header is complete, not even where it speaks first). For that it waits in the lobby as any other session, not long. Then
the conversation begins with the client's address as its peer, and all that counts clients counts this one.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from homeport.events.bus import Bus
from homeport.events.types import CloseReason, SessionRefused
from homeport.protocol.proxy import Header, ProxyError, Reader
from homeport.session.services import Clock
from homeport.session.state import Session

from .door import refuse
from .sessions import Talk

_log = logging.getLogger("homeport.server")

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who may introduce clients, and how."""

    trusted: Callable[[str], bool]
    """Whether an address is a proxy's."""
    seconds: float
    """For the header to come."""
    data: bool = False
    """Whether passive data connections come from the proxy too, without a header."""
    host_names: tuple[str, ...] = ()
    """The names that are served here (RFC 7151); empty: every name is."""


class Introduced:
    """A Talk that begins with a header."""

    __slots__ = (
        "_admit",
        "_begun",
        "_clock",
        "_connection",
        "_converse",
        "_ended",
        "_events",
        "_proxies",
        "_reader",
        "_talk",
        "_waiting",
        "place",
    )

    def __init__(
        self,
        connection: socket.socket,
        waiting: Session,
        place: str,
        proxies: Proxies,
        converse: Callable[[Endpoint], Talk],
        admit: Callable[[Endpoint], bytes | None],
        events: Bus,
        clock: Clock,
    ) -> None:
        """*waiting* stands for the session until it begins. *converse* makes the conversation with a client.

        *admit* counts the session as this client's, and no longer as that of *place*; or returns the farewell to a
        client that there is no place for.
        """
        self.place = place
        """What the session is counted as."""
        self._connection = connection
        self._waiting = waiting
        self._proxies = proxies
        self._converse = converse
        self._admit = admit
        self._events = events
        self._clock = clock
        self._begun = False
        self._ended = False
        self._talk: Talk | None = None
        self._reader: Reader | None = None

    @property
    def session(self) -> Session:
        return self._waiting if self._talk is None else self._talk.session

    @property
    def busy(self) -> bool:
        return self._talk is not None and self._talk.busy

    @property
    def deadline(self) -> float:
        return self._waiting.opened + self._proxies.seconds if self._talk is None else self._talk.deadline

    @property
    def beside(self) -> int:
        return -1 if self._talk is None else self._talk.beside

    @property
    def sending(self) -> bool:
        return self._talk is not None and self._talk.sending

    @property
    def waiting(self) -> bool:
        return self._talk is not None and self._talk.waiting

    def fileno(self) -> int:
        return self._connection.fileno() if self._talk is None else self._talk.fileno()

    def run(self) -> bool:
        """As a conversation's. Until the header is there it reads that."""
        if self._talk is None:
            try:
                header = self._read()
            except (ProxyError, OSError) as error:
                self._refuse(self._waiting.peer, f"no valid PROXY header: {error}")
                return False
            if header is None:
                return self._reader is not None
            if not self._begin(header):
                return False
        talk = self._talk
        return talk is not None and talk.run()

    def proceed(self) -> bool:
        return self._talk is not None and self._talk.proceed()

    def expire(self) -> bool:
        if self._talk is not None:
            return self._talk.expire()
        self._refuse(self._waiting.peer, "no valid PROXY header: it did not come in time")
        return False

    def end(self, reason: CloseReason) -> None:
        self._ended = True
        talk = self._talk
        if talk is not None:
            talk.end(reason)
            return
        try:
            self._connection.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # it is gone already, which is what was wanted

    def _begin(self, header: Header) -> bool:
        """Make the conversation; whether there is one now. Else the connection is closed."""
        client = header.source if header.source is not None else self._waiting.peer
        farewell = self._admit(client)
        if farewell is not None:
            refuse(self._connection, farewell)
            return False
        self.place = client[0]
        try:
            talk = self._converse(client)
        except OSError as error:
            _log.debug("a connection of %s was over before it began: %s", client[0], error)
            self._connection.close()
            return False
        session = talk.session
        session.front = header.destination
        if self._proxies.data and header.source is not None:
            session.data_peer = self._waiting.peer[0]
        name = header.authority.lower() if header.authority is not None else None
        if name is not None and (not self._proxies.host_names or name in self._proxies.host_names):
            session.host = name  # §2.2.2: as if the client had said so by HOST
        self._talk = talk
        if self._ended:
            talk.end(CloseReason.SHUTDOWN)
        return True

    def _read(self) -> Header | None:
        """Read what has come of the header. None: it is not whole yet; or, without a reader, there will be none.

        A proxy may end the connection without an octet: some only look whether we live.
        """
        if self._reader is None:
            self._reader = Reader()
            self._connection.setblocking(False)
        reader = self._reader
        try:
            while octets := self._connection.recv(reader.wanted):
                self._begun = True
                header = reader.feed(octets)
                if header is not None:
                    return header
        except BlockingIOError:
            return None
        if self._begun and not self._ended:
            raise ProxyError("the connection ended before it was whole")
        self._connection.close()
        self._reader = None
        return None

    def _refuse(self, peer: Endpoint, reason: str) -> None:
        """§2.1: the connection is aborted, and nothing is said."""
        self._connection.close()
        _log.debug("a connection from %s was closed: %s", peer[0], reason)
        if not self._events.silent:
            self._events.publish(SessionRefused(at=self._clock.time(), peer=peer, reason=reason))
