"""Layout: which lab. What a side is made of stands in CLIENTS and SERVERS. Only values: nothing is built here."""

from __future__ import annotations

from dataclasses import dataclass

CONTROL = 21
RANGE = range(50000, 50010)
"""The passive ports, and those that the router of a `nat_range` client forwards to it."""


@dataclass(frozen=True, slots=True)
class Side:
    """What stands between the internet and a host."""

    translated: bool = False
    """A home router: one outside address for all, and nothing comes in that is not forwarded."""
    forwards: tuple[tuple[int, int], ...] = ()
    """Outside port and inside port. In IPv6, where nothing is translated, the inside ports are opened."""
    gateway: bool = False
    """The router's FTP helper is on."""
    carrier: bool = False
    """The provider translates once more, between the router and the internet."""
    lets_in: str | None = None
    """The host's own firewall: the nftables expression of what may come in; None is no firewall."""
    lets_out: bool = True
    """Whether the host's own firewall lets it connect to others."""


def _forward(*ports: int) -> tuple[tuple[int, int], ...]:
    return tuple((port, port) for port in ports)


_PORTS = f"{RANGE[0]}-{RANGE[-1]}"

CLIENTS = {
    "public": Side(),
    "public_fw20": Side(lets_in="tcp sport 20"),
    "nat": Side(translated=True),
    "nat_alg": Side(translated=True, gateway=True),
    "nat_range": Side(translated=True, forwards=_forward(*RANGE)),
    "cgnat": Side(translated=True, carrier=True),
}
SERVERS = {
    "public": Side(),
    "public_fw21": Side(lets_in="tcp dport 21"),
    "public_fw_pasv": Side(lets_in=f"tcp dport {{ 21, {_PORTS} }}"),
    "public_fw_out": Side(lets_in=f"tcp dport {{ 21, {_PORTS} }}", lets_out=False),
    "nat": Side(translated=True),
    "nat_21": Side(translated=True, forwards=_forward(CONTROL)),
    "nat_21_pasv": Side(translated=True, forwards=_forward(CONTROL, *RANGE)),
    "nat_21_one": Side(translated=True, forwards=_forward(CONTROL, RANGE[0])),
    "nat_20_21": Side(translated=True, forwards=_forward(20, CONTROL)),
    "nat_21_alg": Side(translated=True, forwards=_forward(CONTROL), gateway=True),
    "nat_alt": Side(translated=True, forwards=((2121, CONTROL), *_forward(*RANGE))),
    "cgnat": Side(translated=True, carrier=True),
    "cgnat_21_pasv": Side(translated=True, forwards=_forward(CONTROL, *RANGE), carrier=True),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which lab. `client` is a key of CLIENTS, `server` one of SERVERS."""

    client: str
    server: str
    lan2: bool = False
    """A neighbour in the server's network. A bridge has to be there for it, which takes a second to forward."""
    hairpin: bool = False
    """The server's router turns connections from inside to its outside address back in."""
    same_subnet: bool = False
    """Both homes have the network 192.168.1.0/24, as most have."""
    stealth: bool = False
    """Routers drop what nobody asked for; otherwise they refuse it."""
    reject: bool = False
    """The hosts' firewalls answer with a reset; otherwise they drop."""

    @property
    def client_side(self) -> Side:
        return CLIENTS[self.client]

    @property
    def server_side(self) -> Side:
        return SERVERS[self.server]
