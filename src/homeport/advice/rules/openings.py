"""Openings: which connections must pass for a server to work, and why. A firewall's words for them are elsewhere.

Three kinds: clients connect to the control port and, in passive mode, to the passive ports; in active mode the server
connects from its data port to a port above 1023 that the client named (RFC 959 §3.2, RFC 2577 §3).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..address import Kind, kind

LOWEST_CLIENT_PORT = 1024
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Range:
    """Ports from `low` to `high`, both included."""

    low: int
    high: int

    def text(self, between: str = "-") -> str:
        return str(self.low) if self.low == self.high else f"{self.low}{between}{self.high}"


@dataclass(frozen=True, slots=True)
class Opening:
    """Connections to `ports`, in or out."""

    name: str
    """Short, for a firewall's own comment: letters and spaces."""
    ports: Range
    reason: str
    outgoing: bool = False
    source: int | None = None
    """Outgoing only: the port that they come from; None: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What of a configuration matters to firewalls and routers."""

    control: tuple[int, ...]
    passive: tuple[int, ...]
    """Empty: the system chooses them."""
    active: int
    """The data port; 0 is any."""
    addresses: tuple[str, ...]
    """Where the server listens."""
    inside: str | None = None
    """This machine's address in its network, for the router."""
    external: bool = False
    """Whether the configuration names the address that clients from outside are told."""

    @property
    def ipv4(self) -> bool:
        return any(":" not in address for address in self.addresses)

    @property
    def ipv6(self) -> bool:
        return any(":" in address for address in self.addresses)

    @property
    def incoming(self) -> tuple[Opening, ...]:
        """For connections that clients make."""
        control = "clients connect here, log in, and send their commands"
        data = "after PASV or EPSV clients connect here for each transfer"
        return (
            *(Opening("FTP control", one, control) for one in ranges(self.control)),
            *(Opening("FTP passive data", one, data) for one in ranges(self.passive)),
        )

    @property
    def outgoing(self) -> Opening:
        """For connections that the server makes."""
        return Opening(
            "FTP active data",
            Range(LOWEST_CLIENT_PORT, HIGHEST_PORT),
            "after PORT or EPRT the server connects for each transfer to a port that the client named",
            outgoing=True,
            source=self.active or None,
        )

    @property
    def all(self) -> tuple[Opening, ...]:
        return (*self.incoming, self.outgoing)

    def family(self, only_4: str, only_6: str) -> str:
        """The words that keep a rule to the one family that is served; none where both are."""
        if self.ipv4 and self.ipv6:
            return ""
        return only_6 if self.ipv6 else only_4

    @property
    def notes(self) -> tuple[str, ...]:
        """What no rule can express."""
        found = []
        if not any(self.control):
            found.append("listen.port is 0: the system chooses the control port, and no rule can name it.")
        if not self.passive:
            found.append(
                'data.passive_ports is "any": the system chooses them, and no rule can name them. '
                'Set a range, such as "50000-50019".'
            )
        if all(kind(address) is Kind.LOOPBACK for address in self.addresses):
            found.append("The server listens on the loopback address only, which no firewall filters by custom.")
        return tuple(found)


def ranges(ports: Iterable[int]) -> tuple[Range, ...]:
    """Runs of *ports* drawn together; 0 is no port."""
    runs: list[Range] = []
    for port in sorted(set(ports) - {0}):
        if runs and port == runs[-1].high + 1:
            runs[-1] = Range(runs[-1].low, port)
        else:
            runs.append(Range(port, port))
    return tuple(runs)


def comments(lines: Iterable[str], mark: str = "#", width: int = 100) -> list[str]:
    """*lines* as comments, wrapped at *width* columns."""
    wrapped = []
    for line in lines:
        wrapped += textwrap.wrap(line, width, initial_indent=f"{mark} ", subsequent_indent=f"{mark} ",
                                 break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return wrapped


def listed(openings: Iterable[Opening], write: Callable[[Opening], str], mark: str = "#") -> list[str]:
    """A line for each of *openings* as *write* has it, and the reason as comments above the first with that name."""
    lines = []
    said = None
    for one in openings:
        if one.name != said:
            lines += comments([f"{one.name}: {one.reason}."], mark)
            said = one.name
        lines.append(write(one))
    return lines


def text(lines: Iterable[str]) -> str:
    """*lines* with LF at the end of each."""
    return "".join(f"{line}\n" for line in lines)
