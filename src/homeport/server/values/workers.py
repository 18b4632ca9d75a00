"""A number of processes."""

from __future__ import annotations

from .text import OptionError, near, quote

MOST = 256


def parse_workers(value: object) -> int | None:
    """A number of processes, or None for "auto"."""
    if value is None or value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        hint = (value if value.isdigit() else near(value, ("auto",))) if isinstance(value, str) else None
        raise OptionError('"auto", or a whole number without quotation marks', hint)
    if not 1 <= value <= MOST:
        raise OptionError(f"{value} workers cannot be: 1 to {MOST} can")
    return value


def write_workers(count: int | None) -> str:
    return quote("auto") if count is None else str(count)
