"""Config: everything that can be set, each option declared once.

An option is a field: its type says what may be written (see `values.py`), its default what holds
without it, and its sentence what it does. `load.py` reads a file into this, `reference.py` writes the sample file
and the reference page from it. The keys are a contract with people's files: add to them, do not rename.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from homeport.accounts.model import READ_ONLY, READ_WRITE, Encryption, Grant, Permission, Resumption, User
from homeport.accounts.names import is_anonymous
from homeport.protocol.path import ROOT, VirtualPath
from homeport.session.quirks import NO_CLOSE_NOTIFY

from .forms import (
    Access,
    AccessByPath,
    ActivePort,
    Addresses,
    Announcements,
    ClientPatterns,
    Duration,
    ExternalAddress,
    Form,
    Home,
    HostNames,
    HttpsAddress,
    LogFile,
    MailAddress,
    Password,
    Port,
    Ports,
    Rate,
    ReadableFile,
    SessionReuseFor,
    Size,
    StateDirectory,
    Umask,
    UserName,
    write_tables,
)


class Section(BaseModel):
    """A table of the file. Values are taken strictly: a number in quotation marks is not a number."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


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
    external_address: ExternalAddress = Field(
        default="auto",
        description="What clients from the internet are told to connect to, where that is not a local address.",
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


class CertificateOptions(Section):
    """One of several certificates."""

    certificate: ReadableFile = Field(description="The certificate chain in PEM form.", examples=["rsa.pem"])
    key: ReadableFile | None = Field(
        default=None,
        description="The certificate's private key in PEM form; without it, it stands in the certificate's file.",
        examples=["rsa-key.pem"],
    )


Certificates = Annotated[
    tuple[CertificateOptions, ...],
    Strict(False),
    Form("tables: [[tls.certificates]] with certificate and key", write_tables),
]


class TlsOptions(Section):
    """Encryption."""

    certificate: ReadableFile | None = Field(
        default=None,
        description="The certificate chain in PEM form; without it, a self-signed one is made at first start.",
        examples=["cert.pem"],
    )
    key: ReadableFile | None = Field(
        default=None,
        description="The certificate's private key in PEM form; without it, it stands in the certificate's file.",
        examples=["key.pem"],
    )
    certificates: Certificates = Field(
        default=(),
        description="More of them: for other host names, which clients name by SNI or HOST, or for the same ones with "
        "another kind of key (ECDSA beside RSA).",
        examples=[({"certificate": "rsa.pem", "key": "rsa-key.pem"},)],
    )
    require: Literal["none", "control", "both"] = Field(
        default="none",
        description='What must be encrypted: nothing, the "control" connection (logins), or data as well.',
    )
    session_reuse: Literal["prefer", "require", "off"] = Field(
        default="prefer",
        description="Whether a data connection must resume the TLS session of its control connection; "
        '"require" keeps out many clients; with "off" none can, and each makes a handshake of its own.',
    )
    session_reuse_for: SessionReuseFor = Field(
        default={},
        description="For clients in one of these networks instead; the first that fits counts.",
        examples=[{"192.0.2.0/24": "require"}],
    )
    implicit_require: Literal["control", "both"] = Field(
        default="control",
        description="What must be encrypted on listen.implicit_tls_port, where the control connection always is.",
    )
    clear_control: bool = Field(
        default=False,
        description="Whether clients may end the encryption of the control connection after login (CCC), so that a "
        "router can read it.",
    )
    client_ca: ReadableFile | None = Field(
        default=None,
        description="The certificates, in PEM form, of the authority that vouches for clients.",
        examples=["clients.pem"],
    )
    client_certificates: Literal["off", "allow", "require"] = Field(
        default="off",
        description="Whether clients are asked for a certificate of that authority; without a good one, "
        '"require" lets nobody in.',
    )
    no_close_notify: ClientPatterns = Field(
        default=NO_CLOSE_NOTIFY,
        description="Clients, by what they say with CLNT or CSID, whose encrypted uploads may end without close_notify "
        '(cut ones are not noticed then); "*" is any text, and alone it is every client.',
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("there is a key, but no certificate")
        if self.client_certificates != "off" and self.client_ca is None:
            raise ValueError("client certificates are asked for, but no client_ca can vouch for them")
        return self


class AcmeOptions(Section):
    """A certificate from an authority such as Let's Encrypt, asked for and renewed by itself (RFC 8555)."""

    enabled: bool = Field(default=False, description="Whether to ask for a certificate.")
    names: HostNames = Field(
        default=(),
        description="The host names that the certificate is for; the authority must reach this server by each.",
        examples=[("ftp.example.net",)],
    )
    accept_terms: bool = Field(
        default=False, description="Whether you agree to the authority's terms of service; without, there is none."
    )
    email: MailAddress | None = Field(
        default=None,
        description="Where the authority may write to; told when the account is made.",
        examples=["admin@example.net"],
    )
    directory: HttpsAddress = Field(
        default="https://acme-v02.api.letsencrypt.org/directory",
        description="The address of the authority's ACME directory.",
    )
    directory_trust: ReadableFile | None = Field(
        default=None,
        description="The certificates, in PEM form, that vouch for the authority's own server; without it, those that "
        "are trusted everywhere.",
        examples=["ca.pem"],
    )
    challenge: Literal["http-01", "tls-alpn-01"] = Field(
        default="http-01",
        description='How the authority sees that the names are served here: by HTTP ("http-01") or by TLS '
        '("tls-alpn-01"). A port is open for that only while it looks.',
    )
    http_port: Port = Field(
        default=80, description="Where http-01 is answered; the authority connects to 80, which may be forwarded here."
    )
    tls_port: Port = Field(
        default=443,
        description="Where tls-alpn-01 is answered; the authority connects to 443, which may be forwarded here.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not self.names:
            raise ValueError("ACME is enabled, but there are no names for the certificate")
        if self.enabled and not self.accept_terms:
            raise ValueError("ACME is enabled, but accept_terms is false: agree to the authority's terms of service")
        return self

    @property
    def port(self) -> int:
        """Where the challenge is answered."""
        return self.http_port if self.challenge == "http-01" else self.tls_port


class LimitOptions(Section):
    """What a client may use up."""

    sessions: int = Field(default=10000, ge=1, description="Sessions at the same time.")
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


class UserOptions(Section):
    """Somebody who may log in."""

    name: UserName = Field(description="The name to log in with.", examples=["bob"])
    password: Password | None = Field(
        default=None,
        repr=False,
        description='A hash, as "homeport config hash" prints it, or "plain:" and the password itself, '
        "in a file that nobody else may read. Without one, the certificate is the whole login.",
        examples=["plain:secret"],
    )
    certificate: str | None = Field(
        default=None,
        min_length=1,
        description="A name that the client's TLS certificate must have (common name or alternative name), besides the "
        "password or in its place.",
        examples=["bob@example.net"],
    )
    tls: Literal["none", "control", "both"] | None = Field(
        default=None,
        description="What must be encrypted for this user, whatever tls.require says.",
        examples=["both"],
    )
    session_reuse: Literal["prefer", "require", "off"] | None = Field(
        default=None, description="As in [tls], for this user.", examples=["off"]
    )
    home: Home = Field(description='The directory that is this user\'s "/".', examples=["/srv/bob"])
    access: Access = Field(default=READ_WRITE, description="What this user may do.")
    paths: AccessByPath = Field(
        default={},
        description="What this user may do from some paths down instead; the longest counts.",
        examples=[{"/incoming": frozenset({Permission.LIST, Permission.CREATE})}],
    )
    umask: Umask = Field(default=0o022, description="The permission bits that new files and directories do not get.")
    download: Rate = Field(
        default=0, description="Octets a second that this user's sessions may receive together; 0 is no limit."
    )
    upload: Rate = Field(
        default=0, description="Octets a second that this user's sessions may send together; 0 is no limit."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.password is None and self.certificate is None:
            raise ValueError("a user needs a password or a certificate")
        return self

    def user(self) -> User:
        return User(
            self.name,
            self.home,
            grants(self.access, self.paths),
            umask=self.umask,
            download=self.download,
            upload=self.upload,
            encryption=None if self.tls is None else Encryption(self.tls),
            resumption=None if self.session_reuse is None else Resumption(self.session_reuse),
            certificate=self.certificate,
            needs_password=self.password is not None,
        )


class AnonymousOptions(Section):
    """Anybody: the names "anonymous" and "ftp" with any password (RFC 1635)."""

    enabled: bool = Field(default=False, description="Whether anybody may log in.")
    home: Home | None = Field(
        default=None,
        description='The directory that is everybody\'s "/"; needed where it is enabled.',
        examples=["/srv/public"],
    )
    access: Access = Field(default=READ_ONLY, description="What everybody may do.")
    paths: AccessByPath = Field(
        default={},
        description="What everybody may do from some paths down instead; the longest counts.",
        examples=[{"/incoming": frozenset({Permission.CREATE})}],
    )
    umask: Umask = Field(default=0o077, description="The permission bits that new files and directories do not get.")
    tls: Literal["none", "control", "both"] | None = Field(
        default=None,
        description="What must be encrypted for everybody, whatever tls.require says.",
        examples=["none"],
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and self.home is None:
            raise ValueError("anonymous login is enabled, but there is no home for it")
        return self

    def user(self) -> User | None:
        """The account that everybody shares; None where it is not enabled."""
        if not self.enabled or self.home is None:
            return None
        return User(
            "anonymous",
            self.home,
            grants(self.access, self.paths),
            anonymous=True,
            umask=self.umask,
            encryption=None if self.tls is None else Encryption(self.tls),
        )


class Config(Section):
    """All of it. `Config()` is what holds without a file, but for its users: there are none."""

    server: ServerOptions = ServerOptions()
    listen: ListenOptions = ListenOptions()
    data: DataOptions = DataOptions()
    tls: TlsOptions = TlsOptions()
    acme: AcmeOptions = AcmeOptions()
    limits: LimitOptions = LimitOptions()
    rates: RateOptions = RateOptions()
    uploads: UploadOptions = UploadOptions()
    log: LogOptions = LogOptions()
    users: Annotated[tuple[UserOptions, ...], Strict(False)] = ()
    anonymous: AnonymousOptions = AnonymousOptions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [user.name for user in self.users]
        conflicts = [*port_conflicts(self.listen, self.data), *name_conflicts(names, self.anonymous.enabled)]
        if conflicts:
            raise ValueError("; ".join(conflict.text for conflict in conflicts))
        return self


def grants(access: frozenset[Permission], paths: dict[VirtualPath, frozenset[Permission]]) -> tuple[Grant, ...]:
    """The grants of somebody with *access* everywhere but below *paths*."""
    return (Grant(ROOT, access), *(Grant(prefix, permissions) for prefix, permissions in paths.items()))


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
