"""Database: users on a real disk, their rights, the file's own rights, and files that are none of ours."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeport.accounts.database import (
    VERSION,
    Account,
    Database,
    DatabaseError,
    NameNotAllowedError,
    UserExistsError,
    UserUnknownError,
)
from homeport.accounts.model import READ_WRITE, Grant, Permission, User
from homeport.protocol.path import ROOT, VirtualPath

BOB = User(
    "bob",
    "/srv/b\udcffb",
    (Grant(ROOT, READ_WRITE), Grant(VirtualPath("/in\udcfe"), frozenset({Permission.LIST, Permission.CREATE}))),
    umask=0o077,
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "users.db")


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    database = Database(path, clock=lambda: 1700000000.5)
    yield database
    database.close()


def test_a_user_comes_back_as_stored(database: Database, path: str) -> None:
    database.add(BOB, "$hash")
    expected = Account(BOB, "$hash", True, 1700000000.5, 1700000000.5)
    assert database.find("bob") == expected
    database.close()
    again = Database(path)
    assert again.find("bob") == expected
    assert again.list() == [expected]
    again.close()


def test_names_are_exact(database: Database) -> None:
    database.add(User("Zoë", "/srv"), "a")
    database.add(User("zoë", "/srv"), "b")
    assert [account.user.name for account in database.list()] == ["Zoë", "zoë"]
    assert database.find("ZOË") is None
    assert database.find("zo\udceb") is None


@pytest.mark.parametrize("name", ["", " bob", "bob ", "a\nb", "a\x00b", "b\udcffb"])
def test_names_that_cannot_be(database: Database, name: str) -> None:
    with pytest.raises(NameNotAllowedError):
        database.add(User(name, "/srv"), "x")
    assert database.list() == []


def test_a_name_is_taken_once(database: Database) -> None:
    database.add(BOB, "first")
    with pytest.raises(UserExistsError, match="a user named bob already"):
        database.add(BOB, "second")
    assert [account.password for account in database.list()] == ["first"]


@pytest.mark.parametrize("name", ["nobody", "b\udcffb"])
def test_what_does_not_exist_cannot_be_changed(database: Database, name: str) -> None:
    database.add(BOB, "first")
    changes: list[Callable[[], None]] = [
        lambda: database.remove(name),
        lambda: database.set_password(name, "x"),
        lambda: database.set_enabled(name, False),
        lambda: database.set_user(User(name, "/srv")),
    ]
    for change in changes:
        with pytest.raises(UserUnknownError):
            change()
    assert [account.password for account in database.list()] == ["first"]


def test_changes(path: str) -> None:
    now = 1.0
    database = Database(path, clock=lambda: now)
    database.add(BOB, "first")
    now = 2.0
    database.set_password("bob", "second")
    database.set_enabled("bob", False)
    moved = User("bob", "/srv/elsewhere")
    database.set_user(moved)
    assert database.find("bob") == Account(moved, "second", False, 1.0, 2.0)
    assert not database.replace_password("bob", "first", "third")
    assert database.replace_password("bob", "second", "third")
    database.remove("bob")
    assert database.find("bob") is None
    database.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such mode bits")
def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    loose = tmp_path / "users.db"
    loose.touch()
    loose.chmod(0o644)
    database = Database(str(loose))
    database.add(BOB, "x")
    modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in tmp_path.iterdir()}
    database.close()
    assert modes == {"users.db": 0o600, "users.db-wal": 0o600, "users.db-shm": 0o600}


def test_another_process_writes_meanwhile(database: Database, path: str) -> None:
    program = (
        "import sys; from homeport.accounts.database import *; from homeport.accounts.model import User;"
        "d = Database(sys.argv[1]); d.add(User('eve', '/srv'), 'x'); d.close()"
    )
    assert database.find("eve") is None
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=30)
    assert database.find("eve") is not None


def test_many_threads(database: Database) -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                database.add(User(f"user-{number}-{turn}", "/srv"), "x")
                assert database.find(f"user-{number}-{turn}") is not None
        except (DatabaseError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(database.list()) == 80


def test_a_newer_file_is_refused(path: str) -> None:
    Database(path).close()
    raw = sqlite3.connect(path)
    raw.execute(f"PRAGMA user_version = {VERSION + 1}")
    raw.close()
    with pytest.raises(DatabaseError, match=r"made by a newer Homeport \(version 2, known is 1\)"):
        Database(path)


def test_a_foreign_database_is_refused_and_not_touched(path: str) -> None:
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE theirs (x)")
    raw.commit()
    raw.close()
    with pytest.raises(DatabaseError, match="not one of Homeport's users"):
        Database(path)
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    raw.close()


def test_what_is_no_database(path: str) -> None:
    Path(path).write_text("# a configuration file, say\n" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        Database(path)
    assert Path(path).read_text().startswith("# a configuration file")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot be opened"):
        Database(str(tmp_path / "missing" / "users.db"))


def test_rights_that_cannot_be_read_let_nobody_in(database: Database, path: str) -> None:
    database.add(BOB, "x")
    raw = sqlite3.connect(path)
    raw.execute("""UPDATE users SET grants = '[["/", ["fly"]]]'""")
    raw.commit()
    raw.close()
    with pytest.raises(DatabaseError, match="the rights of the user bob cannot be read: 'fly'"):
        database.find("bob")


def test_after_close_everything_fails(database: Database) -> None:
    database.close()
    database.close()
    with pytest.raises(DatabaseError, match="closed"):
        database.find("bob")
