"""Share: whose password counts, and what read-only takes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.accounts.database import Database
from homeport.accounts.model import READ_ONLY, READ_WRITE, Attempt, Grant, Permission, User
from homeport.accounts.passwords import Passwords, plain
from homeport.accounts.providers import Answer, StaticAccounts
from homeport.cli.share import ReadOnly, Secret, Share
from homeport.protocol.path import ROOT, VirtualPath

HOME = User("home", "/this/run", (Grant(ROOT, READ_ONLY),))


class Reversed:
    """A hash for tests that takes no time."""

    def hash(self, password: bytes) -> str:
        return "reversed:" + password.decode()[::-1]

    def verify(self, stored: str, password: bytes) -> bool:
        return stored == self.hash(password)

    def outdated(self, stored: str) -> bool:
        return False


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(Reversed())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(str(tmp_path / "users.sqlite"))
    yield database
    database.close()


def attempt(password: str, name: str = "home") -> Attempt:
    return Attempt(name, password, "192.0.2.7")


def test_a_new_password_is_kept_only_when_asked(database: Database, passwords: Passwords) -> None:
    share = Share(HOME, None, database, passwords)
    assert share.secret is Secret.SHOWN
    assert share.password is not None
    assert database.find("home") is None
    share.keep()
    account = database.find("home")
    assert account is not None
    assert share.password not in account.password
    assert share.authenticate(attempt(share.password)) == HOME
    assert share.authenticate(attempt("wrong")) is Answer.REFUSED


def test_folder_and_rights_are_those_of_this_run(database: Database, passwords: Passwords) -> None:
    database.add(User("home", "/another/run"), passwords.hash("old"))
    share = Share(HOME, None, database, passwords)
    assert (share.secret, share.password) == (Secret.KEPT, None)
    share.keep()
    assert share.authenticate(attempt("old")) == HOME
    stored = database.find("home")
    assert stored is not None
    assert stored.user.home == "/another/run"


def test_a_change_counts_from_the_next_login(database: Database, passwords: Passwords) -> None:
    database.add(HOME, passwords.hash("old"))
    share = Share(HOME, None, database, passwords)
    assert share.authenticate(attempt("old")) == HOME
    database.set_password("home", passwords.hash("new"))
    assert share.authenticate(attempt("old")) is Answer.REFUSED
    assert share.authenticate(attempt("new")) == HOME
    database.set_enabled("home", False)
    assert share.authenticate(attempt("new")) is Answer.REFUSED
    database.remove("home")
    assert share.authenticate(attempt("new")) is Answer.REFUSED


def test_a_given_password_counts_for_this_run_and_is_not_stored(database: Database, passwords: Passwords) -> None:
    database.add(HOME, passwords.hash("stored"))
    share = Share(HOME, "given", database, passwords)
    assert share.secret is Secret.GIVEN
    share.keep()
    assert share.authenticate(attempt("given")) == HOME
    assert share.authenticate(attempt("stored")) is Answer.REFUSED
    account = database.find("home")
    assert account is not None
    assert account.password == passwords.hash("stored")


def test_others_are_left_to_other_providers(database: Database, passwords: Passwords) -> None:
    assert Share(HOME, "given", database, passwords).authenticate(attempt("given", "bob")) is Answer.UNKNOWN


def test_read_only_adds_no_right_and_leaves_none_to_write(passwords: Passwords) -> None:
    inbox = VirtualPath("/inbox")
    user = User("bob", "/srv", (Grant(ROOT, READ_WRITE), Grant(inbox, frozenset({Permission.CREATE}))))
    provider = ReadOnly(StaticAccounts([(user, plain("pw"))], passwords))
    found = provider.authenticate(attempt("pw", "bob"))
    assert isinstance(found, User)
    assert found.permissions(ROOT) == READ_ONLY
    assert found.permissions(inbox) == frozenset()
    assert provider.authenticate(attempt("x", "bob")) is Answer.REFUSED
    assert provider.authenticate(attempt("x", "eve")) is Answer.UNKNOWN
