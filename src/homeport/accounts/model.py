"""User, Permission, Grant: what an account is once somebody is logged in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from homeport.protocol.path import ROOT, VirtualPath


class Permission(Enum):
    """One named right. The value is its name in configuration files."""

    LIST = "list"  # LIST NLST MLSD MLST STAT CWD and the facts of a file
    READ = "read"  # RETR
    CREATE = "create"  # STOR STOU APPE of a new name
    OVERWRITE = "overwrite"  # STOR over an old file, REST + STOR
    APPEND = "append"  # APPE to an old file
    DELETE = "delete"  # DELE
    RENAME = "rename"  # RNFR RNTO
    MAKE_DIRECTORY = "make-directory"  # MKD
    REMOVE_DIRECTORY = "remove-directory"  # RMD
    SET_TIME = "set-time"  # MFMT MFF SITE UTIME
    SET_MODE = "set-mode"  # SITE CHMOD, MFF UNIX.mode

    __hash__ = object.__hash__
    """Of the member, not of its name, as Enum has it in Python: rights are looked for in sets at every command."""


READ_ONLY = frozenset({Permission.LIST, Permission.READ})
READ_WRITE = frozenset(Permission)
NOTHING: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights from `prefix` downwards; of several grants the one with the longest prefix counts."""

    prefix: VirtualPath
    permissions: frozenset[Permission]


class Encryption(Enum):
    """What must be encrypted. The value is its name in configuration files."""

    NONE = "none"
    CONTROL = "control"
    """The login, and with it the control connection."""
    BOTH = "both"
    """Data connections as well."""


class Resumption(Enum):
    """Whether data connections resume a TLS session of their client. The value is its name in configuration files."""

    PREFER = "prefer"
    REQUIRE = "require"
    OFF = "off"
    """It cannot: none is offered, and every data connection makes a handshake of its own."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is logged in. `home` is a directory of the host, which is this user's "/"."""

    name: str
    home: str
    grants: tuple[Grant, ...] = (Grant(ROOT, READ_WRITE),)
    anonymous: bool = False
    umask: int = 0o022
    download: int = 0
    """Octets a second that all sessions of this user may receive together; 0 is no limit."""
    upload: int = 0
    """Likewise what they may send."""
    encryption: Encryption | None = None
    """What must be encrypted for this user; None: what the server asks of all."""
    resumption: Resumption | None = None
    """Of this user's data connections; None: as the server has it."""
    certificate: str | None = None
    """A name that the client's TLS certificate must have: its common name or one of its alternative names."""
    needs_password: bool = True
    """False: the certificate is the whole login (RFC 4217 §12)."""

    def permissions(self, path: VirtualPath) -> frozenset[Permission]:
        """The rights at *path*: those of the grant with the longest prefix that covers it."""
        best: Grant | None = None
        for grant in self.grants:
            if path.starts_with(grant.prefix) and (best is None or len(grant.prefix.text) > len(best.prefix.text)):
                best = grant
        return best.permissions if best is not None else NOTHING

    def certified_by(self, names: frozenset[str]) -> bool:
        """Whether a certificate with *names* is this user's, or none is asked for."""
        return self.certificate is None or self.certificate.lower() in names


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login as it was tried. `address` is the client's IP address in text form."""

    name: str
    password: str
    address: str
    host: str | None = None
    """What HOST named (RFC 7151), or None."""
    certificate_names: frozenset[str] = frozenset()
    """The names in the certificate that the client has proven to own, in lower case."""
