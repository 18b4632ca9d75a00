"""Session: everything that the server remembers about one client between two commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeport.accounts.model import User
from homeport.data.offer import Offer
from homeport.data.throttle import NO_THROTTLES, Throttles
from homeport.protocol.argument import Representation
from homeport.protocol.hostport import HostPort
from homeport.protocol.listing import DEFAULT_FACTS
from homeport.protocol.path import ROOT, VirtualPath
from homeport.storage.base import Storage

from .link import Link
from .protection import Protection

if TYPE_CHECKING:
    from .commands import Context

DEFAULT_REPRESENTATION = Representation("A", "N", None)
"""TYPE A N is what a session begins with (RFC 959 §3.1.1.1)."""


@dataclass(slots=True)
class Session:
    """One client's conversation. The defaults are the state right after the connection was made."""

    number: int
    peer: tuple[str, int]
    local: tuple[str, int]
    opened: float
    """Monotonic seconds."""
    front: tuple[str, int] | None = None
    """Where the client connected to, as a proxy in between told (PROXY protocol); None: to `local`."""
    data_peer: str | None = None
    """From which address its passive data connections come, where that is the proxy; None: from the client's."""

    # -- login (RFC 959 §4.1.1) --
    name: str | None = None
    """What USER gave, until PASS was answered."""
    user: User | None = None
    storage: Storage | None = None
    failures: int = 0
    host: str | None = None
    """What HOST named (RFC 7151)."""
    protection: Protection | None = None
    """TLS, from the handshake that AUTH asked for until REIN."""

    # -- place and transfer parameters (§4.1.2) --
    place: VirtualPath = ROOT
    representation: Representation = DEFAULT_REPRESENTATION
    data: HostPort | Offer | None = None
    """What PORT or PASV set up; None: the default data port, the client's own control port (§3.2)."""
    data_verb: str = ""
    """The verb that did, for diagnoses."""
    requested: HostPort | None = None
    """What PORT named, where another address is dialled."""
    unforwarded: bool = False
    """The client's router did not let that through: the next such PORT is refused, so that the client turns to PASV."""
    unused: int = 0
    """Passive ports in a row that the client asked for and did not come to, without any reason that is known."""
    told: tuple[str, ...] = ()
    """What the log was told of them."""
    context: Context | None = None
    """What the two below are called with: two closures would be three hundred octets of each session."""
    when_unused: Callable[[Context, Offer], None] | None = None
    """Is told of each."""
    when_over: Callable[[Context], None] | None = None
    """Is called when the user goes: by the end of the session, as a rule."""
    inward: bool = False
    """It comes from our router, and what was announced for that led it nowhere: it is told our inside address now."""
    extended_only: bool = False
    """EPSV ALL was said: nothing but EPSV sets up a data connection any more (RFC 2428 §4)."""
    facts: tuple[str, ...] = DEFAULT_FACTS
    umask: int = 0o022
    idle: float | None = None
    """SITE IDLE: seconds; None is the server's own limit."""

    # -- one-shots --
    restart: int = 0
    """REST: octets of the coming transfer that are already there (RFC 3659 §5)."""
    rename_from: VirtualPath | None = None

    # -- for people --
    client: str | None = None
    """CLNT or CSID."""
    commands: int = 0
    """How many were understood."""
    transfers: int = 0
    octets_in: int = 0
    octets_out: int = 0
    activity: str | None = field(default=None)
    """What a transfer under way does, as STAT shows it."""
    link: Link | None = None
    """Its data connection, once it is there."""
    throttles: Throttles = NO_THROTTLES
    """How fast its transfers may be."""
    inside: str | None = None
    """The client's address in its own network, where PORT has told one that is not the address it comes from."""

    @property
    def reached(self) -> str:
        """The address that the client connected to: this machine's, or that of a proxy."""
        return self.local[0] if self.front is None else self.front[0]

    @property
    def source(self) -> str:
        """The own address that active data connections come from: the one connected to (RFC 1123 §4.1.2.12)."""
        if self.front is None or (":" in self.peer[0]) == (":" in self.local[0]):
            return self.local[0]
        # The proxy translates between IPv4 and IPv6. The client is dialled without it, from whatever address we have.
        return "::" if ":" in self.peer[0] else "0.0.0.0"

    @property
    def binary(self) -> bool:
        """TYPE I, or L 8, which is the same here (RFC 1123 §4.1.2.1)."""
        return self.representation.type != "A"

    def take_restart(self) -> int:
        """The REST offset; it applies to one transfer only."""
        offset, self.restart = self.restart, 0
        return offset

    def release_data(self) -> None:
        """Forget PORT and PASV; a passive port that waits is given back."""
        data = self.data
        if isinstance(data, Offer):
            data.release()
            if data.unused and not data.excused and self.when_unused is not None and self.context is not None:
                self.when_unused(self.context, data)
        self.data = None
        self.requested = None

    def excuse_data(self) -> None:
        """A transfer was refused: nobody wonders if the client does not come to its passive port any more."""
        if isinstance(self.data, Offer):
            self.data.excused = True

    def log_out(self) -> None:
        """Flush user and pending login; transfer parameters stay (RFC 959 §4.1.1 USER)."""
        if self.when_over is not None and self.context is not None:
            self.when_over(self.context)
        self.name = None
        self.user = None
        self.throttles = NO_THROTTLES
        if self.storage is not None:
            self.storage.close()
            self.storage = None
        self.place = ROOT
        self.restart = 0
        self.rename_from = None

    def reset(self) -> None:
        """The state right after the connection was made (RFC 959 §4.1.1 REIN, RFC 7151 §3.2.1, RFC 2640 §4.1)."""
        self.release_data()
        self.log_out()
        self.host = None
        self.protection = None
        self.representation = DEFAULT_REPRESENTATION
        self.extended_only = False
        self.facts = DEFAULT_FACTS
        self.umask = 0o022
        self.idle = None
