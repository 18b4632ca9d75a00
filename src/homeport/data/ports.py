"""PassivePorts: the listening sockets of passive mode. Opened once, they listen for the server's life.

So PASV costs no socket, bind and listen, and the range is never left (DESIGN §2). A port is not bound to a session but
promised to a client's address: each Port knows its Offers by peer, and whoever accepts a connection, for whatever
reason, hands it to the offer of its peer. One port therefore serves any number of clients at once; only two
sessions of the same client cannot share one, because their connections look alike, and take turns. After `accept`
the promise is kept and the port is free for the same client again.

A connection that no offer is waiting for is reset at once: a port scan, a thief who guessed the number (RFC 2577 §8),
or a client that came too late. The last is a danger of its own: a client that sent PASV, then ABOR, may have its
connection under way still, and the next offer of that port to the same client would take it for its own. Such a port
is emptied before it is offered to that client again, and if there is another, that one is offered for some seconds.

The choice is random (RFC 2577 §8), and first falls on ports that nobody waits for. Who finds all ports promised to
his own client waits in a queue for that client, and gets the next one in his turn. So that a session which asked for a
port and never used it does not hold up the others, the oldest such offer is taken back for them after some time.

One lock guards promises and queues. Nothing blocks while it is held; accept and close happen outside of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Self

from homeport.net.listener import SHORTAGE, Connection, Listener, plain, take

from .arrivals import Arrivals, Proxies
from .connection import Cause, DataConnectionError, attend
from .offer import Offer
from .portrange import Port, PortRange, Turn, open_ranges
from .readiness import ready
from .stream import reset
from .waker import Waker
from .watch import Watch

__all__ = ["ANYBODY", "NoPortFree", "Offer", "PassivePorts"]

ANYBODY: Final = "anybody"
"""The peer of an offer that takes a connection from every address: for transfers between two servers (RFC 959 §5.2)."""

_QUARANTINE_SECONDS: Final = 5.0
"""For so long a port that was given back unused is the last choice for the same client."""
KEPT_SECONDS: Final = 10.0
"""For so long an offer that is not used yet is its session's, even if others of the same client wait."""
_UNWOKEN_SECONDS: Final = 0.1
"""Between two looks, where descriptors have run out and nobody can wake who waits."""
_WAKERS_KEPT: Final = 64
_ADMITTED_AT_ONCE: Final = 4096
"""A flood of strangers must not hold one session for ever."""

Refused = Callable[[tuple[str, int], int], None]


class NoPortFree(DataConnectionError):
    """No port can be offered; `cause` is NO_PORT, or CLOSED."""

    def __init__(self, text: str, cause: Cause = Cause.NO_PORT) -> None:
        super().__init__(cause, text)


