"""Providers: where accounts come from, and Accounts, which asks them in order.

A provider that knows a name decides about it, and those behind it are not asked. A provider that does not know it
does no work at all; the work of one hash is done at the end for the name that nobody knew, so that time does
not tell it from a wrong password (RFC 2577 §7).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .model import Attempt, User
from .names import is_anonymous
from .passwords import Passwords

if TYPE_CHECKING:
    from .database import Database


class Answer(Enum):
    """What a provider says where it does not say who it is."""

    UNKNOWN = auto()
    """The name is none of its own. It cost no time that tells anything."""
    REFUSED = auto()
    """The name is its own and may not log in like this. It cost the time of one hash."""


class Provider(Protocol):
    """A source of accounts. Called from many threads; may block."""

    def authenticate(self, attempt: Attempt) -> User | Answer: ...


@runtime_checkable
class Foretelling(Protocol):
    """A provider whose accounts have options that matter before their password: protection and certificates."""

    def known(self, name: str) -> User | None:
        """The account of that name. Costs no hash."""


class Accounts:
    """Everybody who may log in."""

    __slots__ = ("_foretelling", "_passwords", "_providers")

    def __init__(self, providers: Sequence[Provider], passwords: Passwords) -> None:
        self._providers = tuple(providers)
        self._foretelling = tuple(one for one in self._providers if isinstance(one, Foretelling))
        self._passwords = passwords

    def authenticate(self, attempt: Attempt) -> User | None:
        """The user who logs in with *attempt*, or None. Takes the time of one hash; every None takes it."""
        for provider in self._providers:
            answer = provider.authenticate(attempt)
            if answer is Answer.REFUSED:
                return None
            if isinstance(answer, User):
                if answer.certified_by(attempt.certificate_names):
                    return answer
                break
        self._passwords.right(None, attempt.password)
        return None

    def known(self, name: str) -> User | None:
        """What matters of the account before its password, where any provider tells. Costs no hash."""
        for provider in self._foretelling:
            user = provider.known(name)
            if user is not None:
                return user
        return None


class StaticAccounts:
    """Users that are given once: those of the configuration file and of the command line."""

    __slots__ = ("_passwords", "_users")

    def __init__(self, users: Iterable[tuple[User, str | None]], passwords: Passwords) -> None:
        """Each user with his stored password; None: no password is right. ValueError where a name comes twice."""
        self._passwords = passwords
        self._users: dict[str, tuple[User, str | None]] = {}
        for user, stored in users:
            if user.name in self._users:
                raise ValueError(f"two users are named {user.name!r}")
            self._users[user.name] = user, stored

    def authenticate(self, attempt: Attempt) -> User | Answer:
        found = self._users.get(attempt.name)
        if found is None:
            return Answer.UNKNOWN
        user, stored = found
        return user if self._passwords.right(stored, attempt.password) else Answer.REFUSED

    def known(self, name: str) -> User | None:
        found = self._users.get(name)
        return found[0] if found is not None else None


class AnonymousAccount:
    """Anybody: the names "anonymous" and "ftp" with any password or none (RFC 1635)."""

    __slots__ = ("_user",)

    def __init__(self, user: User) -> None:
        self._user = user

    def authenticate(self, attempt: Attempt) -> User | Answer:
        return self._user if is_anonymous(attempt.name) else Answer.UNKNOWN

    def known(self, name: str) -> User | None:
        return self._user if is_anonymous(name) else None


class DatabaseAccounts:
    """The users of a database. A change there holds from the next login."""

    __slots__ = ("_database", "_passwords")

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    def authenticate(self, attempt: Attempt) -> User | Answer:
        """As told above. DatabaseError where the database cannot be read."""
        account = self._database.find(attempt.name)
        if account is None:
            return Answer.UNKNOWN
        # The check comes first: a disabled user fails as slowly as any other, and only who knows the password
        # could tell the difference.
        if not self._passwords.right(account.password, attempt.password):
            return Answer.REFUSED
        if not account.enabled:
            return Answer.REFUSED
        if self._passwords.outdated(account.password):
            fresh = self._passwords.hash(attempt.password)
            self._database.replace_password(attempt.name, account.password, fresh)
        return account.user
