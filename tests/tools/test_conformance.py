"""The reading of the catalogue, the judgement of its rows, and what --check objects to."""

from __future__ import annotations

import pytest

import conformance
from conformance import CatalogueError, Row, judge

SAMPLE = """
| ID | Level | Requirement on the server | Commands and replies | How a black-box test sees it |
|---|---|---|---|---|
| 959-1-A | must | Say `a\\|b`. And more. | - | = |
| 959-1-B | may | Perhaps. | - | = |
| MODEZ-1 | MUST | Deflate. | - | = |

| ID | Rows | Typical mistake |
|---|---|---|
| W-01 | 959-1-A, 959-1-B | Silence. |
"""


def states(outcomes: dict[str, list[tuple[str, str]]], reasons: dict[str, dict[str, str]]) -> dict[str, str]:
    rows = conformance.read_catalogue(SAMPLE)
    return {status.row.id: status.state for status in judge(rows, outcomes, reasons)}


def faults(outcomes: dict[str, list[tuple[str, str]]], reasons: dict[str, dict[str, str]]) -> list[str]:
    rows = conformance.read_catalogue(SAMPLE)
    return conformance.faults(judge(rows, outcomes, reasons), rows, outcomes, reasons)


def test_the_whole_catalogue_is_read() -> None:
    text = conformance.CATALOGUE.read_text("utf-8")
    counts = conformance.read_counts(text)
    rows = conformance.read_catalogue(text).values()
    for document in conformance.DOCUMENTS.values():
        assert sum(row.document == document for row in rows) == counts[document], document


def test_the_mistakes_name_rows_that_exist() -> None:
    rows = conformance.read_catalogue(conformance.CATALOGUE.read_text("utf-8"))
    assert {name for row in rows.values() for name in row.names} <= rows.keys()


def test_the_reasons_fit_the_catalogue() -> None:
    rows = conformance.read_catalogue(conformance.CATALOGUE.read_text("utf-8"))
    reasons = conformance.read_reasons(conformance.REASONS.read_text("utf-8"))
    assert not [fault for fault in conformance.faults([], rows, {}, reasons) if "no such row" in fault]


def test_a_row_is_read_with_its_first_sentence() -> None:
    rows = conformance.read_catalogue(SAMPLE)
    assert list(rows) == ["959-1-A", "959-1-B", "MODEZ-1", "W-01"]
    assert rows["959-1-A"] == Row("959-1-A", "must", "Say `a\\|b`.")
    assert rows["959-1-A"].binding
    assert not rows["959-1-B"].binding
    assert rows["W-01"].names == ("959-1-A", "959-1-B")


@pytest.mark.parametrize(
    ("level", "binding"),
    [
        ("must", True),
        ("MUST NOT", True),
        ("SHALL", True),
        ("practice", True),
        ("should", False),
        ("MAY", False),
        ("", False),
    ],
)
def test_which_levels_bind(level: str, binding: bool) -> None:
    assert Row("959-1-A", level, "").binding is binding


def test_an_id_may_not_appear_twice() -> None:
    with pytest.raises(CatalogueError, match="twice"):
        conformance.read_catalogue(SAMPLE + SAMPLE)


def test_an_unknown_document_is_refused() -> None:
    with pytest.raises(CatalogueError, match="prefix"):
        conformance.read_catalogue(SAMPLE.replace("MODEZ-1", "NOSUCH-1"))


def test_proven_failing_skipped_and_reasoned() -> None:
    passed, failed, skipped = (
        ("tests/a.py::t[1]", "passed"),
        ("tests/a.py::t[2]", "failed"),
        ("tests/b.py::u", "skipped"),
    )
    assert states({"959-1-A": [passed, skipped]}, {})["959-1-A"] == "proven"
    assert states({"959-1-A": [passed, failed]}, {})["959-1-A"] == "failing"
    assert states({"959-1-A": [skipped]}, {})["959-1-A"] == "open"
    assert states({}, {"not offered": {"MODEZ-*": "504"}})["MODEZ-1"] == "not offered"


def test_a_mistake_is_proven_by_the_rows_that_it_names() -> None:
    a, b = ("tests/a.py::t", "passed"), ("tests/a.py::u", "passed")
    assert states({"959-1-A": [a]}, {})["W-01"] == "open"
    assert states({"959-1-A": [a], "959-1-B": [b]}, {})["W-01"] == "proven"
    assert states({}, {"not offered": {"959-*": "no"}})["W-01"] == "not offered"


def test_check_objects_to_open_must_rows_in_scope_only() -> None:
    assert [fault.partition(" ")[0] for fault in faults({}, {})] == ["959-1-A"]
    assert [fault.partition(" ")[0] for fault in faults({}, {"open": {"959-1-A": "later"}})] == ["959-1-A"]
    assert not faults({}, {"not applicable": {"959-1-A": "no such thing here"}})
    assert not faults({"959-1-A": [("tests/a.py::t", "passed")]}, {})


def test_check_objects_to_what_is_stale() -> None:
    proven = {"959-1-A": [("tests/a.py::t", "passed")]}
    assert "no such row" in faults({**proven, "959-1-Z": [("tests/a.py::t", "passed")]}, {})[0]
    assert "no such row" in faults(proven, {"not offered": {"RANG-*": "no"}})[0]
    assert "yet tests" in faults(proven, {"not offered": {"959-1-A": "no"}})[0]
    assert "fails" in faults({"959-1-A": [("tests/a.py::t", "failed")]}, {})[0]


def test_reasons_have_three_groups_and_no_other() -> None:
    assert conformance.read_reasons('[not-offered]\n"A-1" = "x"\n') == {"not offered": {"A-1": "x"}}
    with pytest.raises(CatalogueError, match="sometimes"):
        conformance.read_reasons('[sometimes]\n"A-1" = "x"\n')


def test_the_page_counts_and_lists_every_row() -> None:
    rows = conformance.read_catalogue(SAMPLE)
    outcomes = {"959-1-A": [(f"tests/a.py::t{n}", "passed") for n in range(5)]}
    page = conformance.page(judge(rows, outcomes, {}))
    assert "| [RFC 959](#rfc-959) | 2 | 1 | 1 |  |  | 1 |  |" in page
    assert "| 959-1-A | must | Say `a\\|b`. | proven | `a.py::t0`, `a.py::t1`, `a.py::t2` and 2 more |" in page
    assert all(f"| {name} |" in page for name in rows)
