"""Reception: where the clients of all workers come in. It counts them, and hands each to the worker with the fewest.

One process accepts and decides, so that check-and-take is in one place and exact, a worker that dies takes no
connection with it that it had not got, and no worker sleeps while another has more than its share. What it costs is
some 40 µs for a session, and nothing for a command. (Why not a listening socket in every worker:
docs/decisions/workers.md.)

What a worker holds is written down, and is given back when it dies. Everything is called in the supervisor's thread.
"""

from __future__ import annotations

import itertools
import socket
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from homeport.accounts.limits import LoginThrottle, SessionLimits
from homeport.events.bus import Bus
from homeport.events.types import SessionRefused
from homeport.protocol.reply import Code, Reply
from homeport.session.services import Clock

from .blackboard import Blackboard
from .config import Config
from .crew import Worker
from .dataports import trust
from .door import refuse
from .workers import SLOTS

_STOPPING = "The server is stopping"
_NOBODY = "The server cannot serve at this moment; please try again later"

Endpoint = tuple[str, int]


class _Client(NamedTuple):
    """Who has come in and been counted."""

    connection: socket.socket
    peer: Endpoint
    number: int
    place: str
    """What it counts as."""


class Reception:
    """The truth about all sessions, and who may come in."""

    def __init__(
        self, config: Config, events: Bus, clock: Clock, hope: Callable[[], bool], blackboard: Blackboard
    ) -> None:
        """*hope*: whether it is worth waiting when there is no worker. *blackboard* tells of failed logins."""
        self._limits = SessionLimits(0, 0)
        self._throttle = LoginThrottle(clock.monotonic)
        self._events = events
        self._clock = clock
        self._hope = hope
        self._blackboard = blackboard
        self._trusted: Callable[[str], bool] | None = None
        self._numbers = itertools.count(1)
        self._turns = itertools.count(1)
        self._slots: dict[tuple[str | None, bool], int] = {}
        self._workers: list[Worker] = []
        self._waiting: deque[_Client] = deque()
        self.stopping = False
        """Set when the server drains: everybody is refused."""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """This holds for all who come in from now on."""
        self._limits.change(config.limits.sessions, config.limits.sessions_per_address)
        self._trusted = trust(config) if config.proxy.control else None

    @property
    def total(self) -> int:
        """The sessions of all workers."""
        return self._limits.total

    # -- workers -------------------------------------------------------------------------------------------

    def take_on(self, worker: Worker) -> None:
        """Give *worker* clients from now on, at first those that wait."""
        if worker not in self._workers:
            self._workers.append(worker)
        for _ in range(len(self._waiting)):
            self._pass_on(self._waiting.popleft())

    def relieve(self, worker: Worker) -> None:
        """Give *worker* no more clients."""
        if worker in self._workers:
            self._workers.remove(worker)

    def bury(self, worker: Worker) -> int:
        """*worker* is dead: its sessions are over. How many it had."""
        self.relieve(worker)
        lost = worker.sessions
        for place, count in worker.places.items():
            for _ in range(count):
                self._limits.release(place)
        worker.places.clear()
        return lost

    def give_up(self) -> None:
        """Refuse those who wait for a worker, since there will be none."""
        while self._waiting:
            self._turn_away(self._waiting.popleft())

    # -- clients -------------------------------------------------------------------------------------------

    def admit(self, connection: socket.socket, peer: Endpoint) -> None:
        """As `Admission.admit`: let it in or refuse it."""
        if self._trusted is not None and not self._trusted(peer[0]):
            self._refuse(connection, peer, "not a proxy that is trusted")
            return
        if self.stopping:
            self._refuse(connection, peer, _STOPPING)
            return
        number = next(self._numbers)
        # Who comes through a proxy counts as nobody's, until the client is known.
        place = peer[0] if self._trusted is None else f"connection {number}"
        full = self._limits.take(place)
        if full is None:
            self._pass_on(_Client(connection, peer, number, place))
        else:
            self._refuse(connection, peer, full.value)

    def _pass_on(self, client: _Client) -> None:
        """Hand *client* to the worker with the fewest sessions; of several, to the one that has waited longest."""
        for worker in sorted(self._workers, key=_by_load):
            if worker.hand(client.connection, client.number, client.peer, client.place):
                worker.turn = next(self._turns)
                client.connection.close()
                return
        if self._hope():
            self._waiting.append(client)
        else:
            self._turn_away(client)

    def _turn_away(self, client: _Client) -> None:
        self._limits.release(client.place)
        self._refuse(client.connection, client.peer, _STOPPING if self.stopping else _NOBODY)

    def _refuse(self, connection: socket.socket, peer: Endpoint, reason: str) -> None:
        self._publish(peer, reason)
        if self._trusted is None:
            refuse(connection, Reply(Code.SERVICE_CLOSING, reason).encode())
        else:
            connection.close()  # where clients are introduced, nothing is said before (PROXY protocol §2)

    def _publish(self, peer: Endpoint, reason: str) -> None:
        if not self._events.silent:
            self._events.publish(SessionRefused(at=self._clock.time(), peer=peer, reason=reason))

    # -- what workers tell and ask -----------------------------------------------------------------------------

    def heard(self, worker: Worker, message: object) -> tuple[object] | None:
        """What *message* is answered with; None: it needs no answer. ValueError where nobody understands it."""
        match message:
            case ("release", str(place)):
                self._release(worker, place)
            case ("lost", int(number), (str(address), int(port))):
                place = address if worker.places[address] else f"connection {number}"
                self._release(worker, place)
                self._publish((address, port), "the process that was to serve it has too many connections")
            case ("move", str(old), str(new)):
                return (self._move(worker, old, new),)
            case ("delay", str(address)):
                delay = self._throttle.delay(address)
                self._blackboard.failures = len(self._throttle)
                return (delay,)
            case ("failed", str(address), str(name)):
                delay = self._throttle.failed(address, name)
                self._blackboard.failures = len(self._throttle)
                return (delay,)
            case ("slot", (str() | None) as whose, bool(upload)):
                return (self._slot_of(whose, upload=upload),)
            case ("succeeded", str(address), str(name)):
                self._throttle.succeeded(address, name)
                self._blackboard.failures = len(self._throttle)
            case _:
                raise ValueError(f"a worker said what nobody understands: {message!r}")
        return None

    def _release(self, worker: Worker, place: str) -> None:
        if worker.places[place] > 0:
            worker.places[place] -= 1
            if not worker.places[place]:
                del worker.places[place]
            self._limits.release(place)

    def _slot_of(self, whose: str | None, *, upload: bool) -> int | None:
        """Where in the memory that workers share the rate of this user, or of the server, is kept; None: it is full."""
        slot = self._slots.setdefault((whose, upload), len(self._slots) + 1)  # the first is the blackboard's
        if slot < SLOTS:
            return slot
        del self._slots[whose, upload]
        return None

    def _move(self, worker: Worker, old: str, new: str) -> object:
        full = self._limits.move(old, new)
        if full is None:
            worker.places[old] -= 1
            del worker.places[old]
            worker.places[new] += 1
        return full


def _by_load(worker: Worker) -> tuple[int, int]:
    return worker.sessions, worker.turn
