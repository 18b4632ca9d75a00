"""Cause, Side and Diagnosis: what a failed connection can be put down to, who has to do something, and in what words.

The value of a Cause is its name in the JSON log and in `--json`: a contract, add to it and do not rename.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    """Who has to change something. The value completes "to be mended at ..."."""

    SERVER = "the server"
    SERVER_ROUTER = "the server's router"
    CLIENT = "the client"
    CLIENT_ROUTER = "the client's router"
    NETWORK = "the network between"


class Cause(Enum):
    # -- passive mode: the client dials, and does not get there
    NOTHING_ARRIVED = "nothing-arrived"
    """The port is not let in by a firewall, or not forwarded by a router."""
    STRANGER = "stranger"
    """Somebody came, but not from the client's address."""
    PRIVATE_ANNOUNCED = "private-announced"
    """227 named an address that means nothing where the client is."""
    BRIDGE_ANNOUNCED = "bridge-announced"
    """227 named the address of a container."""
    WRONG_ANNOUNCED = "wrong-announced"
    """227 named a public address that is not the server's."""
    CARRIER_NAT = "carrier-nat"
    """The server is behind its provider's translator."""
    HAIRPIN = "hairpin"
    """A client of the server's own network was sent to the outside of the router, which does not turn it back in."""
    REWRITTEN = "rewritten"
    """A router that reads FTP changed the numbers on the way, or waited for other ones."""
    PASV_IPV6 = "pasv-ipv6"
    """227 has no room for an IPv6 address."""
    RANGE_TOO_SMALL = "range-too-small"
    """Every passive port waits for another session of the same client."""

    # -- active mode: the server dials, and does not get there
    PRIVATE_REQUESTED = "private-requested"
    """PORT named an address behind the client's router."""
    FOREIGN_REQUESTED = "foreign-requested"
    """PORT named a third host."""
    LOW_PORT_REQUESTED = "low-port-requested"
    """PORT named a port that belongs to a service."""
    SOURCE_PORT = "source-port"
    """The data port (20) cannot be used, and whoever filters expects it."""
    NO_PORT_COMMAND = "no-port-command"
    """The client set up nothing, and does not listen where the standard then has it dialled."""
    LOCAL_FIREWALL = "local-firewall"
    """The server's own machine does not let it dial."""

    # -- whoever dials
    REFUSED = "refused"
    TIMED_OUT = "timed-out"
    UNREACHABLE = "unreachable"

    # -- the connection was made
    DATA_LOST = "data-lost"
    STALLED = "stalled"
    TLS_NOT_RESUMED = "tls-not-resumed"
    PLAIN_ON_TLS = "plain-on-tls"
    TLS_ON_PLAIN = "tls-on-plain"
    TLS_FAILED = "tls-failed"

    # -- neither is to blame
    CONTROL_FILTERED = "control-filtered"
    """A firewall that reads FTP cuts the control connection at the same command every time."""
    CONTROL_LOST = "control-lost"
    NO_DESCRIPTOR = "no-descriptor"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, and how it is mended."""

    cause: Cause
    side: Side
    sentence: str
    """For the client, in a reply: at most 150 octets, and no address that the client did not name."""
    happened: str
    """For the administrator: who dialled whom, and what was seen. With addresses."""
    why: str
    cures: tuple[str, ...]
    """What to do, the most likely first."""

    @property
    def paragraph(self) -> str:
        """All of it, on one line."""
        return f"{self.happened} {self.advice}"

    @property
    def advice(self) -> str:
        """Why, and how it is mended, for the log and the page."""
        if len(self.cures) == 1:
            mend = self.cures[0]
        else:
            mend = " ".join(f"({number}) {cure}" for number, cure in enumerate(self.cures, 1))
        return f"{self.why} To mend it at {self.side.value}: {mend}"
