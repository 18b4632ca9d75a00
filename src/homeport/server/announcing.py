"""Announcing: keeps the rules of what PASV announces up to date, from all who know something of the outside.

The router tells its outer address and which of its ports lead here; a name, a STUN server or a network interface tell
an address. They do so from threads of their own and at any time. Whatever changes, new Rules take the place of the
old ones at once, and the log hears of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from ipaddress import IPv4Address

from homeport.data.address import Announcement
from homeport.events.bus import Bus
from homeport.events.types import ExternalAddressChanged, RouterMapped, Warned
from homeport.net.external import External
from homeport.net.router import RouterState, Trouble
from homeport.session.services import Clock

_NOT_NEWS = frozenset({Trouble.SILENT, Trouble.UNSUPPORTED})
"""Of IPv6 firewalls: few can be asked, and many let everything through."""


class Announcing:
    """May be told things from any thread."""

    def __init__(
        self,
        announcement: Announcement,
        events: Bus,
        clock: Clock,
        *,
        discover: bool,
        router: bool,
        ports: Collection[int] = (),
        gateway: Callable[[], IPv4Address | None] = lambda: None,
    ) -> None:
        """*discover*: the router's address is to be announced. *router*: there will be news from one.

        *ports* are those that the router is asked for.
        *gateway* tells the router's inside address; it is asked at once, and with all news.
        """
        self._announcement = announcement
        self._events = events
        self._clock = clock
        self._discover = discover
        self._lock = threading.Lock()
        self._states: tuple[RouterState, ...] = ()
        self._router_pending = router
        self._found: External | None = None
        self._problems: dict[int, str] = {}
        self._mapped: dict[int, tuple[tuple[int, int], ...]] = {}
        self.wanted_changed: Callable[[], None] = lambda: None
        """Called when `others_wanted` may have become another."""
        self._ports = frozenset(ports)
        self._gateway = gateway
        announcement.rules = replace(announcement.rules, gateway=gateway())

    @property
    def states(self) -> tuple[RouterState, ...]:
        """What is known of the router, for each address family."""
        return self._states

    def others_wanted(self) -> bool:
        """Whether others than the router should be asked for the address: it does not know."""
        return not self._discover or not (self._router_pending or self._told_by_router())

    def router_told(self, states: tuple[RouterState, ...]) -> None:
        """News from the router."""
        with self._lock:
            self._states = states
            self._router_pending = not any(state.family == 4 for state in states)
            self._renew()
        for state in states:
            self._report(state)
        self.wanted_changed()

    def others_told(self, found: External | None) -> None:
        """News from somebody else."""
        with self._lock:
            self._found = found
            self._renew()

    def _told_by_router(self) -> External | None:
        for state in self._states:
            if state.family == 4 and state.external is not None and self._discover:
                return External(state.external, f"told by the router, by {state.protocol}")
        return None

    def _renew(self) -> None:
        """Under the lock."""
        before = self._announcement.rules
        rules = replace(before, gateway=self._gateway())
        found = self._told_by_router() or self._found
        if found is not None:
            rules = replace(rules, external=found.address, external_origin=found.origin)
        elif self._discover and not self._router_pending:
            rules = replace(rules, external=None)
        if self._states:
            grants = [grant for state in self._states if state.family == 4 for grant in state.grants]
            rules = replace(
                rules,
                ports={one.inside: one.outside for one in grants if one.outside != one.inside},
                granted=self._granted(),
            )
        if rules == before:
            return
        self._announcement.rules = rules
        if rules.external != before.external:
            self._events.publish(ExternalAddressChanged(
                at=self._clock.time(), address=rules.external, before=before.external,
                origin=rules.external_origin if rules.external is not None else "",
            ))  # fmt: skip

    def _granted(self) -> dict[int, frozenset[int]]:
        """Where the router let some through and not all. Where it let none through, it may have been told by hand."""
        found = {state.family: frozenset(grant.inside for grant in state.grants) for state in self._states}
        return {family: ports for family, ports in found.items() if ports and not ports >= self._ports}

    def _report(self, state: RouterState) -> None:
        ports = tuple((grant.inside, grant.outside) for grant in state.grants)
        if ports and ports != self._mapped.get(state.family) and state.protocol is not None:
            self._events.publish(RouterMapped(
                at=self._clock.time(), protocol=state.protocol, gateway=state.gateway or "", family=state.family,
                ports=ports,
            ))  # fmt: skip
        self._mapped[state.family] = ports
        silent = state.family == 6 and state.trouble in _NOT_NEWS
        problem = "" if silent else state.problem
        if problem and problem != self._problems.get(state.family):
            self._events.publish(Warned(at=self._clock.time(), text=problem))
        self._problems[state.family] = problem
