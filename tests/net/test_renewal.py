"""When a certificate is asked for: at two thirds of its life, and ever less often while that fails."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeport.net.certificates import CertificateUnusable, read_certificate
from homeport.net.renewal import Attempts, IssueFailed, Renewal, backoff, renewal_time

from .authority import Made, TestAuthority

NAMES = ("ftp.example.net", "files.example.net")
MIDDLE = 0.5
"""The chance that neither lengthens nor shortens a wait."""


def wait(seconds: float) -> None:
    """Time does not matter here."""


def renewal_of(authority: TestAuthority, directory: Path, names: tuple[str, ...] = NAMES) -> Renewal:
    return Renewal(authority, names, str(directory), chance=lambda: MIDDLE)


@pytest.fixture
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def now(authority: TestAuthority) -> float:
    return authority.now.timestamp()


def test_the_first_one_is_asked_for_at_once_and_kept_closed(
    authority: TestAuthority, now: float, tmp_path: Path
) -> None:
    directory = tmp_path / "deep" / "acme"
    renewal = renewal_of(authority, directory)
    assert renewal.due(now) == now
    made = renewal.renew(now, wait)
    assert authority.asked == [NAMES]
    assert read_certificate(renewal.path) == made
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()] == [0o600, 0o600]


def test_it_is_renewed_at_two_thirds_of_its_life(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    renewal = renewal_of(authority, tmp_path)
    renewal.renew(now, wait)
    due = renewal.due(now)
    assert timedelta(days=60) <= timedelta(seconds=due - now) <= timedelta(days=61.5)
    assert renewal.due(due + 10) == due, "it does not move while time goes on"
    assert renewal_of(authority, tmp_path).due(now) == due, "nor by a restart"


def test_each_has_a_moment_of_its_own(authority: TestAuthority, tmp_path: Path) -> None:
    """Many servers that got theirs at the same time do not come back at the same time."""
    moments = set()
    for number in range(20):
        certificate = read_certificate(*authority.make(NAMES).write(tmp_path, str(number)))
        moments.add(renewal_time(certificate))
        life = certificate.expires - certificate.begins
        share = (datetime.fromtimestamp(renewal_time(certificate), UTC) - certificate.begins) / life
        assert 2 / 3 - 1e-6 <= share <= 2 / 3 + 1 / 60 + 1e-6
    assert len(moments) == 20
    assert max(moments) - min(moments) > 3600


def test_short_lives_are_renewed_in_time_too(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    authority.days = 6
    renewal = renewal_of(authority, tmp_path)
    renewal.renew(now, wait)
    assert timedelta(days=4) <= timedelta(seconds=renewal.due(now) - now) <= timedelta(days=4.11)


def test_other_names_are_asked_for_at_once(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    renewal_of(authority, tmp_path).renew(now, wait)
    assert renewal_of(authority, tmp_path, NAMES[:1]).due(now) > now, "it is for that name as well"
    assert renewal_of(authority, tmp_path, (*NAMES, "new.example.net")).due(now) == now


def test_a_broken_file_is_asked_for_anew(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    renewal = renewal_of(authority, tmp_path)
    renewal.renew(now, wait)
    Path(renewal.path).write_bytes(b"nonsense")
    assert renewal.due(now) == now


def test_every_failure_doubles_the_wait_up_to_a_day(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    renewal = renewal_of(authority, tmp_path)
    waits = []
    for _ in range(10):
        authority.failures.append(IssueFailed("no"))
        with pytest.raises(IssueFailed, match="no"):
            renewal.renew(now, wait)
        waits.append(renewal.due(now) - now)
        now += waits[-1]
    assert [round(seconds / 60) for seconds in waits] == [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]
    # No more than five in an hour, which is what authorities allow for one name.
    assert sum(waits[:4]) > 3600
    renewal.renew(now, wait)
    assert renewal.due(now) - now > 50 * 86400, "a success ends it"
    authority.failures.append(IssueFailed("no"))
    with pytest.raises(IssueFailed):
        renewal.renew(now, wait)
    assert renewal.due(now) > now


def test_the_wait_outlasts_a_restart(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    authority.failures = [IssueFailed("no"), IssueFailed("no")]
    for _ in range(2):
        with pytest.raises(IssueFailed):
            renewal_of(authority, tmp_path).renew(now, wait)
    assert renewal_of(authority, tmp_path).due(now + 60) == pytest.approx(now + 1200)
    assert renewal_of(authority, tmp_path).due(now + 1200) == now + 1200


def test_a_clock_that_was_wrong_does_not_end_renewal(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    authority.failures = [IssueFailed("no")]
    with pytest.raises(IssueFailed):
        renewal_of(authority, tmp_path).renew(now + 10 * 365 * 86400, wait)
    assert renewal_of(authority, tmp_path).due(now) == pytest.approx(now + 600)


@pytest.mark.parametrize("content", ["", "nonsense", "[]", json.dumps({"failures": "many"}), '{"failures": null}'])
def test_a_broken_record_of_failures_is_none(
    authority: TestAuthority, now: float, tmp_path: Path, content: str
) -> None:
    (tmp_path / "attempts.json").write_text(content)
    assert renewal_of(authority, tmp_path).due(now) == now


def test_chance_lengthens_and_shortens() -> None:
    assert backoff(Attempts(1, 0.0), 0.0) == pytest.approx(480)
    assert backoff(Attempts(1, 0.0), 1.0) == pytest.approx(720)
    assert backoff(Attempts(10000, 0.0), MIDDLE) == 86400
    assert backoff(Attempts(1, 0.0, limited=True), MIDDLE) == 3600, "who was told that it is too often waits"


def test_what_cannot_be_written_is_a_failure(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    renewal = renewal_of(authority, tmp_path / "file" / "acme")
    with pytest.raises(IssueFailed, match=r"Not a directory|File exists"):
        renewal.renew(now, wait)
    assert renewal.due(now) == pytest.approx(now + 600), "though the failure cannot be recorded"


def test_an_authority_that_issues_nonsense_changes_nothing(
    authority: TestAuthority, now: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewal = renewal_of(authority, tmp_path)
    before = renewal.renew(now, wait)
    other = TestAuthority().make(NAMES)
    monkeypatch.setattr(authority, "make", lambda names, days: Made(other.certificate, authority_key()))
    with pytest.raises(IssueFailed, match="the new key is not the key of what was issued"):
        renewal.renew(now, wait)
    assert renewal.certificate() == before


def authority_key() -> bytes:
    return TestAuthority().make(["a.example"]).key


def test_who_is_stopped_has_not_failed(authority: TestAuthority, now: float, tmp_path: Path) -> None:
    class Over(Exception):
        pass

    def stop(seconds: float) -> None:
        raise Over

    renewal = renewal_of(authority, tmp_path)
    with pytest.raises(Over):
        renewal.renew(now, stop)
    assert renewal.due(now) == now
    with pytest.raises(CertificateUnusable):
        read_certificate(renewal.path)
