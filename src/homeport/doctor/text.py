"""How this package's reports are laid out: wrapped, and coloured where a terminal shows colours."""

from __future__ import annotations

import textwrap
from enum import Enum

WIDTH = 96


class Colour(Enum):
    """SGR parameters (ECMA-48 §8.3.117)."""

    NONE = ""
    BOLD = "1"
    QUIET = "2"
    GOOD = "32"
    DOUBTFUL = "33"
    BAD = "31"


def painted(text: str, colour: Colour, *, on: bool) -> str:
    """*text* in *colour*, if colours are *on*."""
    return f"\x1b[{colour.value}m{text}\x1b[0m" if on and colour.value else text


def wrapped(text: str, indent: str = "", first: str | None = None) -> str:
    """*text* in lines of WIDTH columns, LF at the end of each; addresses and options stay whole."""
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "".join(f"{line}\n" for line in lines)
