from __future__ import annotations

import subprocess
import sys

import pytest

from homeport.server.descriptors import Descriptors, needed, raise_limit, shortage

resource = pytest.importorskip("resource")


def test_what_a_limit_is_enough_for() -> None:
    there = Descriptors(1064, 100)
    assert there.sessions == 900
    assert there.transfers == 300
    # Every fifth of 600 transfers something: 600 + 2 * 120 = 840; of 650 it would be 910.
    assert there.carry(600)
    assert not there.carry(650)
    assert Descriptors(50, 100).sessions == Descriptors(50, 100).transfers == 0
    assert Descriptors(needed(1234, 20), 20).transfers == 1234


def test_a_shortage_is_one_sentence_with_its_cure() -> None:
    assert shortage(None, 10**6, 20) is None
    assert shortage(100_000, 10_000, 20) is None
    assert shortage(4096, 10_000, 40) == (
        "limits.sessions is 10000, but the 4096 open files that are allowed are enough for 3992 sessions, or 1330 "
        "transfers. Allow more (LimitNOFILE= of the service, ulimit -Hn), or let limits.sessions be smaller."
    )


def test_workers_have_as_many_each() -> None:
    assert shortage(4096, 10_000, 40, workers=2) is not None
    assert shortage(4096, 10_000, 40, workers=4) is None


def limits_of(code: str, soft: int, hard: int) -> str:
    """What *code* prints in a process with these limits."""
    shell = f'ulimit -S -n {soft} && ulimit -H -n {hard} && exec "$0" -c "$1"'
    done = subprocess.run(["/bin/sh", "-c", shell, sys.executable, code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


RAISE = """
import resource
from homeport.server.descriptors import raise_limit
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(100, 300), (300, 300)])
def test_the_soft_limit_becomes_the_hard_one(soft: int, hard: int) -> None:
    assert limits_of(RAISE, soft, hard) == f"{hard} {hard} {hard}"


def test_where_there_is_no_hard_limit_it_is_as_much_as_is_surely_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, which refuses what it has told."""
    given = []

    def refuse(_: int, limits: tuple[int, int]) -> None:
        if limits[0] == resource.RLIM_INFINITY:
            raise ValueError("current limit exceeds maximum limit")
        given.append(limits)

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == 10240
    assert given == [(10240, resource.RLIM_INFINITY)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (50_000, resource.RLIM_INFINITY))
    assert raise_limit() == 50_000
    assert len(given) == 1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert raise_limit() is None
    assert len(given) == 1


def test_a_system_without_such_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert raise_limit() is None
