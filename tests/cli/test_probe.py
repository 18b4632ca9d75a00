from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import homeport
from homeport.cli.main import cli, run
from homeport.cli.user import PASSWORD_VARIABLE


def ask(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(cli, ["probe", *arguments])


def test_a_server_that_works(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, anonymous=True) as server:
        done = ask(server.url)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"ftp://127.0.0.1:{server.port}/ as anonymous\n")
    assert done.stdout.endswith("All modes that the server offers work from here.\n")
    assert "┌ you" in done.stdout
    assert done.stderr == ""


def test_json_and_svg(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    drawn = tmp_path / "a.svg"
    with homeport.Server(tmp_path / "files", anonymous=True) as server:
        done = ask(server.url, "--json", "--svg", str(drawn))
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["exit_code"] == 0
    assert [trial["mode"] for trial in found["views"][0]["trials"]] == ["PASV", "EPSV", "PORT", "EPRT"]
    assert ET.parse(drawn).getroot().get("role") == "img"


def test_the_password_may_stand_in_the_environment(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, user="bob", password="secret") as server:
        url = f"ftp://bob@127.0.0.1:{server.port}"
        assert ask(url, **{PASSWORD_VARIABLE: "secret"}).exit_code == 0
        assert ask(url, **{PASSWORD_VARIABLE: "wrong"}).exit_code == 2
    done = ask(f"ftp://bob:secret@127.0.0.1:{server.port}")
    assert done.exit_code == 2
    assert "refused the connection" in done.stdout
    assert "secret" not in done.output


def test_nothing_to_draw(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, anonymous=True) as server:
        url = server.url
    done = ask(url, "--svg", str(tmp_path / "a.svg"))
    assert done.exit_code == 2
    assert not (tmp_path / "a.svg").exists()
    assert "nothing to draw" in done.stderr


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with homeport.Server(tmp_path / "files", anonymous=True) as server:
        done = ask(server.url, "--svg", str(tmp_path / "gone" / "a.svg"))
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


def test_active_ports_are_kept_to(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, anonymous=True) as server:
        done = ask(server.url, "--json", "--active-ports", "20500-29999")
    port = json.loads(done.stdout)["views"][0]["trials"][2]["requested"][1]
    assert 20500 <= port <= 29999


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://127.0.0.1"],
        [],
        ["127.0.0.1", "--timeout", "0"],
        ["127.0.0.1", "--active-ports", "50-40"],
        ["127.0.0.1", "--active-ports", "x"],
        ["127.0.0.1", "--active-ports", "0-70000"],
        ["127.0.0.1", "--tls", "maybe"],
    ],
)
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", *arguments]) == 2
    assert "Error" in capsys.readouterr().err
