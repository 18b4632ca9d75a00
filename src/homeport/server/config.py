"""Config: everything that can be set, each option declared once.

An option is a field: its type says what may be written (see `values/`), its default what holds
without it, and its sentence what it does. `load.py` reads a file into this, `reference.py` writes the sample file
and the reference page from it. The keys are a contract with people's files: add to them, do not rename.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from homeport.accounts.names import is_anonymous

from .encryption import AcmeOptions, CertificateOptions, TlsOptions
from .forms import (
    ActivePort,
    Addresses,
    Announcements,
    Duration,
    ExternalAddress,
    HostNames,
    LogFile,
    OutsidePorts,
    Port,
    Ports,
    Rate,
    Size,
    StateDirectory,
    StunServer,
    Workers,
)
from .people import AnonymousOptions, UserOptions, grants
from .section import Section
from .way import ProxyOptions, RouterOptions

__all__ = [
    "AcmeOptions",
    "AnonymousOptions",
    "CertificateOptions",
    "Config",
    "Conflict",
    "DataOptions",
    "LimitOptions",
    "ListenOptions",
    "LogOptions",
    "ProxyOptions",
    "RateOptions",
    "RouterOptions",
    "Section",
    "ServerOptions",
    "TlsOptions",
    "UploadOptions",
    "UserOptions",
    "grants",
    "name_conflicts",
    "port_conflicts",
    "way_conflicts",
    "worker_conflicts",
]


class ServerOptions(Section):
    """The server as a whole."""

    state: StateDirectory | None = Field(
        default=None,
        description="Where the server keeps its users, its certificate and its generated password; "
        "without it, the state directory of the platform.",
        examples=["/var/lib/homeport"],
    )
    greeting: str = Field(
        default="Homeport FTP server ready",
        description="What a client is greeted with (220); it may have several lines.",
    )
    identify: bool = Field(
        default=True, description="Whether STAT and CSID tell the name and the version of this software."
    )
    host_names: HostNames = Field(
        default=(),
        description="The names that HOST accepts (RFC 7151); without any, it accepts every name.",
        examples=[("ftp.example.net",)],
    )
    workers: Workers = Field(
        default=1,
        description='How many processes share the clients; "auto" is one for each processor. More than one is for many '
        "clients at once; the passive ports are divided among them, and SIGHUP then reads this file anew.",
    )


class ListenOptions(Section):
    """Where clients connect."""

    addresses: Addresses = Field(
        default=("0.0.0.0", "::"),
        min_length=1,
        description="The local addresses; these two are all of IPv4 and all of IPv6.",
    )
    port: Port = Field(default=21, description="The control port; 0 lets the system choose.")
    implicit_tls_port: Port = Field(default=0, description="A port where TLS begins at once, by custom 990; 0 is off.")


class DataOptions(Section):
    """The data connections."""

    active_port: ActivePort = Field(
        default=None,
        description='The local port of active connections: "auto" is the control port minus one (20 beside 21), '
        "0 is any port.",
    )
    passive_ports: Ports = Field(
        default=tuple(range(50000, 50020)),
        description="The ports of passive connections, which a router must forward; one serves any number of sessions.",
    )
    passive_ports_external: OutsidePorts = Field(
        default=None,
        description="The ports of a router outside that lead to the passive ports, in the same order.",
        examples=["60000-60019"],
    )
    external_address: ExternalAddress = Field(
        default="auto",
        description="What clients from the internet are told to connect to, where that is not a local address: an "
        'address, a name that is looked up every few minutes, or "auto": what the router, the STUN server and the '
        "network interface know, in this order.",
    )
    stun_server: StunServer | None = Field(
        default=None,
        description='A server that is asked for the external address if that is "auto" and the router does not '
        "tell it.",
        examples=["stun.example.net:3478"],
    )
    announce: Announcements = Field(
        default={},
        description="For clients in one of these networks: the address that they are told to connect to.",
        examples=[{"10.8.0.0/16": "10.8.0.1"}],
    )
    allow_foreign: bool = Field(
        default=False,
        description="Data connections to and from a third host (FXP); an open door for misuse (RFC 2577).",
    )

    private_port: Literal["peer", "refuse"] = Field(
        default="peer",
        description="When a client behind a router names its private address in PORT or EPRT: dial the address that it "
        'comes from instead ("peer"), or "refuse".',
    )

    def source_port(self, control_port: int) -> int:
        """The local port for active connections of a session on *control_port*; 0 is any (RFC 959 §3.2: L-1)."""
        if self.active_port is not None:
            return self.active_port
        return max(control_port - 1, 0)


class LimitOptions(Section):
    """What a client may use up."""

    sessions: int = Field(
        default=10000,
        ge=1,
        description=(
            "Sessions at the same time. Each needs a descriptor, and two more while it transfers something: "
            "`homeport serve` allows itself as many as the system lets it (the hard limit of open files), and warns if "
            "they are too few."
        ),
    )
    sessions_per_address: int = Field(
        default=50, ge=0, description="Sessions at the same time from one address (IPv6: from one /64); 0 is no limit."
    )
    login: Duration = Field(default=60.0, description="From connecting to being logged in.")
    login_tries: int = Field(
        default=4, ge=1, le=100, description="Failed logins after which a session is ended (RFC 2577)."
    )
    idle: Duration = Field(
        default=300.0, description="Without a command and without a transfer, before a session is ended."
    )
    idle_most: Duration = Field(
        default=7200.0, description="The longest that a client may set for itself by SITE IDLE."
    )
    data: Duration = Field(
        default=30.0, description="For a data connection to be made, and for one on which nothing moves any more."
    )
    handshake: Duration = Field(
        default=15.0, description="For a TLS handshake, on the control connection and on each data connection."
    )
    command_length: Size = Field(default=8192, ge=512, le=1024**2, description="The longest command line.")


class RateOptions(Section):
    """How fast files may move, in octets a second; 0 is no limit. Directions are the client's."""

    server_download: Rate = Field(default=0, description="What all clients together may receive.")
    server_upload: Rate = Field(default=0, description="What all clients together may send.")
    session_download: Rate = Field(default=0, description="What one session may receive.", examples=[2 * 1024 * 1024])
    session_upload: Rate = Field(default=0, description="What one session may send.")


