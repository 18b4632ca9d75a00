"""Positions: every key that the standard library's parser finds has its line."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.server.positions import Key, positions
from homeport.server.values.text import quote

AWKWARD = r'''
title = "a # no comment [x]"   # a comment [no.table]
"quoted key" = 'it''s'
a.b."c.d" = 1
date = 1979-05-27 07:32:00Z
text = """
[not.a.table]
key = 1
quotes "" inside \""" and at the end"""""
raw = \'\'\'
x = '
\'\'\'
array = [ # one
  1, 2,
  # three
  { x = 1, "y.z" = [ "]", '}' ] },
  [[1], [2]],
]
empty = []
none = {}

[table]   # why
  key=true
[ table . sub ]
k = -1_000.5e3
[[users]]
name = "bob"
paths = { "/a" = ["x"], "/b" = ["y"] }
[users.extra]
deep.er = inf
[[users.keys]]
n = 1
[[users.keys]]
n = 2
[[users]]
name = "eve"
[users.extra]
x = 0x1F
'''.replace("it''s", "its").replace("\\'\\'\\'", "'''")  # fmt: skip


def ways(value: Any, way: Key = ()) -> set[Key]:
    """The ways to everything in what the parser gave."""
    found: set[Key] = {way} if way else set()
    match value:
        case dict():
            for key, inner in value.items():
                found |= ways(inner, (*way, key))
        case list():
            for index, inner in enumerate(value):
                found |= ways(inner, (*way, index))
    return found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_awkward_file(end: str) -> None:
    text = AWKWARD.replace("\n", end)
    where = positions(text)
    values = tomllib.loads(text)
    implied: set[Key] = {("users", 0, "keys")}
    assert ways(values) - implied <= set(where)
    assert set(where) <= ways(values)
    lines = text.split("\n")
    for way, line in where.items():
        key = way[-1]
        if isinstance(key, str):
            assert key in lines[line - 1], way
    assert where[("users", 1, "extra", "x")] == text.count("\n")
    assert lines[where[("array", 2)] - 1].strip().startswith("{ x")
    assert lines[where[("users", 0, "keys", 1, "n")] - 1].strip() == "n = 2"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def toml(value: object, breaks: bool) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{quote(key)} = {toml(inner, False)}" for key, inner in value.items()) + "}"
        case list():
            gap = " # , ] }\n" if breaks else ""
            return "[" + ",".join(gap + toml(inner, breaks) for inner in value) + gap + "]"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case _:
            return quote(value)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=3), max_size=4), st.booleans())
def test_any_file(tables: dict[str, dict[str, object]], breaks: bool) -> None:
    lines: list[str] = []
    expected: dict[Key, int] = {}
    for name, table in tables.items():
        lines.append(f"[{quote(name)}]")
        expected[(name,)] = len(lines)
        for key, value in table.items():
            expected[(name, key)] = len(lines) + 1
            lines.extend(f"{quote(key)} = {toml(value, breaks)}".split("\n"))
    text = "\n".join(lines)
    where = positions(text)
    assert set(where) == ways(tomllib.loads(text))
    assert {way: where[way] for way in expected} == expected
