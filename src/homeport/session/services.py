"""Services: what a verb may use, and Policy: how it should behave. `server.build` makes both, and they never change."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from homeport.accounts.limits import Slowing
from homeport.accounts.model import User
from homeport.accounts.providers import Accounts
from homeport.data.address import Announcement, Rules
from homeport.data.buffers import Buffers
from homeport.data.destination import PrivatePort
from homeport.data.ports import PassivePorts
from homeport.data.post import Post, Unshared
from homeport.data.throttle import Rates
from homeport.events.bus import Bus
from homeport.net.tls import Contexts
from homeport.storage.base import Storage

from .owners import Owners
from .protection import TlsPolicy
from .resets import Resets
from .stopping import Stopping


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, so that a test can bring its own."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never go back; for deadlines."""
    time: Callable[[], float] = time.time
    """Seconds since 1970; for what people and files see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the server behaves. Times are seconds, sizes octets."""

    software: str = "Homeport"
    """What CSID and STAT call this server; empty, and they keep it and its version back."""
    banner: str = "Homeport FTP server ready"
    """The text of 220; several lines make a multi-line greeting."""
    login_seconds: float = 60.0
    idle_seconds: float = 300.0
    idle_seconds_most: float = 7200.0
    """The most that SITE IDLE may ask for."""
    data_seconds: float = 30.0
    """For a data connection to be made, and for one that stalls."""
    login_tries: int = 4
    """Failed passwords until 421 (RFC 2577 §5)."""
    active_port: int = 0
    """The server's data port for active mode; 0 is any."""
    allow_foreign: bool = False
    """Whether a data connection may go to another address than the client's (FXP; RFC 2577 §3 says no)."""
    private_port: PrivatePort = PrivatePort.PEER
    """What becomes of a PORT that names an address behind the client's router."""
    announce: Rules = field(default_factory=Rules)
    """What is announced as long as nothing else is learned (`Services.announce`)."""
    keep_partial: bool = True
    """Keep what an upload that broke off had brought, for REST and APPE."""
    line_octets: int = 8192
    """The longest command line."""
    ascii_size_octets: int = 64 * 1024 * 1024
    """Up to this size SIZE in TYPE A reads the file to count; above it answers 550."""
    host_names: tuple[str, ...] = ()
    """The names HOST accepts (RFC 7151); empty: every name is this server's."""
    tls: TlsPolicy = field(default_factory=TlsPolicy)


@dataclass(frozen=True, slots=True)
class Services:
    """What `server.build` made for the sessions to use."""

    accounts: Accounts
    throttle: Slowing
    ports: PassivePorts
    events: Bus
    storage_for: Callable[[User], Storage]
    tls: Contexts | None = None
    """None: the server has no TLS, and AUTH answers 502."""
    policy: Policy = field(default_factory=Policy)
    clock: Clock = field(default_factory=Clock)
    owners: Owners = field(default_factory=Owners)
    rates: Rates = field(default_factory=Rates)
    """How fast transfers may be."""
    buffers: Buffers = field(default_factory=Buffers)
    """What octets pass through."""
    post: Post = field(default_factory=Unshared)
    """How the thread of a session waits, which others may need."""
    stopping: Stopping = field(default_factory=Stopping)
    """Set when the server stops: who waits for a delay waits on it."""
    resets: Resets = field(default_factory=lambda: Resets(time.monotonic))
    """Where control connections were cut."""
    announcement: Announcement | None = None
    """Where the rules are that change while the server runs; None: they are the policy's and stay."""

    def announce(self) -> Rules:
        """The rules for what PASV announces, at this moment."""
        return self.policy.announce if self.announcement is None else self.announcement.rules
