"""Router: what is asked of a router, whatever the protocol, and what it may answer.

Router       the three questions; `natpmp.py`, `pcp.py` and `upnp.py` put them
Grant        a port that the router forwards to us for a while
RouterError  why it does not, told apart by Trouble
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Protocol


class Trouble(Enum):
    """The value is a few words for people."""

    SILENT = "no answer"
    UNSUPPORTED = "the protocol is not spoken"
    REFUSED = "refused"
    CONFLICT = "the port belongs to somebody else"
    NO_ADDRESS = "the router has no public address"
    """It is offline, or itself behind another router that translates addresses (double NAT, carrier-grade NAT)."""
    RESOURCES = "the router has no room for more"
    BROKEN = "the answer makes no sense"


OF_ALL = frozenset({Trouble.SILENT, Trouble.UNSUPPORTED, Trouble.NO_ADDRESS, Trouble.RESOURCES, Trouble.BROKEN})
"""Troubles that are not one port's: where no port was granted before, the next one need not be tried."""


class RouterError(Exception):
    """The router did not do it. `text` is a clause for people."""

    def __init__(self, trouble: Trouble, text: str, seconds: float = 0.0) -> None:
        super().__init__(text)
        self.trouble = trouble
        self.text = text
        self.seconds = seconds
        """The router's wish: for so long the same question is not to be asked again."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The router forwards TCP connections to its port `outside` to our port `inside`."""

    inside: int
    outside: int
    seconds: float
    """For so long, from when it was granted; 0 is for ever."""
    holder: str | None = None
    """Who has the port that we had asked for, where another one was granted and the router tells."""


class Router(Protocol):
    """One router by one protocol. Methods take a while; they raise RouterError, and Stopped of their Patience."""

    @property
    def protocol(self) -> str:
        """ "PCP", "NAT-PMP" or "UPnP"."""

    @property
    def gateway(self) -> str:
        """The router's address on this side."""

    def map(self, inside: int, outside: int, seconds: float, *, renewal: bool = False) -> Grant:
        """Forward *outside*, or another port if that is not to be had, to *inside* for *seconds*.

        A *renewal* is asked once and not repeated: there will be time for another.
        """

    def unmap(self, grant: Grant) -> None:
        """Forward it no longer."""

    def address(self) -> str | None:
        """Its address on the internet's side, whatever that is worth; None if it has or tells none."""

    def heard(self, octets: bytes) -> bool:
        """Take note of an announcement by the router itself; whether it was one. Sends nothing."""

    def take_restart(self) -> bool:
        """Whether what it says since the last call shows that it has forgotten its mappings."""

    def renewal(self, seconds: float, attempt: int) -> float:
        """How long after a grant of *seconds* its renewal is due, for the first (0), second, ... attempt."""


@dataclass(frozen=True, slots=True)
class RouterState:
    """What is known of one router: for the log, the session view and the doctor."""

    family: int
    """4, or 6: there it is a firewall that lets the ports through unchanged."""
    protocol: str | None = None
    """None: none answered."""
    gateway: str | None = None
    wan: str | None = None
    """The address that it says to have on the other side."""
    grants: tuple[Grant, ...] = ()
    trouble: Trouble | None = None
    problem: str = ""
    """What went wrong, in a sentence or two for people; empty if nothing did."""

    @property
    def external(self) -> str | None:
        """`wan` if clients on the internet can reach it."""
        return self.wan if self.wan is not None and ip_address(self.wan).is_global else None


def halved(seconds: float, attempt: int) -> float:
    """A renewal at half of the time, then at half of what is left, and so on (RFC 6886 §3.3)."""
    return seconds * (1 - 0.5 ** (attempt + 1))
