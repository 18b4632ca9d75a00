"""`homeport config`: check, sample, reference, hash."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from homeport.accounts.passwords import Passwords
from homeport.cli.config import group
from homeport.server.load import load
from homeport.server.reference import reference


def test_check_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text("[listen]\nport = 2121\n")
    done = CliRunner().invoke(group, ["check", str(file)])
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{file} is good.\n", "")


def test_check_says_what_serve_would(tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text("[listen]\nprot = 2121\n")
    done = CliRunner().invoke(group, ["check", str(file)])
    expected = (
        f"{file}:2: listen.prot: there is no such option\n    prot = 2121\n    Did you mean port?\n1 fault in {file}\n"
    )
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", expected)


def test_check_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["check", str(tmp_path / "gone")])
    assert done.exit_code == 1
    assert "the file cannot be read: No such file or directory" in done.stderr


def test_the_sample_can_be_checked(tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text(CliRunner().invoke(group, ["sample"]).stdout)
    assert CliRunner().invoke(group, ["check", str(file)]).exit_code == 0
    assert load(str(file)).users == ()


def test_the_reference() -> None:
    assert CliRunner().invoke(group, ["reference"]).stdout == reference()


def test_the_hash_of_a_password_from_a_pipe() -> None:
    done = CliRunner().invoke(group, ["hash"], input="secret word \nnot this\n")
    assert done.exit_code == 0
    assert Passwords().right(done.stdout.strip(), "secret word ")


def test_no_password_is_no_hash() -> None:
    done = CliRunner().invoke(group, ["hash"], input="\n")
    assert (done.exit_code, done.stdout) == (2, "")
