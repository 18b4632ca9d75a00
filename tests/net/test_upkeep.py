"""Upkeep: renewals and warnings while time is moved by hand, and its thread that ends when it is told."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from homeport.net.background import Background
from homeport.net.renewal import Issued, IssueFailed, Renewal, Wait
from homeport.net.selfsigned import make_own_certificate, own_paths
from homeport.net.store import CertificateStore, Pair, Source
from homeport.net.upkeep import Upkeep, threshold_of

from .authority import TestAuthority

NAMES = ("ftp.example.net",)
DAY = 86400.0


def wait(seconds: float) -> None:
    """Time is moved by the test."""


class Bench:
    """An upkeep with all that it looks after."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = TestAuthority()
        self.now = self.authority.now.timestamp()
        self.warnings: list[str] = []
        self.stores: list[CertificateStore] = []

    def acme(self) -> Upkeep:
        """With ACME, and the self-signed certificate that is shown until there is another."""
        make_own_certificate(str(self.directory), ["localhost"])
        self.renewal = Renewal(self.authority, NAMES, str(self.directory / "acme"), chance=lambda: 0.5)
        own = Pair(*own_paths(str(self.directory)), Source.SELF_SIGNED)
        return self.upkeep(self.renewal, Pair(self.renewal.path, None, Source.ACME), own)

    def upkeep(self, renewal: Renewal | None, *pairs: Pair) -> Upkeep:
        store = CertificateStore(pairs, self.warnings.append)
        self.stores.append(store)
        return Upkeep(store, renewal, self.warnings.append, lambda: self.now)

    @property
    def shown(self) -> str:
        """Where the certificate comes from that a client is shown."""
        return self.stores[-1].statuses(self.authority.now)[0].source.value

    def take(self) -> list[str]:
        warnings = self.warnings[:]
        self.warnings.clear()
        return warnings


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for store in bench.stores:
        store.close()


def test_the_first_step_asks_and_the_store_shows_it(bench: Bench) -> None:
    upkeep = bench.acme()
    assert bench.shown == "self-signed"
    assert upkeep.step(wait) == 3600
    assert bench.shown == "ACME"
    assert bench.take() == []


def test_a_whole_year_of_steps(bench: Bench) -> None:
    """Every renewal comes in the last third of a life, and none is missed."""
    upkeep = bench.acme()
    begun = bench.now
    issued_at = []
    while bench.now < begun + 365 * DAY:
        before = len(bench.authority.asked)
        seconds = upkeep.step(wait)
        if len(bench.authority.asked) > before:
            issued_at.append((bench.now - begun) / DAY)
        slept = seconds if seconds < 3600 else 6 * 3600.0  # a machine that is suspended most of the time
        bench.now += slept
        bench.authority.now += timedelta(seconds=slept)
    assert bench.take() == []
    lives = [later - earlier for earlier, later in itertools.pairwise(issued_at)]
    assert len(issued_at) in (6, 7)
    assert all(60 <= life <= 61.8 for life in lives)


def test_a_failure_is_told_with_what_comes_next(bench: Bench) -> None:
    bench.authority.failures = [IssueFailed("the authority is asleep"), IssueFailed("it still is")]
    upkeep = bench.acme()
    assert upkeep.step(wait) == pytest.approx(600)
    (first,) = bench.take()
    assert first.startswith("No certificate for ftp.example.net: the authority is asleep. It is tried again at 20")
    assert first.endswith("until then clients see another certificate.")
    bench.now += 300
    assert upkeep.step(wait) == pytest.approx(300), "nobody is asked in between"
    assert len(bench.authority.asked) == 1
    bench.now += 300
    assert upkeep.step(wait) == pytest.approx(1200)
    bench.take()
    bench.now += 1200
    upkeep.step(wait)
    assert bench.shown == "ACME"
    assert len(bench.authority.asked) == 3
    assert bench.take() == []


def test_a_failed_renewal_says_how_much_time_is_left(bench: Bench) -> None:
    upkeep = bench.acme()
    upkeep.step(wait)
    bench.now += 62 * DAY
    bench.authority.failures = [IssueFailed("no")]
    upkeep.step(wait)
    (text,) = bench.take()
    assert text.endswith("in 28 days.")
    assert bench.shown == "ACME", "the old one is shown meanwhile"


# -- warnings --------------------------------------------------------------------------------------------------


def test_what_nobody_renews_is_warned_about_once_for_each_threshold(bench: Bench) -> None:
    pair = Pair(*bench.authority.make(NAMES, days=90).write(bench.directory, "one"), Source.CONFIGURED)
    upkeep = bench.upkeep(None, pair)
    told = []
    for hour in range(92 * 24):
        upkeep.step(wait)
        told += [(hour // 24, text) for text in bench.take()]
        bench.now += 3600
    assert [day for day, _ in told] == [60, 76, 83, 89, 90]
    assert "in 30 days. Put a new one in its place" in told[0][1]
    assert "in 7 days." in told[2][1]
    assert "in 1 day." in told[3][1]
    assert "ran out on" in told[4][1]
    assert pair.certificate in told[0][1]


def test_a_new_file_ends_the_warnings(bench: Bench) -> None:
    pair = Pair(*bench.authority.make(NAMES, days=5).write(bench.directory, "one"), Source.CONFIGURED)
    upkeep = bench.upkeep(None, pair)
    upkeep.warn_of_expiry()
    assert len(bench.take()) == 1
    bench.authority.make(NAMES, days=90).write(bench.directory, "one")
    upkeep.step(wait)
    upkeep.step(wait)
    assert bench.take() == []


def test_a_self_signed_one_has_another_cure(bench: Bench) -> None:
    make_own_certificate(str(bench.directory), ["localhost"])
    upkeep = bench.upkeep(None, Pair(*own_paths(str(bench.directory)), Source.SELF_SIGNED))
    bench.now += (3650 - 10) * DAY
    upkeep.warn_of_expiry()
    (text,) = bench.take()
    assert "homeport cert self-signed" in text


@pytest.mark.parametrize(
    ("days", "threshold"),
    [(31, None), (30.1, None), (30, 30), (14.5, 30), (14, 14), (7, 7), (1.5, 7), (1, 1), (0.1, 1), (0, 0), (-5, 0)],
)
def test_thresholds(days: float, threshold: int | None) -> None:
    assert threshold_of(timedelta(days=days)) == threshold


# -- the thread ----------------------------------------------------------------------------------------------------


def test_the_thread_ends_while_it_sleeps(bench: Bench) -> None:
    background = Background("homeport-certificates", bench.acme())
    background.start()
    assert eventually(lambda: bench.shown == "ACME")
    assert background.stop(5)


def test_the_thread_ends_while_it_waits_for_the_authority(bench: Bench) -> None:
    upkeep = bench.acme()
    waiting = threading.Event()

    class Slow(TestAuthority):
        def issue(self, names: tuple[str, ...], wait: Wait) -> Issued:
            waiting.set()
            wait(3600)
            raise AssertionError("it was to be stopped")

    upkeep._renewal = Renewal(Slow(), NAMES, str(bench.directory / "acme"))
    background = Background("homeport-certificates", upkeep)
    background.start()
    assert waiting.wait(5)
    assert background.stop(5)
    assert bench.take() == []


def eventually(condition: object) -> bool:
    """Whether *condition* becomes true within ten seconds."""
    assert callable(condition)
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return True
        pause.wait(0.005)
    return False
