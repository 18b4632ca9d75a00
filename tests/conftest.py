"""What holds for every test: nothing leaks, and every mark names a row of the conformance catalogue.

`--standards FILE` records which rows were proven by which tests, for tools/conformance.py.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import conformance

_DESCRIPTORS = "/proc/self/fd"
_SETTLE = 2.0
"""Seconds that a thread or socket which is just ending gets to be gone. Only a test that leaks waits that long."""


# -- leaks ----------------------------------------------------------------------------------------------------------


def _descriptors() -> dict[int, str]:
    """The open descriptors, and what each is open on."""
    found = {}
    for name in os.listdir(_DESCRIPTORS) if os.path.isdir(_DESCRIPTORS) else ():
        try:
            found[int(name)] = os.readlink(f"{_DESCRIPTORS}/{name}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself, or one that closed meanwhile
    return found


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread or a descriptor behind. Set up first, so torn down after all other fixtures."""
    threads = set(threading.enumerate())
    descriptors = _descriptors().items()
    yield
    deadline = time.monotonic() + _SETTLE
    while True:
        more_threads = set(threading.enumerate()) - threads
        more_descriptors = dict(_descriptors().items() - descriptors)
        if not more_threads and not more_descriptors:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            pytest.fail(f"left behind: {[thread.name for thread in more_threads]} {more_descriptors}", pytrace=False)
        for thread in more_threads:
            thread.join(min(left, 0.02))
        if not more_threads:
            time.sleep(0.005)


# -- programs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def program() -> Callable[[str], str]:
    """`program("lftp")` is its path. A missing one skips the test, but fails it in CI, where all must be there."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
        return str(path)

    return find


# -- the catalogue -----------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--standards", metavar="FILE", help="record there which catalogue rows were proven by which tests")


def pytest_configure(config: pytest.Config) -> None:
    # Under xdist the workers' reports come to the controller, which is the one to write.
    if config.getoption("--standards") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(Path(config.getoption("--standards"))), "standards")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rows = conformance.read_catalogue(conformance.CATALOGUE.read_text("utf-8"))
    unknown = set()
    for item in items:
        for mark in item.iter_markers("standard"):
            if not mark.args:
                unknown.add(f"{item.nodeid}: the mark names no row")
            unknown |= {f"{item.nodeid.partition('[')[0]}: {name!r}" for name in mark.args if name not in rows}
            item.user_properties += [("standard", name) for name in mark.args]
    if unknown:
        raise pytest.UsageError(
            "marked with rows that the conformance catalogue does not have:\n" + "\n".join(sorted(unknown))
        )


class _Recorder:
    """Collects the outcome of each marked test, and writes them when the session is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The call decides; a set-up that fails or skips means that there was none; a failed tear-down spoils it.
        if report.when != "call" and report.outcome == "passed":
            return
        for name, row in report.user_properties:
            if name == "standard":
                self._outcomes[str(row)][report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ordered = {row: sorted(tests.items()) for row, tests in sorted(self._outcomes.items())}
        self._path.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
