"""Share: the user that `homeport serve DIR` makes, and what `--read-only` takes from everybody.

Name and password live in the state directory, so that they are the same at the next start and `homeport user password`
can change them at any time. Folder and rights belong to this run: two servers that share two folders with one
state directory do not get into each other's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from homeport.accounts.database import Database
from homeport.accounts.model import READ_ONLY, Attempt, Grant, User
from homeport.accounts.passwords import Passwords, generate_password, plain
from homeport.accounts.providers import Answer, Provider


class Secret(Enum):
    """Where the password comes from."""

    SHOWN = auto()
    """It was generated just now: this is the one time that it is shown."""
    GIVEN = auto()
    """Whoever started the server gave it, for this run."""
    KEPT = auto()
    """It is that of an earlier start."""


class Share:
    """A provider of the one user who is shared a folder."""

    __slots__ = ("_database", "_given", "_passwords", "password", "secret", "user")

    def __init__(self, user: User, given: str | None, database: Database, passwords: Passwords) -> None:
        """*given* is a password for this run; without one it is the stored one, else a new one."""
        self.user = user
        self._given = plain(given) if given is not None else None
        self._database = database
        self._passwords = passwords
        self.secret = Secret.GIVEN
        self.password: str | None = None
        """The new password, where the secret is SHOWN."""
        if given is None:
            self.secret = Secret.KEPT if database.find(user.name) is not None else Secret.SHOWN
        if self.secret is Secret.SHOWN:
            self.password = generate_password()

    def keep(self) -> None:
        """Store a new password, as a hash. Only a server that has started does this: it is shown just then."""
        if self.password is not None:
            self._database.add(self.user, self._passwords.hash(self.password))

    def authenticate(self, attempt: Attempt) -> User | Answer:
        """As a Provider says. AccountError where the database cannot be read."""
        if attempt.name != self.user.name:
            return Answer.UNKNOWN
        stored = self._given
        if stored is None:
            account = self._database.find(attempt.name)
            # One who was removed meanwhile fails like a name that nobody has, after the same time.
            stored = account.password if account is not None and account.enabled else None
        return self.user if self._passwords.right(stored, attempt.password) else Answer.REFUSED


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked for accounts, as a worker process can be told: it opens the database of users itself."""

    user: User | None
    """The one who is shared a folder."""
    given: str | None
    """The password for this run."""
    users: str
    """The database's file."""
    read_only: bool

    def __call__(self, others: Sequence[Provider]) -> Sequence[Provider]:
        """As `server.build.ChooseProviders`. The database stays open as long as the process lives."""
        share = None if self.user is None else Share(self.user, self.given, Database(self.users), Passwords())
        return asked(share, others, read_only=self.read_only)


def asked(share: Share | None, others: Sequence[Provider], *, read_only: bool) -> Sequence[Provider]:
    """The shared user before all *others*, and nobody with more than *read_only* allows."""
    every = [share, *others] if share is not None else others
    return [ReadOnly(one) for one in every] if read_only else every


class ReadOnly:
    """A provider whose users may read at most, whatever else they may."""

    __slots__ = ("_provider",)

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def authenticate(self, attempt: Attempt) -> User | Answer:
        answer = self._provider.authenticate(attempt)
        return without_writing(answer) if isinstance(answer, User) else answer


def without_writing(user: User) -> User:
    """*user* with the rights to list and to read, where there are any, and no others."""
    return replace(user, grants=tuple(Grant(one.prefix, one.permissions & READ_ONLY) for one in user.grants))
