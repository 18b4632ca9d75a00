"""`homeport user`, on a database of its own, in real processes where a terminal matters."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.accounts.database import Database
from homeport.accounts.model import READ_ONLY, Permission
from homeport.accounts.passwords import Passwords
from homeport.cli.main import run
from homeport.protocol.path import ROOT


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HOMEPORT_PASSWORD", raising=False)
    return tmp_path / "state"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "bob's files"
    folder.mkdir()
    return folder


def stored(state: Path, name: str) -> str:
    database = Database(str(state / "users.sqlite"))
    try:
        account = database.find(name)
    finally:
        database.close()
    assert account is not None
    return account.password


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_user_is_added_listed_given_a_password_and_removed(
    state: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "secret one\n")
    assert run(["user", "add", "bob", str(home), "--state", str(state)]) == 0
    assert capsys.readouterr().out == "bob may log in now.\n"
    assert Passwords().right(stored(state, "bob"), "secret one")

    assert run(["user", "list", "--state", str(state)]) == 0
    name, access, _, folder = capsys.readouterr().out.rstrip("\n").split("  ")
    assert (name, access, folder) == ("bob", "read-write", str(home))

    typed(monkeypatch, "secret two\n")
    assert run(["user", "password", "bob", "--state", str(state)]) == 0
    assert Passwords().right(stored(state, "bob"), "secret two")

    assert run(["user", "remove", "bob", "--state", str(state)]) == 0
    capsys.readouterr()
    assert run(["user", "list", "--state", str(state)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no users yet" in shown.err


def test_the_state_is_for_its_owner_only(state: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "x\n")
    run(["user", "add", "bob", str(home), "--state", str(state)])
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "users.sqlite").stat().st_mode) == 0o600


def test_a_state_that_others_may_change_is_refused(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.mkdir()
    state.chmod(0o777)
    assert run(["user", "list", "--state", str(state)]) == 1
    assert "chmod go-w" in capsys.readouterr().err


def test_the_password_may_come_from_the_environment(state: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_PASSWORD", "from outside")
    assert run(["user", "add", "bob", str(home), "--state", str(state)]) == 0
    assert Passwords().right(stored(state, "bob"), "from outside")


def test_a_generated_password_is_printed_once(state: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["user", "add", "bob", str(home), "--generate", "--state", str(state)]) == 0
    shown = capsys.readouterr().err
    assert shown.startswith("Password: ")
    assert Passwords().right(stored(state, "bob"), shown.split()[1])


@pytest.mark.parametrize(
    ("access", "permissions"),
    [("read", READ_ONLY), ("list,create", frozenset({Permission.LIST, Permission.CREATE}))],
)
def test_access(
    access: str, permissions: frozenset[Permission], state: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["user", "add", "bob", str(home), "--generate", "--access", access, "--state", str(state)]) == 0
    database = Database(str(state / "users.sqlite"))
    account = database.find("bob")
    database.close()
    assert account is not None
    assert account.user.permissions(ROOT) == permissions
    capsys.readouterr()
    run(["user", "list", "--state", str(state)])
    assert f"  {access}  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add", "bob", ".", "--generate"], 1, "there is a user named bob already"),
        (["add", "Anonymous", ".", "--generate"], 1, "everybody who is anonymous has that name"),
        (["add", "a\x1b", ".", "--generate"], 1, "'a\\\\x1b' cannot be a user's name"),
        (["add", "eve", "/no/such/place", "--generate"], 2, "does not exist"),
        (["add", "eve", ".", "--generate", "--access", "fly"], 2, "'fly' is neither read nor read-write"),
        (["password", "eve", "--generate"], 1, "there is no user named eve"),
        (["remove", "eve"], 1, "there is no user named eve"),
    ],
)
def test_what_cannot_be_is_one_message(
    arguments: list[str], code: int, message: str, state: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["user", "add", "bob", str(home), "--generate", "--state", str(state)]) == 0
    capsys.readouterr()
    assert run(["user", *arguments, "--state", str(state)]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_an_empty_password_is_none(
    state: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "\n")
    assert run(["user", "add", "bob", str(home), "--state", str(state)]) == 1
    assert "the password is empty" in capsys.readouterr().err


def test_a_file_where_the_state_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run(["user", "list", "--state", str(tmp_path / "file" / "state")]) == 1
    assert "cannot be made: Not a directory. Name another with --state." in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(state: Path, home: Path) -> None:
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "homeport.cli.main", "user", "add", "bob", str(home), "--state", str(state)],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True,
        )  # fmt: skip
        os.close(theirs)
        shown = until(ours, b"Password: ")
        os.write(ours, b"hidden word\n")
        shown += until(ours, b"The same again: ")
        os.write(ours, b"hidden word\n")
        shown += until(ours, b"may log in now.")
        assert process.wait(20) == 0
    finally:
        os.close(ours)
    assert b"hidden word" not in shown
    assert Passwords().right(stored(state, "bob"), "hidden word")


def until(terminal: int, text: bytes) -> bytes:
    """What the terminal shows, up to and with *text*. The test's own deadline bounds it."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 1024)
    return shown
