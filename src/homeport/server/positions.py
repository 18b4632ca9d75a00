"""Positions: on which line of a TOML file each key and each item of an array stands.

The standard library's parser gives values without lines. This walks a text that the parser has accepted
already, so that it need not judge: it only has to know where strings, comments and brackets end. It is
used when there is a fault to show and at no other time.
"""

from __future__ import annotations

import re
import tomllib

Key = tuple[str | int, ...]

_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}|\'\'\'(?:[^\']|\'(?!\'\'))*\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
)
_BARE = re.compile(r"[^,\]}#\s]+(?:[ ]\d[^,\]}#\s]*)?")  # one space may stand within a date and time
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_SPACE = re.compile(r"[ \t]+")


def positions(text: str) -> dict[Key, int]:
    """The line, from 1, of every table, key and item in *text*, which must be valid TOML.

    The items of `[[users]]` are ("users", 0), ("users", 1) and so on, as those of an array are.
    """
    return _Walk(text).lines


class _Walk:
    """A reader that goes through the text once."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self._text = text
        self._at = 0
        self._counted = 0  # up to here the lines are counted
        self._line = 1
        self._tables: dict[Key, int] = {}  # arrays of tables: how many there are so far
        self._document()

    def _document(self) -> None:
        table: Key = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            line = self._current_line()
            if self._take("[["):
                table = self._array_table(self._keys())
            elif self._take("["):
                table = self._within(self._keys())
            else:
                self._pair(table)
                self._skip(_BLANK)
                continue
            self.lines.setdefault(table, line)
            self._skip(re.compile(r"[ \t]*\]\]?"))
            self._skip(_BLANK)

    def _array_table(self, keys: Key) -> Key:
        array = (*self._within(keys[:-1]), keys[-1])
        index = self._tables.get(array, 0)
        self._tables[array] = index + 1
        self.lines.setdefault(array, self._current_line())
        return (*array, index)

    def _within(self, keys: Key) -> Key:
        """The way to a table: through an array of tables it leads to the newest one."""
        way: Key = ()
        for key in keys:
            way = (*way, key)
            if way in self._tables:
                way = (*way, self._tables[way] - 1)
        return way

    def _pair(self, table: Key) -> None:
        line = self._current_line()
        way = table
        for key in self._keys():
            way = (*way, key)
            self.lines.setdefault(way, line)
        self._skip(re.compile(r"[ \t]*=[ \t]*"))
        self._value(way)

    def _keys(self) -> Key:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if not self._take("."):
                return tuple(keys)

    def _key(self) -> str:
        found = self._match(_KEY)
        if found[0] not in "\"'":
            return found
        key: str = tomllib.loads(f"key = {found}")["key"]
        return key

    def _value(self, way: Key) -> None:
        if self._take("["):
            index = 0
            self._skip(_BLANK)
            while not self._take("]"):
                self.lines[(*way, index)] = self._current_line()
                self._value((*way, index))
                index += 1
                self._skip(_BLANK)
                self._take(",")
                self._skip(_BLANK)
        elif self._take("{"):
            self._skip(_BLANK)
            while not self._take("}"):
                self._pair(way)
                self._skip(_BLANK)
                self._take(",")
                self._skip(_BLANK)
        elif self._text[self._at] in "\"'":
            self._match(_STRING)
        else:
            self._match(_BARE)

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"line {self._current_line()} is not TOML")
        self._at = found.end()
        return found[0]
