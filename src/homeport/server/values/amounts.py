"""Durations, sizes and rates."""

from __future__ import annotations

import re
from typing import Any

from .text import OptionError, near, quote

LONGEST = 7 * 86400.0
"""No deadline is longer, in seconds: the system's waits take 32 bits of milliseconds."""

_SECONDS = {
    "ms": 0.001,
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_OCTETS = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_AMOUNTS = re.compile(r"(?:\s*\d+(?:\.\d+)?\s*[A-Za-z]+)+\s*", re.ASCII)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds, from a number of seconds or from text such as "90 s", "1 min", "1 h 30 min"."""
    if isinstance(value, str):
        seconds = _sum(value, _SECONDS, "a duration", '"30 s" or "1 min"')
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise OptionError('a duration is wanted: a number of seconds, or text such as "30 s" or "1 min"')
    if not 0.0 < seconds <= LONGEST:
        raise OptionError(f"a duration is more than 0 s and at most {write_duration(LONGEST)}")
    return seconds


def write_duration(seconds: float) -> str:
    """The text for *seconds* in the largest unit that expresses them whole."""
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= factor and seconds % factor == 0:
            return f"{seconds / factor:.0f} {unit}"
    return f"{seconds:g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g} ms"


def parse_size(value: object) -> int:
    """Octets, from a number or from text such as "64 KiB" or "1 MB"."""
    if isinstance(value, int) and not isinstance(value, bool):
        octets = value
    elif isinstance(value, str):
        octets = round(_sum(value, _OCTETS, "a size", '"8 KiB" or "1 MiB"'))
    else:
        raise OptionError('a size is wanted: a number of octets, or text such as "8 KiB"')
    if octets <= 0:
        raise OptionError("a size is more than 0")
    return octets


def parse_rate(value: object) -> int:
    """Octets a second, written as a size; 0 is no limit."""
    return 0 if value in (0, "0") and not isinstance(value, bool) else parse_size(value)


def write_rate(octets: int) -> str:
    return write_size(octets) if octets else "0"


def write_size(octets: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if octets >= factor and octets % factor == 0:
            return f"{octets // factor} {unit}"
    return f"{octets} B"


def _sum(text: str, units: dict[str, Any], what: str, examples: str) -> float:
    if not _AMOUNTS.fullmatch(text):
        raise OptionError(f"{quote(text)} is not {what}: write a number and a unit, as in {examples}")
    total = 0.0
    for number, unit in _AMOUNT.findall(text):
        factor = units.get(unit.lower())
        if factor is None:
            raise OptionError(f"{quote(unit)} is no unit of {what}, as in {examples}", near(unit, units))
        total += float(number) * factor
    return total
