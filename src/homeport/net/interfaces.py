"""Interfaces: the addresses of this machine and the networks that it is attached to, as they were when read."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

from .listener import plain

Network = IPv4Network | IPv6Network

_SOMEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))
"""Addresses of the documentation (RFC 5737, RFC 3849): they are beyond the default route and nothing is sent there."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of one network interface."""

    name: str
    address: str
    network: Network
    """The network that the address and its mask make."""
    up: bool = True


@dataclass(frozen=True, slots=True)
class Interfaces:
    """All of them."""

    all: tuple[Interface, ...]

    @classmethod
    def read(cls) -> Self:
        """Ask the system now."""
        # psutil takes some 20 ms to import, and most programs that embed a server never ask this.
        import psutil

        state = psutil.net_if_stats()
        found = []
        for name, addresses in psutil.net_if_addrs().items():
            up = name not in state or state[name].isup
            for one in addresses:
                if one.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                address = one.address.partition("%")[0]
                width = _width(one.netmask) if one.netmask else ip_address(address).max_prefixlen
                found.append(Interface(name, address, ip_network(f"{address}/{width}", strict=False), up))
        return cls(tuple(found))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks that this machine is attached to, loopback among them."""
        return tuple(dict.fromkeys(one.network for one in self.all if one.up))

    def is_own(self, address: str) -> bool:
        """Whether *address* is one of this machine's."""
        text = plain(address)
        return any(one.address == text for one in self.all)

    def is_local(self, address: str) -> bool:
        """Whether *address* is in a network that this machine is attached to, so that no router is in between."""
        value = ip_address(plain(address))
        return any(value in network for network in self.networks)

    def lan_address(self, family: int = 4) -> str | None:
        """The address under which this machine's neighbours know it: that of the default route, else the first usable.

        None when there is only loopback.
        """
        routed = routed_address(family)
        if routed is not None and self.is_own(routed) and not ip_address(routed).is_loopback:
            return routed
        for one in self.all:
            value = ip_address(one.address)
            if one.up and value.version == family and not (value.is_loopback or value.is_link_local):
                return one.address
        return None


def _width(mask: str) -> int:
    return int(ip_address(mask)).bit_count()


def routed_address(family: int) -> str | None:
    """The address that a packet to the internet would come from. Connecting a UDP socket sends nothing."""
    target, kind = _SOMEWHERE[0 if family == 4 else 1]
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            address: str = probe.getsockname()[0]
    except OSError:  # no route, or no such family: a machine without a network is an answer, not a fault
        return None
    return address
