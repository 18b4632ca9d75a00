"""Native: whether what is written in C is there, the scan of `_lines.c` and the calls of `_calls.c`. Without it all is
done in Python, with the same results.

It is missing where there was no compiler at the installation, on Windows, and with another interpreter. With
HOMEPORT_PURE set in the environment it is left alone. The scan is loaded at the first listing, so that a start does not
pay for it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._lines import Lines
    from .linux import Calls

_VERSION = 1
"""Of what this package expects of both extensions, which have one number: those that an older checkout has left are
not taken."""


@cache
def compiled() -> type[Lines] | None:
    """The compiled scan, or None."""
    if os.environ.get("HOMEPORT_PURE"):
        return None
    try:
        from . import _lines
    except ImportError:
        return None
    return _lines.Lines if _lines.VERSION == _VERSION else None


def calls() -> Calls | None:
    """The compiled calls, or None."""
    if os.environ.get("HOMEPORT_PURE"):
        return None
    try:
        from . import _calls
    except ImportError:
        return None
    return _calls if _calls.VERSION == _VERSION else None
