"""The text of listings: `ls -l` lines, bare names, fact lines (RFC 3659 §7), and time values (RFC 3659 §2.3).

LIST has no format in RFC 959; clients read what `ls -l` prints in the C locale, so that is what
`list_text` gives, in UTC. MLST and MLSD lines are `fact=value;fact=value; name`, exactly one space before
the name and none elsewhere. All times are UTC in the Gregorian calendar.

A line ends at its LF, so no line can carry a name that holds one; listings leave such names out. If one
comes here all the same its LF becomes "?" rather than a forged line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from typing import Final, Protocol

from .command import ArgumentError

_NANOSECONDS = 1_000_000_000
_DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY = date(1000, 1, 1).toordinal() - _EPOCH
_LAST_DAY = date.max.toordinal() - _EPOCH
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# "HHMM" and "HH:MM" of every minute of a day, and two digits of every second.
_MINUTES = tuple(f"{minute // 60:02}{minute % 60:02}" for minute in range(1440))
_CLOCK = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440))
_SECONDS = tuple(f"{second:02}" for second in range(60))


@lru_cache(maxsize=8192)
def _dates(day: int) -> tuple[str, str, str]:
    """Of a day since 1970: "YYYYMMDD", "Mon dd", "Mon dd  YYYY". The same few days fill a listing."""
    when = date.fromordinal(day + _EPOCH)
    month_day = f"{_MONTHS[when.month - 1]} {when.day:2}"
    return f"{when.year:04}{when.month:02}{when.day:02}", month_day, f"{month_day}  {when.year}"


# -- time values, RFC 3659 §2.3 ----------------------------------------------------------------------

_TIME = re.compile(
    r"(?P<year>[1-9][0-9]{3})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?P<hour>[01][0-9]|2[0-3])(?P<minute>[0-5][0-9])(?P<second>[0-5][0-9]|60)(?:\.(?P<fraction>[0-9]+))?"
)


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of a time value; ArgumentError (501) if it is none.

    Digits beyond the nanosecond are cut off. A leap second counts as the first second of the day after.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ArgumentError("A time is YYYYMMDDHHMMSS, with or without a fraction (RFC 3659).")
    try:
        when = date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        raise ArgumentError("There is no such date.") from None
    day = when.toordinal() - _EPOCH
    if match["second"] == "60":
        # 60 is only for leap seconds, and they are inserted at the end of the last day of a month.
        last = day == _LAST_DAY or date.fromordinal(day + _EPOCH + 1).day == 1
        if match["hour"] + match["minute"] != "2359" or not last:
            raise ArgumentError("There was no leap second at that time.")
    seconds = day * _DAY + int(match["hour"]) * 3600 + int(match["minute"]) * 60 + int(match["second"])
    fraction = match["fraction"] or ""
    return seconds * _NANOSECONDS + int(fraction[:9].ljust(9, "0"))


def time_value(time_ns: int, digits: int = 0) -> str | None:
    """The time value of *time_ns* with *digits* (0 to 9) decimal places; None for a year that has not four digits.

    Digits are cut, not rounded, so a time never lies in the future of what it tells. Precision that is not there must
    not be shown (RFC 3659 §2.3), so the caller asks for no more digits than its store keeps.
    """
    seconds = time_ns // _NANOSECONDS
    day = seconds // _DAY
    if not _FIRST_DAY <= day <= _LAST_DAY:
        return None
    minute, second = divmod(seconds - day * _DAY, 60)
    whole = f"{_dates(day)[0]}{_MINUTES[minute]}{_SECONDS[second]}"
    return f"{whole}.{time_ns % _NANOSECONDS:09}"[: 15 + digits] if digits else whole


# -- lines as `ls -l` has them -------------------------------------------------------------------------

HALF_YEAR: Final = 15_778_476
"""Seconds in half of the mean Gregorian year (365.2425 days): older files show their year instead of the time."""


class Named(Protocol):
    """A member of an enum, known by its name."""

    @property
    def name(self) -> str: ...


class Listed(Protocol):
    """What a listing reads of a directory entry; `homeport.storage.Entry` has it."""

    name: str
    size: int
    modified_ns: int
    mode: int
    links: int
    owner: int
    group: int
    unique: str
    target: str | None

    @property
    def kind(self) -> Named: ...


_LETTERS = {"FILE": "-", "DIRECTORY": "d"}
_OTHER_LETTER = "p"  # A device, a socket or a pipe: no client takes it for a file or a directory.
_RIGHTS = ("---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx")
_SET_ID = ("--S", "--s", "-wS", "-ws", "r-S", "r-s", "rwS", "rws")
_STICKY = ("--T", "--t", "-wT", "-wt", "r-T", "r-t", "rwT", "rwt")


def mode_text(mode: int) -> str:
    """Nine characters for the permission bits, as in "rwxr-xr-t"."""
    user = (_SET_ID if mode & 0o4000 else _RIGHTS)[mode >> 6 & 7]
    group = (_SET_ID if mode & 0o2000 else _RIGHTS)[mode >> 3 & 7]
    others = (_STICKY if mode & 0o1000 else _RIGHTS)[mode & 7]
    return user + group + others


def list_text(entry: Listed, owner: str, group: str, now: float, pathname: str | None = None) -> str:
    """One line of LIST without its end. *owner* and *group* are names or numbers, *now* seconds since 1970.

    *pathname* stands in the place of the entry's name where a client asked for one. Spaces in an owner's name become
    underscores: clients count columns.
    """
    seconds = entry.modified_ns // _NANOSECONDS
    day = min(max(seconds // _DAY, _FIRST_DAY), _LAST_DAY)
    _, month_day, with_year = _dates(day)
    recent = now - HALF_YEAR < seconds <= now
    when = f"{month_day} {_CLOCK[seconds % _DAY // 60]}" if recent else with_year
    if " " in owner or " " in group:
        owner, group = owner.replace(" ", "_"), group.replace(" ", "_")
    name = entry.name if pathname is None else pathname
    if entry.target is None:
        mode = _LETTERS.get(entry.kind.name, _OTHER_LETTER) + mode_text(entry.mode)
    else:
        mode = "lrwxrwxrwx"
        name = f"{name} -> {entry.target}"
    line = f"{mode} {entry.links:3} {owner:8} {group:8} {entry.size:12} {when} {name}"
    return line.replace("\n", "?") if "\n" in line else line


def list_line(entry: Listed, owner: str, group: str, now: float, pathname: str | None = None) -> bytes:
    """One line of LIST as it goes over the data connection."""
    return (list_text(entry, owner, group, now, pathname) + "\r\n").encode("utf-8", "surrogateescape")


def name_line(pathname: str) -> bytes:
    """One line of NLST: a pathname that the client can use as it is (RFC 1123 §4.1.2.7)."""
    if "\n" in pathname:
        pathname = pathname.replace("\n", "?")
    return (pathname + "\r\n").encode("utf-8", "surrogateescape")


# -- facts, RFC 3659 §7.2 to §7.6 -------------------------------------------------------------------------

_RCHAR = r"A-Za-z0-9,.:!@#$%^&()_+?/\\'\"-"
FACT_NAME: Final = re.compile(rf"[{_RCHAR}]+")
"""A token (RFC 3659 §2.1): what the name of a fact may be."""
FACT_VALUE: Final = re.compile(rf"[{_RCHAR}=]*")
"""What the value of a fact may be: no space, no semicolon, no control or 8-bit characters."""

FACTS: Final = (
    "type", "size", "modify", "perm", "unique",
    "UNIX.mode", "UNIX.owner", "UNIX.group", "UNIX.uid", "UNIX.gid",
)  # fmt: skip
"""The facts that can be had, in the order in which they are sent.

