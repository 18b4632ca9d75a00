"""Operation: one server from its start to its stop. Owns the threads, the lobby, the door and all sockets.

The stop (DESIGN: a stop) has three steps, each bounded. First the drain: nobody is admitted any more, idle sessions
hear 421, and what is being carried out may finish until the drain's deadline. Then the end: all waits
return, transfers are aborted, the last reply is tried. Then, after a short grace, connections are cut, so that
not even a client that reads nothing can hold the server. The steps run in a thread of their own: who called
`stop` may be interrupted and call again, and the second call goes to the end at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from socket import socket
from typing import Protocol

from homeport.accounts.limits import Places
from homeport.data.address import Announcement
from homeport.events.bus import Bus
from homeport.events.types import CloseReason, Event, ServerStarted, ServerStopped, ServerStopping, Warned
from homeport.net.listener import Listener
from homeport.net.store import CertificateStore, Status
from homeport.session.services import Clock
from homeport.session.stopping import Stopping

from .admission import Admission, Converse
from .answers import Answers, Facts
from .console import Console, ConsoleSocket
from .door import Door
from .homes import Homes
from .introduced import Proxies
from .post import SharedPost
from .sessions import Sessions, Talk
from .sweep import Sweep, Sweepable
from .threads import Threads
from .view import SessionView, view_of

_log = logging.getLogger("homeport.server")

GRACE = 2.0
"""Seconds for sessions to clean up and say their last word, once they are ended."""
_ROUND = 0.05
"""Seconds between two looks at who has become idle, while the server drains."""


class Superior(Protocol):
    """Whoever has this server's sockets and truth, where this is only one of several workers."""

    @property
    def numbers(self) -> Iterator[int]:
        """Those of the sessions."""

    def fileno(self) -> int:
        """What orders come in at."""

    def attend(self, operation: Operation) -> None:
        """Carry out the orders that have come for *operation*. In the lobby's thread; does not wait."""

    def retired(self, ports: Sequence[tuple[str, int]]) -> None:
        """These passive ports are used here no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `build` made for a server: everything is open, nothing runs."""

    listeners: tuple[socket, ...]
    """Bound and listening; the control connections come in here."""
    passive: Sweepable
    limits: Places
    converse: Converse
    events: Bus
    clock: Clock = field(default_factory=Clock)
    post: SharedPost | None = None
    """What the conversations wait by; None: they do not."""
    homes: Homes | None = None
    """The storages that sessions share."""
    stopping: Stopping = field(default_factory=Stopping)
    """Is set when the stop begins, for whoever waits for something else."""
    console: ConsoleSocket | None = None
    """Where other programs of this user ask what is going on."""
    facts: Facts = dict
    """What they are told beside what the operation itself knows."""
    proxies: Proxies | None = None
    """Who introduces the clients; None: they come themselves."""
    certificates: CertificateStore | None = None
    """What is shown to clients; None: there is no TLS."""
    begin: Callable[[], None] = lambda: None
    """Starts what runs beside the sessions and ends by `close`. Raises OSError or RuntimeError."""
    reopen: Callable[[], None] = lambda: None
    """Go on in new log files of the same names. Raises OSError."""
    announcement: Announcement | None = None
    """The rules of what PASV announces, where somebody else keeps them up to date."""
    superior: Superior | None = None
    """None: this is the whole server."""
    close: Callable[[], None] = lambda: None
    """Closes what the parts hold but the listeners: passive ports, database, logs. Called once, last of all."""


