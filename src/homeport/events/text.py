"""Names and amounts as people read them in a terminal: nothing in here can move a cursor.

A pathname may hold any octet (RFC 2640 §2), ESC and the octets of no encoding among them. Written to a
terminal as they are, they could recolour it, retitle it or forge a second line, so `visible` shows them as escapes.
"""

from __future__ import annotations

from collections.abc import Iterable

_KILO = 1000
_MINUTE = 60
_HOUR = 3600
_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_FIRST_ESCAPED_OCTET = 0xDC80
_LAST_ESCAPED_OCTET = 0xDCFF
_LAST_LATIN = 0xFF
_LAST_OF_PLANE_0 = 0xFFFF
_MOST_RUNS = 12
"""Of port numbers in one text: a range of which other programs have taken many ports has hundreds."""


def visible(text: str) -> str:
    r"""*text* on one line, with an escape for each character that does not print, and `\\` for a backslash.

    `\xNN` is an octet that is no UTF-8, or a control character below U+0100; `\uNNNN` and `\UNNNNNNNN` are other
    characters without a shape: those that turn the writing direction round, separators of lines, and the like.
    """
    if "\\" not in text and text.isprintable():
        return text
    return "".join([_escape(one) if one == "\\" or not one.isprintable() else one for one in text])


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    number = ord(character)
    if _FIRST_ESCAPED_OCTET <= number <= _LAST_ESCAPED_OCTET:
        return f"\\x{number - 0xDC00:02x}"
    if number <= _LAST_LATIN:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= _LAST_OF_PLANE_0 else f"\\U{number:08x}"


def size(octets: float) -> str:
    """Octets in powers of 1000 with about three digits: `0 B`, `1.02 kB`, `53.7 MB`."""
    if octets < _KILO:
        return f"{octets:.0f} B"
    value = octets / _KILO
    step = 0
    # 999.6 kB would round to "1000 kB", which is 1 MB.
    while value >= _KILO - 0.5 and step < len(_UNITS) - 1:
        value /= _KILO
        step += 1
    return f"{_three_digits(value)} {_UNITS[step]}"


def rate(octets: int, seconds: float) -> str | None:
    """Octets per second, or None where either is too small for a rate to mean anything."""
    if octets < _KILO or seconds <= 0:
        return None
    return f"{size(octets / seconds)}/s"


def duration(seconds: float) -> str:
    """`under 1 ms`, `3 ms`, `0.31 s`, `12.3 s`, `2 min 5 s`, `1 h 2 min`."""
    if seconds < 0.0005:
        return "under 1 ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE - 0.05:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes // _MINUTE} h {minutes % _MINUTE} min"


def endpoint(address: str, port: int) -> str:
    """`192.0.2.7:21`, `[2001:db8::7]:21`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ranges(ports: Iterable[int]) -> str:
    """Port numbers with runs drawn together: `50000-50019`, `21, 50000-50002`. Of very many runs only some."""
    numbers = sorted(set(ports))
    runs: list[list[int]] = []
    for port in numbers:
        if runs and port == runs[-1][1] + 1:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    if len(texts) > _MOST_RUNS:
        return f"{', '.join(texts[: _MOST_RUNS - 1])}, ... {texts[-1]} ({len(numbers)} ports)"
    return ", ".join(texts)


def _three_digits(value: float) -> str:
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
