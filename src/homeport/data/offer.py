"""Offer: one passive port, promised to one client for one data connection.

It is made by `PassivePorts.offer` and belongs to one session, whose thread calls `wait` and `release`. The connection
may come in before anybody waits (many clients connect before they send RETR), and it may be accepted by the thread of
any other session that waits on the same port: then it is laid into `connection`, and `waker` is called if somebody is
polling.

A session may ask for a port and never use it. So an offer that is not waited for is only sure for a time: then it may
be taken back for another session of the same client, and `wait` says so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from homeport.net.listener import Connection

from .connection import Cause, DataConnectionError, attend
from .stream import reset
from .waker import Waker
from .watch import Watch

if TYPE_CHECKING:
    from .portrange import Port
    from .ports import PassivePorts

_SHORTAGE_PAUSE: Final = 0.1
"""Seconds without looking at the port after descriptors ran out: its connection stays there, and would make us spin."""
_STRANGERS_KEPT: Final = 8


class Offer:
    """A promise of a port. Everything but `wait` and `release` is for PassivePorts, under its lock."""

    __slots__ = (
        "_over",
        "_ports",
        "address",
        "announced",
        "connection",
        "excused",
        "local",
        "made",
        "open",
        "peer",
        "place",
        "short",
        "strangers",
        "unused",
        "waited_for",
        "waker",
    )

    def __init__(self, ports: PassivePorts, place: Port, peer: str, local: str, now: float) -> None:
        self._ports = ports
        self.place = place
        self.peer = peer
        """The address that may connect, in its plain form."""
        self.local = local
        """This end of the control connection."""
        self.made = now
        self.waited_for = False
        """Whether its session uses it, so that it is not taken back."""
        self.address: str | None = None
        """What was announced to the client, if somebody sets it: error texts name it."""
        self.announced = place.number
        """The port that was announced: another one, where a router translates ports."""
        self.open = True
        """Whether a connection from the peer is for this offer, and not a late one for an earlier offer."""
        self.connection: Connection | None = None
        self.waker: Waker | None = None
        self.strangers: list[str] = []
        self.excused = False
        """Whether the client had a reason not to come: the transfer was refused, or it called that off itself."""
        self.unused = False
        """Whether the offer is over, nobody waited for its connection, and none came."""
        self.short = False
        """Whether descriptors had run out when the port was last looked at."""
        self._over = False

    @property
    def port(self) -> int:
        return self.place.number

    def wait(self, watch: Watch, timeout: float) -> Connection:
        """The client's connection, blocking or not; the caller owns it. The offer is over then, whatever happens.

        Waits at most *timeout* seconds, and lets *watch* attend to the control connection meanwhile. Raises
        DataConnectionError.
        """
        self.waited_for = True
        self._check()
        try:
            connection = self.connection
            if connection is None:
                # Usually the client is there: one accept, and no poll.
                self._ports.admit(self.place, self)
                connection = self.connection
                if connection is None:
                    # It may be that somebody takes it back this very moment, who had looked before. What has come in
                    # is the session's in any case.
                    self._ports.keep(self)
                    self._check()
                    connection = self._poll(watch, timeout)
        except BaseException:
            self.release()
            raise
        self.connection = None
        self._over = True
        return connection

    def release(self) -> None:
        """Give the port back. A connection that came for it meanwhile is closed. Does nothing the second time."""
        if self._over:
            return
        self._over = True
        if not self.waited_for and not self._has_come():
            # Many clients connect before they send RETR: then theirs is at the port, and only nobody has looked.
            self._ports.admit(self.place, self)
            self.unused = not self._has_come() and not self.short and not self.place.arrivals
        self._ports.withdraw(self.place, self)
        connection = self.connection
        if connection is not None:
            reset(connection)
            self.connection = None

    def _check(self) -> None:
        if self._over:
            raise DataConnectionError(Cause.CLOSED, f"The offer of port {self.port} is over; another PASV is needed.")

    def _has_come(self) -> bool:
        """Asked anew each time: what is called in between, and other threads, change it."""
        return self.connection is not None

    def take_back(self) -> None:
        """Its port goes to another session, for it has not been used for long."""
        self._over = True
        self.unused = True

    def note_stranger(self, address: str) -> None:
        if len(self.strangers) < _STRANGERS_KEPT:
            self.strangers.append(address)

    def _poll(self, watch: Watch, timeout: float) -> Connection:
        """Wait for `connection`."""
        ports, place = self._ports, self.place
        deadline = time.monotonic() + timeout
        waker = ports.start_waiting(self)
        try:
            while True:
                connection = self.connection
                if connection is not None:
                    return connection
                if ports.closed:
                    raise DataConnectionError(Cause.CLOSED, f"Port {self.port} was closed: the server is stopping.")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._nobody(timeout)
                control = watch.fileno()
                # In a shortage the port would be found ready at once, again and again.
                listening = -1 if self.short else place.fileno()
                arriving = place.arriving()
                if waker is None:
                    found = watch.ready((listening, control, *arriving), (), min(left, _SHORTAGE_PAUSE))
                else:
                    pause = min(left, _SHORTAGE_PAUSE) if self.short else left
                    found = watch.ready((listening, control, waker.fileno(), *arriving), (), pause)
                    if waker.fileno() in found:
                        # What it told shows below; left as it is, it would end every wait from now on.
                        waker.clear()
                if control in found:
                    attend(watch, f"{self.peer} to connect to port {self.port}")
                if not self._has_come():
                    ports.admit(place, self)
        finally:
            if waker is not None:
                ports.stop_waiting(self, waker)

    def _nobody(self, timeout: float) -> DataConnectionError:
        where = f"port {self.announced} of {self.address or self.local}"
        expected = f"{self.peer} should have connected to {where} within {timeout:g} seconds"
        if self.short:
            return DataConnectionError(
                Cause.NO_DESCRIPTOR,
                f"{expected}; this server has no descriptor left to accept it.",
                tuple(self.strangers),
            )
        if self.strangers:
            others = ", ".join(dict.fromkeys(self.strangers))
            return DataConnectionError(
                Cause.STRANGER_ONLY, f"{expected}; only {others} did, and was refused.", tuple(self.strangers)
            )
        return DataConnectionError(Cause.NOTHING_ARRIVED, f"{expected}; nothing arrived.")
