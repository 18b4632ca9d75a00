"""Names: what a user may be called."""

from __future__ import annotations

ANONYMOUS_NAMES = ("anonymous", "ftp")
"""The names of the anonymous account (RFC 1635)."""


def is_anonymous(name: str) -> bool:
    """Whether *name*, in any case, is one of the anonymous account's."""
    return name.lower() in ANONYMOUS_NAMES


def fault_in(name: str) -> str | None:
    """Why nobody may be called *name*; None where it is good.

    A name must survive being said on one line of a configuration file, a log and a USER command.
    """
    if not name:
        return "a name is not empty"
    if name != name.strip() or not name.isprintable():
        return "a name has no spaces at its ends and no characters that cannot be printed"
    return None
