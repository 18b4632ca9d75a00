"""Attempt: the facts of one data connection that did not work.

Who collects them is either the server, which sees its own end, or a client (`homeport probe`), which sees the other.
`seen` tells which: nothing and strangers are what the one sees who waits, refusals and timeouts what the one sees who
dials. In passive mode the server waits and the client dials; in active mode the other way round (RFC 959 §3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .address import Kind, kind


class Mode(Enum):
    """The command that had set up the data connection."""

    PASV = "PASV"
    EPSV = "EPSV"
    LPSV = "LPSV"
    PORT = "PORT"
    EPRT = "EPRT"
    LPRT = "LPRT"
    DEFAULT = "the default data port"
    """None: the server dials the port that the control connection comes from (RFC 959 §3.2)."""

    @property
    def passive(self) -> bool:
        return self in (Mode.PASV, Mode.EPSV, Mode.LPSV)

    @property
    def names_address(self) -> bool:
        """Whether its reply tells the client an address, and not only a port."""
        return self in (Mode.PASV, Mode.LPSV)


class Seen(Enum):
    """What became of it."""

    # To the one who waited for a connection:
    NOTHING = "nothing arrived"
    STRANGERS = "only strangers arrived"
    # To the one who dialled:
    REFUSED = "refused"
    TIMED_OUT = "no answer"
    UNREACHABLE = "unreachable"
    # Before anybody could dial:
    FOREIGN = "the address is not the client's"
    LOW_PORT = "the port is below 1024"
    NO_SOURCE_PORT = "the data port cannot be bound"
    NO_PORT_FREE = "no passive port is free"
    NO_DESCRIPTOR = "out of descriptors"
    CLOSED = "the server took the port away"
    # It was there, and then:
    RESET = "lost"
    STALLED = "nothing moved any more"
    NOT_RESUMED = "the TLS session was not resumed"
    PLAIN_TEXT = "plain text where TLS was agreed on"
    TLS_RECORD = "TLS where plain text was agreed on"
    TLS_FAILED = "the TLS handshake failed"
    # And with the control connection:
    CONTROL_RESET = "the control connection was reset"


class Gateway(Enum):
    """What is known of a router that reads FTP and rewrites it (an application-level gateway)."""

    UNKNOWN = "unknown"
    SUSPECTED = "suspected"
    """One is configured on the way; whether it meddled is not known."""
    MEDDLED = "meddled"
    """A reply or a PORT arrived with other numbers than it was sent with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One data connection that failed. What does not apply keeps its default."""

    mode: Mode
    seen: Seen
    peer: tuple[str, int]
    """The client's end of the control connection, as the server sees it."""
    local: tuple[str, int]
    """The server's end of the control connection, as the server sees it."""
    port: int = 0
    """Passive: the server's port. Active: the client's."""
    seconds: float = 0.0
    """How long was waited."""

    announced: str | None = None
    """The address in 227 or 228; None where only a port was told."""
    reason: str = ""
    """Why that address, as `data.address` says it."""
    received: str | None = None
    """The address that 227 had when the client read it, if somebody looked."""
    outside: str | None = None
    """The address at which the server is known to be reached from where the client is, if it is known."""

    requested: tuple[str, int] | None = None
    """What PORT, EPRT or LPRT named, as the client sent it."""
    dialled: str | None = None
    """Where the server really dialled, or would have."""
    source_port: int = 0
    """The data port that the server should come from; 0 is any."""
    source_failure: str | None = None
    """Why it came from another one."""

    error: int | None = None
    """The errno of connect or of the loss."""
    strangers: tuple[str, ...] = ()
    octets: int = 0
    """What was moved before it broke."""
    passive_ports: int = 0
    """How many passive ports the server has."""
    gateway: Gateway = Gateway.UNKNOWN
    across: bool = False
    """Whether the client is known to be in another network, although its address there is not (a client's view)."""

    control_protected: bool = False
    """Whether the control connection is encrypted: then no router can read or rewrite it."""
    protected: bool = False
    """Whether the data connection is to be encrypted (PROT P)."""
    resets: tuple[int, ...] = ()
    """After how many commands control connections with this client's network broke, the last one at the end."""

    @property
    def peer_kind(self) -> Kind:
        return kind(self.peer[0])

    @property
    def local_kind(self) -> Kind:
        return kind(self.local[0])

    @property
    def announced_kind(self) -> Kind | None:
        return kind(self.announced) if self.announced is not None else None

    @property
    def requested_kind(self) -> Kind | None:
        return kind(self.requested[0]) if self.requested is not None else None

    @property
    def translated(self) -> bool:
        """Whether a translator stands before the server: its own address is one that an outside client cannot dial."""
        return self.beyond and not self.local_kind.outside

    @property
    def beyond(self) -> bool:
        """Whether the client is on the other side of the internet, or of a provider's network."""
        return self.across or self.peer_kind.outside or self.peer_kind is Kind.CARRIER