class UploadOptions(Section):
    """Files that clients store."""

    partial: Literal["keep", "discard"] = Field(
        default="keep", description="What becomes of an upload that broke off: kept aside to be resumed, or gone."
    )
    partial_days: int = Field(
        default=7,
        ge=0,
        le=3650,
        description="Days after which what was kept of an upload goes, if nobody has gone on with it; 0 is never.",
    )
    sync: bool = Field(
        default=False,
        description="Wait until a file is on the disk before saying so: slower, but safe from power failures.",
    )


class LogOptions(Section):
    """What is written down."""

    console: bool = Field(default=True, description="A readable line per event on the standard error output.")
    json_file: LogFile | None = Field(
        default=None, description="A file with one JSON object per event.", examples=["/var/log/homeport.json"]
    )
    xferlog_file: LogFile | None = Field(
        default=None,
        description="A file with one line per transfer, as wu-ftpd wrote it.",
        examples=["/var/log/xferlog"],
    )
    commands: bool = Field(default=False, description="Log every command and its reply, without passwords.")


class Config(Section):
    """All of it. `Config()` is what holds without a file, but for its users: there are none."""

    server: ServerOptions = ServerOptions()
    listen: ListenOptions = ListenOptions()
    data: DataOptions = DataOptions()
    tls: TlsOptions = TlsOptions()
    acme: AcmeOptions = AcmeOptions()
    router: RouterOptions = RouterOptions()
    proxy: ProxyOptions = ProxyOptions()
    limits: LimitOptions = LimitOptions()
    rates: RateOptions = RateOptions()
    uploads: UploadOptions = UploadOptions()
    log: LogOptions = LogOptions()
    users: Annotated[tuple[UserOptions, ...], Strict(False)] = ()
    anonymous: AnonymousOptions = AnonymousOptions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [user.name for user in self.users]
        conflicts = [
            *port_conflicts(self.listen, self.data),
            *worker_conflicts(self.server, self.data),
            *way_conflicts(self.data, self.router, self.proxy),
            *name_conflicts(names, self.anonymous.enabled),
        ]
        if conflicts:
            raise ValueError("; ".join(conflict.text for conflict in conflicts))
        return self


# -- what one option alone cannot tell -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conflict:
    """Options that cannot hold together. `key` is the way to the one to blame: ("listen", "port")."""

    key: tuple[str | int, ...]
    text: str


def port_conflicts(listen: ListenOptions, data: DataOptions) -> Iterator[Conflict]:
    """Ports that are wanted for two things at once."""
    passive = frozenset(data.passive_ports or ())
    controls = [(key, getattr(listen, key)) for key in ("port", "implicit_tls_port") if getattr(listen, key)]
    if len(controls) == 2 and listen.port == listen.implicit_tls_port:
        yield Conflict(("listen", "implicit_tls_port"), f"port {listen.port} is the control port already")
    for key, port in controls:
        if port in passive:
            yield Conflict(("data", "passive_ports"), f"port {port} is a passive port, but is listen.{key}")
    # The system refuses to dial from a port on which it listens.
    for source in sorted({data.source_port(port) for _, port in controls} - {0}):
        if source in passive:
            yield Conflict(("data", "passive_ports"), f"port {source} is a passive port, but is the active port")
        for key, port in controls:
            if source == port:
                yield Conflict(("data", "active_port"), f"port {source} is the active port, but is listen.{key}")


def worker_conflicts(server: ServerOptions, data: DataOptions) -> Iterator[Conflict]:
    """Each worker needs a passive port of its own; "auto" takes as many workers as there are ports for."""
    ports = data.passive_ports
    if ports is not None and server.workers is not None and server.workers > len(set(ports)):
        text = f"{server.workers} workers need as many passive ports, and there are {len(set(ports))}"
        yield Conflict(("server", "workers"), text)


def way_conflicts(data: DataOptions, router: RouterOptions, proxy: ProxyOptions) -> Iterator[Conflict]:
    """What cannot be true at once of the way between clients and this server."""
    outside = data.passive_ports_external
    if outside is not None:
        key = ("data", "passive_ports_external")
        if router.map != "off":
            yield Conflict(key, "the router is asked which ports it has outside (router.map)")
        elif data.passive_ports is None:
            yield Conflict(key, "the system chooses the passive ports, so nothing can lead to them")
        elif len(outside) != len(data.passive_ports):
            yield Conflict(key, f"{len(outside)} ports outside for {len(data.passive_ports)} passive ports")
    if proxy.data == "proxy" and not proxy.control:
        yield Conflict(("proxy", "data"), "which proxy it is, only the header of the control connection tells")
    if not proxy.networks and (proxy.control or proxy.data == "header"):
        yield Conflict(("proxy", "networks"), "a header is believed only from networks that are named here")


def name_conflicts(names: Sequence[str | None], anonymous: bool) -> Iterator[Conflict]:
    """Names that two accounts want. A None is a user whose name could not be read."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            yield Conflict(("users", index, "name"), f'there is a user named "{name}" already')
        elif anonymous and is_anonymous(name):
            yield Conflict(("users", index, "name"), f'"{name}" is a name of the anonymous account, which is enabled')
        seen.add(name)
