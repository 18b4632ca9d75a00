"""The events. Each is a frozen value; `at` is seconds since 1970 (UTC), `session` the session's number.

Addresses are text (`192.0.2.7`, `2001:db8::7`), ports numbers, paths virtual paths as text with surrogate escapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    addresses: tuple[tuple[str, int], ...]
    passive_ports: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopping(Event):
    sessions: int
    """How many were still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something an administrator should know: a port that could not be bound, descriptors used up, ..."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAddressChanged(Event):
    """Clients on the internet are told another address from now on."""

    address: str | None
    """None: it is not known any more."""
    before: str | None
    origin: str
    """Who says so: "told by the router (PCP)", "the name ftp.example.net", ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterMapped(Event):
    """The router lets clients on the internet reach these ports, as it was asked to."""

    protocol: str
    gateway: str
    family: int
    ports: tuple[tuple[int, int], ...]
    """Ours, and the router's that leads to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialsRemoved(Event):
    """What was kept of uploads that broke off, and that nobody had gone on with for long, is gone."""

    directory: str
    """The home of the host that was looked through."""
    files: int
    octets: int
    days: int
    """So old they were at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """An unexpected error. The client heard "451 ... (id)"; the trace is only here."""

    session: int | None
    id: str
    text: str
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    session: int
    peer: tuple[str, int]
    local: tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProtected(Event):
    """TLS has begun on the control connection."""

    session: int
    peer: tuple[str, int]
    description: str
    """Version and cipher: "TLSv1.3, TLS_AES_256_GCM_SHA384"."""
    resumed: bool
    server_name: str | None
    """What the client called the server (SNI)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeFailed(Event):
    """TLS did not come about on the control connection; the session ends."""

    session: int
    peer: tuple[str, int]
    reason: str


class CloseReason(Enum):
    QUIT = "quit"
    CLIENT = "client closed"
    LOST = "connection lost"
    IDLE = "idle"
    LOGIN_TIMEOUT = "login took too long"
    FAILURES = "too many failed logins"
    SHUTDOWN = "server is stopping"
    KICKED = "ended by the administrator"
    ABUSE = "not an FTP client"
    TLS_FAILED = "TLS handshake failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed(Event):
    session: int
    peer: tuple[str, int]
    user: str | None
    reason: CloseReason
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRefused(Event):
    """A connection that was answered 421 and closed, for `reason`."""

    peer: tuple[str, int]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Event):
    session: int
    peer: tuple[str, int]
    user: str
    anonymous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    session: int
    peer: tuple[str, int]
    user: str
    reason: str


class Direction(Enum):
    DOWNLOAD = "download"
    UPLOAD = "upload"
    LISTING = "listing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEnded(Event):
    """A transfer that had begun (150 was said) and is over. `error` is None when it is complete."""

    session: int
    peer: tuple[str, int]
    user: str
    anonymous: bool
    direction: Direction
    path: str
    octets: int
    """On the data connection."""
    seconds: float
    binary: bool
    passive: bool
    appended: bool
    """Upload only: at the end of, or inside, an older file."""
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConnectionFailed(Event):
    """No data connection came about, or none may (425, 504)."""

    session: int
    peer: tuple[str, int]
    user: str
    passive: bool
    target: tuple[str, int]
    """Active: where the server dialled, or was to. Passive: what it had announced."""
    cause: str
    """One sentence for people: who was to connect to whom, and what was seen."""
    diagnosis: str = ""
    """The name of the cause (`advice.causes.Cause`)."""
    side: str = ""
    """Where it is to be mended, as in "the server's router"."""
    advice: str = ""
    """Why, and what to do, in a few sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassivePortUnused(Event):
    """A client asked for a passive port, and neither connected to it nor asked for a transfer; once for each cause.

    Many clients dial first, and give up without a word if that fails. Others have changed their mind.
    """

    session: int
    peer: tuple[str, int]
    user: str
    target: tuple[str, int]
    """What was announced."""
    seconds: float
    """For so long the port was the client's."""
    cause: str
    """One sentence for people."""
    diagnosis: str = ""
    """The name of the cause (`advice.causes.Cause`); empty where nothing shows that the client had tried."""
    side: str = ""
    """Where it is to be mended."""
    advice: str = ""
    """Why, and what to do, in a few sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConnectionsCut(Event):
    """Control connections of a client's network are reset at the same command every time, this one among them."""

    session: int
    peer: tuple[str, int]
    user: str
    verb: str
    """The last command."""
    cause: str
    """One sentence for people."""
    diagnosis: str
    """The name of the cause (`advice.causes.Cause`)."""
    side: str
    """Where it is to be mended."""
    advice: str
    """Why, and what to do, in a few sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerRefused(Event):
    """A connection to a passive port from somebody that no session there waited for."""

    peer: tuple[str, int]
    port: int


class Change(Enum):
    DELETED = "deleted"
    RENAMED = "renamed"
    DIRECTORY_MADE = "directory made"
    DIRECTORY_REMOVED = "directory removed"
    TIME_SET = "time set"
    MODE_SET = "mode set"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeChanged(Event):
    """A change of the tree that was no transfer."""

    session: int
    user: str
    change: Change
    path: str
    target: str | None = None
    """The new name of what was renamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered(Event):
    """One command and its final reply; published only where somebody asked for it (debugging). No passwords."""

    session: int
    line: str
    code: int
    text: str
