"""Gateway: the router that this machine sends to what is not in its own networks.

Only Linux tells it in a way that needs neither a program nor a foreign library; elsewhere it is None, and the
option router.gateway names it. The table is that of the calling thread's network namespace.
"""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import IPv6Address

_TABLES = ("/proc/thread-self/net", "/proc/net")
_GATEWAY = 0x2
"""RTF_GATEWAY: the route leads through a router."""
_UP = 0x1


def default_gateway(family: int = 4) -> str | None:
    """The address of the default route's router, with its scope behind "%" if it is link-local. None if unknown."""
    name, parse = ("route", parse_routes) if family == 4 else ("ipv6_route", parse_routes6)
    for directory in _TABLES:
        path = os.path.join(directory, name)
        try:
            with open(path, encoding="ascii") as table:
                return parse(table.read())
        except OSError:
            continue  # another system, or a kernel without that family
    return None


def parse_routes(table: str) -> str | None:
    """The default gateway of least metric in the text of /proc/net/route."""
    found: list[tuple[int, str]] = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "00000000" or fields[7] != "00000000":
            continue
        if int(fields[3], 16) & (_UP | _GATEWAY) == _UP | _GATEWAY:
            # The kernel writes its own integers: the octets stand in the machine's order.
            found.append((int(fields[6]), socket.inet_ntoa(struct.pack("=L", int(fields[2], 16)))))
    return min(found)[1] if found else None


def parse_routes6(table: str) -> str | None:
    """The default gateway of least metric in the text of /proc/net/ipv6_route."""
    found: list[tuple[int, str]] = []
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 10 or int(fields[0], 16) or int(fields[1], 16):
            continue
        if int(fields[8], 16) & (_UP | _GATEWAY) == _UP | _GATEWAY:
            gateway = IPv6Address(int(fields[4], 16))
            scope = f"%{fields[9]}" if gateway.is_link_local else ""
            found.append((int(fields[5], 16), f"{gateway}{scope}"))
    return min(found)[1] if found else None
