"""Database: users in an SQLite file that `homeport user` changes while the server runs.

One connection under a lock: a look-up takes some 20 µs, and a login is rare beside what follows it. Write-ahead
logging lets another process write meanwhile. The file holds hashes of passwords, so that only its owner may read it
(mode 0600; SQLite gives its side files the same mode). The schema's version is `user_version`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from homeport.protocol.path import VirtualPath

from .model import Grant, Permission, User
from .names import fault_in

VERSION = 1
_APPLICATION = 0x484F4D45  # "HOME": tells this file from any other SQLite database
_BUSY_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE users (
    name     TEXT PRIMARY KEY NOT NULL,
    password TEXT NOT NULL,
    home     BLOB NOT NULL,
    grants   TEXT NOT NULL,
    umask    INTEGER NOT NULL,
    enabled  INTEGER NOT NULL,
    created  REAL NOT NULL,
    changed  REAL NOT NULL
) WITHOUT ROWID
"""
_COLUMNS = "name, password, home, grants, umask, enabled, created, changed"


class AccountError(Exception):
    """A change or a look-up of accounts that cannot be. The message is a sentence for people."""


class UserExistsError(AccountError):
    """The name is taken."""


class UserUnknownError(AccountError):
    """There is no user of that name."""


class NameNotAllowedError(AccountError):
    """Nobody may have that name."""


class DatabaseError(AccountError):
    """The file cannot be used: it is no database of this kind, is too new, or the disk said no."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user as stored. `created` and `changed` are seconds since 1970."""

    user: User
    password: str
    enabled: bool
    created: float
    changed: float


class Database:
    """The users in the file at `path`. Safe for threads and beside other processes."""

    def __init__(self, path: str, *, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it. DatabaseError where that cannot be."""
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        try:
            _create_private(path)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise DatabaseError(f"the user database {path} cannot be opened: {error}") from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Give the file back. Closing twice does nothing; anything else fails from now on."""
        with self._lock:
            self._connection.close()

    def find(self, name: str) -> Account | None:
        """The account of *name*, exactly so spelt."""
        if _surrogates(name):
            return None  # octets that are no UTF-8: no stored name has them, and SQLite would not take them
        with self._use() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM users WHERE name = ?", (name,)).fetchone()  # noqa: S608 - constants
        return _account(row) if row is not None else None

    def list(self) -> list[Account]:
        """All accounts, by name."""
        with self._use() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name").fetchall()  # noqa: S608 - constants
        return [_account(row) for row in rows]

    def add(self, user: User, password: str) -> None:
        """Store a new user with the stored form of his password. UserExistsError, NameNotAllowedError."""
        fault = fault_in(user.name)
        if fault is not None:
            raise NameNotAllowedError(f"{user.name!r}: {fault}")
        now = self._clock()
        row = (
            user.name, password, os.fsencode(user.home), _write_grants(user.grants), user.umask, True, now, now
        )  # fmt: skip
        with self._use() as connection:
            try:
                connection.execute(f"INSERT INTO users ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - constants
            except sqlite3.IntegrityError as error:
                raise UserExistsError(f"there is a user named {user.name} already") from error

    def set_user(self, user: User) -> None:
        """Replace home, grants and umask of the user of that name. UserUnknownError."""
        self._update(
            user.name,
            "home = ?, grants = ?, umask = ?",
            (os.fsencode(user.home), _write_grants(user.grants), user.umask),
        )

    def set_password(self, name: str, password: str) -> None:
        """Replace the stored password. UserUnknownError."""
        self._update(name, "password = ?", (password,))

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Let a user log in, or not. UserUnknownError."""
        self._update(name, "enabled = ?", (enabled,))

    def replace_password(self, name: str, old: str, new: str) -> bool:
        """Replace the stored password if it is still *old*: whether it was."""
        with self._use() as connection:
            done = connection.execute("UPDATE users SET password = ? WHERE name = ? AND password = ?", (new, name, old))
            return done.rowcount == 1

    def remove(self, name: str) -> None:
        """Forget a user; his files stay. UserUnknownError."""
        with self._use() as connection:
            found = not _surrogates(name) and connection.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount
        if not found:
            raise UserUnknownError(f"there is no user named {name}")

    def _update(self, name: str, assignments: str, values: tuple[object, ...]) -> None:
        with self._use() as connection:
            found = not _surrogates(name) and connection.execute(
                f"UPDATE users SET {assignments}, changed = ? WHERE name = ?",  # noqa: S608 - constants of this module
                (*values, self._clock(), name),
            ).rowcount  # fmt: skip
        if not found:
            raise UserUnknownError(f"there is no user named {name}")

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone; every statement is its own transaction."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise DatabaseError(f"the user database {self.path} failed: {error}") from error

    def _prepare(self) -> None:
        """Bring a new file to the schema of today; refuse a foreign or newer one."""
        with self._use() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a password that was changed stays so, whatever happens
            if _pragma(connection, "user_version") == 0 and _empty(connection):
                connection.execute("BEGIN IMMEDIATE")
                # Another process may have been quicker; it is asked again now that nobody else can write.
                if _empty(connection):
                    connection.execute(_SCHEMA)
                    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("COMMIT")
            version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
        if application != _APPLICATION:
            raise DatabaseError(f"{self.path} is a database, but not one of Homeport's users")
        if version > VERSION:
            raise DatabaseError(
                f"the user database {self.path} was made by a newer Homeport (version {version}, known is {VERSION})"
            )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _create_private(path: str) -> None:
    """Make the file with its mode before SQLite would make it with another; take an old one from others."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if hasattr(os, "fchmod") and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _surrogates(name: str) -> bool:
    return not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name)


def _account(row: tuple[str, str, bytes, str, int, int, float, float]) -> Account:
    name, password, home, grants, umask, enabled, created, changed = row
    user = User(name, os.fsdecode(home), _read_grants(name, grants), umask=umask)
    return Account(user, password, bool(enabled), created, changed)


def _write_grants(grants: tuple[Grant, ...]) -> str:
    return json.dumps([[grant.prefix.text, sorted(one.value for one in grant.permissions)] for grant in grants])


def _read_grants(name: str, text: str) -> tuple[Grant, ...]:
    try:
        return tuple(
            Grant(VirtualPath.parse(prefix), frozenset(Permission(one) for one in permissions))
            for prefix, permissions in json.loads(text)
        )
    except (ValueError, TypeError) as error:
        # Somebody wrote into the file by hand. To let the user in with other rights than meant would be worse.
        raise DatabaseError(f"the rights of the user {name} cannot be read: {error}") from error
