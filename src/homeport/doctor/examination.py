"""Examination: all checks, one after the other; and what comes of it for people, for programs and as an exit code.

0   all is well, or there are notes
1   there are warnings
2   there are errors
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .case import Case
from .checks import certificate, filters, outside, ports, resources, surroundings
from .finding import Finding, Severity
from .text import Colour, painted, wrapped

Check = Callable[[Case], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    ports.running,
    ports.control,
    ports.passive,
    ports.active,
    filters.firewall,
    filters.gateway,
    outside.external,
    outside.router,
    surroundings.container,
    surroundings.cloud,
    certificate.certificate,
    resources.descriptors,
    resources.disks,
)

_SIGNS = {Severity.OK: "ok", Severity.NOTE: "note", Severity.WARNING: "warning", Severity.ERROR: "error"}
_COLOURS = {
    Severity.OK: Colour.GOOD,
    Severity.NOTE: Colour.QUIET,
    Severity.WARNING: Colour.DOUBTFUL,
    Severity.ERROR: Colour.BAD,
}
_MARGIN = " " * 9


def examine(case: Case, checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """What all *checks* find."""
    return tuple(finding for check in checks for finding in check(case))


def worst(findings: Iterable[Finding]) -> Severity:
    return max((finding.severity for finding in findings), default=Severity.OK)


def exit_code(findings: Iterable[Finding]) -> int:
    return {Severity.WARNING: 1, Severity.ERROR: 2}.get(worst(findings), 0)


def report(findings: Sequence[Finding], *, colour: bool = False) -> str:
    """For people, LF at the end of each line: in the order of the checks, and at the end how many there are of what."""
    parts = [_one(finding, colour=colour) for finding in findings]
    counts = [
        f"{count} {name}{'s' if count > 1 else ''}"
        for severity, name in ((Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "note"))
        if (count := sum(finding.severity is severity for finding in findings))
    ]
    parts.append("\n" + (", ".join(counts) if counts else "All is well") + ".\n")
    return "".join(parts)


def as_objects(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """For `json.dumps`."""
    return [
        {
            "check": finding.check,
            "severity": _SIGNS[finding.severity],
            "seen": finding.seen,
            "meaning": finding.meaning,
            "cures": list(finding.cures),
        }
        for finding in findings
    ]


def _one(finding: Finding, *, colour: bool) -> str:
    sign = painted(f"{_SIGNS[finding.severity]:<7}", _COLOURS[finding.severity], on=colour)
    text = sign + "  " + wrapped(finding.seen, _MARGIN, _MARGIN)[len(_MARGIN) :]
    if finding.meaning:
        text += wrapped(finding.meaning, _MARGIN)
    return text + "".join(wrapped(cure, f"{_MARGIN}  ", f"{_MARGIN}* ") for cure in finding.cures)
