"""The conformance catalogue: reads it, joins it with the tests' outcomes, and writes docs/conformance.md.

    python tools/conformance.py            write docs/conformance.md
    python tools/conformance.py --check    fail if a must-row in scope is open without a reason, or a record is stale

Three sources: the catalogue itself (docs/standards/CONFORMANCE.md), the outcomes that `pytest --standards FILE`
recorded for tests marked `@pytest.mark.standard(id, ...)`, and the reasons why a row is not proven
(docs/standards/reasons.toml). A row of section 23 (the common mistakes) is proven when the rows that it names are.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "docs/standards/CONFORMANCE.md"
REASONS = ROOT / "docs/standards/reasons.toml"
OUTCOMES = ROOT / "build/standards.json"
PAGE = ROOT / "docs/conformance.md"

DOCUMENTS = {
    "959": "RFC 959",
    "TEL": "Telnet (RFC 854/855/1123)",
    "1123": "RFC 1123",
    "1579": "RFC 1579",
    "1635": "RFC 1635",
    "1639": "RFC 1639",
    "949": "RFC 949",
    "775": "RFC 775",
    "2228": "RFC 2228",
    "2389": "RFC 2389",
    "2428": "RFC 2428",
    "2577": "RFC 2577",
    "2640": "RFC 2640",
    "3659": "RFC 3659",
    "4217": "RFC 4217",
    "TLS": "TLS (RFC 8446/5246/9325)",
    "4823": "RFC 4823",
    "5797": "RFC 5797",
    "6384": "RFC 6384",
    "7151": "RFC 7151",
    "HASH": "draft HASH",
    "RANG": "draft RANG",
    "MFXX": "draft MFMT/MFCT/MFF",
    "MODEZ": "draft MODE Z",
    "STRM": "draft streamlined",
    "UTF8O": "draft UTF-8 option",
    "PROXY": "PROXY protocol",
    "NATPMP": "RFC 6886",
    "PCP": "RFC 6887",
    "UPNP": "UPnP IGD (RFC 6970, SCPD)",
    "X": "Contradictions",
    "D": "Client deviations",
    "W": "Common mistakes",
}
"""The first part of an id, and the document it stands for, named as in the catalogue's own table of counts."""

_SCOPE = "959 2228 4217 TLS TEL 1123 1579 1635 949 775 2389 2428 2577 2640 3659 5797 6384 7151 MFXX STRM D"
IN_SCOPE = frozenset(_SCOPE.split(" "))
"""The documents of which no must-row may be open without a reason."""

_BINDING = re.compile(r"(?i:must|shall|required)\b")
_ID = re.compile(r"\A(?:[0-9]+|[A-Z]+[0-9]?[A-Z]*)-\S+\Z")
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue. `level` is empty in sections 21 and 23, which demand nothing themselves."""

    id: str
    level: str
    requirement: str
    names: tuple[str, ...] = ()
    """The rows that a common mistake names."""

    @property
    def document(self) -> str:
        return DOCUMENTS[self.prefix]

    @property
    def prefix(self) -> str:
        return self.id.partition("-")[0]

    @property
    def binding(self) -> bool:
        """Whether its document demands it of every server: must, shall, and what real clients depend on."""
        return bool(_BINDING.match(self.level)) or self.level == "practice"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a row stands. `note` are the tests that prove it, or the reason why none does."""

    row: Row
    state: str
    note: str


class CatalogueError(Exception):
    """The catalogue, the reasons or the outcomes do not fit each other."""


def read_catalogue(text: str) -> dict[str, Row]:
    """The rows by id, in their order. CatalogueError for an id that appears twice or has no known document."""
    rows: dict[str, Row] = {}
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("| "):
            continue
        cells = [cell.strip() for cell in _CELLS.split(line)[1:-1]]
        if cells[0] == "ID":
            header = cells
        elif _ID.match(cells[0]):
            row = _row(dict(zip(header, cells, strict=True)))
            if row.id in rows:
                raise CatalogueError(f"{row.id} is in the catalogue twice")
            if row.prefix not in DOCUMENTS:
                raise CatalogueError(f"{row.id}: no document has the prefix {row.prefix}")
            rows[row.id] = row
    return rows


