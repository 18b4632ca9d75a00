"""docs/connections.md is what the scenarios of the lab say, and every cause in it is explained."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.lab.clients import Mode
from tests.lab.scenarios import SCENARIOS, Scenario

import connections
import lab_pictures
from sequence import Line

PAGE = connections.PAGE.read_text("utf-8")


def test_the_committed_table_and_pictures_are_those_of_the_scenarios() -> None:
    assert connections.stale() == [], "run tools/connections.py"


def test_every_line_and_mode_is_in_the_table() -> None:
    lines = [line for line in connections.table().splitlines() if re.match(r"\| \d\d ", line)]
    assert [line[2:4] for line in lines] == [scenario.number for scenario in sorted_by_group()]
    assert {line.count("|") for line in lines} == {len(Mode) + 3}


def sorted_by_group() -> list[Scenario]:
    groups = list(dict.fromkeys(scenario.group for scenario in SCENARIOS))
    return sorted(SCENARIOS, key=lambda scenario: groups.index(scenario.group))


def test_every_link_in_the_page_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - anchors == set()


def test_every_picture_is_shown_and_every_one_shown_is_there() -> None:
    assert set(re.findall(r"\]\(pictures/(.+?)\.svg\)", PAGE)) == set(lab_pictures.SHOWN)


def test_the_lines_that_the_text_speaks_of_are_there() -> None:
    spoken = set(re.findall(r"\b[Ll]ines? (\d+)", PAGE)) | set(re.findall(r"\b[Ll]ines \d+ and (\d+)", PAGE))
    assert spoken
    assert {number.zfill(2) for number in spoken} <= {scenario.number for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.number)
def test_a_picture_of_every_cell_can_be_drawn_and_stops_where_the_cell_fails(scenario: Scenario) -> None:
    for mode, cell in zip(Mode, scenario.cells, strict=True):
        if cell.word in ("522", "504"):
            continue  # nobody dials
        picture = lab_pictures.picture(scenario, mode, "a < b & c")
        drawn = ET.fromstring(picture.svg())
        assert drawn.find("{http://www.w3.org/2000/svg}title") is not None
        ends = [step.line for step in picture.steps if step.line is not Line.SAY]
        assert ends == [Line.DATA if cell.word == "ok" else Line.FAIL], mode
        assert all(0 <= place < len(picture.places) for step in picture.steps for place in (step.begin, step.end))


def results(scenario: Scenario, word: str) -> dict[str, dict[str, dict[str, str]]]:
    """A run in which all is as expected, but for the EPSV of *scenario*."""
    return {
        one.number: {
            mode.name: {"word": word if (one, mode) == (scenario, Mode.EPSV) else cell.word, "cause": cell.cause}
            for mode, cell in zip(Mode, one.cells, strict=True)
        }
        for one in SCENARIOS
    }


def test_a_run_that_is_not_as_expected_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = results(SCENARIOS[0], "timeout")
    assert list(connections.differences(run)) == ["01 EPSV: timeout: , not ok: "]
    file = tmp_path / "run.json"
    file.write_text(json.dumps(run))
    assert connections.main(["--results", str(file)]) == 1
    assert "01 EPSV" in capsys.readouterr().err


def test_a_page_without_a_place_for_the_table_is_told() -> None:
    with pytest.raises(connections.StaleError, match="no place for the table"):
        connections.with_table("# A page\n", connections.table())


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = f"before\n{connections.BEGIN}\nold\n{connections.END}\nafter\n"
    assert connections.with_table(page, "new") == f"before\n{connections.BEGIN}\nnew\n{connections.END}\nafter\n"


def test_what_is_stale_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(connections, "table", lambda: "another table")
    assert connections.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/connections.md is stale: run tools/connections.py"
