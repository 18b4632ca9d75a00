"""Leases: the ports that one router keeps open for us: asked for, renewed in time, made again, given back.

The protocols are tried in the order of the candidates; the first that grants anything stays. What a router grants lasts
for a while only and is renewed when half of that is over. A router that says that it forgot is asked for everything
again; one that falls silent until a lease is over is given up, and all candidates are tried anew.

Pure of time and threads: `mapping.py` calls `attend` when `due` says so.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .background import Patience
from .router import OF_ALL, Grant, Router, RouterError, RouterState, Trouble

Candidate = Callable[[Patience], Router | None]
"""Makes a Router, or None where there is nobody to ask."""

TRY_AGAIN = 600.0
"""Seconds until a router is looked for again when none did anything."""
PORT_AGAIN = 300.0
"""Seconds until a port that was refused is asked for again, if the router does not want it later."""
_LEAST_GAP = 4.0
"""Never are two renewals of a port closer (RFC 6887 §11.2.1)."""
_RESTART_SPREAD = 5.0
"""After a router's restart its clients wait a random time up to this (RFC 6886 §3.7, RFC 6887 §14.1.3)."""
_FOR_EVER = float("inf")

_log = logging.getLogger("homeport.net")

_WORST_FIRST = (Trouble.NO_ADDRESS, Trouble.CONFLICT, Trouble.REFUSED, Trouble.RESOURCES, Trouble.BROKEN,
                Trouble.UNSUPPORTED, Trouble.SILENT)  # fmt: skip
"""Which of several protocols' troubles tells most."""


@dataclass(slots=True)
class _Port:
    """What is known of one of our ports."""

    inside: int
    wanted: int
    """The port outside that it should have: at first the same number, then what was granted last."""
    grant: Grant | None = None
    since: float = 0.0
    attempt: int = 0
    """Renewals of the grant that failed."""
    due: float = 0.0
    error: RouterError | None = None

    @property
    def over(self) -> float:
        """When the grant ends."""
        if self.grant is None:
            return 0.0
        return self.since + self.grant.seconds if self.grant.seconds else _FOR_EVER


