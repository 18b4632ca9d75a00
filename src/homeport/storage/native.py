"""Native: whether the compiled scan of `_lines.c` is there. Without it all is done in Python, to the same octets.

It is missing where there was no compiler at the installation, on Windows, and with another interpreter. With
HOMEPORT_PURE set in the environment it is left alone. Loaded at the first listing, so that a start does not pay for it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._lines import Lines

_VERSION = 1
"""Of what this package expects of the extension: one that an older checkout has left is not taken."""


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
