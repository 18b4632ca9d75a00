"""Where the server dials in active mode for what PORT, EPRT or LPRT named, and why. Pure.

A client behind a router that translates names its own address, 192.168.1.20 say, which means nothing here, or worse:
another host of the server's own network. The only other address that is certainly this client's is the one that its
control connection comes from. To dial that, at the port which the client named, is as safe as if the client had named
it itself (RFC 2577 §3: no third host), and it works where the client's router forwards that port: by hand, by UPnP, or
because it forwards all ports to this client. It is the mirror of what clients do who ignore the address in 227.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from homeport.advice.address import Kind, kind, same


class PrivatePort(Enum):
    """What becomes of a PORT that names an address behind the client's router."""

    PEER = "peer"
    """The address that the client comes from is dialled instead."""
    REFUSE = "refuse"
    """It is refused, as any third host is."""


@dataclass(frozen=True, slots=True)
class Destination:
    host: str
    reason: str
    """A clause for people, as in "192.0.2.1, because <reason>"."""
    replaced: bool = False
    """Whether it is another address than the client named."""


def destination(host: str, peer: str, private: PrivatePort, *, foreign: bool) -> Destination | None:
    """Where to dial when a client at *peer* named *host*; None if it must be refused.

    *foreign*: third hosts are allowed (FXP). Without it the answer is never another address than *peer*.
    """
    if same(host, peer):
        return Destination(host, "the client named it")
    named, theirs = kind(host), kind(peer)
    if named is Kind.UNSPECIFIED:
        # No host at all, and to connect to it would mean this machine. lftp sends EPRT |2|::|port|.
        return Destination(peer, "the client named the unspecified address", replaced=True)
    if foreign:
        return Destination(host, "third hosts are allowed")
    translated = named.inside and (theirs.outside or theirs is Kind.CARRIER)
    if translated and private is PrivatePort.PEER:
        return Destination(peer, f"{host} is behind the client's router", replaced=True)
    return None
