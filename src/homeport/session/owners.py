"""Owners: names for user and group numbers, as LIST shows them. Each is looked up once: directory services are slow."""

from __future__ import annotations

from collections.abc import Callable

try:
    import grp
    import pwd
except ImportError:  # Windows has no such database; numbers are shown there

    def _user(number: int) -> str:
        return str(number)

    _group = _user
else:

    def _user(number: int) -> str:
        return pwd.getpwuid(number).pw_name

    def _group(number: int) -> str:
        return grp.getgrgid(number).gr_name


_REMEMBERED = 10_000


class Owners:
    """A cache of names. Safe for threads: at worst a name is looked up twice."""

    __slots__ = ("_groups", "_users")

    def __init__(self) -> None:
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def user(self, number: int) -> str:
        """The name of the user *number*, or the number where it has none."""
        return self._users.get(number) or _look_up(self._users, _user, number)

    def group(self, number: int) -> str:
        """The name of the group *number*, or the number where it has none."""
        return self._groups.get(number) or _look_up(self._groups, _group, number)


def _look_up(names: dict[int, str], ask: Callable[[int], str], number: int) -> str:
    try:
        # A name with a space in it would shift the columns that clients read.
        name = ask(number).replace(" ", "_") or str(number)
    except (KeyError, OSError, OverflowError):
        name = str(number)
    if len(names) >= _REMEMBERED:
        names.clear()
    names[number] = name
    return name
