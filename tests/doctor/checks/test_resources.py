from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homeport.doctor.checks import resources
from homeport.doctor.finding import Severity

from ..cases import RUNNING, MadeUp, case, one, severities

LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max open files            {}                 4096                 files
"""


@pytest.mark.parametrize(("soft", "severity"), [(1024, Severity.OK), (180, Severity.WARNING), (84, Severity.WARNING)])
def test_the_running_servers_own_limit_counts(soft: int, severity: Severity) -> None:
    machine = MadeUp(files={"/proc/4711/limits": LIMITS.format(soft)}, files_limit=(1, 1))
    (found,) = resources.descriptors(case(machine))
    assert found.severity is severity
    assert f"{soft} open files are allowed" in found.seen


def test_enough_for_many_is_a_note() -> None:
    machine = MadeUp(files_limit=(256, 1024))  # it is raised to the second by `homeport serve`
    found = one(resources.descriptors(case(machine, running=None)))
    assert found.severity is Severity.NOTE
    # 64 for the server itself, 20 ports on two addresses.
    assert f"{1024 - 64 - 40} idle sessions, or {(1024 - 64 - 40) // 3} transfers" in found.meaning
    assert "LimitNOFILE=30104" in found.cures[0]


def test_every_fifth_session_may_transfer() -> None:
    needed = 64 + 40 + 10_000 + 2 * 2_000
    for limit, severity in ((needed, Severity.OK), (needed - 1, Severity.NOTE)):
        (found,) = resources.descriptors(case(MadeUp(files_limit=(limit, limit)), running=None))
        assert found.severity is severity


@pytest.mark.parametrize("unlimited", [-1, 2**63 - 1])
def test_no_limit_at_all(unlimited: int) -> None:
    assert list(resources.descriptors(case(MadeUp(files_limit=(256, unlimited)), running=None))) == []


def test_a_system_without_such_a_limit() -> None:
    assert list(resources.descriptors(case(MadeUp(files_limit=None), running=replace(RUNNING, pid=1)))) == []


@pytest.mark.parametrize(
    ("space", "severity"),
    [
        ((10**12, 2 * 10**12), Severity.OK),
        ((0, 10**12), Severity.ERROR),
        ((5 * 10**7, 10**12), Severity.ERROR),
        ((5 * 10**9, 10**12), Severity.WARNING),
        # A small disk that is nearly empty.
        ((9 * 10**7, 10**8), Severity.WARNING),
    ],
)
def test_disks(space: tuple[int, int], severity: Severity) -> None:
    (found,) = resources.disks(case(MadeUp(disks={"/var/lib/homeport": space})))
    assert found.severity is severity


def test_every_place_is_looked_at(tmp_path: Path) -> None:
    home, public, logs = tmp_path / "bob", tmp_path / "public", tmp_path / "logs"
    for folder in (home, public, logs):
        folder.mkdir()
    full = (0, 10**12)
    machine = MadeUp(disks={str(home): full, str(public): full, str(logs): full})
    options = {
        "users": [{"name": "bob", "password": "plain:x", "home": str(home)}],
        "anonymous": {"enabled": True, "home": str(public)},
        "log": {"json_file": str(logs / "events.json")},
    }
    found = list(resources.disks(case(machine, options=options)))
    assert severities(found) == [Severity.ERROR] * 3
    assert [word for finding in found for word in ("bob", "anonymous", "events.json") if word in finding.seen] == [
        "bob", "anonymous", "events.json",
    ]  # fmt: skip


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    class Homeless(MadeUp):
        def space(self, path: str) -> tuple[int, int] | None:
            return None

    options = {"users": [{"name": "bob", "password": "plain:x", "home": str(tmp_path / "gone")}]}
    found = one(resources.disks(case(Homeless(), options=options)))
    assert found.severity is Severity.ERROR
    assert found.seen.startswith("The home of bob, ")
