"""Template: what the lines of a listing have in common, with a field for each thing in which they differ.

Entries of one class (the same kind, permission bits, owner and group) have lines that differ in name, size, time,
links and token only. So the line is worked out once for a class, and each entry only fills it in: here, by `text`, or
where the entries come from, by a storage that can write lines itself (`storage/_lines.c` knows the fields by number).
"""

from __future__ import annotations

from enum import IntEnum


class Field(IntEnum):
    """What is filled in."""

    NAME = 0
    SIZE = 1
    SIZE_COLUMN = 2
    """Right-aligned in twelve columns."""
    LINKS_COLUMN = 3
    """Right-aligned in three columns."""
    MODIFIED = 4
    """A time value, YYYYMMDDHHMMSS (RFC 3659 §2.3)."""
    WHEN = 5
    """The time as `ls -l` shows it, "Nov 24 06:12" or "Nov 24  2025"."""
    UNIQUE = 6


_FORMATS = {
    Field.NAME: "%(name)s",
    Field.SIZE: "%(size)d",
    Field.SIZE_COLUMN: "%(size)12d",
    Field.LINKS_COLUMN: "%(links)3d",
    Field.MODIFIED: "%(modified)s",
    Field.WHEN: "%(when)s",
    Field.UNIQUE: "%(unique)s",
}


class Template:
    """A line without its end: `parts` are texts and fields in order. A line feed in a text becomes "?"."""

    __slots__ = ("_format", "parts")

    def __init__(self, *parts: str | Field) -> None:
        # Neighbouring texts as one.
        merged: list[str | Field] = []
        for part in parts:
            if isinstance(part, Field):
                merged.append(part)
            elif merged and isinstance(merged[-1], str):
                merged[-1] += part.replace("\n", "?")
            elif part:
                merged.append(part.replace("\n", "?"))
        self.parts = tuple(merged)
        self._format = "".join(
            part.replace("%", "%%") if isinstance(part, str) else _FORMATS[part] for part in self.parts
        )

    def text(self, values: dict[str, object]) -> str:
        """The line with *values*: name, size, links, modified, when and unique, as far as the template has them.

        A line feed in a name becomes "?" rather than a forged line.
        """
        line = self._format % values
        return line.replace("\n", "?") if "\n" in line else line

    def octets(self) -> tuple[bytes | int, ...]:
        """The parts for who writes octets."""
        return tuple(
            part.encode("utf-8", "surrogateescape") if isinstance(part, str) else int(part) for part in self.parts
        )