def _row(cells: Mapping[str, str]) -> Row:
    name = cells["ID"]
    if "Level" in cells:
        return Row(name, cells["Level"], _short(cells["Requirement on the server"]))
    if "Command" in cells:
        # The command-reply table (§5.4) has no level: all of it must be adhered to.
        codes = "; ".join(
            cells[column]
            for column in ("1yz first", "Success", "Intermediate", "Failure after 1yz", "Failure, direct")
            if cells[column] != "-"
        )
        return Row(name, "must", f"{cells['Command']} is answered by: {codes}")
    if "What to do" in cells:
        return Row(name, "practice", f"{cells['Topic']}: {_short(cells['What to do'])}")
    if "Rows" in cells:
        return Row(name, "", _short(cells["Typical mistake"]), tuple(cells["Rows"].replace(" ", "").split(",")))
    return Row(name, "", f"{cells['Topic']}: {_short(cells['Resolution for this project'])}")


def _short(text: str) -> str:
    """The first sentence."""
    return re.split(r"(?<=[a-z0-9)`\"])[.;](?=\s)", text, maxsplit=1)[0].rstrip(".") + "."


def read_counts(text: str) -> dict[str, int]:
    """The catalogue's own count of rows per document, against which the reading of it can be checked."""
    return {name: int(count) for name, count in re.findall(r"^\| ([^|]+?) \| (\d+) \|$", text, re.MULTILINE)}


def read_reasons(text: str) -> dict[str, dict[str, str]]:
    """Per group ("not offered", "not applicable", "open"): id or pattern (`MODEZ-*`) -> reason."""
    groups = tomllib.loads(text)
    reasons: dict[str, dict[str, str]] = {}
    for name, group in groups.items():
        if name.replace("-", " ") not in {"not offered", "not applicable", "open"}:
            raise CatalogueError(f"reasons.toml: no group is called {name!r}")
        reasons[name.replace("-", " ")] = {str(key): str(reason) for key, reason in group.items()}
    return reasons


def judge(
    rows: Mapping[str, Row], outcomes: Mapping[str, Sequence[tuple[str, str]]], reasons: Mapping[str, Mapping[str, str]]
) -> list[Status]:
    """Where each row stands: proven, failing, not offered, not applicable, or open."""
    states: dict[str, Status] = {}
    for row in rows.values():
        if not row.names:
            states[row.id] = _judge_one(row, outcomes.get(row.id, ()), reasons)
    for row in rows.values():
        if row.names:
            states[row.id] = _judge_mistake(row, [states[name] for name in row.names])
    return [states[name] for name in rows]


def _judge_mistake(row: Row, named: Sequence[Status]) -> Status:
    missing = [status.row.id for status in named if status.state in {"open", "failing"}]
    if missing:
        return Status(row, "open", f"waits for {', '.join(missing)}")
    proven = [status.row.id for status in named if status.state == "proven"]
    return Status(row, "proven", f"by {', '.join(proven)}") if proven else Status(row, named[0].state, named[0].note)


def _judge_one(row: Row, outcomes: Sequence[tuple[str, str]], reasons: Mapping[str, Mapping[str, str]]) -> Status:
    tests = sorted({nodeid.partition("[")[0] for nodeid, _ in outcomes})
    if any(outcome == "failed" for _, outcome in outcomes):
        return Status(row, "failing", _listed(tests))
    if any(outcome == "passed" for _, outcome in outcomes):
        return Status(row, "proven", _listed(tests))
    for group, of_group in reasons.items():
        for pattern, reason in of_group.items():
            if fnmatchcase(row.id, pattern):
                return Status(row, group, reason)
    return Status(row, "open", "its tests were skipped" if tests else "no test yet")


def _listed(tests: Sequence[str]) -> str:
    shown = ", ".join(f"`{test.removeprefix('tests/')}`" for test in tests[:3])
    return f"{shown} and {len(tests) - 3} more" if len(tests) > 3 else shown


