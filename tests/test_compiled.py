"""The modules that `make wheel` compiles, and what mypyc would make of some things that are right in Python.

Each rule stands for a fault that was seen: the compiled module did something else, or raised TypeError.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_PURE = {"len", "min", "max"}


def _hot() -> list[Path]:
    tree = ast.parse((ROOT / "setup.py").read_text())
    (table,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "HOT"
    ]
    folders: dict[str, tuple[str, ...]] = ast.literal_eval(table)
    return [ROOT / "src" / "homeport" / folder / f"{name}.py" for folder, names in folders.items() for name in names]


HOT = _hot()


@pytest.mark.parametrize("path", HOT, ids=lambda path: path.stem)
def test_a_bound_of_a_slice_does_nothing(path: Path) -> None:
    """mypyc works it out twice where it does not know how to slice the object, a memoryview for one."""
    calls = [
        call
        for found in ast.walk(ast.parse(path.read_text()))
        if isinstance(found, ast.Slice)
        for call in ast.walk(found)
        if isinstance(call, ast.NamedExpr)
        or (isinstance(call, ast.Call) and not (isinstance(call.func, ast.Name) and call.func.id in _PURE))
    ]
    assert [f"line {call.lineno}: {ast.unparse(call)}" for call in calls] == []


@pytest.mark.parametrize("path", HOT, ids=lambda path: path.stem)
def test_an_exception_has_a_name_of_its_own(path: Path) -> None:
    """mypyc gives a name one type in a function, that of the first handler, and raises TypeError for the second."""
    faults = []
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        kinds: dict[str, set[str]] = {}
        for handler in ast.walk(function):
            if isinstance(handler, ast.ExceptHandler) and handler.name and handler.type:
                kinds.setdefault(handler.name, set()).add(ast.unparse(handler.type))
        faults += [f"{function.name}: {name} is {found}" for name, found in kinds.items() if len(found) > 1]
    assert faults == []


@pytest.mark.parametrize("path", HOT, ids=lambda path: path.stem)
def test_a_constant_is_no_number_or_something_else(path: Path) -> None:
    """mypyc takes a Final[int | None] for a plain int where it is narrowed, and computes with its address."""
    unions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Final"
        and isinstance(node.slice, ast.BinOp)
        and {"int", "float", "bool"} & {part.id for part in ast.walk(node.slice) if isinstance(part, ast.Name)}
        and not any(isinstance(part, ast.Subscript) for part in ast.walk(node.slice))
    ]
    assert [f"line {node.lineno}: {ast.unparse(node)}" for node in unions] == []


def test_what_is_compiled_is_there() -> None:
    assert len(HOT) > 20
    assert [path.name for path in HOT if not path.is_file()] == []
