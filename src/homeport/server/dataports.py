"""Dataports: the passive ports are opened, and the active one is tried, before anybody is served.

What cannot be had is told in the words of the options, and once: nobody reads the same warning at every transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from homeport.data.arrivals import Proxies
from homeport.data.channel import source_fault
from homeport.data.ports import PassivePorts
from homeport.events.bus import Bus
from homeport.events.types import StrangerRefused
from homeport.net.listener import plain
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


def open_passive_ports(addresses: Sequence[str], config: Config, events: Bus, clock: Clock, warn: Warn) -> PassivePorts:
    """Those that *config* names, on the *addresses* where clients connect. What cannot be had is warned of.

    Raises StartError if an address has none at all: its clients could log in, and then move nothing.
    """

    def refused(peer: tuple[str, int], port: int) -> None:
        if not events.silent:
            events.publish(StrangerRefused(at=clock.time(), peer=peer, port=port))

    proxies = Proxies(trust(config), config.proxy.header) if config.proxy.data == "header" else None
    ports = PassivePorts.open(
        addresses,
        config.data.passive_ports,
        count=_SYSTEM_PORTS,
        refused=refused,
        kept=config.limits.data * _KEPT,
        proxies=proxies,
    )
    reasons = "; ".join(dict.fromkeys(why for _, why in ports.unavailable))
    if not ports.ports or ports.without:
        ports.close()
        where = "" if not ports.ports else f" on {' and '.join(ports.without)}"
        raise StartError(f"None of the passive ports could be opened{where} ({reasons}). {_OTHERS}")
    for number, why in ports.unavailable:
        warn(f"{f'The passive port {number}' if number else 'A passive port'} could not be opened ({why}).")
    return ports


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
