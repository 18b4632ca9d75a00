"""The command itself: quick, and clear about failures."""

from __future__ import annotations

import subprocess
import sys
import time

import click
import pytest

from homeport import __version__
from homeport.cli import main
from homeport.cli.main import COMMANDS, cli, debugging, run


def homeport(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeport.cli.main", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def test_the_version() -> None:
    done = homeport("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"homeport {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_the_version_and_the_overview_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from homeport.cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'pydantic', 'argon2', 'sqlite3', 'cryptography', 'psutil', 'ssl', 'asyncio', 'homeport.server'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_comes_at_once() -> None:
    def seconds(*command: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, timeout=30, check=True)
        return time.perf_counter() - begin

    # Relative to a bare interpreter on the same machine at the same time, so that a busy machine fails nobody.
    bare = min(seconds("-c", "pass") for _ in range(5))
    ours = min(seconds("-m", "homeport.cli.main", "--version") for _ in range(5))
    assert ours - bare < max(0.15, 4 * bare)


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (_, _, summary) in COMMANDS.items():
        assert name in shown
        assert summary in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"Usage: homeport {name}" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sevre"]) == main.WRONG_USE
    assert "sevre" in capsys.readouterr().err


def broken(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    @click.command()
    @click.option("--debug", is_flag=True)
    def command(debug: bool) -> None:
        raise failure

    monkeypatch.setattr(cli, "get_command", lambda context, name: command)


def test_an_expected_failure_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, click.ClickException("the disk is full"))
    assert run(["x"]) == main.FAILED
    assert capsys.readouterr().err == "Error: the disk is full\n"


def test_a_fault_of_ours_shows_no_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken(monkeypatch, ZeroDivisionError("division by zero"))
    assert run(["x"]) == main.INTERNAL
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ZeroDivisionError: division by zero\n")
    assert "--debug" in shown
    assert "Traceback" not in shown


def test_with_debug_the_trace_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        run(["x", "--debug"])


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_has_its_code(failure: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, failure)
    assert run(["x"]) == main.INTERRUPTED


def test_debug_behind_a_double_dash_is_an_argument() -> None:
    assert debugging(["serve", "--debug"])
    assert not debugging(["serve", "--", "--debug"])
    assert not debugging([])
