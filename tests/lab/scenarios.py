"""The scenarios of the lab, and what each mode must come to in each: the table of docs/connections.md.

A cell is what the client meets and, after a colon, the cause that the server must name for it (a value of
`homeport.advice.causes.Cause`). "ok" is a RETR and a STOR, whole. What stands in brackets must occur in the advice:
where the server cannot know more than that nobody came, the true cause must still be among the things to look at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .layout import RANGE, Layout

External = Literal["right", "wrong", "none"]


@dataclass(frozen=True, slots=True)
class Cell:
    word: str
    cause: str = ""
    advice: str = ""

    @classmethod
    def parse(cls, text: str) -> Cell:
        """From "word", "word: cause" or "word: cause [advice]"."""
        parts = re.fullmatch(r"([^:\[]+?)(?:: ([a-z0-9-]+)(?: \[(.+)\])?)?", text)
        if parts is None:
            raise ValueError(f"{text!r} is no cell")
        return cls(*(part or "" for part in parts.groups()))


@dataclass(frozen=True, slots=True)
class Scenario:
    number: str
    title: str
    layout: Layout
    cells: tuple[Cell, ...]
    """One for each of `clients.Mode`."""
    group: str
    external: External
    """data.external_address: the address of the server's router, another one, or none."""
    data: Mapping[str, object] = field(default_factory=dict)
    """What else is set in [data]."""
    family: Literal[4, 6] = 4
    tls: bool = False
    """Whether the client encrypts both connections."""
    origin: Literal["client", "neighbour"] = "client"
    """Who connects: the client out on the internet, or a neighbour in the server's own network."""
    inside: bool = False
    """Whether it connects to the server's own address, and not to that of the router."""


# -- cells ------------------------------------------------------------------------------------------------------

OK = "ok"
CLOSED = "no control connection"
FILTERED = "timeout: nothing-arrived [Let the whole passive range]"
RESET = "refused: nothing-arrived [Let the whole passive range]"
UNFORWARDED = "refused: nothing-arrived [Forward the whole passive range]"
QUIET = "timeout: nothing-arrived [Forward the whole passive range]"
INSIDE = "timeout: private-announced [data.external_address]"
BOTH = "refused: private-announced [Forward the passive range]"
WRONG = "unreachable: nothing-arrived [Check that 203.0.113.199]"
MISLED = "refused: nothing-arrived [FTP helper (ALG)]"
PRIVATE = "refused: private-requested"
PRIVATE_UNREAD = "refused: private-requested [It cannot read the address: the connection is encrypted]"
UNREAD = "refused: nothing-arrived [encrypted, so that no router can read the port]"
PRIVATE_QUIET = "timeout: private-requested"
NOT_DIALLED = "504: private-requested"
TURNED = "425: stranger"
GUARDED = "timeout: timed-out [from the server's data port]"
KEPT_IN = "timeout: timed-out [the server's own network lets connections out]"
NO_ROOM = "522"
"""The reply of RFC 2428 to what names no IPv6 address."""

ALL = (OK, OK, OK, OK, OK)
PASSIVE_ONLY = (OK, OK, OK, PRIVATE, PRIVATE)
ACTIVE_ONLY = (UNFORWARDED, UNFORWARDED, UNFORWARDED, OK, OK)
NOTHING = (CLOSED,) * 5
EXTENDED = (OK, NO_ROOM, NO_ROOM, OK, NO_ROOM)
EPSV_ONLY = (OK, NO_ROOM, NO_ROOM, GUARDED, NO_ROOM)

_PUBLIC = "A server with a public address"
_HOME = "A server behind a router"
_GATEWAYS = "Routers that read FTP"
_CARRIER = "Carrier-grade NAT, and other ports"
_TLS = "Encrypted, so that no router can read"
_LOCAL = "Clients in the server's own network"
_SIX = "IPv6"
_ONE = "One passive port"
_ACTIVE = "Active mode made to work, and made to fail"


def _row(
    group: str,
    number: int,
    title: str,
    layout: Layout,
    cells: tuple[str, str, str, str, str],
    *,
    external: External = "none",
    data: Mapping[str, object] | None = None,
    family: Literal[4, 6] = 4,
    tls: bool = False,
    inside: bool = False,
) -> Scenario:
    origin: Literal["client", "neighbour"] = "neighbour" if layout.lan2 else "client"
    found = tuple(map(Cell.parse, cells))
    return Scenario(f"{number:02d}", title, layout, found, group, external, data or {}, family, tls, origin, inside)