class Leases:
    """Of one address family."""

    def __init__(self, family: int, candidates: Sequence[Candidate], ports: Sequence[int], seconds: float) -> None:
        """*ports* are forwarded under the same number where that is possible, for *seconds* at a time."""
        self._family = family
        self._candidates = candidates
        self._seconds = seconds
        # The low ports last: routers that refuse those may take long to do so, and the others should not wait.
        self._ports = [_Port(inside, inside) for inside in sorted(set(ports), key=lambda port: (port < 1024, port))]
        self._random = random.SystemRandom()
        self._router: Router | None = None
        self._look_at = float("-inf")
        self._wan: str | None = None
        self._failure: RouterError | None = None
        self._problem = ""
        self._ask_address = False

    # -- what is known ------------------------------------------------------------------------------

    @property
    def state(self) -> RouterState:
        router = self._router
        failure = self._failure or next((port.error for port in self._ports if port.error is not None), None)
        state = RouterState(
            family=self._family,
            protocol=router.protocol if router is not None else None,
            gateway=router.gateway if router is not None else None,
            wan=self._wan,
            grants=tuple(sorted((port.grant for port in self._ports if port.grant), key=lambda one: one.inside)),
            trouble=failure.trouble if failure is not None else None,
            problem=self._problem,
        )
        if router is None:
            return state
        return _with_problems(state, self._ports)

    @property
    def due(self) -> float:
        """When there is something to do."""
        if self._router is None:
            return self._look_at
        if self._ask_address:
            return float("-inf")
        return min((port.due for port in self._ports), default=_FOR_EVER)

    # -- what is done ---------------------------------------------------------------------------------

    def attend(self, patience: Patience) -> None:
        """Do what is due. Raises Stopped."""
        begun = patience.now()
        if self._router is None:
            if self._look_at <= patience.now():
                self._look(patience)
        else:
            self._renew(self._router, patience)
        self._remake_after_restart(patience, begun)

    def heard(self, octets: bytes, sender: str, patience: Patience) -> None:
        """*sender* announced something to all its network. Sends nothing."""
        router = self._router
        if router is None:
            # It has just been switched on, perhaps.
            self._look_at = min(self._look_at, patience.now() + self._random.uniform(0, _RESTART_SPREAD))
        elif sender.partition("%")[0] == router.gateway.partition("%")[0] and router.heard(octets):
            # Its own address may be another (RFC 6886 §3.2.1). It is asked: multicast is easily forged.
            self._ask_address = True
            self._remake_after_restart(patience, patience.now())

    def give_back(self, patience: Patience) -> None:
        """Remove every mapping, as far as the router answers. Raises Stopped when the time is up."""
        router = self._router
        if router is None:
            return
        for port in self._ports:
            grant, port.grant = port.grant, None
            if grant is None:
                continue
            patience.wait((), 0.0)  # raises Stopped when the time is up
            try:
                router.unmap(grant)
            except RouterError as error:
                _log.debug("port %d could not be given back: %s", grant.outside, error.text)

    def _look(self, patience: Patience) -> None:
        """Try all candidates; the first that grants anything is ours."""
        errors: list[tuple[str, RouterError]] = []
        for candidate in self._candidates:
            router = candidate(patience)
            if router is None:
                continue
            failures = self._ask_for_all(router, patience)
            if any(port.grant is not None for port in self._ports):
                self._router = router
                self._failure, self._problem = None, ""
                self._learn_address(router)
                return
            errors.extend((router.protocol, error) for error in failures)
        for port in self._ports:
            port.error = None
        self._wan = None
        self._look_at = patience.now() + TRY_AGAIN
        if not errors:
            self._failure = RouterError(Trouble.SILENT, "no router is known")
            self._problem = "No router is known to this machine, so none was asked to forward the ports."
            return
        protocol, worst = min(errors, key=lambda one: _WORST_FIRST.index(one[1].trouble))
        self._failure = worst
        self._look_at = patience.now() + max(min(TRY_AGAIN, worst.seconds or TRY_AGAIN), _LEAST_GAP)
        silent = all(error.trouble in (Trouble.SILENT, Trouble.UNSUPPORTED) for _, error in errors)
        self._problem = (
            "No router could be asked to forward the ports: "
            + "; ".join(dict.fromkeys(f"{name}: {error.text}" for name, error in errors))
            + ". Switch on UPnP, NAT-PMP or PCP there, or forward the ports by hand."
            if silent
            else f"The router was asked to forward the ports by {protocol}, but {worst.text}."
        )

    def _ask_for_all(self, router: Router, patience: Patience) -> list[RouterError]:
        failures: list[RouterError] = []
        for port in self._ports:
            error = self._ask_for(router, port, patience, renewal=False)
            if error is None:
                continue
            failures.append(error)
            if error.trouble in OF_ALL and not any(one.grant is not None for one in self._ports):
                break
        return failures

    def _ask_for(self, router: Router, port: _Port, patience: Patience, *, renewal: bool) -> RouterError | None:
        """Ask for *port*, and note what came of it."""
        asked_at = patience.now()
        try:
            grant = router.map(port.inside, port.wanted, self._seconds, renewal=renewal)
        except RouterError as error:
            port.error = error
            now = patience.now()
            if port.grant is None:
                port.due = now + max(error.seconds, PORT_AGAIN)
            else:
                port.attempt += 1
                again = port.since + router.renewal(port.grant.seconds, port.attempt)
                port.due = min(max(again, now + error.seconds, asked_at + _LEAST_GAP), max(port.over, now))
            return error
        if grant.holder is None and port.grant is not None and port.grant.outside == grant.outside:
            grant = Grant(grant.inside, grant.outside, grant.seconds, port.grant.holder)
        port.grant, port.error, port.attempt = grant, None, 0
        # RFC 6886 §3.3: renewed under the number that was mapped.
        port.wanted = grant.outside
        port.since = patience.now()
        port.due = port.since + max(router.renewal(grant.seconds, 0), _LEAST_GAP)
        return None

    def _renew(self, router: Router, patience: Patience) -> None:
        for port in self._ports:
            if port.grant is not None and port.over <= patience.now():
                port.grant = None
                port.wanted = port.inside
        if not any(port.grant is not None for port in self._ports):
            self._give_up(patience)
            return
        silent = False
        renewed = False
        for port in self._ports:
            now = patience.now()
            if port.due > now:
                continue
            if silent:
                # It has not answered a moment ago: the others wait for their next turn, and are not asked one by one.
                port.due = now + _LEAST_GAP
                continue
            error = self._ask_for(router, port, patience, renewal=port.grant is not None)
            silent = error is not None and error.trouble is Trouble.SILENT
            renewed = renewed or error is None
        if renewed or self._ask_address:
            self._learn_address(router)

    def _give_up(self, patience: Patience) -> None:
        """Nothing is left of what the router granted: perhaps it is another one by now."""
        self._router = None
        self._wan = None
        self._look_at = patience.now()
        for port in self._ports:
            port.grant, port.error, port.attempt, port.wanted = None, None, 0, port.inside

    def _remake_after_restart(self, patience: Patience, begun: float) -> None:
        """Ask for everything again soon, but for what was granted since *begun*, if the router has forgotten it."""
        if self._router is not None and self._router.take_restart():
            at = patience.now() + self._random.uniform(0, _RESTART_SPREAD)
            for port in self._ports:
                if port.grant is None or port.since < begun:
                    port.due = min(port.due, at)

    def _learn_address(self, router: Router) -> None:
        self._ask_address = False
        try:
            self._wan = router.address()
        except RouterError as error:
            if error.trouble is not Trouble.SILENT:
                self._wan = None


def _with_problems(state: RouterState, ports: Sequence[_Port]) -> RouterState:
    """*state* with what is wrong although something was granted."""
    problems: list[str] = []
    trouble = state.trouble
    if state.family == 4 and state.external is None:
        trouble = Trouble.NO_ADDRESS
        own = f"its own outer address, {state.wan}, is not a public one" if state.wan else "it has no public address"
        problems.append(
            f"The router forwards the ports, but {own}: it is itself behind another router (double NAT, or the "
            "provider's), so nobody on the internet reaches it. Ask the provider for a public address, or use IPv6."
        )
    for port in ports:
        grant = port.grant
        if grant is not None and grant.outside != grant.inside:
            trouble = trouble or Trouble.CONFLICT
            why = f": it is forwarded to {grant.holder}" if grant.holder else ""
            problems.append(
                f"The router did not give port {grant.inside}{why}. From outside it is port {grant.outside} instead."
            )
        if port.error is not None:
            problems.append(f"The router does not forward port {port.inside}: {port.error.text}.")
    if not problems:
        return state
    return RouterState(
        family=state.family, protocol=state.protocol, gateway=state.gateway, wan=state.wan, grants=state.grants,
        trouble=trouble, problem=" ".join(problems),
    )  # fmt: skip
