"""What conftest.py promises: leaks fail, unknown rows stop the collection, outcomes are recorded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import conformance

HERE = Path(__file__).parent


def run(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {conformance.ROOT / 'tools'}\nmarkers =\n  standard(*ids): rows\n"
    )
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "test_it.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


def test_a_leaked_thread_or_descriptor_fails_the_test(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        """
import os, threading
release = threading.Event()
def test_thread(): threading.Thread(target=release.wait, name="left", args=(10,), daemon=True).start()
def test_descriptor(): os.pipe()
def test_clean():
    thread = threading.Thread(target=release.wait, args=(0.05,))
    thread.start()
""",
    )
    assert "ERROR test_it.py::test_thread - Failed: left behind: ['left'] {}" in result.stdout
    assert "ERROR test_it.py::test_descriptor - Failed: left behind: [] {" in result.stdout
    assert "3 passed, 2 errors" in result.stdout


@pytest.mark.parametrize("mark", ['"959-0-NOSUCH"', ""])
def test_an_unknown_row_stops_the_collection(tmp_path: Path, mark: str) -> None:
    result = run(tmp_path, f"import pytest\n@pytest.mark.standard({mark})\ndef test_it(): pass\n")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_it.py::test_it" in result.stderr


def test_outcomes_are_recorded_by_row(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        """
import pytest
pytestmark = pytest.mark.standard("959-5.3-CASE")
def test_good(): pass
@pytest.mark.standard("959-4.2-502")
@pytest.mark.parametrize("n", [1, 2])
def test_bad(n): assert n == 1
def test_skipped(): pytest.skip("why")
""",
        "--standards",
        str(tmp_path / "deep/standards.json"),
    )
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert json.loads((tmp_path / "deep/standards.json").read_text()) == {
        "959-4.2-502": [["test_it.py::test_bad[1]", "passed"], ["test_it.py::test_bad[2]", "failed"]],
        "959-5.3-CASE": [
            ["test_it.py::test_bad[1]", "passed"],
            ["test_it.py::test_bad[2]", "failed"],
            ["test_it.py::test_good", "passed"],
            ["test_it.py::test_skipped", "skipped"],
        ],
    }
