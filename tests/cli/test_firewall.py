from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from homeport.advice.firewall import Format, Needs, rules_for
from homeport.cli.firewall import needs_of
from homeport.cli.main import cli, run
from homeport.server.config import Config


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["firewall", *arguments])


def test_without_a_configuration_it_is_the_server_that_serve_would_start() -> None:
    done = ask()
    assert done.exit_code == 0, done.output
    for form in Format:
        assert f"== {form.title} (--format {form.value})" in done.stdout
    assert "tcp dport 21 ct state new accept" in done.stdout
    assert "tcp dport 50000-50019 ct state new accept" in done.stdout
    assert "tcp sport 20 tcp dport 1024-65535" in done.stdout


@pytest.mark.parametrize("form", Format)
def test_one_format_is_a_file_as_it_is(form: Format) -> None:
    done = ask("--format", form.value)
    assert done.exit_code == 0, done.output
    assert "== " not in done.stdout
    if form is not Format.ROUTER:  # which has this machine's address in it
        assert done.stdout == rules_for(needs_of(Config(), None), form)


def test_the_configuration_decides(tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text(
        '[listen]\nport = 2121\naddresses = ["0.0.0.0"]\n[data]\nactive_port = 0\npassive_ports = "40000-40001,40005"\n'
        'external_address = "203.0.113.9"\n'
    )
    done = ask("--config", str(file), "--format", "iptables")
    assert done.exit_code == 0, done.output
    for expected in ("--dport 2121 ", "--dport 40000:40001 ", "--dport 40005 ", "-p tcp --dport 1024:65535 "):
        assert expected in done.stdout
    assert "ip6tables" not in done.stdout


def test_ports_of_the_command_line_count_before_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text("[listen]\nport = 2121\n")
    done = ask("--config", str(file), "--port", "2221", "--passive-ports", "40000", "--format", "ufw")
    assert done.exit_code == 0, done.output
    assert "port 2221 " in done.stdout
    assert "port 40000 " in done.stdout
    assert "from any port 2220 " in done.stdout


def test_a_faulty_configuration_is_told_as_serve_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text("[listen]\nprot = 2121\n")
    assert run(["firewall", "--config", str(file)]) == 2
    assert "port" in capsys.readouterr().err


def test_ports_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["firewall", "--port", "50000"]) == 2
    assert "port 50000 is a passive port" in capsys.readouterr().err


def test_what_of_a_configuration_matters() -> None:
    config = Config.model_validate(
        {
            "listen": {"addresses": ["192.0.2.1"], "port": 21, "implicit_tls_port": 990},
            "data": {"passive_ports": "any", "external_address": "ftp.example.net"},
        }
    )
    assert needs_of(config, "192.168.1.2") == Needs(
        control=(21, 990), passive=(), active=20, addresses=("192.0.2.1",), inside="192.168.1.2", external=True
    )
