"""Which address the server names in 227 to this client, and why (DESIGN §5). Pure: no socket is asked.

The order: an explicit rule for the client's network; for a client that seems to be our own router the external
address; for any other client on a local network the very address that it is connected to; the external address,
configured or discovered; and again the address it is connected to. The reason goes to the log, the session's view and
the doctor, because a wrong address here is the most common fault of all FTP set-ups.

Routers do not use FTP. What comes from the router's inside address is a neighbour who went to the router's outside
address and was turned back in (hairpin, NAT loopback), for which the router must put its own address in the place of
the neighbour's. Sent to our inside address, the neighbour would connect without the router, and be a stranger.

A decision depends only on the two ends of the control connection, so it may be kept for as long as that lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from homeport.advice.address import Kind, kind

Network = IPv4Network | IPv6Network

PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",  # RFC 1918
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fe80::/10",
        "fc00::/7",
    )
)
"""Networks whose clients reach this machine without a router that translates addresses. 100.64.0.0/10 is not among
them: behind a provider's NAT (RFC 6598) the client is on the internet."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Clients in `network` are told `address`."""

    network: Network
    address: str

    def __post_init__(self) -> None:
        _check(self.address)


@dataclass(frozen=True, slots=True)
class Rules:
    """All that the decision depends on, but for the two ends of the connection."""

    explicit: tuple[Rule, ...] = ()
    """The first whose network holds the client counts."""
    local_networks: tuple[Network, ...] = PRIVATE
    """Where clients are local. The machine's own networks may be added."""
    external: str | None = None
    external_origin: str = "configured"
    """Where `external` comes from, in a few words: "configured", "told by the router (UPnP)", ..."""

    ports: Mapping[int, int] = field(default_factory=dict)
    """The port outside that leads to one of ours, where a router translates ports (IPv4 only)."""

    granted: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Our ports that a router lets through, for each version of IP for which it was asked and did not grant all."""
    gateway: IPv4Address | None = None
    """The inside address of this machine's own router, if there is one that translates."""

    def __post_init__(self) -> None:
        if self.external is not None:
            _check(self.external)

    def port(self, decision: Decision, own: int) -> int:
        """The port to announce beside the address of *decision*, for our port *own*."""
        return self.ports.get(own, own) if decision.outside else own

    def among(self, decision: Decision) -> frozenset[int] | None:
        """Our ports that lead to this server from where the client is; None: all, or it is not known."""
        if not self.granted:
            return None
        if decision.outside:
            return self.granted.get(4)
        return self.granted.get(6) if decision.beyond else None


@dataclass(slots=True)
class Announcement:
    """The rules in force. Who learns of another address puts other Rules in their place; a decision takes them once."""

    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Decision:
    address: str
    reason: str
    """A clause for people, as in "192.0.2.1, because <reason>"."""
    outside: bool = False
    """Whether the client comes by way of a router that translates IPv4 addresses, if there is one."""
    beyond: bool = False
    """Whether the client comes over IPv6, and not from a local network: a router's firewall may be in between."""
    turned: bool = False
    """Whether it is a guess: the client is taken for one of our own network that our router has turned back in."""


def decide(rules: Rules, client: str, local: str, *, guess: bool = True) -> Decision:
    """The address to announce to *client*, whose control connection ends at *local* on this machine.

    The answer is of the same family as *local*, and never 0.0.0.0 or "::". ValueError if *local* itself is one of
    those: no connection ever ends there. Without *guess* our router is a client as any other.
    """
    theirs, ours = _parse(client), _parse(local)
    if ours.is_unspecified:
        raise ValueError(f"{local} is not the end of a connection")
    for rule in rules.explicit:
        if theirs in rule.network and ip_address(rule.address).version == ours.version:
            outside = rule.address == rules.external
            return Decision(rule.address, f"a rule names it for clients in {rule.network}", outside)
    if guess and theirs == rules.gateway and not ours.is_global and _translates(rules):
        reason = f"the client comes from this server's router, {theirs}, which has turned it round (hairpin)"
        return Decision(rules.external or str(ours), reason, outside=True, turned=True)
    for network in rules.local_networks:
        if theirs in network:
            return Decision(str(ours), f"the client is on the local network {network} and is connected to it")
    four = ours.version == 4
    if rules.external is not None and ip_address(rules.external).version == ours.version:
        reason = f"it is the external address ({rules.external_origin})"
        return Decision(rules.external, reason, outside=four, beyond=not four)
    reason = "the client is connected to it"
    if not ours.is_global and theirs.is_global:
        reason = "no external address is known; it is private, so a client on the internet reaches it only with luck"
    return Decision(str(ours), reason, outside=four, beyond=not four)


def _translates(rules: Rules) -> bool:
    """Whether the router's outside address is known. A bridge for containers is none that neighbours go to."""
    if rules.external is None or rules.gateway is None or kind(str(rules.gateway)) is Kind.BRIDGE:
        return False
    external = kind(rules.external)
    return external.outside and ip_address(rules.external).version == 4


def _parse(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _check(text: str) -> None:
    if ip_address(text).is_unspecified:
        raise ValueError(f"{text} means every address and cannot be announced")
