"""Dataports: the passive ports are opened, and the active one is tried, before anybody is served.

What cannot be had is told in the words of the options, and once: nobody reads the same warning at every transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

from homeport.data.arrivals import Proxies
from homeport.data.channel import source_fault
from homeport.data.portrange import PortRange, open_ranges
from homeport.data.ports import PassivePorts
from homeport.events.bus import Bus
from homeport.events.types import StrangerRefused
from homeport.net.listener import Listener, plain
from homeport.session.services import Clock

from .config import Config
from .listening import StartError

Warn = Callable[[str], None]

_SYSTEM_PORTS = 16
"""How many passive ports there are where the system chooses them."""
_KEPT = 1 / 3
"""For this part of the time that data connections have, an unused port is kept from another session that waits as long
as the whole: so the next in turn still has time, and the one after."""
_OTHERS = "Choose others (data.passive_ports, or --passive-ports)."


def open_passive_sockets(
    addresses: Sequence[str],
    config: Config,
    warn: Warn,
    *,
    workers: int,
    open_already: Mapping[tuple[str, int], Listener],
) -> dict[str, list[Listener]]:
    """As `open_passive_ports`, but the listening sockets alone, of each address: enough for *workers* to share."""
    ranges, unavailable = open_ranges(addresses, config.data.passive_ports, workers * _SYSTEM_PORTS, open_already)
    sockets = {one.address: [port.listener for port in one.ports] for one in ranges}
    without = [address for address, listeners in sockets.items() if not listeners]
    if without:
        for listener in (listener for listeners in sockets.values() for listener in listeners):
            if listener not in open_already.values():
                listener.close()
        raise _none(unavailable, without if len(without) < len(sockets) else [])
    _tell(unavailable, warn)
    return sockets


def passive_ports_without_sockets(addresses: Sequence[str], config: Config, events: Bus, clock: Clock) -> PassivePorts:
    """Ports on *addresses* that are still to come."""
    return PassivePorts(
        [PortRange(address) for address in addresses], (), _refused(events, clock), config.limits.data * _KEPT,
        _proxies(config),
    )  # fmt: skip


def open_passive_ports(addresses: Sequence[str], config: Config, events: Bus, clock: Clock, warn: Warn) -> PassivePorts:
    """Those that *config* names, on the *addresses* where clients connect. What cannot be had is warned of.

    Raises StartError if an address has none at all: its clients could log in, and then move nothing.
    """
    ports = PassivePorts.open(
        addresses,
        config.data.passive_ports,
        count=_SYSTEM_PORTS,
        refused=_refused(events, clock),
        kept=config.limits.data * _KEPT,
        proxies=_proxies(config),
    )
    if not ports.ports or ports.without:
        ports.close()
        raise _none(ports.unavailable, ports.without if ports.ports else ())
    _tell(ports.unavailable, warn)
    return ports


def _refused(events: Bus, clock: Clock) -> Callable[[tuple[str, int], int], None]:
    def refused(peer: tuple[str, int], port: int) -> None:
        if not events.silent:
            events.publish(StrangerRefused(at=clock.time(), peer=peer, port=port))

    return refused


def _proxies(config: Config) -> Proxies | None:
    return Proxies(trust(config), config.proxy.header) if config.proxy.data == "header" else None


def _none(unavailable: Sequence[tuple[int, str]], without: Sequence[str]) -> StartError:
    """*without*: the addresses that have none; empty for all of them."""
    reasons = "; ".join(dict.fromkeys(why for _, why in unavailable))
    where = f" on {' and '.join(without)}" if without else ""
    return StartError(f"None of the passive ports could be opened{where} ({reasons}). {_OTHERS}")


def _tell(unavailable: Sequence[tuple[int, str]], warn: Warn) -> None:
    for number, why in unavailable:
        warn(f"{f'The passive port {number}' if number else 'A passive port'} could not be opened ({why}).")


def trust(config: Config) -> Callable[[str], bool]:
    """Whether an address is a proxy's, whose headers are believed."""
    networks = config.proxy.networks

    def trusted(address: str) -> bool:
        value = ip_address(plain(address))
        return any(value in network for network in networks)

    return trusted


def try_active_port(addresses: Sequence[str], port: int, warn: Warn) -> None:
    """Warn, once, if active connections cannot come from *port*: they come from any then."""
    faults = [f"{address}: {fault}" for address in addresses if port and (fault := source_fault((address, port)))]
    if faults:
        warn(
            f"Active data connections cannot come from port {port} ({'; '.join(faults)}), so they come from any port. "
            "Some firewalls of clients refuse that. Choose another port, or 0 for any (data.active_port)."
        )
