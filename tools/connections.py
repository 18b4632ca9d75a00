"""docs/connections.md: the truth table in it, and the pictures beside it, from the scenarios of the lab.

    python tools/connections.py            run the lab (root), hold it against the scenarios, write table and pictures
    python tools/connections.py --results FILE   the same from an earlier run
    python tools/connections.py --check    write nothing; fail if the committed page or a picture is stale

A run is kept in build/connections.json: what each mode came to, what the server replied and what its log says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.lab.clients import NO_CONTROL, Mode  # noqa: E402
from tests.lab.scenarios import SCENARIOS, Cell, Scenario  # noqa: E402

import lab_pictures  # noqa: E402 after the path

PAGE = ROOT / "docs/connections.md"
PICTURES = ROOT / "docs/pictures"
RESULTS = ROOT / "build/connections.json"

BEGIN = "<!-- tools/connections.py writes from here -->"
END = "<!-- to here -->"

Results = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By number of the scenario and name of the mode."""


class StaleError(Exception):
    """The page, a picture or a run does not fit the scenarios."""


# -- the table --------------------------------------------------------------------------------------------------


def table(scenarios: Sequence[Scenario] = SCENARIOS) -> str:
    """The truth table, a part for each group."""
    return "\n".join(_table(scenarios)) + "\n"


def _table(scenarios: Sequence[Scenario]) -> Iterator[str]:
    heading = "| | | " + " | ".join(mode.value for mode in Mode) + " |"
    for group in dict.fromkeys(scenario.group for scenario in scenarios):
        yield f"\n### {group}\n"
        yield heading
        yield "|---|---|" + "---|" * len(Mode)
        for scenario in scenarios:
            if scenario.group == group:
                cells = " | ".join(map(_cell, scenario.cells))
                yield f"| {scenario.number} | {scenario.title} | {cells} |"


def _cell(cell: Cell) -> str:
    if cell.cause:
        return f"{cell.word}: [{cell.cause}](#{cell.cause})"
    if cell.word == NO_CONTROL:
        return f"[{NO_CONTROL}](#{NO_CONTROL.replace(' ', '-')})"
    if cell.word == "522":
        return "522: [pasv-ipv6](#pasv-ipv6)"
    return cell.word


def with_table(page: str, generated: str) -> str:
    """*page* with *generated* between the marks. StaleError if they are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StaleError(f"{PAGE.name} has no place for the table: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{generated}\n{END}{after}"


# -- a run ----------------------------------------------------------------------------------------------------------


def run() -> Results:
    """Run the whole lab."""
    from tests.lab.runs import run_all

    with tempfile.TemporaryDirectory() as directory:
        found = run_all(SCENARIOS, Path(directory))
    results = {}
    for number, one in found.items():
        if isinstance(one, BaseException):
            raise one
        results[number] = {mode.name: asdict(result) for mode, result in one.items()}
    return results


def differences(results: Results) -> Iterator[str]:
    """Where the run is not what the scenarios expect."""
    for scenario in SCENARIOS:
        for mode, cell in zip(Mode, scenario.cells, strict=True):
            found = results[scenario.number][mode.name]
            if (found["word"], found["cause"]) != (cell.word, cell.cause):
                came = f"{found['word']}: {found['cause']}"
                yield f"{scenario.number} {mode.value}: {came}, not {cell.word}: {cell.cause}"


# -- files ------------------------------------------------------------------------------------------------------------


def files() -> dict[Path, str]:
    """All that is generated, and what has to be in it."""
    made = {PICTURES / f"{name}.svg": picture.svg() for name, picture in lab_pictures.pictures().items()}
    return {PAGE: with_table(PAGE.read_text("utf-8"), table()), **made}


def stale() -> list[str]:
    """The files that are not what they have to be, or that nobody writes any more."""
    wanted = files()
    found = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    found += [path for path in PICTURES.glob("*.svg") if path not in wanted]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is stale")
    parser.add_argument("--results", type=Path, help="do not run the lab; what an earlier run wrote")
    options = parser.parse_args(arguments)
    if options.check:
        found = stale()
        print("\n".join(f"{name} is stale: run tools/connections.py" for name in found), file=sys.stderr, end="")
        return 1 if found else 0
    results = json.loads(options.results.read_text("utf-8")) if options.results else run()
    wrong = list(differences(results))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    if not options.results:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    PICTURES.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, "utf-8")
    print(f"{PAGE.relative_to(ROOT)} and {len(lab_pictures.pictures())} pictures written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
