"""The text of listings: `ls -l` lines, bare names, fact lines (RFC 3659 §7), and time values (RFC 3659 §2.3).

LIST has no format in RFC 959; clients read what `ls -l` prints in the C locale, so that is what
`list_text` gives, in UTC. MLST and MLSD lines are `fact=value;fact=value; name`, exactly one space before
the name and none elsewhere. All times are UTC in the Gregorian calendar.

A line ends at its LF, so no line can carry a name that holds one; listings leave such names out. If one
comes here all the same its LF becomes "?" rather than a forged line.

What the lines of many entries have in common is a Template (`template.py`), here made once for each class of entries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from typing import Final, Protocol

from .command import ArgumentError
from .template import Field, Template

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


@lru_cache(maxsize=1024)
def list_template(kind: str, mode: int, owner: str, group: str) -> Template:
    """The lines of LIST of entries of one class that are no links. *kind* is the name of their Kind.

    Spaces in an owner's name become underscores: clients count columns.
    """
    return _list_template(_LETTERS.get(kind, _OTHER_LETTER) + mode_text(mode), owner, group)


@lru_cache(maxsize=64)
def _link_template(owner: str, group: str) -> Template:
    return _list_template("lrwxrwxrwx", owner, group)


def _list_template(mode: str, owner: str, group: str) -> Template:
    owner, group = owner.replace(" ", "_"), group.replace(" ", "_")
    return Template(
        f"{mode} ", Field.LINKS_COLUMN, f" {owner:8} {group:8} ", Field.SIZE_COLUMN, " ", Field.WHEN, " ", Field.NAME
    )


def list_text(entry: Listed, owner: str, group: str, now: float, pathname: str | None = None) -> str:
    """One line of LIST without its end. *owner* and *group* are names or numbers, *now* seconds since 1970.

    *pathname* stands in the place of the entry's name where a client asked for one.
    """
    seconds = entry.modified_ns // _NANOSECONDS
    day = min(max(seconds // _DAY, _FIRST_DAY), _LAST_DAY)
    _, month_day, with_year = _dates(day)
    recent = now - HALF_YEAR < seconds <= now
    when = f"{month_day} {_CLOCK[seconds % _DAY // 60]}" if recent else with_year
    name = entry.name if pathname is None else pathname
    if entry.target is None:
        template = list_template(entry.kind.name, entry.mode, owner, group)
    else:
        template = _link_template(owner, group)
        name = f"{name} -> {entry.target}"
    return template.text({"links": entry.links, "size": entry.size, "when": when, "name": name})


def recent(now: float) -> tuple[int, int]:
    """After which second, and until which, a line of LIST shows the time of day; the year before and behind."""
    return math.floor(now - HALF_YEAR), math.floor(now)


def list_line(entry: Listed, owner: str, group: str, now: float, pathname: str | None = None) -> bytes:
    """One line of LIST as it goes over the data connection."""
    return (list_text(entry, owner, group, now, pathname) + "\r\n").encode("utf-8", "surrogateescape")


def name_template(prefix: str = "") -> Template:
    """The lines of NLST: pathnames that the client can use as they are (RFC 1123 §4.1.2.7)."""
    return Template(prefix, Field.NAME)


def name_line(pathname: str) -> bytes:
    """One line of NLST."""
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

_CLASSES = 500
"""Templates that are kept; a directory may have as many owners as it has entries."""

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
    are numbers too.
    """

    __slots__ = ("_facts", "_group", "_modify", "_owner", "_templates", "shows_type")

    shows_type: bool
    """Whether the type is sent; where it is not, there must be no cdir and pdir entries (RFC 3659 §7.5.1.2)."""

    def __init__(
        self,
        selected: Iterable[str],
        *,
        owner: Callable[[int], str] = str,
        group: Callable[[int], str] = str,
    ) -> None:
        self._facts = _in_order(selected)
        self.shows_type = "type" in self._facts
        self._modify = "modify" in self._facts
        self._owner = owner
        self._group = group
        self._templates: dict[tuple[object, ...], Template] = {}

    def entry(self, entry: Listed, kind: str, permissions: str, pathname: str | None = None) -> str:
        """The facts of *entry*, a space, and its name or *pathname*, as MLST shows it behind one more space.

        *kind* is the value of the type fact: file, dir, cdir, pdir or an OS type (RFC 3659 §7.5.1). Facts that do not
        apply, such as the size of a directory, are left out (§7.2).
        """
        modified = time_value(entry.modified_ns) if self._modify else ""
        return self.template(entry, kind, permissions, dated=modified is not None).text(
            {
                "size": entry.size,
                "modified": modified,
                "unique": entry.unique,
                "name": entry.name if pathname is None else pathname,
            }
        )

    def line(self, entry: Listed, kind: str, permissions: str, pathname: str | None = None) -> bytes:
        """One line of MLSD as it goes over the data connection."""
        return (self.entry(entry, kind, permissions, pathname) + "\r\n").encode("utf-8", "surrogateescape")

    def template(self, entry: Listed, kind: str, permissions: str, *, dated: bool = True) -> Template:
        """The line of all entries with the mode, owner and group of *entry*, with that *kind* and *permissions*.

        Without *dated* it has no modify fact: that of a year that has not four digits cannot be told.
        """
        key = (kind, entry.mode, entry.owner, entry.group, permissions, dated)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= _CLASSES:
                self._templates.clear()
            facts = [self._fact(name, entry, kind, permissions) for name in self._facts if dated or name != "modify"]
            parts = (part for fact in facts for part in fact)
            template = self._templates[key] = Template(*parts, " ", Field.NAME)
        return template

    def _fact(self, name: str, entry: Listed, kind: str, permissions: str) -> tuple[str | Field, ...]:
        value: str | Field
        match name:
            case "type":
                value = kind
            case "size":
                if kind.endswith("dir"):
                    return ()
                value = Field.SIZE
            case "modify":
                value = Field.MODIFIED
            case "perm":
                value = permissions
            case "unique":
                value = Field.UNIQUE
            case "UNIX.mode":
                value = f"{entry.mode:04o}"
            case "UNIX.owner":
                value = _token(self._owner(entry.owner), entry.owner)
            case "UNIX.group":
                value = _token(self._group(entry.group), entry.group)
            case "UNIX.uid":
                value = str(entry.owner)
            case _:
                value = str(entry.group)
        return f"{name}=", value, ";"


def _token(name: str, number: int) -> str:
    # OS dependent facts are tokens (RFC 3659 §7.6.1); the names of accounts need not be.
    return name if FACT_NAME.fullmatch(name) else str(number)
