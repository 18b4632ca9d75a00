from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from homeport.doctor.case import Case
from homeport.doctor.checks.certificate import certificate
from homeport.doctor.finding import Severity
from homeport.doctor.machine import ThisMachine
from homeport.net.selfsigned import LIFETIME, own_certificate, own_paths

from ..cases import NOW, MadeUp, case, one, severities


def made(folder: Path, *names: str, now: datetime = NOW) -> tuple[str, str]:
    own_certificate(str(folder), names or ("ftp.example.net",), now=now)
    return own_paths(str(folder))


def configured(folder: Path, *names: str, now: datetime = NOW, external: str = "none") -> Case:
    """With a certificate that the administrator has named."""
    chain, key = made(folder, *names, now=now)
    options = {"tls": {"certificate": chain, "key": key}, "data": {"external_address": external}}
    return case(ThisMachine(), options=options)


def test_there_is_none_yet(tmp_path: Path) -> None:
    found = one(certificate(case(MadeUp(), state=str(tmp_path))))
    assert found.severity is Severity.NOTE
    assert "makes a self-signed one" in found.meaning


def test_a_self_signed_one(tmp_path: Path) -> None:
    made(tmp_path)
    found = one(certificate(case(ThisMachine(), state=str(tmp_path))))
    assert found.severity is Severity.NOTE
    assert "is self-signed, and good until" in found.seen
    assert "compare its fingerprint" in found.meaning


@pytest.mark.parametrize(
    ("age", "severity", "words"),
    [
        (LIFETIME + timedelta(days=1), Severity.ERROR, "ran out on"),
        (LIFETIME - timedelta(days=5), Severity.WARNING, "in 5 days"),
        (-timedelta(days=10), Severity.ERROR, "is not valid before"),
    ],
)
def test_its_life(tmp_path: Path, age: timedelta, severity: Severity, words: str) -> None:
    found = one(certificate(configured(tmp_path, now=NOW - age)))
    assert found.severity is severity
    assert words in found.seen
    assert found.cures


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    looked_at = configured(tmp_path)
    os.chmod(own_paths(str(tmp_path))[1], 0o644)
    found = [finding for finding in certificate(looked_at) if finding.severity is Severity.WARNING]
    assert len(found) == 1
    assert "(mode 0644)" in found[0].seen


@pytest.mark.parametrize(
    ("names", "external", "missing"),
    [
        (("ftp.example.net",), "ftp.example.net", False),
        (("*.example.net",), "ftp.example.net", False),
        (("198.51.100.20",), "198.51.100.20", False),
        (("ftp.example.net",), "other.example.net", True),
        (("*.example.net",), "a.b.example.net", True),
    ],
)
def test_the_names(tmp_path: Path, names: tuple[str, ...], external: str, missing: bool) -> None:
    found = severities(certificate(configured(tmp_path, *names, external=external)))
    assert (Severity.WARNING in found) is missing


def test_a_self_signed_one_that_lacks_a_name_is_made_anew(tmp_path: Path) -> None:
    made(tmp_path, "localhost")
    looked_at = case(ThisMachine(), state=str(tmp_path), options={"data": {"external_address": "ftp.example.net"}})
    found = [finding for finding in certificate(looked_at) if finding.cures]
    assert [finding.severity for finding in found] == [Severity.NOTE]
    assert "is not for ftp.example.net" in found[0].seen


def test_one_that_is_broken(tmp_path: Path) -> None:
    looked_at = configured(tmp_path)
    Path(own_paths(str(tmp_path))[1]).write_text("rubbish")
    found = one(certificate(looked_at))
    assert found.severity is Severity.ERROR
    assert "no private key" in found.seen
