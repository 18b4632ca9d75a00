"""Providers: who is let in, in which order, and that no failure is told from another by its work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.accounts.database import Database
from homeport.accounts.model import READ_ONLY, Attempt, Grant, User
from homeport.accounts.passwords import Passwords
from homeport.accounts.providers import Accounts, AnonymousAccount, Answer, DatabaseAccounts, StaticAccounts
from homeport.protocol.path import ROOT

from .counting import CountingHasher

ALICE = User("alice", "/srv/alice")
BOB = User("bob", "/srv/bob", (Grant(ROOT, READ_ONLY),))
GUEST = User("anonymous", "/srv/public", (Grant(ROOT, READ_ONLY),), anonymous=True)


def attempt(name: str, password: str) -> Attempt:
    return Attempt(name, password, "192.0.2.7")


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def passwords(hasher: CountingHasher) -> Passwords:
    return Passwords(hasher)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(str(tmp_path / "users.db"))
    database.add(BOB, "counted:bobs")
    yield database
    database.close()


@pytest.fixture
def accounts(passwords: Passwords, database: Database) -> Accounts:
    static = StaticAccounts([(ALICE, "counted:alices"), (User("carl", "/srv"), "plain:carls")], passwords)
    return Accounts([static, AnonymousAccount(GUEST), DatabaseAccounts(database, passwords)], passwords)


def test_each_provider_knows_its_own(accounts: Accounts) -> None:
    assert accounts.authenticate(attempt("alice", "alices")) is ALICE
    assert accounts.authenticate(attempt("bob", "bobs")) == BOB
    assert accounts.authenticate(attempt("alice", "bobs")) is None
    assert accounts.authenticate(attempt("Alice", "alices")) is None


@pytest.mark.standard("1635-ANON-USER", "1635-ANON-PASS")
@pytest.mark.parametrize("name", ["anonymous", "ftp", "Anonymous", "FTP"])
@pytest.mark.parametrize("password", ["", "guest@example.net", "-quiet@"])
def test_anybody_is_anonymous(accounts: Accounts, name: str, password: str) -> None:
    assert accounts.authenticate(attempt(name, password)) is GUEST


def test_nobody_is_anonymous_where_that_is_off(passwords: Passwords) -> None:
    assert Accounts([StaticAccounts([], passwords)], passwords).authenticate(attempt("ftp", "x")) is None


@pytest.mark.standard("2577-7-331")
@pytest.mark.parametrize("name", ["alice", "bob", "carl", "nobody", "", "b\udcffb"])
def test_every_failure_does_the_same_work(accounts: Accounts, hasher: CountingHasher, name: str) -> None:
    assert accounts.authenticate(attempt(name, "wrong")) is None
    assert hasher.calls == ["verify"]


def test_a_name_is_decided_by_the_first_who_knows_it(passwords: Passwords, database: Database) -> None:
    mine = User("bob", "/elsewhere")
    accounts = Accounts(
        [StaticAccounts([(mine, "plain:mine")], passwords), DatabaseAccounts(database, passwords)], passwords
    )
    assert accounts.authenticate(attempt("bob", "mine")) is mine
    assert accounts.authenticate(attempt("bob", "bobs")) is None


def test_a_change_in_the_database_holds_at_once(accounts: Accounts, database: Database) -> None:
    assert accounts.authenticate(attempt("bob", "bobs")) == BOB
    database.set_password("bob", "counted:new")
    assert accounts.authenticate(attempt("bob", "bobs")) is None
    assert accounts.authenticate(attempt("bob", "new")) == BOB
    database.remove("bob")
    assert accounts.authenticate(attempt("bob", "new")) is None


def test_a_disabled_user_fails_with_the_right_password_too(
    accounts: Accounts, database: Database, hasher: CountingHasher
) -> None:
    database.set_enabled("bob", False)
    assert accounts.authenticate(attempt("bob", "bobs")) is None
    assert hasher.calls == ["verify"]
    database.set_enabled("bob", True)
    assert accounts.authenticate(attempt("bob", "bobs")) == BOB


def test_an_outdated_hash_is_replaced_at_a_login_that_succeeds(database: Database, passwords: Passwords) -> None:
    database.set_password("bob", "old-counted:bobs")
    accounts = DatabaseAccounts(database, passwords)
    assert accounts.authenticate(attempt("bob", "wrong")) is Answer.REFUSED
    assert _stored(database) == "old-counted:bobs"
    assert accounts.authenticate(attempt("bob", "bobs")) == BOB
    assert _stored(database) == "counted:bobs"


def _stored(database: Database) -> str:
    account = database.find("bob")
    assert account is not None
    return account.password


def test_two_users_of_one_name(passwords: Passwords) -> None:
    with pytest.raises(ValueError, match="two users are named 'bob'"):
        StaticAccounts([(BOB, "plain:a"), (BOB, "plain:b")], passwords)
