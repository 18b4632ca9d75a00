"""The options of those who may log in: [[users]] and [anonymous]."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from homeport.accounts.model import READ_ONLY, READ_WRITE, Encryption, Grant, Permission, Resumption, User
from homeport.protocol.path import ROOT, VirtualPath

from .forms import Access, AccessByPath, Home, Password, Rate, Umask, UserName
from .section import Section


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


def grants(access: frozenset[Permission], paths: dict[VirtualPath, frozenset[Permission]]) -> tuple[Grant, ...]:
    """The grants of somebody with *access* everywhere but below *paths*."""
    return (Grant(ROOT, access), *(Grant(prefix, permissions) for prefix, permissions in paths.items()))
