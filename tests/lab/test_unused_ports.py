"""Clients that dial before they ask for the file, and go away if that fails: the server still names the cause."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from homeport.events.types import PassivePortUnused, SessionClosed

from .clients import PASSWORD, PROGRAMS, Mode
from .runs import ends_of, serving
from .scenarios import SCENARIOS

_BY_NUMBER = {scenario.number: scenario for scenario in SCENARIOS}
_SCRIPT = """
import ftplib, sys
client = ftplib.FTP()
client.trust_server_pasv_ipv4_address = True
client.connect(sys.argv[1], int(sys.argv[2]), timeout=1)
client.login(sys.argv[3], sys.argv[4])
client.nlst()
"""


@pytest.mark.parametrize("program", ["curl", "ftplib"])
@pytest.mark.parametrize("number", ["05", "11", "13", "44"])
def test_who_gives_up_without_asking_leaves_a_diagnosis(
    number: str, program: str, lab_allowed: None, tmp_path: Path
) -> None:
    scenario, mode = _BY_NUMBER[number], Mode.PASV
    with serving(scenario, tmp_path) as (lab, events):
        ends = ends_of(scenario, lab)
        if program == "curl":
            command = PROGRAMS["curl"](ends, mode)
        else:
            command = [sys.executable, "-c", _SCRIPT, ends.host, str(ends.port), mode.user, PASSWORD]
        assert lab.run(scenario.origin, command).returncode
    # The server has stopped, so the session is over.
    assert any(isinstance(event, SessionClosed) for event in events)
    found = [event for event in events if isinstance(event, PassivePortUnused)]
    cell = scenario.cells[list(Mode).index(mode)]
    assert [event.diagnosis for event in found] == [cell.cause]


def test_a_client_that_gets_its_file_leaves_none(lab_allowed: None, tmp_path: Path) -> None:
    scenario = _BY_NUMBER["07"]
    with serving(scenario, tmp_path) as (lab, events):
        assert not lab.run(scenario.origin, PROGRAMS["curl"](ends_of(scenario, lab), Mode.EPSV)).returncode
    assert not [event for event in events if isinstance(event, PassivePortUnused)]
