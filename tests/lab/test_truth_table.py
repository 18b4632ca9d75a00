"""The truth table: every mode in every scenario comes to what the table says, and the server names the true cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport.advice.causes import Cause, Side

from .clients import PROGRAMS, Mode
from .runs import Table, run_program
from .scenarios import SCENARIOS, Cell, Scenario

HELP = re.compile(r"\b([Uu]se|must let it in|does not forward it|come from the address)\b")
"""Every reply tells the client what to do, or what must be done."""
BY_NUMBER = {scenario.number: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.number)
def test_every_mode_comes_to_what_the_table_says(scenario: Scenario, tables: dict[str, Table | BaseException]) -> None:
    table = tables[scenario.number]
    if isinstance(table, BaseException):
        raise table
    for mode, expected in zip(Mode, scenario.cells, strict=True):
        found = table[mode]
        assert Cell(found.word, found.cause) == Cell(expected.word, expected.cause), (mode.value, found)
        assert expected.advice in found.advice, (mode.value, found)
        if expected.cause:
            assert found.side == side(scenario, mode, expected).value, (mode.value, found)
            assert found.reply.startswith("504 " if expected.word == "504" else "425 "), (mode.value, found)
            assert HELP.search(found.reply), (mode.value, found)
            assert "192.168.50.20" not in found.reply, "no inside address of the server is told to a stranger"


def side(scenario: Scenario, mode: Mode, cell: Cell) -> Side:
    """Who has to do something about it."""
    match cell.cause:
        case "nothing-arrived":
            translated = scenario.layout.server_side.translated and scenario.family == 4
            return Side.SERVER_ROUTER if translated else Side.SERVER
        case "private-announced":
            return Side.SERVER
        case "private-requested":
            return Side.CLIENT
        case "timed-out" | "stranger":
            return Side.CLIENT_ROUTER
    raise AssertionError(f"{mode.value}: nobody is named for {cell.cause}")


def test_every_scenario_is_there_once() -> None:
    assert len(BY_NUMBER) == len(SCENARIOS)
    assert all(len(scenario.cells) == len(Mode) for scenario in SCENARIOS)
    causes = {cell.cause for scenario in SCENARIOS for cell in scenario.cells if cell.cause}
    assert causes <= {cause.value for cause in Cause}


AGREED = [BY_NUMBER[number] for number in ("01", "03", "09", "11", "12", "15", "18", "19", "25", "42", "43")]
"""IPv4 only: over IPv6 both programs quietly use EPSV and EPRT, whatever they are told."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_real_clients_agree(name: str, program: Callable[[str], str], lab_allowed: None, tmp_path: Path) -> None:
    """curl and lftp get the file exactly where the table says that it can be got."""
    program(name)
    expected = {
        (scenario.number, mode): cell.word == "ok"
        for scenario in AGREED
        for mode, cell in zip(Mode, scenario.cells, strict=True)
    }
    found = run_program(AGREED, tmp_path, name)
    assert {key: whole for key, (whole, _) in found.items()} == expected, found
