"""Kinds of addresses: from where can one be reached? Everything that is asked about NAT begins with this.

The registries: RFC 6890 (special purposes), RFC 1918 (private), RFC 6598 (between a provider and its customers),
RFC 4193 (unique local), RFC 5737 and RFC 3849 (documentation).
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Kind(Enum):
    """What sort of address one is. The value completes "it is ..."."""

    PUBLIC = "public"
    DOCUMENTATION = "an address of the documentation"
    """Examples and test networks use them in the place of public ones, and so does everything here."""
    PRIVATE = "private (RFC 1918)"
    BRIDGE = "private, from the ranges that container bridges take"
    CARRIER = "of a provider's own network (RFC 6598, carrier-grade NAT)"
    UNIQUE_LOCAL = "unique local (RFC 4193)"
    LINK_LOCAL = "link-local"
    LOOPBACK = "the loopback address"
    UNSPECIFIED = "the unspecified address"
    MULTICAST = "a multicast address"

    @property
    def outside(self) -> bool:
        """Whether it means the same host everywhere, so that anybody on the internet can dial it."""
        return self in (Kind.PUBLIC, Kind.DOCUMENTATION)

    @property
    def inside(self) -> bool:
        """Whether it is a host's, but means another one in every network."""
        return self not in (Kind.PUBLIC, Kind.DOCUMENTATION, Kind.UNSPECIFIED, Kind.MULTICAST)


_RANGES: tuple[tuple[Kind, tuple[Network, ...]], ...] = tuple(
    (kind, tuple(ip_network(text) for text in texts))
    for kind, texts in (
        (Kind.UNSPECIFIED, ("0.0.0.0/8", "::/128")),
        (Kind.LOOPBACK, ("127.0.0.0/8", "::1/128")),
        (Kind.LINK_LOCAL, ("169.254.0.0/16", "fe80::/10")),
        (Kind.CARRIER, ("100.64.0.0/10",)),
        # What Docker takes first for its bridges, and Podman's. Some clouds and offices use the same.
        (Kind.BRIDGE, ("172.17.0.0/16", "172.18.0.0/15", "172.20.0.0/14", "172.24.0.0/13", "10.88.0.0/16")),
        (Kind.PRIVATE, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
        (Kind.UNIQUE_LOCAL, ("fc00::/7", "fec0::/10")),
        (
            Kind.DOCUMENTATION,
            ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32", "3fff::/20"),
        ),
        (Kind.MULTICAST, ("224.0.0.0/4", "ff00::/8")),
    )
)
"""The first that holds an address counts."""


def parse(text: str) -> Address:
    """*text* as an address, without its scope; one of IPv4 in the clothes of IPv6 (RFC 4291 §2.5.5.2) as IPv4."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def kind(text: str) -> Kind:
    """The kind of the address *text*. ValueError if it is none."""
    address = parse(text)
    for found, networks in _RANGES:
        if any(address in network for network in networks):
            return found
    return Kind.PUBLIC


def same(one: str, other: str) -> bool:
    """Whether both texts are the same address."""
    return parse(one) == parse(other)


def neighbours(one: str, other: str) -> bool:
    """Whether both are in the same /24 (IPv6: /64): the size of what one customer, or one translator, usually has."""
    return block(one) == block(other)


def block(text: str) -> tuple[int, int]:
    """The /24 (IPv6: /64) of the address *text*: the version, and the bits that all in it have."""
    address = parse(text)
    return address.version, int(address) >> (8 if address.version == 4 else 64)


def bridge_gateway(text: str) -> bool:
    """Whether it is the first address of a container bridge: so clients look from inside a container that is
    published through a proxy."""
    return kind(text) is Kind.BRIDGE and int(parse(text)) & 0xFF == 1