class PassivePorts:
    """The pool. May be used from any number of threads."""

    def __init__(
        self,
        ranges: Sequence[PortRange],
        unavailable: Sequence[tuple[int, str]],
        refused: Refused | None = None,
        kept: float = KEPT_SECONDS,
        proxies: Proxies | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._ranges = {one.address: one for one in ranges}
        self._everywhere = {":" in one.address: one for one in ranges if one.address in ("0.0.0.0", "::")}
        self._refused = refused
        self._kept = kept
        self._wakers: list[Waker] = []
        self.closed = False
        self._proxies = proxies
        self.ports: tuple[int, ...] = ()
        """The numbers that are listening."""
        self._count()
        self.unavailable = tuple(unavailable)
        """The numbers that could not be had, on one address or all, and why."""
        self.without = tuple(one.address for one in ranges if not one.ports)
        """The addresses on which none could be had."""
        for port in self._places():
            self._introduce(port)

    @classmethod
    def open(
        cls,
        addresses: Sequence[str],
        ports: Sequence[int] | None,
        *,
        count: int = 16,
        refused: Refused | None = None,
        kept: float = KEPT_SECONDS,
        proxies: Proxies | None = None,
    ) -> Self:
        """Listen on *ports* of each of *addresses*; None: on *count* numbers that the system chooses.

        What cannot be had is told in `unavailable` and raises nothing. *refused* is called with every stranger's
        address and the port, in the thread that met him; it must be quick. *kept*: seconds after which an offer that
        is not used may be taken back for another session of the same client. *proxies*: only they connect, and each
        connection begins by telling whose it is.
        """
        ranges, unavailable = open_ranges(addresses, ports, count)
        return cls(ranges, unavailable, refused, kept, proxies)

    # -- for a session ---------------------------------------------------------------------------------

    def offer(
        self,
        peer: str,
        local: str,
        timeout: float,
        watch: Watch | None = None,
        among: frozenset[int] | None = None,
    ) -> Offer:
        """Promise a port to *peer*, whose control connection ends at *local*. It is listening already.

        It is one of *among*, if any of those is open at all. ANYBODY as *peer* takes whoever comes first, unless the
        port is promised to that address.
        Waits up to *timeout* seconds for a turn if every such port is promised to other sessions of the same peer, and
        lets *watch* attend to the control connection meanwhile. Raises NoPortFree, and DataConnectionError where that
        ends the wait.
        """
        peer, local = plain(peer), plain(local)
        within = self._ranges.get(local) or self._everywhere.get(":" in local)
        if within is None or not within.ports:
            raise NoPortFree(f"No passive port is open on {local}.")
        if among is not None:
            among = within.narrowed(among)
        # Here and in `_bring`, where each transfer comes by, in calls: `with` takes a compiled program twice as long.
        self._lock.acquire()
        try:
            offer = self._try(within, peer, local, among)
        finally:
            self._lock.release()
        if offer is None:
            offer = self._queue(within, peer, Turn(local, among), timeout, watch)
        if not offer.open:
            # What waits at the port now was meant for an earlier offer; it is refused for as long as this one is shut.
            self.admit(offer.place)
            offer.open = True
        return offer

    def sweep(self) -> list[tuple[str, int]]:
        """Look at every port: hand over what came for parked sessions, and reset the rest.

        The strangers among them, each with the port. To be called about every second, because between two transfers
        nobody else looks.
        """
        places = {port.fileno(): port for port in self._places()}
        found: list[tuple[str, int]] = []
        stirring = {places[descriptor] for descriptor in ready(tuple(places), (), 0.0)}
        for port in places.values():
            if port in stirring or port.arrivals:
                found.extend((address, port.number) for address in self.admit(port))
        now = time.monotonic()
        with self._lock:
            for port in places.values():
                if port.former:
                    port.former = {peer: until for peer, until in port.former.items() if until > now}
        return found

    def descriptors(self) -> tuple[int, ...]:
        """Of the listening sockets, for who wants to know when it is worth to `sweep`."""
        return tuple(port.fileno() for port in self._places())

    @property
    def unsettled(self) -> bool:
        """Whether connections of proxies are still to tell whose they are, so that another `sweep` is due soon."""
        return any(port.arrivals for port in self._places())

    def adopt(self, listeners: Sequence[tuple[str, Listener]]) -> None:
        """From now on these are ports, too: each listens, on an address of those that this was made for."""
        added = [Port(listener, self._ranges[plain(address)]) for address, listener in listeners]
        with self._lock:
            for port in added:
                self._introduce(port)
                port.range.ports.append(port)
            self._count()

    def retire(self, forget: Callable[[int], None]) -> list[tuple[str, int]]:
        """Give up the ports that are promised to nobody: the address and number of each.

        *forget* is called with each descriptor before it is closed: another process may still have it open, and then
        a selector does not notice.
        """
        with self._lock:
            idle = [port for port in self._places() if not port.offers and not port.range.queues]
            for port in idle:
                port.range.ports.remove(port)
            self._count()
        for port in idle:
            forget(port.fileno())
            if port.arrivals is not None:
                port.arrivals.close()
            port.listener.close()
        return [(port.range.address, port.number) for port in idle]

    def close(self) -> None:
        """Stop listening. Whoever waits is told CLOSED; connections that came in before stay with their sessions."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            for one in self._ranges.values():
                for turn in (turn for queue in one.queues.values() for turn in queue):
                    if turn.waker is not None:
                        turn.waker.wake()
                one.queues.clear()
                for port in one.ports:
                    for offer in port.offers.values():
                        if offer.waker is not None:
                            offer.waker.wake()
                    port.offers.clear()
            wakers, self._wakers = self._wakers, []
        for port in self._places():
            if port.arrivals is not None:
                port.arrivals.close()
        for one in self._ranges.values():
            one.close()
        for waker in wakers:
            waker.close()

    # -- for Offer -------------------------------------------------------------------------------------

    def admit(self, port: Port, until: Offer | None = None) -> list[str]:
        """Accept what waits at *port* and bring each connection to where it belongs. Does not block.

        Ends early once *until* has its connection. The addresses of strangers.
        """
        strangers: list[str] = []
        arrivals = port.arrivals
        came = False
        for _ in range(_ADMITTED_AT_ONCE):
            try:
                connection, peer = take(port.listener)
            except BlockingIOError:
                if until is not None:
                    until.short = False
                break
            except OSError as error:
                if until is not None:
                    until.short = error.errno in SHORTAGE
                    if not until.short and not self.closed:
                        raise DataConnectionError(
                            Cause.CLOSED, f"Port {port.number} broke: {error.strerror}."
                        ) from error
                break
            if arrivals is None:
                offer = self._bring(port, connection, peer, strangers)
                if offer is not None and offer is until:
                    break
            elif arrivals.add(connection, peer):
                came = True
            else:
                self._turn_away(port, connection, peer, strangers)
        if arrivals is not None:
            for connection, client in arrivals.introduced():
                self._bring(port, connection, client, strangers)
            if came and arrivals:
                self._wake(port)
        return strangers

    def _bring(self, port: Port, connection: Connection, peer: tuple[str, int], strangers: list[str]) -> Offer | None:
        """Bring *connection* to the offer of *peer*, and return that. If there is none, it is reset."""
        address = plain(peer[0])
        self._lock.acquire()
        try:
            offer = port.offers.get(address) or port.offers.get(ANYBODY)
            if offer is not None and offer.open:
                offer.connection = connection
                if offer.waker is not None:
                    offer.waker.wake()
                self._vacate(port, offer.peer)
                return offer
            late = offer is not None or address in port.former or ANYBODY in port.former
            if not late:
                for other in port.offers.values():
                    other.note_stranger(address)
        finally:
            self._lock.release()
        if late:
            reset(connection)
        else:
            self._turn_away(port, connection, peer, strangers)
        return None

    def _turn_away(self, port: Port, connection: Connection, peer: tuple[str, int], strangers: list[str]) -> None:
        """Reset *connection*, which nobody has ever been told to make."""
        reset(connection)
        strangers.append(peer[0])
        if self._refused is not None:
            self._refused(peer, port.number)

    def _wake(self, port: Port) -> None:
        """Let all who wait at *port* look which descriptors are there now."""
        with self._lock:
            for offer in port.offers.values():
                if offer.waker is not None:
                    offer.waker.wake()

    def _introduce(self, port: Port) -> None:
        if self._proxies is not None:
            port.arrivals = Arrivals(self._proxies)

    def _count(self) -> None:
        self.ports = tuple(sorted({port.number for port in self._places()}))

    def _places(self) -> list[Port]:
        return [port for one in self._ranges.values() for port in one.ports]

    def keep(self, offer: Offer) -> None:
        """*offer* is used, and not taken back from now on. If it is over afterwards, it was taken back before."""
        with self._lock:
            offer.waited_for = True

    def withdraw(self, port: Port, offer: Offer) -> None:
        """The end of *offer*. If nothing had come for it, what may be at the port by now is refused."""
        with self._lock:
            if port.offers.get(offer.peer) is not offer:
                return
            port.former[offer.peer] = time.monotonic() + _QUARANTINE_SECONDS
            self._vacate(port, offer.peer)
        self.admit(port)

    def start_waiting(self, waiting: Offer | Turn) -> Waker | None:
        """From now on the thread of *waiting* is woken when what it waits for is there, or the ports are closed.

        None if descriptors have run out: then nobody wakes it.
        """
        with self._lock:
            try:
                waker = self._wakers.pop() if self._wakers else Waker()
            except OSError as error:
                if error.errno in SHORTAGE:
                    return None
                raise
            waiting.waker = waker
            if self.closed:
                waker.wake()
        return waker

    def stop_waiting(self, waiting: Offer | Turn, waker: Waker) -> None:
        """Take *waker* back."""
        with self._lock:
            # Nobody else can reach it once it is taken off, so it is clear for the next.
            waiting.waker = None
            waker.clear()
            keep = not self.closed and len(self._wakers) < _WAKERS_KEPT
            if keep:
                self._wakers.append(waker)
        if not keep:
            waker.close()

    # -- promises; called under the lock unless they say that they take it ---------------------------------

    def _try(self, within: PortRange, peer: str, local: str, among: frozenset[int] | None) -> Offer | None:
        if self.closed or not within.ports:  # or all were retired in this very moment
            raise NoPortFree("The passive ports are closed: the server is stopping.", Cause.CLOSED)
        now = time.monotonic()
        port = within.choose(peer, now, among)
        return None if port is None else self._promise(port, peer, local, now)

    def _promise(self, port: Port, peer: str, local: str, now: float) -> Offer:
        offer = Offer(self, port, peer, local, now)
        offer.open = not port.former or port.former.pop(peer, None) is None
        port.offers[peer] = offer
        return offer

    def _vacate(self, port: Port, peer: str) -> None:
        """Take the promise to *peer* off *port*; the first in the peer's queue gets it, so that nobody overtakes."""
        del port.offers[peer]
        turn = port.range.first(peer, port.number) if port.range.queues else None
        if turn is not None:
            turn.offer = self._promise(port, peer, turn.local, time.monotonic())
            if turn.waker is not None:
                turn.waker.wake()

    def _reclaim(self, within: PortRange, peer: str, turn: Turn) -> float:
        """Take back the oldest offer to *peer* if it is not used in time; else the seconds until it may be."""
        offer = within.unused(peer, turn.among)
        if offer is None:
            return self._kept
        left = offer.made + self._kept - time.monotonic()
        if left <= 0:
            offer.take_back()
            # Its client may have seen the port's number: what comes for it late is nobody's.
            offer.place.former[peer] = time.monotonic() + _QUARANTINE_SECONDS
            self._vacate(offer.place, peer)
        return left

    # -- the queue; takes the lock ---------------------------------------------------------------------

    def _queue(self, within: PortRange, peer: str, turn: Turn, timeout: float, watch: Watch | None) -> Offer:
        """Wait for a turn."""
        # A client may have connected whose session has not asked for it yet: taking that in frees the port.
        for port in within.ports:
            self.admit(port)
        with self._lock:
            offer = self._try(within, peer, turn.local, turn.among)
            if offer is not None:
                return offer
            within.enter(peer, turn)
        try:
            self._wait_for(turn, within, peer, timeout, watch)
        except BaseException:
            given = self._leave(turn, within, peer)
            if given is not None:
                given.release()
            raise
        given = self._leave(turn, within, peer)
        if given is not None:
            return given
        if self.closed:
            raise NoPortFree("The passive ports were closed: the server is stopping.", Cause.CLOSED)
        raise NoPortFree(
            f"All passive ports ({len(within.ports)}) waited for other sessions of {peer} for {timeout:g} seconds."
        )

    def _wait_for(self, turn: Turn, within: PortRange, peer: str, timeout: float, watch: Watch | None) -> None:
        """Until *turn* has its offer, the ports are closed, or *timeout* is over."""
        deadline = time.monotonic() + timeout
        waker = self.start_waiting(turn)
        try:
            while True:
                with self._lock:
                    seconds = 0.0 if turn.offer is not None or self.closed else self._reclaim(within, peer, turn)
                left = deadline - time.monotonic()
                if turn.offer is not None or self.closed or left <= 0:
                    return
                control = -1 if watch is None else watch.fileno()
                waking = -1 if waker is None else waker.fileno()
                patience = max(0.0, min(seconds, left, left if waker is not None else _UNWOKEN_SECONDS))
                wait = ready if watch is None else watch.ready
                found = wait((control, waking), (), patience)
                if watch is not None and control in found:
                    attend(watch, f"a passive port for {peer}")
        finally:
            if waker is not None:
                self.stop_waiting(turn, waker)

    def _leave(self, turn: Turn, within: PortRange, peer: str) -> Offer | None:
        """The end of *turn*, and the offer that it has got."""
        with self._lock:
            if turn.offer is None and not self.closed:
                within.leave(peer, turn)
            return turn.offer
