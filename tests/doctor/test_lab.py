"""The probe in the lab of real routers: the diagnosis of a client must name the true cause, too."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import pytest
from tests.advice.namespaces import available
from tests.lab.clients import PASSWORD
from tests.lab.namespaces import sweep
from tests.lab.runs import ends_of, serving
from tests.lab.scenarios import SCENARIOS

from homeport.advice.causes import Cause, Side
from homeport.doctor.probe import Wishes, probe
from homeport.doctor.survey import State, View
from homeport.doctor.target import Target

TIMEOUT = 0.8
"""More than the routers, which are on the same machine, need by far."""
WARM = 10.0

Found = tuple[State, Cause | None, Side | None]
OK: Found = (State.WORKS, None, None)
FILTERED: Found = (State.FAILS, Cause.TIMED_OUT, Side.SERVER)
UNFORWARDED: Found = (State.FAILS, Cause.REFUSED, Side.SERVER)
"""Seen from outside, a router that does not forward and a firewall that rejects are one."""
INSIDE: Found = (State.LENIENT, Cause.PRIVATE_ANNOUNCED, Side.SERVER)
WRONG: Found = (State.LENIENT, Cause.WRONG_ANNOUNCED, Side.SERVER)
PRIVATE: Found = (State.FAILS, Cause.PRIVATE_REQUESTED, Side.CLIENT)

EXPECTED: dict[str, dict[str, Found]] = {
    "01": {"PASV": OK, "EPSV": OK, "PORT": OK, "EPRT": OK},
    "03": {"PASV": OK, "EPSV": OK, "PORT": OK, "EPRT": OK},
    "05": {"PASV": FILTERED, "EPSV": FILTERED, "PORT": OK, "EPRT": OK},
    "09": {
        "PASV": (State.FAILS, Cause.PRIVATE_ANNOUNCED, Side.SERVER),
        "EPSV": (State.FAILS, Cause.REFUSED, Side.SERVER_ROUTER),
        "PORT": OK,
        "EPRT": OK,
    },
    "13": {"PASV": UNFORWARDED, "EPSV": UNFORWARDED, "PORT": PRIVATE, "EPRT": PRIVATE},
    "14": {"PASV": INSIDE, "EPSV": OK, "PORT": PRIVATE, "EPRT": PRIVATE},
    "16": {"PASV": WRONG, "EPSV": OK, "PORT": PRIVATE, "EPRT": PRIVATE},
    "29": {"PASV": INSIDE, "EPSV": OK, "PORT": PRIVATE, "EPRT": PRIVATE},
    "36": {"PASV": (State.ABSENT, None, None), "EPSV": OK, "EPRT": OK},
}
"""By the numbers of the truth table."""


@pytest.fixture(scope="module")
def lab_allowed() -> None:
    if shutil.which("nft") is None or not available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("network namespaces cannot be made here")
    sweep()


@pytest.mark.usefixtures("lab_allowed")
@pytest.mark.parametrize("number", EXPECTED)
def test_the_true_cause_is_named(number: str, tmp_path: Path) -> None:
    scenario = next(one for one in SCENARIOS if one.number == number)
    directory = tmp_path / "served"
    directory.mkdir()
    with serving(scenario, directory) as (lab, _), lab.inside_of("client"):
        ends = ends_of(scenario, lab)
        _warm_up((ends.host, ends.port))
        survey = probe(Target(ends.host, ends.port, "epsv", PASSWORD), Wishes(TIMEOUT), lambda _: None)
    (view,) = survey.views
    assert view.logged_in, view
    assert _found(view) == EXPECTED[number]
    assert (view.protection is not None) is scenario.tls


def _warm_up(address: tuple[str, int]) -> None:
    """Until the neighbours on a new cable have found each other, IPv6 loses what is sent."""
    deadline = time.monotonic() + WARM
    while True:
        try:
            socket.create_connection(address, 0.5).close()
        except TimeoutError:
            assert time.monotonic() < deadline
        else:
            return


def _found(view: View) -> dict[str, Found]:
    return {
        one.mode.value: (
            one.state,
            one.diagnosis.cause if one.diagnosis is not None else None,
            one.diagnosis.side if one.diagnosis is not None else None,
        )
        for one in view.trials
    }
