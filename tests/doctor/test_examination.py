"""All checks together: the report is golden, and the exit code follows the worst."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from homeport.doctor.examination import CHECKS, as_objects, examine, exit_code, report, worst
from homeport.doctor.finding import Finding, Severity
from homeport.doctor.machine import Ran

from .cases import LAN, RUNNING, MadeUp, case, with_router
from .checks.test_filters import ONLY_21
from .checks.test_outside import ROUTER
from .goldens import compare

ILL = MadeUp(
    files={"/.dockerenv": "", "/sys/class/dmi/id/sys_vendor": "Hetzner\n"},
    programs={"iptables-save": Ran(0, ONLY_21, "")},
    unreached={(LAN, 50003): "connection refused"},
    unbound="Permission denied",
    disks={"/var/lib/homeport": (0, 10**12)},
    files_limit=(256, 256),
)


def test_a_report_of_a_healthy_server() -> None:
    options = {"data": {"passive_ports": "50000-50009"}}
    compare("healthy.doctor.txt", report(examine(case(running=with_router(ROUTER), options=options))))


def test_a_report_of_an_ill_one() -> None:
    ill = case(ILL, running=replace(RUNNING, external="10.0.0.7"))
    compare("ill.doctor.txt", report(examine(ill)))


def test_a_report_of_a_configuration_alone() -> None:
    compare("alone.doctor.txt", report(examine(case(running=None))))


@pytest.mark.parametrize(
    ("severities", "code"),
    [
        ([], 0),
        ([Severity.OK, Severity.NOTE], 0),
        ([Severity.WARNING, Severity.OK], 1),
        ([Severity.WARNING, Severity.ERROR, Severity.NOTE], 2),
    ],
)
def test_exit_codes(severities: list[Severity], code: int) -> None:
    findings = [Finding("x", severity, "y") for severity in severities]
    assert exit_code(findings) == code
    assert worst(findings) is max(severities, default=Severity.OK)


def test_json() -> None:
    found = json.loads(json.dumps(as_objects(examine(case(ILL)))))
    shut = next(one for one in found if one["check"] == "firewall")
    assert shut["severity"] == "error"
    assert shut["cures"] == ["Let them in: `homeport firewall` prints the rules."]
    assert set(shut) == {"check", "severity", "seen", "meaning", "cures"}


def test_whatever_is_not_well_has_a_meaning_or_a_cure() -> None:
    for finding in examine(case(ILL)):
        assert finding.severity is Severity.OK or finding.meaning or finding.cures, finding


def test_colours() -> None:
    found = examine(case(ILL))
    assert "\x1b[31merror" in report(found, colour=True)
    assert "\x1b" not in report(found)


def test_all_is_well() -> None:
    assert report([Finding("x", Severity.OK, "Good.")]).endswith("\nAll is well.\n")


def test_every_check_is_in_the_list() -> None:
    """A check that nobody calls finds nothing."""
    folder = Path(__file__).parent.parent.parent / "src/homeport/doctor/checks"
    public = {
        line.removeprefix("def ").partition("(")[0]
        for path in folder.glob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("def ") and "(case: Case) -> Iterator[Finding]:" in line and not line.startswith("def _")
    }
    assert public == {check.__name__ for check in CHECKS}
