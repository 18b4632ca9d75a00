"""Outside: the threads that know the way from the internet to this server, made from the configuration.

One talks with the router, where router.map allows it; one finds out the external address, where that is a name or is
to be found. On a server that listens for this machine only there is neither.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Protocol

from homeport.data.address import Announcement
from homeport.events.bus import Bus
from homeport.net.background import Background, Patience
from homeport.net.exchange import Endpoint
from homeport.net.external import External, ExternalWatch, Name, OwnInterface, Source, Stun
from homeport.net.gateway import default_gateway
from homeport.net.interfaces import routed_address
from homeport.net.leases import Candidate, Leases
from homeport.net.mapping import Mapping, listen_for_announcements
from homeport.net.natpmp import PORT, NatPmp
from homeport.net.router import Router
from homeport.net.stun import PORT as STUN_PORT
from homeport.session.services import Clock

from .announcing import Announcing
from .config import Config
from .values.addresses import split_host_port

_UNIQUE_LOCAL = ip_network("fc00::/7")
_OWN = OwnInterface(lambda: routed_address(4))
_STOP_SECONDS = 2.0
_FIRST_LOOK_SECONDS = 2.0
"""For the external address's name at the start, so that the first client is told the right one."""
_QUICK_PCP, _QUICK_NAT_PMP = 2, 3
"""Transmissions where there is another protocol to try. Routers of each answer within a moment."""


class MakePcp(Protocol):
    def __call__(self, gateway: Endpoint, patience: Patience, tries: int | None, source: str | None) -> Router: ...


@dataclass(frozen=True, slots=True)
class Adapters:
    """The protocols that are leaves of the tree (`server.build` imports them)."""

    pcp: MakePcp
    upnp: Callable[[str | None], Router | None]
    """From our address; None where its library is missing."""


class Outside:
    """See the head of this module."""

    def __init__(self, announcing: Announcing, threads: Sequence[Background], first_look: Callable[[], object]) -> None:
        self._threads = threads
        self._first_look = first_look
        self.announcing = announcing

    def start(self) -> None:
        """Raises OSError or RuntimeError."""
        for thread in self._threads:
            thread.start()
        self._first_look()

    def close(self) -> None:
        """Give back what the router granted, as far as it answers in time."""
        for thread in self._threads:
            thread.tell_to_stop()
        for thread in self._threads:
            thread.stop(_STOP_SECONDS)


def open_outside(
    config: Config,
    addresses: Sequence[str],
    ports: Sequence[int],
    announcement: Announcement,
    adapters: Adapters,
    events: Bus,
    clock: Clock,
    warn: Callable[[str], None],
) -> Outside:
    """Make, and do not start, what *config* asks for. *addresses* and *ports* are those that clients connect to."""
    families = _families(addresses)
    external = config.data.external_address
    router = config.router.map != "off"
    announcing = Announcing(
        announcement,
        events,
        clock,
        discover=external == "auto",
        router=router and 4 in families,
        ports=ports,
        gateway=(lambda: _gateway4(config)) if 4 in families else lambda: None,
    )
    threads: list[Background] = []
    looked = threading.Event()

    def told(found: External | None) -> None:
        announcing.others_told(found)
        looked.set()

    watch = _watch(config, announcing, told, warn) if families else None
    if watch is not None:
        background = Background("homeport-address", watch, clock=clock.monotonic)
        threads.append(background)
        announcing.wanted_changed = background.nudge
    elif families and external == "auto" and not router:
        # It stays: nothing of the router's is asked, and a client is connected to whatever address there is by then.
        announcing.others_told(_OWN.known())
    leases = [
        Leases(family, candidates, ports, config.router.lifetime)
        for family in families
        if (candidates := _candidates(config, family, adapters))
    ]
    if leases:
        mapping = Mapping(leases, announcing.router_told, lambda: listen_for_announcements(_own()))
        threads.append(Background("homeport-router", mapping, clock=clock.monotonic))
    named = watch is not None and external not in ("auto", "none")
    return Outside(announcing, threads, (lambda: looked.wait(_FIRST_LOOK_SECONDS)) if named else lambda: None)


def _families(addresses: Sequence[str]) -> list[int]:
    """The families in which others than this machine itself can connect, IPv4 first."""
    parsed = [ip_address(address.partition("%")[0]) for address in addresses]
    return sorted({address.version for address in parsed if not address.is_loopback})


def _watch(
    config: Config,
    announcing: Announcing,
    told: Callable[[External | None], None],
    warn: Callable[[str], None],
) -> ExternalWatch | None:
    external = config.data.external_address
    server = config.data.stun_server
    if external == "auto":
        if server is None and config.router.map == "off":
            return None
        sources: list[Source] = [_OWN]
        if server is not None:
            host, port = split_host_port(server)
            sources.insert(0, Stun(host, STUN_PORT if port is None else port))
        return ExternalWatch(sources, told, warn, wanted=announcing.others_wanted, patient=server is None)
    if external == "none" or fixed_address(external) is not None:
        return None
    return ExternalWatch([Name(external)], told, warn)


def _candidates(config: Config, family: int, adapters: Adapters) -> list[Candidate]:
    """Who is asked for ports, in turn. PCP comes first (RFC 6887 Appendix A)."""
    chosen = config.router.map
    every = chosen == "auto"
    # One for each gateway that ever was: it remembers the nonces of its mappings and what it is not to be asked.
    known: dict[str, Router] = {}

    def pcp(patience: Patience) -> Router | None:
        gateway, source = _gateway(config, family), routed_address(family)
        if gateway is None or (family == 6 and not _reachable(source)):
            return None
        if gateway not in known:
            tries = _QUICK_PCP if every else None
            known[gateway] = adapters.pcp((gateway, PORT), patience, tries, source if family == 6 else None)
        return known[gateway]

    def nat_pmp(patience: Patience) -> Router | None:
        gateway = _gateway(config, family)
        if gateway is None or not _behind_nat():
            return None
        return NatPmp((gateway, PORT), patience, tries=_QUICK_NAT_PMP) if every else NatPmp((gateway, PORT), patience)

    def upnp(_: Patience) -> Router | None:
        return adapters.upnp(routed_address(4)) if _behind_nat() else None

    found: list[Candidate] = []
    if chosen in ("auto", "pcp"):
        found.append(pcp)
    if family == 4 and chosen in ("auto", "nat-pmp"):
        found.append(nat_pmp)
    if family == 4 and chosen in ("auto", "upnp"):
        found.append(upnp)
    return found


def _gateway(config: Config, family: int) -> str | None:
    given = config.router.gateway
    if given is not None and ip_address(given).version == family:
        return given
    return default_gateway(family)


def _gateway4(config: Config) -> IPv4Address | None:
    gateway = _gateway(config, 4)
    return IPv4Address(gateway) if gateway is not None else None


def _own() -> list[str]:
    own = routed_address(4)
    return [own] if own is not None else []


def _behind_nat() -> bool:
    """Whether our IPv4 address is not public. Who has a public one needs no mapping (RFC 6886 §3.1)."""
    own = routed_address(4)
    return own is not None and not ip_address(own).is_global


def _reachable(address: str | None) -> bool:
    """Whether this IPv6 address of ours is one that the internet routes."""
    if address is None:
        return False
    value = ip_address(address.partition("%")[0])
    return not (value.is_link_local or value.is_loopback or value in _UNIQUE_LOCAL)


def fixed_address(external: str) -> str | None:
    """The address in data.external_address, if it is one."""
    try:
        return str(ip_address(external))
    except ValueError:
        return None