Not among them: create, which POSIX does not record (RFC 3659 §7.5.4), and lang, media-type and charset, which must
not be guessed (§7.5.6, §7.5.8).
"""
DEFAULT_FACTS: Final = ("type", "size", "modify", "perm", "unique", "UNIX.mode")
"""What is sent until OPTS MLST selects. Names and numbers of owners only come when they are asked for."""

_BY_NAME = {name.lower(): name for name in FACTS}
_OPTIONS = re.compile(rf"(?:[{_RCHAR}]+;)*")


def select_facts(text: str | None) -> tuple[str, ...]:
    """The facts that `OPTS MLST` with the list *text* selects, in the order of FACTS (RFC 3659 §7.9).

    None or an empty list selects none; names that are not known are passed over. Raises ArgumentError (501) for a list
    that is none, with spaces in it for example.
    """
    if not text:
        return ()
    if _OPTIONS.fullmatch(text) is None:
        raise ArgumentError("Invalid MLST options")
    return _in_order(text.split(";"))


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    wanted = {_BY_NAME.get(name.lower()) for name in names}
    return tuple(name for name in FACTS if name in wanted)


def options_text(selected: Iterable[str]) -> str:
    """The text of the 200 to OPTS MLST (RFC 3659 §7.9.1)."""
    facts = "".join(f"{name};" for name in _in_order(selected))
    return f"MLST OPTS {facts}" if facts else "MLST OPTS"


def feature_text(selected: Iterable[str]) -> str:
    """The line of FEAT without its leading space; the selected facts carry an asterisk (RFC 3659 §7.8)."""
    chosen = frozenset(_in_order(selected))
    return "MLST " + "".join(f"{name}*;" if name in chosen else f"{name};" for name in FACTS)


def file_permissions(*, append: bool, delete: bool, rename: bool, read: bool, write: bool) -> str:
    """The perm fact of what is no directory: APPE, DELE, RNFR, RETR and STOR may be applied (RFC 3659 §7.5.5)."""
    return (
        ("a" if append else "")
        + ("d" if delete else "")
        + ("f" if rename else "")
        + ("r" if read else "")
        + ("w" if write else "")
    )


def directory_permissions(
    *, create: bool, delete: bool, enter: bool, rename: bool, list_: bool, make: bool, purge: bool
) -> str:
    """The perm fact of a directory (RFC 3659 §7.5.5).

    *create*: new files in it; *delete*: RMD of it, so it is empty; *enter*: CWD; *rename*: RNFR;
    *list_*: LIST, NLST, MLSD; *make*: MKD in it; *purge*: what is in it may be deleted.
    """
    return (
        ("c" if create else "")
        + ("d" if delete else "")
        + ("e" if enter else "")
        + ("f" if rename else "")
        + ("l" if list_ else "")
        + ("m" if make else "")
        + ("p" if purge else "")
    )


class FactLines:
    """Writes the lines of one MLST or MLSD. Made once for a selection of facts, asked for every entry.

    *owner* and *group* turn numbers into names; without them, and where a name is no token, UNIX.owner and UNIX.group
    are numbers too. *digits* are the decimal places of `modify`.
    """

    __slots__ = (
        "_digits", "_group", "_mode", "_modify", "_owner", "_owners", "_perm", "_size", "_unique", "shows_type",
    )  # fmt: skip

    shows_type: bool
    """Whether the type is sent; where it is not, there must be no cdir and pdir entries (RFC 3659 §7.5.1.2)."""

    def __init__(
        self,
        selected: Iterable[str],
        *,
        digits: int = 0,
        owner: Callable[[int], str] = str,
        group: Callable[[int], str] = str,
    ) -> None:
        facts = frozenset(_in_order(selected))
        self.shows_type = "type" in facts
        self._size = "size" in facts
        self._modify = "modify" in facts
        self._perm = "perm" in facts
        self._unique = "unique" in facts
        self._mode = "UNIX.mode" in facts
        self._owners = facts & {"UNIX.owner", "UNIX.group", "UNIX.uid", "UNIX.gid"}
        self._digits = digits
        self._owner = owner
        self._group = group

    def entry(self, entry: Listed, kind: str, permissions: str, pathname: str | None = None) -> str:
        """The facts of *entry*, a space, and its name or *pathname*, as MLST shows it behind one more space.

        *kind* is the value of the type fact: file, dir, cdir, pdir or an OS type (RFC 3659 §7.5.1). Facts that do not
        apply, such as the size of a directory, are left out (§7.2).
        """
        facts = f"type={kind};" if self.shows_type else ""
        if self._size and not kind.endswith("dir"):
            facts += f"size={entry.size};"
        if self._modify and (time := time_value(entry.modified_ns, self._digits)) is not None:
            facts += f"modify={time};"
        if self._perm:
            facts += f"perm={permissions};"
        if self._unique:
            facts += f"unique={entry.unique};"
        if self._mode:
            facts += f"UNIX.mode={entry.mode:04o};"
        if self._owners:
            facts += self._owner_facts(entry)
        line = f"{facts} {entry.name if pathname is None else pathname}"
        return line.replace("\n", "?") if "\n" in line else line

    def line(self, entry: Listed, kind: str, permissions: str, pathname: str | None = None) -> bytes:
        """One line of MLSD as it goes over the data connection."""
        return (self.entry(entry, kind, permissions, pathname) + "\r\n").encode("utf-8", "surrogateescape")

    def _owner_facts(self, entry: Listed) -> str:
        facts = ""
        if "UNIX.owner" in self._owners:
            facts += f"UNIX.owner={_token(self._owner(entry.owner), entry.owner)};"
        if "UNIX.group" in self._owners:
            facts += f"UNIX.group={_token(self._group(entry.group), entry.group)};"
        if "UNIX.uid" in self._owners:
            facts += f"UNIX.uid={entry.owner};"
        if "UNIX.gid" in self._owners:
            facts += f"UNIX.gid={entry.group};"
        return facts


def _token(name: str, number: int) -> str:
    # OS dependent facts are tokens (RFC 3659 §7.6.1); the names of accounts need not be.
    return name if FACT_NAME.fullmatch(name) else str(number)