def faults(
    statuses: Iterable[Status],
    rows: Mapping[str, Row],
    outcomes: Mapping[str, Sequence[tuple[str, str]]],
    reasons: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """What `--check` objects to, one sentence each."""
    found = [
        f"{name}: a test is marked with it, and the catalogue has no such row" for name in outcomes if name not in rows
    ]
    for group, of_group in reasons.items():
        for pattern in of_group:
            if not any(fnmatchcase(name, pattern) for name in rows):
                found.append(f"{pattern}: {group} in reasons.toml, and the catalogue has no such row")
            elif pattern in rows and outcomes.get(pattern):
                found.append(f"{pattern}: {group} in reasons.toml, and yet tests are marked with it")
    for status in statuses:
        row = status.row
        if status.state == "failing":
            found.append(f"{row.id}: a test that proves it fails: {status.note}")
        elif status.state == "open" and row.binding and row.prefix in IN_SCOPE:
            found.append(f"{row.id} ({row.level}) is open: {row.requirement}")
    return found


STATES = ("proven", "not offered", "not applicable", "open", "failing")


def page(statuses: Sequence[Status]) -> str:
    """docs/conformance.md."""
    lines = [
        "# Conformance",
        "",
        "Every requirement of the [catalogue](standards/CONFORMANCE.md), and the tests that prove it.",
        "`make conformance` writes this page from the outcome of a whole test run; nothing in it is written by hand.",
        "A row that no test proves says why: the feature is not offered, the row does not apply, or it is still open.",
        "The level *practice* stands for behaviour that no standard asks for and real clients depend on.",
        "",
        "| Document | Rows | Binding | " + " | ".join(state.capitalize() for state in STATES) + " |",
        "|---|" + "---:|" * (2 + len(STATES)),
    ]
    for document in DOCUMENTS.values():
        of_document = [status for status in statuses if status.row.document == document]
        lines.append(_counts(f"[{document}](#{_anchor(document)})", of_document))
    lines.append(_counts("All", statuses))
    for document in DOCUMENTS.values():
        lines += [
            "",
            f"## {document}",
            "",
            "| Row | Level | Requirement | State | By, or why not |",
            "|---|---|---|---|---|",
        ]
        lines += [_line(status) for status in statuses if status.row.document == document]
    return "\n".join(lines) + "\n"


def _line(status: Status) -> str:
    row = status.row
    return f"| {row.id} | {row.level or '-'} | {row.requirement} | {status.state} | {status.note} |"


def _counts(name: str, statuses: Sequence[Status]) -> str:
    counts = [sum(status.state == state for status in statuses) for state in STATES]
    binding = sum(status.row.binding for status in statuses)
    return f"| {name} | {len(statuses)} | {binding} | " + " | ".join(str(count or "") for count in counts) + " |"


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def read_outcomes(text: str) -> dict[str, list[tuple[str, str]]]:
    """What `pytest --standards` wrote: id -> [(test, outcome), ...]."""
    return {name: [(nodeid, outcome) for nodeid, outcome in tests] for name, tests in json.loads(text).items()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail for open must-rows and stale records")
    parser.add_argument("--outcomes", type=Path, default=OUTCOMES, help="what pytest --standards wrote")
    options = parser.parse_args(arguments)
    rows = read_catalogue(CATALOGUE.read_text("utf-8"))
    reasons = read_reasons(REASONS.read_text("utf-8"))
    try:
        outcomes = read_outcomes(options.outcomes.read_text("utf-8"))
    except FileNotFoundError:
        print(f"{options.outcomes} is missing: run the tests with --standards first", file=sys.stderr)
        return 2
    statuses = judge(rows, outcomes, reasons)
    found = faults(statuses, rows, outcomes, reasons)
    if options.check:
        for fault in found:
            print(fault, file=sys.stderr)
        proven = sum(status.state == "proven" for status in statuses)
        print(f"conformance: {proven} of {len(statuses)} rows proven, {len(found)} faults")
        return 1 if found else 0
    PAGE.write_text(page(statuses), "utf-8")
    print(f"{PAGE.relative_to(ROOT)} written; --check would find {len(found)} faults")
    return 0


if __name__ == "__main__":
    sys.exit(main())
