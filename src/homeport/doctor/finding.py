"""Finding: one thing that the doctor looked at, and what is to be said about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is; the worst of all findings is the exit code's matter."""

    OK = 0
    NOTE = 1
    """Worth knowing, and nothing to be done about as it is."""
    WARNING = 2
    """Some clients will have trouble, or all of them later."""
    ERROR = 3
    """Clients have trouble now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The texts are for people: what was seen, what that means, how it is mended (the most likely first)."""

    check: str
    """A short name of what was looked at: a contract for `--json`."""
    severity: Severity
    seen: str
    meaning: str = ""
    cures: tuple[str, ...] = ()
