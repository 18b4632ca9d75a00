r"""jsonlog: each event as one JSON object on one line, for programs.

The first member is `event`, the type's name (`TransferEnded`); the others are the event's fields under their own
names. `at` is a time in UTC with microseconds (RFC 3339). An address with its port is an object of `address` and
`port`; what is one of a fixed set of values is its text. The lines are ASCII.

A pathname may hold octets that are no UTF-8, which JSON cannot express (RFC 8259 §8.1). In every text such an octet is
written as `\xNN`, and a backslash that really is one is doubled, so that `octets` can give back exactly what the
client had sent.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum

from .types import Event

_encode = json.JSONEncoder(separators=(", ", ": ")).encode
_ESCAPED = re.compile(r"[\\\udc80-\udcff]")
_WRITTEN = re.compile(rb"\\(\\|x[0-9a-f]{2})")


def escape(text: str) -> str:
    r"""*text* without surrogate escapes: `\xNN` for an octet that is no UTF-8, `\\` for a backslash."""
    return _ESCAPED.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def octets(text: str) -> bytes:
    """The octets that `escape` had got, from what it returned: its inverse."""
    return _WRITTEN.sub(
        lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1][1:], 16)]), text.encode("utf-8")
    )


def render(event: Event) -> bytes:
    """*event* as one line, LF at its end and nowhere else."""
    members: dict[str, object] = {"event": type(event).__name__}
    for field in fields(event):
        value = getattr(event, field.name)
        members[field.name] = _time(value) if field.name == "at" else _plain(value)
    return _encode(members).encode("ascii") + b"\n"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    match value:
        case str():
            return escape(value)
        case Enum():
            return value.value
        case (str(address), int(port)):
            return {"address": escape(address), "port": port}
        case tuple():
            return [_plain(one) for one in value]
        case _:
            return value