SCENARIOS: tuple[Scenario, ...] = (
    _row(_PUBLIC, 1, "Both public", Layout("public", "public"), ALL),
    _row(_PUBLIC, 2, "Client behind a router", Layout("nat", "public"), PASSIVE_ONLY),
    _row(_PUBLIC, 4, "Client behind a router and its provider's NAT", Layout("cgnat", "public"), PASSIVE_ONLY),
    _row(_PUBLIC, 5, "The server's firewall lets in port 21 only", Layout("public", "public_fw21"),
         (FILTERED, FILTERED, FILTERED, OK, OK)),
    _row(_PUBLIC, 44, "The same, and it refuses instead of dropping", Layout("public", "public_fw21", reject=True),
         (RESET, RESET, RESET, OK, OK)),
    _row(_PUBLIC, 6, "Client behind a router; the server's firewall lets in port 21 only", Layout("nat", "public_fw21"),
         (FILTERED, FILTERED, FILTERED, PRIVATE, PRIVATE)),
    _row(_PUBLIC, 7, "Client behind a router; the server's firewall lets in 21 and the range",
         Layout("nat", "public_fw_pasv"), PASSIVE_ONLY),

    _row(_HOME, 8, "Nothing forwarded", Layout("public", "nat"), NOTHING),
    _row(_HOME, 9, "21 forwarded, no external address set", Layout("public", "nat_21"),
         (UNFORWARDED, INSIDE, BOTH, OK, OK)),
    _row(_HOME, 10, "21 forwarded, external address right", Layout("public", "nat_21"), ACTIVE_ONLY, external="right"),
    _row(_HOME, 11, "21 and the range forwarded, no external address set", Layout("public", "nat_21_pasv"),
         (OK, INSIDE, OK, OK, OK)),
    _row(_HOME, 12, "21 and the range forwarded, external address right", Layout("public", "nat_21_pasv"), ALL,
         external="right"),
    _row(_HOME, 13, "Both behind routers, 21 forwarded, external address right", Layout("nat", "nat_21"),
         (UNFORWARDED, UNFORWARDED, UNFORWARDED, PRIVATE, PRIVATE), external="right"),
    _row(_HOME, 45, "The same, and the routers drop instead of refusing", Layout("nat", "nat_21", stealth=True),
         (QUIET, QUIET, QUIET, PRIVATE_QUIET, PRIVATE_QUIET), external="right"),
    _row(_HOME, 14, "Both behind routers, 21 and the range forwarded, no external address set",
         Layout("nat", "nat_21_pasv"), (OK, INSIDE, OK, PRIVATE, PRIVATE)),
    _row(_HOME, 15, "Both behind routers, 21 and the range forwarded, external address right",
         Layout("nat", "nat_21_pasv"), PASSIVE_ONLY, external="right"),
    _row(_HOME, 16, "Both behind routers, 21 and the range forwarded, external address wrong",
         Layout("nat", "nat_21_pasv"), (OK, WRONG, OK, PRIVATE, PRIVATE), external="wrong"),
    _row(_HOME, 17, "As 14, and both home networks have the same addresses",
         Layout("nat", "nat_21_pasv", same_subnet=True), (OK, INSIDE, OK, PRIVATE, PRIVATE)),

    _row(_GATEWAYS, 3, "Client's router with ALG, server public", Layout("nat_alg", "public"), ALL),
    _row(_GATEWAYS, 18, "Server's router with ALG, 21 forwarded, no external address set",
         Layout("public", "nat_21_alg"), ALL),
    _row(_GATEWAYS, 19, "Server's router with ALG, 21 forwarded, external address right",
         Layout("public", "nat_21_alg"), (OK, MISLED, MISLED, OK, OK), external="right"),
    _row(_GATEWAYS, 20, "Both behind routers, ALG on the server's, 21 forwarded, no external address set",
         Layout("nat", "nat_21_alg"), PASSIVE_ONLY),
    _row(_GATEWAYS, 21, "Both behind routers, ALG on both, 21 forwarded, no external address set",
         Layout("nat_alg", "nat_21_alg"), ALL),
    _row(_GATEWAYS, 22, "Both behind routers, ALG on the client's, 21 and the range forwarded, external address right",
         Layout("nat_alg", "nat_21_pasv"), ALL, external="right"),

    _row(_CARRIER, 23, "Client behind carrier-grade NAT; server as in 12", Layout("cgnat", "nat_21_pasv"), PASSIVE_ONLY,
         external="right"),
    _row(_CARRIER, 24, "Server behind carrier-grade NAT, 21 and the range forwarded by its own router",
         Layout("public", "cgnat_21_pasv"), NOTHING, external="right"),
    _row(_CARRIER, 25, "Both behind routers, 2121 forwarded to 21, and the range; external address right",
         Layout("nat", "nat_alt"), PASSIVE_ONLY, external="right"),
    _row(_CARRIER, 26, "The same, and the client's router has an ALG, which looks at port 21 only",
         Layout("nat_alg", "nat_alt"), PASSIVE_ONLY, external="right"),

    _row(_TLS, 27, "Client's router with ALG, server public", Layout("nat_alg", "public"),
         (OK, OK, OK, PRIVATE_UNREAD, PRIVATE_UNREAD), tls=True),
    _row(_TLS, 28, "Server's router with ALG, 21 forwarded, no external address set", Layout("public", "nat_21_alg"),
         (UNREAD, INSIDE, BOTH, OK, OK), tls=True),
    _row(_TLS, 29, "Both behind routers, 21 and the range forwarded, no external address set",
         Layout("nat", "nat_21_pasv"), (OK, INSIDE, OK, PRIVATE_UNREAD, PRIVATE_UNREAD), tls=True),
    _row(_TLS, 30, "Both behind routers, 21 and the range forwarded, external address right",
         Layout("nat", "nat_21_pasv"), (OK, OK, OK, PRIVATE_UNREAD, PRIVATE_UNREAD), external="right", tls=True),

    _row(_LOCAL, 31, "To the server's own address, no external address set", Layout("nat", "nat_21_pasv", lan2=True),
         ALL, inside=True),
    _row(_LOCAL, 32, "To the server's own address, external address right, router without hairpin",
         Layout("nat", "nat_21_pasv", lan2=True), ALL, external="right", inside=True),
    _row(_LOCAL, 33, "To the server's own address, external address right, router with hairpin",
         Layout("nat", "nat_21_pasv", lan2=True, hairpin=True), ALL, external="right", inside=True),
    _row(_LOCAL, 34, "To the router's outside address, external address right, router with hairpin",
         Layout("nat", "nat_21_pasv", lan2=True, hairpin=True), (OK, OK, OK, NOT_DIALLED, NOT_DIALLED),
         external="right"),
    _row(_LOCAL, 46, "The same, and a rule of data.announce names the outside address to whoever comes from the router",
         Layout("nat", "nat_21_pasv", lan2=True, hairpin=True), (OK, OK, OK, NOT_DIALLED, NOT_DIALLED),
         external="right", data={"announce": {"192.168.50.1/32": "198.51.100.20"}}),
    _row(_LOCAL, 35, "To the router's outside address, no external address set, router with hairpin",
         Layout("nat", "nat_21_pasv", lan2=True, hairpin=True), (OK, TURNED, OK, NOT_DIALLED, NOT_DIALLED)),

    _row(_SIX, 36, "No firewall anywhere", Layout("public", "public"), EXTENDED, family=6),
    _row(_SIX, 37, "Firewall of a home before the client", Layout("nat", "public"), EPSV_ONLY, family=6),
    _row(_SIX, 38, "Firewall and ALG before the client", Layout("nat_alg", "public"), EXTENDED, family=6),
    _row(_SIX, 39, "Firewalls before both, 21 opened", Layout("nat", "nat_21"),
         (FILTERED, NO_ROOM, NO_ROOM, GUARDED, NO_ROOM), family=6),
    _row(_SIX, 40, "Firewalls before both, 21 and the range opened", Layout("nat", "nat_21_pasv"), EPSV_ONLY, family=6),
    _row(_SIX, 41, "Firewalls before both, 21 opened, ALG on the server's router", Layout("nat", "nat_21_alg"),
         EPSV_ONLY, family=6),
    _row(_SIX, 47, "The server of 24: carrier-grade NAT for IPv4, 21 and the range opened for IPv6",
         Layout("public", "cgnat_21_pasv"), EXTENDED, family=6),

    _row(_ONE, 42, "21 and one passive port forwarded, external address right", Layout("public", "nat_21_one"), ALL,
         external="right", data={"passive_ports": [RANGE[0]]}),
    _row(_ONE, 43, "Both behind routers; 20 and 21 forwarded, and 20 is the passive port", Layout("nat", "nat_20_21"),
         PASSIVE_ONLY, external="right", data={"passive_ports": [20], "active_port": 0}),

    _row(_ACTIVE, 48, "The client's router forwards the ports that the client listens at",
         Layout("nat_range", "public"), ALL),
    _row(_ACTIVE, 49, 'The same, and data.private_port is "refuse"', Layout("nat_range", "public"),
         (OK, OK, OK, NOT_DIALLED, NOT_DIALLED), data={"private_port": "refuse"}),
    _row(_ACTIVE, 50, "The client's firewall lets in what comes from port 20", Layout("public_fw20", "public"), ALL),
    _row(_ACTIVE, 51, "The same, and the server comes from any port (data.active_port = 0)",
         Layout("public_fw20", "public"), (OK, OK, OK, GUARDED, GUARDED), data={"active_port": 0}),
    _row(_ACTIVE, 52, "The server's own firewall lets no connection out", Layout("public", "public_fw_out"),
         (OK, OK, OK, KEPT_IN, KEPT_IN)),
)  # fmt: skip
