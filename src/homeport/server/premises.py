"""Premises: what a server of several workers has once: sockets, certificates, the router, the console, the logs.

The supervisor has them. On a reload, new premises take over from the former ones what stays as it was, above all every
socket that is still wanted: so no client that is about to connect is turned away, and no router asked twice.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from homeport.data.address import Announcement, Rules
from homeport.events.bus import Bus
from homeport.events.logfile import LogFile
from homeport.events.types import Warned
from homeport.net.background import Background
from homeport.net.listener import Listener
from homeport.session.services import Clock

from .build import (
    STOP_SECONDS,
    acme_authority,
    addresses_of,
    check_library_of_router,
    make_outside,
    open_console,
    open_control,
    open_database,
    open_logs,
    policy_of,
    shut_places,
    state_directory,
)
from .certificates import Certification, open_certificates
from .config import Config
from .console import ConsoleSocket
from .dataports import open_passive_sockets, try_active_port
from .listening import Kept
from .outside import Outside
from .partials import partial_sweep


class _Closable(Protocol):
    def close(self) -> None: ...


class Spread(Announcement):
    """The rules of what PASV announces; who is to know when they become others is told."""

    __slots__ = ("_rules", "_tell")

    def __init__(self, rules: Rules, tell: Callable[[Rules], None]) -> None:
        self._tell = tell
        self._rules = rules

    @property
    def rules(self) -> Rules:
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._rules = rules
        self._tell(rules)


@dataclass(slots=True, kw_only=True, eq=False)
class Premises:
    """Open, and nothing runs before `enter`."""

    config: Config
    control: tuple[socket.socket, ...]
    places: tuple[tuple[str, int], ...]
    """Addresses and ports of `control`, which stay known when all is closed."""
    port: int
    addresses: list[str]
    passive: dict[str, list[Listener]]
    """By address."""
    logs: tuple[LogFile, ...]
    console: ConsoleSocket | None
    certification: Certification | None
    announcement: Announcement
    outside: Outside
    sweeping: Background | None
    own: ExitStack
    """What is never taken over: the database of users, and the sweep of partial uploads, which needs it."""
    former: Premises | None

    def enter(self) -> None:
        """Go to work, in the place of the former premises. Raises OSError or RuntimeError."""
        former, self.former = self.former, None
        if former is not None:
            former.leave(self)
        certification = self.certification
        if certification is not None and (former is None or certification is not former.certification):
            certification.start()
        if former is None or self.outside is not former.outside:
            self.outside.start()
        if self.sweeping is not None:
            self.sweeping.start()

    def leave(self, successor: Premises | None = None) -> None:
        """Close all that is not the *successor*'s as well."""
        kept = {id(one) for one in successor.parts()} if successor is not None else set()
        with ExitStack() as closing:
            for one in self.parts():
                if id(one) not in kept:
                    closing.callback(one.close)

    def descriptors(self) -> Iterator[Listener]:
        """The passive sockets."""
        for listeners in self.passive.values():
            yield from listeners

    def parts(self) -> Iterator[_Closable]:
        """All that is to be closed."""
        # Closed from the last to the first.
        yield from self.logs
        yield self.own
        yield from self.control
        yield from self.descriptors()
        if self.certification is not None:
            yield self.certification
        yield self.outside
        if self.console is not None:
            yield self.console


def open_premises(
    config: Config,
    workers: int,
    events: Bus,
    tell: Callable[[Rules], None],
    former: Premises | None = None,
) -> Premises:
    """Open what *config* asks for and *former* has not. Raises StartError; only what *former* has is open then.

    *events* hears what is wrong, *tell* of new rules for PASV.
    """
    clock = Clock()

    def warn(text: str) -> None:
        events.publish(Warned(at=clock.time(), text=text))

    with ExitStack() as undo:
        control, port = open_control(config, _kept_control(config, former))
        for listener in control:
            if former is None or listener not in former.control:
                undo.callback(listener.close)
        addresses = addresses_of(control, port)
        logs = open_logs(config, undo)
        if former is not None and addresses == former.addresses and _same_passive(config, former.config):
            passive = former.passive
        else:
            open_already = _kept_passive(former)
            passive = open_passive_sockets(addresses, config, warn, workers=workers, open_already=open_already)
            for socket_ in (one for ones in passive.values() for one in ones if one not in open_already.values()):
                undo.callback(socket_.close)
        if former is None or port != former.port:
            try_active_port(addresses, policy_of(config, port).active_port, warn)
        if config.server.state is not None:
            state_directory(config.server.state)
        if former is not None and _same_certificates(config, former.config):
            certification = former.certification
        else:
            certification = open_certificates(config, addresses, clock, warn, acme_authority)
            if certification is not None:
                undo.callback(certification.close)
        if former is not None and config.server.state == former.config.server.state:
            console = former.console
        else:
            console = open_console(config, events, clock)
            if console is not None:
                undo.callback(console.close)
        check_library_of_router(config)
        if former is not None and passive is former.passive and _same_way(config, former.config):
            announcement, outside = former.announcement, former.outside
        else:
            announcement = Spread(policy_of(config, port).announce, tell)
            numbers = sorted({one.getsockname()[1] for ones in passive.values() for one in ones})
            outside = make_outside(config, control, addresses, numbers, announcement, events, clock)
        own = undo.enter_context(ExitStack())
        sweeping = partial_sweep(config, open_database(config, own), shut_places(config), events, clock)
        if sweeping is not None:
            own.callback(sweeping.stop, STOP_SECONDS)
        undo.pop_all()
        return Premises(
            config=config, control=control, places=tuple(map(_place, control)), port=port, addresses=addresses,
            passive=passive, logs=logs,
            console=console, certification=certification, announcement=announcement, outside=outside,
            sweeping=sweeping, own=own, former=former,
        )  # fmt: skip
    raise AssertionError  # the type checker believes that an ExitStack may swallow an exception


def _kept_control(config: Config, former: Premises | None) -> Kept:
    if former is None:
        return {}
    kept = {_place(listener): listener for listener in former.control}
    if config.listen.port == 0 and former.config.listen.port == 0:
        # The number that the system chose stays.
        kept |= {(address, 0): listener for (address, port), listener in kept.items() if port == former.port}
    return kept


def _kept_passive(former: Premises | None) -> dict[tuple[str, int], Listener]:
    if former is None:
        return {}
    return {(address, one.getsockname()[1]): one for address, ones in former.passive.items() for one in ones}


def _place(listener: socket.socket) -> tuple[str, int]:
    name = listener.getsockname()
    return name[0], name[1]


def _same_passive(config: Config, before: Config) -> bool:
    return config.data.passive_ports == before.data.passive_ports


def _same_certificates(config: Config, before: Config) -> bool:
    def what(of: Config) -> tuple[object, ...]:
        return of.tls, of.acme, of.server.state, of.server.host_names, of.listen.addresses, of.data.external_address

    return what(config) == what(before)


def _same_way(config: Config, before: Config) -> bool:
    return (config.data, config.router, config.listen) == (before.data, before.router, before.listen)
