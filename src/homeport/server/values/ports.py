"""Ports, and ranges of them."""

from __future__ import annotations

import re

from .text import OptionError, near, quote

MOST_PASSIVE_PORTS = 4096


def parse_port(value: object) -> int:
    """A port, 0 to 65535."""
    if isinstance(value, bool) or not isinstance(value, int):
        hint = value if isinstance(value, str) and value.isdigit() else None
        raise OptionError("a port is a whole number, without quotation marks", hint)
    if not 0 <= value <= 65535:
        raise OptionError(f"{value} is not a port: ports go from 0 to 65535")
    return value


def parse_active_port(value: object) -> int | None:
    """A port, or None for "auto"."""
    if value is None:
        return None
    if isinstance(value, str):
        if value == "auto":
            return None
        hint = value if value.isdigit() else near(value, ("auto",))
        raise OptionError('the active port is "auto" or a number, without quotation marks', hint)
    return parse_port(value)


def parse_ports(value: object) -> tuple[int, ...] | None:
    """Ports in rising order from "50000-50009,50020", a number, or a list of both; None for 0 and "any"."""
    if value is None or (value in (0, "0", "any") and not isinstance(value, bool)):
        return None
    parts = value if isinstance(value, list | tuple) else value.split(",") if isinstance(value, str) else [value]
    ports: set[int] = set()
    for part in parts:
        ports.update(_range(part))
    if not ports:
        raise OptionError('no ports: write a range such as "50000-50019", or "any"')
    if len(ports) > MOST_PASSIVE_PORTS:
        raise OptionError(
            f"{len(ports)} ports are too many: all of them stay open, and one port serves any number of sessions; "
            f"at most {MOST_PASSIVE_PORTS}"
        )
    return tuple(sorted(ports))


def _range(part: object) -> range:
    text = str(part).strip()
    found = re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", text, re.ASCII)
    if found is None or isinstance(part, bool):
        raise OptionError(f'{quote(text)} is neither a port nor a range of ports such as "50000-50019"')
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise OptionError(f"the range {text} goes down", quote(f"{high}-{low}"))
    if low < 1 or high > 65535:
        raise OptionError(f"{text} leaves the ports, which go from 1 to 65535")
    return range(low, high + 1)


def write_ports(ports: tuple[int, ...] | None) -> str:
    """The text that `parse_ports` reads as *ports*, in as few ranges as can be."""
    if ports is None:
        return "any"
    ranges: list[list[int]] = []
    for port in ports:
        if ranges and port == ranges[-1][1] + 1:
            ranges[-1][1] = port
        else:
            ranges.append([port, port])
    return ",".join(f"{low}-{high}" if low != high else str(low) for low, high in ranges)


def parse_outside_ports(value: object) -> tuple[int, ...] | None:
    """As `parse_ports`; None for "same"."""
    if value is None or value == "same":
        return None
    ports = parse_ports(value)
    if ports is None:
        raise OptionError('the ports outside are a range such as "60000-60019", or "same"', quote("same"))
    return ports
