"""The lab for the tests: all scenarios that are asked for run once, side by side, before the first is looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from tests.advice.namespaces import available

from .namespaces import left, sweep
from .runs import Table, run_all
from .scenarios import Scenario


@pytest.fixture(scope="session")
def lab_allowed() -> None:
    """Skips where no namespace can be made. In CI the lab has to run, so there that is a failure."""
    why = None
    if shutil.which("nft") is None:
        why = "nft is not installed (tools/programs.txt)"
    elif not available():
        why = "network namespaces need root, `ip`, and a kernel or container that allows them"
    if why is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    sweep()


@pytest.fixture(scope="session")
def tables(
    lab_allowed: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Table | BaseException]:
    """What became of the scenarios of the tests that are to run, by number."""
    wanted: dict[str, Scenario] = {}
    for item in request.session.items:
        parameters = getattr(item, "callspec", None)
        scenario = parameters.params.get("scenario") if parameters is not None else None
        if isinstance(scenario, Scenario) and "tables" in getattr(item, "fixturenames", ()):
            wanted[scenario.number] = scenario
    return run_all(list(wanted.values()), tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session", autouse=True)
def all_taken_down() -> Iterator[None]:
    """No namespace is left when the tests of the lab are over."""
    yield
    assert left() == []
