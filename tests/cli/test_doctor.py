from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import homeport
from homeport.cli.main import cli, run
from homeport.doctor import case as case_module
from homeport.doctor.firewall.reading import Firewall


@pytest.fixture(autouse=True)
def open_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the firewall of the machine says that runs this test is no matter of the test."""
    monkeypatch.setattr(case_module, "read_firewall", lambda _: Firewall(sources=("nft",)))


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments])


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Path]:
    """A configuration file with more in it."""

    def write(more: str) -> Path:
        file = tmp_path / "homeport.toml"
        (tmp_path / "files").mkdir()
        file.write_text(
            f'[server]\nstate = "{tmp_path / "state"}"\n[listen]\naddresses = ["127.0.0.1"]\nport = 0\n'
            f'[data]\npassive_ports = "any"\n{more}\n[anonymous]\nenabled = true\nhome = "{tmp_path / "files"}"\n'
        )
        return file

    return write


def test_a_running_server_is_found_by_its_configuration(configured: Callable[[str], Path]) -> None:
    from homeport.server.load import load

    file = configured("")
    with homeport.Server(config=load(str(file))) as server:
        done = ask("--config", str(file), "--json")
    found = {(one["check"], one["severity"]): one["seen"] for one in json.loads(done.stdout)}
    assert done.exit_code in (0, 1), done.output
    assert ("running", "ok") in found
    assert found["control", "ok"] == f"The control port answers at 127.0.0.1:{server.port}."
    assert found["passive", "ok"].startswith("All 16 passive ports")


def test_a_running_server_is_found_by_its_state(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with homeport.Server(tmp_path / "files", user="x", password="y", state=tmp_path / "state"):
        done = ask("--state", str(tmp_path / "state"))
    assert done.stdout.startswith("ok       A server runs (process ")


def test_a_configuration_alone(configured: Callable[[str], Path]) -> None:
    done = ask("--config", str(configured('external_address = "10.0.0.1"')))
    assert done.exit_code == 2
    assert "warning  No running server answers" in done.stdout
    assert "error    The external address is 10.0.0.1 (configured)" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_faulty_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text("[listen]\nprot = 21\n")
    assert run(["doctor", "--config", str(file)]) == 2
    assert "port" in capsys.readouterr().err
