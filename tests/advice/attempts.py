"""One attempt, or more, for every cause: what the golden texts are made of."""

from __future__ import annotations

import errno
from dataclasses import replace

from homeport.advice.attempt import Attempt, Gateway, Mode, Seen

SERVER = "203.0.113.4"
INSIDE = "192.168.50.10"
ROUTER = "203.0.113.9"
CLIENT = "198.51.100.7"
BEHIND = "192.168.1.20"

PASSIVE = Attempt(
    mode=Mode.PASV,
    seen=Seen.NOTHING,
    peer=(CLIENT, 40123),
    local=(SERVER, 21),
    port=50003,
    seconds=30.0,
    announced=SERVER,
    reason="the client is connected to it",
    passive_ports=20,
)
"""A public client, a public server."""
TRANSLATED = replace(
    PASSIVE, local=(INSIDE, 21), announced=ROUTER, reason="it is the external address (configured)", outside=ROUTER
)
"""A public client, a server behind its router."""
ACTIVE = Attempt(
    mode=Mode.PORT,
    seen=Seen.TIMED_OUT,
    peer=(CLIENT, 40123),
    local=(SERVER, 21),
    port=50100,
    seconds=30.0,
    requested=(CLIENT, 50100),
    dialled=CLIENT,
    source_port=20,
)
PRIVATE = replace(ACTIVE, requested=(BEHIND, 50100))
"""The client is behind its router, and its own address was dialled instead of the one it named."""

EXAMPLES: dict[str, Attempt] = {
    "nothing arrived": PASSIVE,
    "nothing arrived, EPSV, TLS": replace(PASSIVE, mode=Mode.EPSV, announced=None, reason="", control_protected=True),
    "nothing arrived, server behind a router": TRANSLATED,
    "nothing arrived, server behind a router, EPSV, TLS": replace(
        TRANSLATED, mode=Mode.EPSV, announced=None, reason="", control_protected=True
    ),
    "nothing arrived, active, seen by the client": replace(ACTIVE, seen=Seen.NOTHING),
    "stranger, next to the client": replace(TRANSLATED, seen=Seen.STRANGERS, strangers=("198.51.100.8",)),
    "stranger, from elsewhere": replace(PASSIVE, seen=Seen.STRANGERS, strangers=("192.0.2.66", "192.0.2.66")),
    "private announced": replace(
        TRANSLATED, announced=INSIDE, reason="no external address is known; it is private", outside=None
    ),
    "bridge announced": replace(TRANSLATED, local=("172.17.0.2", 21), announced="172.17.0.2", reason=""),
    "wrong announced": replace(TRANSLATED, announced="203.0.113.99"),
    "carrier NAT": replace(TRANSLATED, announced="100.64.9.1", outside="100.64.9.1"),
    "hairpin": replace(TRANSLATED, peer=("192.168.50.30", 40123)),
    "rewritten, read": replace(TRANSLATED, announced=INSIDE, received=ROUTER, outside=None),
    "rewritten, suspected": replace(TRANSLATED, gateway=Gateway.SUSPECTED),
    "rewritten, active": replace(ACTIVE, gateway=Gateway.MEDDLED),
    "PASV over IPv6": replace(PASSIVE, peer=("2001:db8:1::7", 40123), local=("2001:db8:2::4", 21), announced=None),
    "range too small": replace(PASSIVE, seen=Seen.NO_PORT_FREE),
    "range of one port": replace(PASSIVE, seen=Seen.NO_PORT_FREE, passive_ports=1),
    "private requested, refused": replace(PRIVATE, seen=Seen.FOREIGN, dialled=None),
    "private requested, dialled in vain": PRIVATE,
    "private requested, dialled in vain, TLS": replace(PRIVATE, seen=Seen.REFUSED, control_protected=True),
    "foreign requested": replace(ACTIVE, seen=Seen.FOREIGN, requested=("192.0.2.66", 50100), dialled=None),
    "low port requested": replace(ACTIVE, seen=Seen.LOW_PORT, requested=(CLIENT, 25), port=25, dialled=None),
    "source port": replace(ACTIVE, source_failure="Permission denied"),
    "source port, found by the doctor": replace(ACTIVE, seen=Seen.NO_SOURCE_PORT),
    "nothing set up": replace(ACTIVE, mode=Mode.DEFAULT, seen=Seen.REFUSED, requested=None, port=40123),
    "local firewall": replace(ACTIVE, seen=Seen.UNREACHABLE, error=errno.EPERM),
    "refused, active": replace(ACTIVE, seen=Seen.REFUSED, error=errno.ECONNREFUSED),
    "refused, passive": replace(TRANSLATED, seen=Seen.REFUSED),
    "timed out, active": ACTIVE,
    "timed out, active, TLS": replace(ACTIVE, control_protected=True),
    "timed out, passive": replace(PASSIVE, seen=Seen.TIMED_OUT),
    "unreachable, active": replace(ACTIVE, seen=Seen.UNREACHABLE, error=errno.EHOSTUNREACH),
    "unreachable, passive": replace(PASSIVE, seen=Seen.UNREACHABLE),
    "data lost": replace(PASSIVE, seen=Seen.RESET, octets=81920),
    "stalled early": replace(PASSIVE, seen=Seen.STALLED, octets=1448),
    "stalled late": replace(PASSIVE, seen=Seen.STALLED, octets=10**9),
    "TLS not resumed": replace(PASSIVE, seen=Seen.NOT_RESUMED, control_protected=True, protected=True),
    "plain text on TLS": replace(PASSIVE, seen=Seen.PLAIN_TEXT, control_protected=True, protected=True),
    "TLS on plain": replace(PASSIVE, seen=Seen.TLS_RECORD, control_protected=True),
    "TLS failed": replace(PASSIVE, seen=Seen.TLS_FAILED, control_protected=True, protected=True),
    "control filtered": replace(PASSIVE, seen=Seen.CONTROL_RESET, resets=(4, 4, 4)),
    "control lost": replace(PASSIVE, seen=Seen.CONTROL_RESET, resets=(4, 9, 4)),
    "no descriptor": replace(PASSIVE, seen=Seen.NO_DESCRIPTOR),
    "closing": replace(PASSIVE, seen=Seen.CLOSED),
}
