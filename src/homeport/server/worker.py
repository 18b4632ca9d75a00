"""Worker: one of several processes that share the clients of a server, from its brief to its end.

`crew.py` starts it. It serves the sessions that the supervisor hands to it as a server of one process does. It ends
when it is ordered to, after a drain as in `operation.py`; or, at once, when its supervisor is gone, because then nobody
counts, and the next supervisor needs the ports.

Signals are not for it: Ctrl-C does not reach it, and SIGTERM, which service managers send to every process, is for the
supervisor to heed.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from queue import Empty, SimpleQueue

from homeport.data.address import Announcement, Rules
from homeport.data.sharedrate import SharedBucket, SharedRates
from homeport.data.throttle import Bucket, Limit, MakeLimit
from homeport.events.bus import Bus
from homeport.net.listener import Listener
from homeport.session.services import Clock, Services
from homeport.session.stopping import Stopping

from .blackboard import Blackboard
from .brief import Brief
from .build import (
    converse_of,
    homes_of,
    open_accounts,
    open_database,
    open_logs,
    passwords_of,
    policy_of,
    proxies_of,
    rates_of,
    reopen_all,
    subscribe_all,
)
from .certificates import open_store
from .dataports import passive_ports_without_sockets
from .line import Line, Numbers, Relay, RelayHandler, RemotePlaces, RemoteThrottle
from .listening import StartError
from .operation import Operation, Parts, Superior
from .packets import Packets
from .post import SharedPost
from .protection import contexts_of

_log = logging.getLogger("homeport.server")

_ORDERS_AT_ONCE = 64
"""Orders carried out before sessions have their turn."""
_VIEW_OCTETS = 48 * 1024
"""Of the sessions in one packet, about."""

Wish = float | None
"""Seconds for the drain, or that the operation is over."""


class Orders:
    """What the supervisor says, carried out. The `Superior` of the operation."""

    def __init__(self, packets: Packets, line: Line, wishes: SimpleQueue[Wish]) -> None:
        self._packets = packets
        self._line = line
        self._wishes = wishes
        self._deaf = False
        self.numbers = Numbers()
        self.announcement: Announcement | None = None
        self.listen: Callable[[], None] = lambda: None
        """Called when somebody wants to hear of events."""

    def fileno(self) -> int:
        return self._packets.fileno()

    def attend(self, operation: Operation) -> None:
        for _ in range(_ORDERS_AT_ONCE):
            if self._deaf:
                return
            try:
                order, descriptors = self._packets.receive()
            except BlockingIOError:
                return
            except (EOFError, OSError):
                self._deaf = True
                operation.overhear(self)
                self._wishes.put(0.0)
                return
            self._carry_out(operation, order, descriptors)

    def retired(self, ports: Sequence[tuple[str, int]]) -> None:
        self._line.tell(("retired", list(ports)))

    def close(self) -> None:
        self._packets.close()

    def _carry_out(self, operation: Operation, order: object, descriptors: tuple[int, ...]) -> None:
        match order:
            case ("connection", int(number), (str(address), int(port))):
                self._admit(operation, number, (address, port), descriptors)
            case ("ports", list(addresses)):
                self._adopt(operation, addresses, descriptors)
            case ("kick", int(question), int(number)):
                self._line.tell(("answer", question, operation.kick(number)))
            case ("view", int(question)):
                self._aside(operation, partial(self._view, operation, question))
            case ("reopen", int(question)):
                self._aside(operation, partial(self._reopen, operation, question))
            case ("rules", Rules() as rules):
                if self.announcement is not None:
                    self.announcement.rules = rules
            case ("relay",):
                self.listen()
            case ("stop", int(seconds) | float(seconds)):
                self._wishes.put(seconds)
            case _:
                _log.error("an order that nobody understands: %r", order)

    def _adopt(self, operation: Operation, addresses: list[str], descriptors: tuple[int, ...]) -> None:
        if len(descriptors) < len(addresses):
            _log.warning(
                "a worker has no room for all of its passive ports: %d of %d. Raise the limit of open files.",
                len(descriptors),
                len(addresses),
            )
        operation.adopt([
            (address, Listener(socket.AF_INET6 if ":" in address else socket.AF_INET, descriptor))
            for address, descriptor in zip(addresses, descriptors, strict=False)
        ])  # fmt: skip

    def _admit(self, operation: Operation, number: int, peer: tuple[str, int], descriptors: tuple[int, ...]) -> None:
        if not descriptors:  # this process has no room for one more
            self._line.tell(("lost", number, peer))
            return
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        self.numbers.next = number
        operation.admit(socket.socket(family, socket.SOCK_STREAM, 0, descriptors[0]), peer)

    def _aside(self, operation: Operation, work: partial[None]) -> None:
        try:
            operation.submit(work)
        except RuntimeError:
            _log.debug("a question came when the threads had stopped already")

    def _view(self, operation: Operation, question: int) -> None:
        views: list[bytes] = []
        octets = 0
        for view in operation.view():
            views.append(pickle.dumps(view, pickle.HIGHEST_PROTOCOL))
            octets += len(views[-1])
            if octets >= _VIEW_OCTETS:
                self._line.tell(("part", question, views))
                views, octets = [], 0
        self._line.tell(("answer", question, views))

    def _reopen(self, operation: Operation, question: int) -> None:
        try:
            operation.reopen_logs()
        except OSError as error:
            self._line.tell(("answer", question, (error.errno, error.strerror, error.filename)))
        else:
            self._line.tell(("answer", question, None))


def build_worker(brief: Brief, line: Line, superior: Superior, events: Bus) -> Parts:
    """What one of several processes has for itself; all that there is once is on the supervisor's Premises.

    *line* leads there. Raises StartError, and nothing is open then.
    """
    config, timing, stopping = brief.config, Clock(), Stopping()
    with ExitStack() as undo:
        logs = open_logs(config, undo)
        subscribe_all(logs, config, events, undo)
        ports = passive_ports_without_sockets(brief.addresses, config, events, timing)
        undo.callback(ports.close)
        # The supervisor looks after the files, and warns of what is wrong with them.
        store = open_store(config, timing, lambda _: None)
        if store is not None:
            undo.callback(store.close)
        announcement = Announcement(brief.rules)
        blackboard = Blackboard(brief.memory)
        undo.callback(blackboard.close)
        make, close = _shared_limits(brief.memory, line)
        undo.callback(close)
        post = SharedPost()
        homes = homes_of(config, brief.key)
        undo.callback(homes.close)
        services = Services(
            accounts=open_accounts(config, open_database(config, undo), passwords_of(timing, post), brief.providers),
            throttle=RemoteThrottle(line, blackboard),
            ports=ports,
            events=events,
            storage_for=homes.storage_for,
            tls=contexts_of(config, store),
            policy=policy_of(config, brief.port),
            clock=timing,
            rates=rates_of(config, timing, make),
            post=post,
            stopping=stopping,
            announcement=announcement,
        )
        return Parts(
            listeners=(),
            passive=ports,
            limits=RemotePlaces(line),
            converse=converse_of(config, services),
            events=events,
            clock=timing,
            post=post,
            homes=homes,
            stopping=stopping,
            proxies=proxies_of(config),
            certificates=store,
            reopen=lambda: reopen_all(logs),
            close=undo.pop_all().close,
            announcement=announcement,
            superior=superior,
        )
    raise AssertionError  # the type checker believes that an ExitStack may swallow an exception


def _shared_limits(memory: int, line: Line) -> tuple[MakeLimit, Callable[[], None]]:
    """Limits that hold for all workers together, in the shared *memory*; and what to do when they are done with."""
    rates = SharedRates(memory)

    def make(whose: str | None, upload: bool, rate: int) -> Limit:
        slot = line.ask(("slot", whose, upload))
        return SharedBucket(rates, slot, rate) if isinstance(slot, int) else Bucket(rate)

    return make, rates.close


def work(brief: Brief, orders_end: Packets, line: Line, relay: Relay) -> None:
    """Serve until the supervisor wants no more."""
    wishes: SimpleQueue[Wish] = SimpleQueue()
    orders = Orders(orders_end, line, wishes)
    events = Bus()
    events.commands = brief.commands

    def listen() -> None:
        events.unsubscribe(relay)  # it may be there already
        events.subscribe(relay)

    orders.listen = listen
    if brief.relay:
        listen()
    try:
        parts = build_worker(brief, line, orders, events)
        orders.announcement = parts.announcement
        operation = Operation(parts)
    except StartError as error:
        line.tell(("failed to start", str(error)))
        return
    except (OSError, RuntimeError) as error:
        line.tell(("failed to start", f"The system refuses what a worker needs: {error}"))
        return
    line.tell(("ready",))
    _wait_for_the_end(operation, wishes)


def _wait_for_the_end(operation: Operation, wishes: SimpleQueue[Wish]) -> None:
    stopper: threading.Thread | None = None
    # A worker that drains, for as long as it takes, may be told to be done sooner.
    deadline: float | None = None
    while True:
        try:
            wish = wishes.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except Empty:
            wish, deadline = 0.0, None
        if wish is None:
            break
        if stopper is None:
            stopper = threading.Thread(target=_stop, args=(operation, wish, wishes), name="homeport-stop-asked")
            stopper.start()
        elif wish > 0:
            deadline = min(time.monotonic() + wish, deadline if deadline is not None else float("inf"))
        else:
            operation.stop(0.0)
    if stopper is not None:
        stopper.join()


def _stop(operation: Operation, seconds: float, wishes: SimpleQueue[Wish]) -> None:
    try:
        operation.stop(seconds)
    finally:
        wishes.put(None)


class Misfit(Exception):
    """The brief cannot be read: what is in it is not to be had in this process."""


def _read_brief() -> Brief:
    try:
        brief = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the supervisor, who started this process
    except Exception as error:
        raise Misfit(f"What the workers need cannot be had in another process: {error}") from error
    if not isinstance(brief, Brief):
        raise Misfit("Another version of this software has started the worker.")
    return brief


def main(arguments: Sequence[str]) -> None:
    """*arguments*: the descriptors of this side's ends. The brief is the standard input."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    orders, line, news = (Packets.inherited(int(one)) for one in arguments)
    orders.setblocking(False)
    relay = Relay(news)
    logger = logging.getLogger("homeport")
    logger.handlers = [RelayHandler(relay)]
    logger.propagate = False
    try:
        brief = _read_brief()
        os.set_inheritable(brief.memory, False)
        logger.setLevel(brief.level)
        work(brief, orders, Line(line), relay)
    except Misfit as error:
        Line(line).tell(("failed to start", str(error)))
    finally:
        for end in (orders, line, news):
            end.close()


if __name__ == "__main__":
    main(sys.argv[1:])