class Operation:
    """A server that runs as soon as it is made."""

    def __init__(self, parts: Parts) -> None:
        """Start. Raises OSError or RuntimeError if the system refuses; all the parts are closed then."""
        self._parts = parts
        self._hurry = threading.Event()
        self._over = threading.Event()
        # Reentrant: a signal handler may call `stop` in the thread that is just doing so.
        self._lock = threading.RLock()
        self._stops = False
        self._stopper: threading.Thread | None = None
        self.addresses: tuple[tuple[str, int], ...] = tuple(listener.getsockname()[:2] for listener in parts.listeners)
        undo: list[Callable[[], object]] = [parts.close, *(listener.close for listener in parts.listeners)]
        try:
            self._threads = Threads()
            undo.append(lambda: self._threads.stop(GRACE))
            self.sessions = Sessions(self._threads, self._left, parts.events, parts.clock, parts.post)
            self._lobby = lobby = self.sessions.lobby
            if parts.homes is not None:
                monotonic = parts.clock.monotonic
                parts.homes.later = lambda seconds, action: lobby.at(monotonic() + seconds, action)
            undo.append(lambda: self._lobby.stop(GRACE))
            self._admission = Admission(
                parts.limits, parts.converse, self.sessions.begin, parts.events, parts.clock, parts.proxies,
                parts.superior.numbers if parts.superior is not None else None,
            )  # fmt: skip
            self._door = Door(parts.listeners, self._lobby, self._admission.admit, self._warn, parts.clock.monotonic)
            undo.append(self._door.close)
            self._console: Console | None = None
            if parts.console is not None:
                answers = Answers(self, parts.facts, parts.clock.time())
                self._console = Console(
                    parts.console, self._lobby, self._threads.submit, answers, parts.clock.monotonic
                )
                undo.append(self._console.close)
                self._console.open()
            self._sweep = Sweep(parts.passive, self._lobby, parts.clock.monotonic)
            undo.append(self._sweep.close)
            self._sweep.begin()
            self._door.open()
            if parts.superior is not None:
                self._lobby.watch(parts.superior.fileno(), partial(parts.superior.attend, self))
            self._lobby.start()
            parts.begin()
        except BaseException:
            for step in reversed(undo):
                step()
            raise
        self._publish(ServerStarted(
            at=parts.clock.time(), addresses=self.addresses,
            passive_ports=parts.passive.ports,
        ))  # fmt: skip

    @property
    def over(self) -> bool:
        """Whether the stop is complete."""
        return self._over.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the stop is complete, which somebody else asks for; whether it is."""
        return self._over.wait(timeout)

    @property
    def passive_ports(self) -> tuple[int, ...]:
        """The ports of passive data connections."""
        return self._parts.passive.ports

    def certificates(self) -> tuple[Status, ...]:
        """What is shown to clients, the first to those that name no host."""
        store = self._parts.certificates
        return store.statuses(datetime.fromtimestamp(self._parts.clock.time(), UTC)) if store is not None else ()

    def view(self) -> tuple[SessionView, ...]:
        """The sessions under way, the oldest first."""
        now = self._parts.clock.monotonic()
        return tuple(view_of(talk.session, now, busy=talk.busy) for talk in self.sessions.all())

    def hear(self) -> None:
        """Somebody has subscribed, which changes nothing here."""

    def reopen_logs(self) -> None:
        """Go on in new log files of the same names. Raises OSError."""
        self._parts.reopen()

    def admit(self, connection: socket, peer: tuple[str, int]) -> None:
        """Begin a session on *connection*, which somebody else has accepted. In the lobby's thread."""
        self._admission.admit(connection, peer)

    def adopt(self, listeners: Sequence[tuple[str, Listener]]) -> None:
        """These are passive ports, too: the address and the socket of each. In the lobby's thread."""
        self._parts.passive.adopt(listeners)
        self._sweep.renew()

    def overhear(self, superior: Superior) -> None:
        """Listen to *superior* no longer. In the lobby's thread."""
        self._lobby.forget(superior.fileno())

    def submit(self, work: Callable[[], None]) -> None:
        """Have *work*, which may wait, carried out in a thread of the pool. Raises RuntimeError when it is stopped."""
        self._threads.submit(work)

    def kick(self, number: int) -> bool:
        """End the session with this *number*; whether there is one."""
        talk = self.sessions.get(number)
        if talk is None:
            return False
        talk.end(CloseReason.KICKED)
        return True

    def stop(self, timeout: float) -> bool:
        """Drain for *timeout* seconds at most, then end everything; see the head of this module.

        Returns when that is complete, within *timeout* and twice GRACE; whether every thread has ended. A second
        call, from any thread, ends everything at once. In a thread of this server itself it does not wait.
        """
        with self._lock:
            first, self._stops = not self._stops, True
        if first:
            self._begin_to_stop(timeout)
        else:
            self._hurry.set()
        if self._threads.owns_current() or threading.current_thread() is self._stopper or self._lobby.owns_current():
            return False
        return self._over.wait(timeout + 3 * GRACE) and self._threads.size == 0

    def _begin_to_stop(self, timeout: float) -> None:
        stopper = threading.Thread(target=self._stop, args=(timeout,), name="homeport-stop", daemon=True)
        self._stopper = stopper
        try:
            stopper.start()
        except RuntimeError:  # no thread is to be had: this one has to do, and does not wait for transfers
            self._stop(0.0)

    # -- the stop, in its own thread ---------------------------------------------------------------

    def _stop(self, drain: float) -> None:
        parts = self._parts
        try:
            parts.stopping.set()
            self._publish(ServerStopping(at=parts.clock.time(), sessions=len(self.sessions)))
            self._close_door()
            self._drain(drain)
            self._end()
        finally:
            try:
                self._release()
            finally:
                self._publish(ServerStopped(at=parts.clock.time()))
                parts.close()
                self._over.set()

    def _close_door(self) -> None:
        """Admit nobody any more. Those who are in the backlog already are told so."""
        self._admission.stopping = True
        if not self._in_the_lobby(self._door.close):
            self._warn("The listening sockets could not be closed in time")

    def _in_the_lobby(self, action: Callable[[], None]) -> bool:
        """Have *action* done by the lobby's thread, and wait for it; whether it came to it in time."""
        done = threading.Event()

        def act() -> None:
            try:
                action()
            finally:
                done.set()

        self._lobby.call(act)
        return done.wait(GRACE)

    def _drain(self, seconds: float) -> None:
        monotonic = self._parts.clock.monotonic
        until = monotonic() + seconds
        # Nobody can park from now on: who tries hears that the server stops.
        for talk in self._lobby.empty():
            talk.end(CloseReason.SHUTDOWN)
            self.sessions.resume(talk)
        while not self._hurry.is_set() and monotonic() < until:
            self.sessions.dismiss()
            self._retire()
            if self.sessions.wait_until_over(min(_ROUND, until - monotonic())):
                return

    def _retire(self) -> None:
        """Leave to others the passive ports that no session needs any more, as soon as it is so."""
        superior = self._parts.superior
        if superior is None or not self._parts.passive.ports:
            return
        ports: list[tuple[str, int]] = []
        self._in_the_lobby(lambda: ports.extend(self._sweep.retire()))
        if ports:
            superior.retired(ports)

    def _end(self) -> None:
        self.sessions.end_all()
        if not self.sessions.wait_until_over(GRACE / 2):
            self.sessions.sever()
            if not self.sessions.wait_until_over(GRACE / 2):
                self._warn(f"{len(self.sessions)} sessions could not be ended; they wait for the system")

    def _release(self) -> None:
        # The console answers until now: a drain may take long, and somebody may want to see what it waits for.
        if self._console is not None and not self._in_the_lobby(self._console.close):
            self._warn("The console could not be closed in time")
        if not self._lobby.stop(GRACE / 2):
            self._warn("The lobby's thread did not end in time")
        self._sweep.close()
        if not self._threads.stop(GRACE / 2):
            self._warn(f"{self._threads.size} threads did not end in time")

    def _left(self, talk: Talk) -> None:
        self._admission.left(talk)

    def _publish(self, event: Event) -> None:
        """Of the server as a whole, of which a worker is not the one to tell."""
        if self._parts.superior is None:
            self._parts.events.publish(event)

    def _warn(self, text: str) -> None:
        self._parts.events.publish(Warned(at=self._parts.clock.time(), text=text))
