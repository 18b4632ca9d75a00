"""`homeport cert`, on state directories and configurations of its own; `renew` against a real ACME server."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from tests.net.authority import TestAuthority
from tests.net.pebble import LOOPBACK, pebble

from homeport.cli.cert import describe
from homeport.cli.main import run
from homeport.net.selfsigned import own_certificate, own_paths
from homeport.net.store import Source, Status


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def configuration(tmp_path: Path, text: str) -> str:
    file = tmp_path / "homeport.toml"
    file.write_text(text)
    return str(file)


def test_what_the_first_start_made_is_shown(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.mkdir()
    made = own_certificate(str(state), ["ftp.example.net"])
    assert run(["cert", "show", "--state", str(state)]) == 0
    shown = capsys.readouterr().out
    assert made.fingerprint in shown
    assert "ftp.example.net" in shown
    assert f"self-signed ({state}/certificate.pem)" in shown


def test_before_the_first_start_there_is_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cert", "show", "--state", str(state)]) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "the first start makes it" in output.err
    assert not state.exists(), "showing makes nothing"


def test_all_of_a_configuration_are_shown(tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = TestAuthority()
    authority.make(["a.example"], days=20.5).write(tmp_path, "a")
    authority.make(["b.example"], kind="RSA").write(tmp_path, "b")
    file = configuration(
        tmp_path,
        '[tls]\ncertificate = "a.pem"\nkey = "a-key.pem"\n'
        '[[tls.certificates]]\ncertificate = "b.pem"\nkey = "b-key.pem"\n',
    )
    assert run(["cert", "show", "--config", file, "--state", str(state)]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert "a.example" in first
    assert "20 days left: soon" in first
    assert "CN=Test CA" in first
    assert "b.example" in second
    assert "RSA" in second


def test_one_that_cannot_be_used_is_told(tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = TestAuthority()
    authority.make(["a.example"]).write(tmp_path, "a")
    authority.make(["a.example"]).write(tmp_path, "b")
    file = configuration(tmp_path, '[tls]\ncertificate = "a.pem"\nkey = "b-key.pem"\n')
    assert run(["cert", "show", "--config", file, "--state", str(state)]) == 1
    assert "b-key.pem is not the key of" in capsys.readouterr().err


def test_one_that_has_run_out_is_told(tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = TestAuthority()
    authority.now -= timedelta(days=91)
    authority.make(["a.example"]).write(tmp_path, "a")
    file = configuration(tmp_path, '[tls]\ncertificate = "a.pem"\nkey = "a-key.pem"\n')
    assert run(["cert", "show", "--config", file, "--state", str(state)]) == 1
    assert "it has run out" in capsys.readouterr().out


def test_a_faulty_configuration_is_reported_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = configuration(tmp_path, "[acme]\nenabled = true\n[tls]\ncertificat = 'x'\n")
    assert run(["cert", "show", "--config", file]) == 2
    report = capsys.readouterr().err
    assert "there are no names for the certificate" in report
    assert "Did you mean certificate?" in report


def test_a_new_self_signed_one(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cert", "self-signed", "--state", str(state), "--name", "ftp.example.net", "--name", "192.0.2.7"]) == 0
    first = capsys.readouterr().out
    assert "ftp.example.net, 192.0.2.7" in first
    assert run(["cert", "self-signed", "--state", str(state)]) == 0
    second = capsys.readouterr().out
    assert "localhost" in second
    assert own_certificate(str(state), []).fingerprint in second
    assert os.stat(own_paths(str(state))[1]).st_mode & 0o077 == 0


def test_without_acme_there_is_nothing_to_renew(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cert", "renew", "--state", str(state)]) == 1
    assert "homeport cert self-signed" in capsys.readouterr().err


def test_a_certificate_is_renewed_by_acme(tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pebble(tmp_path / "pebble") as server:
        file = configuration(
            tmp_path,
            f"""
            [server]
            state = "{state}"
            [listen]
            addresses = ["{LOOPBACK}"]
            [acme]
            enabled = true
            accept_terms = true
            names = ["ftp.example.test"]
            directory = "{server.directory}"
            directory_trust = "{server.trust}"
            challenge = "tls-alpn-01"
            tls_port = {server.tls_port}
            """,
        )
        assert run(["cert", "renew", "--config", file]) == 0
        first = capsys.readouterr().out
        assert "CN=Pebble Intermediate CA" in first
        assert run(["cert", "show", "--config", file]) == 0
        assert capsys.readouterr().out == first
        assert run(["cert", "renew", "--config", file]) == 0
        assert capsys.readouterr().out != first, "it is renewed though it is not time yet"
    assert run(["cert", "renew", "--config", file]) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_names_cannot_write_to_the_terminal() -> None:
    authority = TestAuthority()
    status = Status(
        Source.CONFIGURED, "a.pem", ("a\x1b[31m",), "CN=b\x07", "ECDSA", "AB", authority.now, timedelta(days=1)
    )
    assert "\x1b" not in describe(status)
    assert "\x07" not in describe(status)
