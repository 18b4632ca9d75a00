"""Argument: the kinds of argument that verbs take, and one parser for each (RFC 959 §5.3).

`parse(kind, text)` takes the octets behind the one space after the verb, None where there was no
space, and gives the value that the kind promises. What is syntactically wrong raises ArgumentError,
mostly with 501. What is well-formed but not implemented (TYPE E, STRU P, MODE B, a language nobody
speaks) parses: the verb answers 504. Numbers are plain decimals, never octal, hexadecimal or signed.

A pathname is everything behind the one space, further and trailing spaces too, and is handed on as it
came (RFC 2640 §3.1, RFC 3659 §2.2). Everything else tolerates spaces around it, and so does RFC 959 §5.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import AddressValueError, IPv4Address
from typing import Final, NamedTuple

from .command import ArgumentError
from .hostport import DECIMAL, FamilyRequest, parse_address, parse_extended, parse_family, parse_host_port, parse_long
from .listing import FACT_NAME, FACT_VALUE, parse_time

MAX_OFFSET: Final = 2**63 - 1
"""The largest offset and size that files have (`off_t`)."""


class Argument(Enum):
    """What stands behind a verb. The comment gives the value that `parse` returns."""

    NONE = auto()  # None
    TEXT = auto()  # str, not empty, no spaces around
    OPTIONAL_TEXT = auto()  # str | None
    PASSWORD = auto()  # str, exactly as it came, may be empty
    TEXT_PATH = auto()  # str, not empty: words with a pathname at the end, whose trailing spaces stay
    PATH = auto()  # str, not empty, exactly as it came
    OPTIONAL_PATH = auto()  # str | None
    LISTING = auto()  # ListingRequest
    HOST_PORT = auto()  # HostPort
    EXTENDED_HOST_PORT = auto()  # HostPort
    LONG_HOST_PORT = auto()  # HostPort
    FAMILY = auto()  # FamilyRequest
    TYPE = auto()  # Representation
    STRUCTURE = auto()  # "F" | "R" | "P"
    MODE = auto()  # "S" | "B" | "C" | "Z"
    ALLOCATION = auto()  # int, octets, at most MAX_OFFSET
    MARKER = auto()  # int, octets, at most MAX_OFFSET
    LANGUAGE = auto()  # str | None, a well-formed tag
    HOST = auto()  # HostName
    TIME_PATH = auto()  # TimePath
    FACTS_PATH = auto()  # FactsPath

    # Members are single objects. Enum would hash the name, in Python code, at every look-up of a parser.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """The argument of LIST, NLST and STAT.

    RFC 959 knows only the pathname; clients put the options of `ls` before it. `raw` is the whole argument: where
    a file has that very name, it is meant, and there are no options.
    """

    options: frozenset[str]
    """Letters out of LISTING_OPTIONS."""
    path: str | None
    raw: str | None


class Representation(NamedTuple):
    """TYPE: the code, the form of A and E ("N" unless given), the byte size of L (RFC 959 §3.1.1)."""

    type: str
    form: str | None
    size: int | None


class HostName(NamedTuple):
    """HOST: a name in lower case, or an address literal in its canonical form without brackets (RFC 7151 §3.1)."""

    text: str
    literal: bool


class TimePath(NamedTuple):
    """MFMT, MFCT: the wanted time in nanoseconds since 1970, UTC, and the object."""

    modified_ns: int
    path: str


class FactsPath(NamedTuple):
    """MFF: the facts in the order given, their names in lower case, and the object.

    The values of `modify` and `create` are time values that `parse_time` takes.
    """

    facts: tuple[tuple[str, str], ...]
    path: str


def parse(kind: Argument, text: str | None) -> object:
    """The value of *text* as an argument of *kind*; ArgumentError if it has none."""
    return _PARSERS[kind](text)


# -- texts and pathnames -------------------------------------------------------------------------


def _none(text: str | None) -> None:
    if text is not None and text.strip(" "):
        raise ArgumentError("This command takes no argument.")


def _text(text: str | None) -> str:
    words = text.strip(" ") if text is not None else ""
    if not words:
        raise ArgumentError("This command needs an argument.")
    return words


def _optional_text(text: str | None) -> str | None:
    return text.strip(" ") or None if text is not None else None


def _password(text: str | None) -> str:
    # A <string> holds any character, spaces at both ends too (RFC 959 §5.3.2); `PASS ` is how clients send
    # an empty password, and only a bare PASS has none.
    if text is None:
        raise ArgumentError("This command needs an argument.")
    return text


def _text_path(text: str | None) -> str:
    words = text.lstrip(" ") if text is not None else ""
    if not words:
        raise ArgumentError("This command needs an argument.")
    return words


def _path(text: str | None) -> str:
    if not text:
        raise ArgumentError("This command needs a pathname.")
    return text


def _optional_path(text: str | None) -> str | None:
    return text or None


LISTING_OPTIONS: Final = frozenset("aAlRtrSd1F")
"""The options that a listing may look at: those of `ls` that make sense here. All others are ignored."""

_OPTION_WORD = re.compile(r"-(?P<letters>[A-Za-z0-9]+|-)(?: |\Z)")


def _listing(text: str | None) -> ListingRequest:
    if not text:
        return ListingRequest(frozenset(), None, None)
    at = 0
    options: set[str] = set()
    # `LIST -al path` as GNOME, Transmit and many scripts send it. As for `ls`, "--" ends the options.
    while (word := _OPTION_WORD.match(text, at)) is not None:
        at = word.end()
        if word["letters"] == "-":
            break
        options.update(word["letters"])
    return ListingRequest(LISTING_OPTIONS & options, text[at:] or None, text)


def _family(text: str | None) -> FamilyRequest:
    word = _optional_text(text)
    return None if word is None else parse_family(word)


# -- transfer parameters ---------------------------------------------------------------------------

_FORMS = frozenset({"N", "T", "C"})


def _symbol(text: str | None) -> str:
    """A code in upper case (RFC 959 §5.3). Beyond ASCII there are letters whose upper case is an "I" or an "S"."""
    symbol = _text(text)
    return symbol.upper() if symbol.isascii() else symbol


_COMMON_TYPES = {
    "A": Representation("A", "N", None),
    "I": Representation("I", None, None),
    "L 8": Representation("L", None, 8),
}
"""As nearly all clients write them. Each session keeps the one that it has set, so all have the same."""
_COMMON_TYPES["A N"] = _COMMON_TYPES["A"]


def _type(text: str | None) -> Representation:
    common = _COMMON_TYPES.get(text or "")
    if common is not None:
        return common
    # Without a form it is Non-print again (RFC 959 §4.1.2).
    match [word for word in _symbol(text).split(" ") if word]:
        case ["A" | "E" as code]:
            return Representation(code, "N", None)
        case ["A" | "E" as code, form] if form in _FORMS:
            return Representation(code, form, None)
        case ["I"]:
            return Representation("I", None, None)
        case ["L", size] if DECIMAL.fullmatch(size) and len(size) <= 3 and 1 <= int(size) <= 255:
            return Representation("L", None, int(size))
        case ["L"]:
            raise ArgumentError("TYPE L needs a byte size.")  # There is no default (RFC 959 §3.1.1.4).
        case _:
            raise ArgumentError("The types are A [N|T|C], E [N|T|C], I, and L with a byte size.")


def _structure(text: str | None) -> str:
    code = _symbol(text)
    if code not in {"F", "R", "P"}:
        raise ArgumentError("The structures are F, R and P.")
    return code


def _mode(text: str | None) -> str:
    code = _symbol(text)
    if code not in {"S", "B", "C", "Z"}:
        raise ArgumentError("The modes are S, B, C and Z.")
    return code


# -- numbers -----------------------------------------------------------------------------------------

_ALLOCATION = re.compile(r"(?P<octets>[0-9]+)(?: +[Rr] +[0-9]+)?")


def _bounded(digits: str) -> int:
    """The number, or MAX_OFFSET + 1 for all that are larger than MAX_OFFSET (int() refuses thousands of digits)."""
    digits = digits.lstrip("0")
    return min(int(digits or "0"), MAX_OFFSET + 1) if len(digits) <= len(str(MAX_OFFSET)) else MAX_OFFSET + 1


def _allocation(text: str | None) -> int:
    match = _ALLOCATION.fullmatch(_text(text))
    if match is None:
        raise ArgumentError("The form is: ALLO octets [R octets-of-a-record].")
    # More than any disk holds is still well-formed, and MAX_OFFSET is as much too much as the number itself.
    return min(_bounded(match["octets"]), MAX_OFFSET)


def _marker(text: str | None) -> int:
    digits = _text(text)
    if not (digits.isascii() and digits.isdecimal()):
        raise ArgumentError("The restart marker must be a decimal number (RFC 3659).")
    offset = _bounded(digits)
    if offset > MAX_OFFSET:
        raise ArgumentError("The restart marker is larger than any file.")
    return offset


# -- names -------------------------------------------------------------------------------------------

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z]{1,8})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_DOMAIN = 253


def _language(text: str | None) -> str | None:
    tag = _optional_text(text)
    if tag is not None and _LANGUAGE_TAG.fullmatch(tag) is None:
        raise ArgumentError("That is no language tag (RFC 2640).")
    return tag


def _host(text: str | None) -> HostName:
    name = _text(text)
    if name.startswith("[") and name.endswith("]"):
        return HostName(parse_address(6, name[1:-1]), literal=True)
    if len(name) > _MAX_DOMAIN or _DOMAIN.fullmatch(name) is None:
        # So it is also with a port behind the name, which RFC 7151 §3.1 wants refused.
        raise ArgumentError("That is no host name (RFC 7151).")
    try:
        return HostName(str(IPv4Address(name)), literal=True)
    except AddressValueError:
        return HostName(name.lower(), literal=False)


# -- facts and times -----------------------------------------------------------------------------------

_TIME_FACTS = frozenset({"modify", "create"})


def _before_path(text: str | None) -> tuple[str, str]:
    """What stands before the first space, and the pathname behind it."""
    first, space, path = text.partition(" ") if text is not None else ("", "", "")
    if not space or not path:
        raise ArgumentError("This command needs a value, one space and a pathname.")
    return first, path


def _time_path(text: str | None) -> TimePath:
    time, path = _before_path(text)
    return TimePath(parse_time(time), path)


def _facts_path(text: str | None) -> FactsPath:
    line, path = _before_path(text)
    if not line.endswith(";"):
        raise ArgumentError("Every fact must end with a semicolon.")
    facts: list[tuple[str, str]] = []
    for fact in line[:-1].split(";"):
        name, equals, value = fact.partition("=")
        if not equals or FACT_NAME.fullmatch(name) is None or FACT_VALUE.fullmatch(value) is None:
            raise ArgumentError("A fact must have the form name=value.")
        name = name.lower()
        if name in _TIME_FACTS:
            parse_time(value)  # A wrong date is 501 before anything is done (draft-somers-ftp-mfxx §5.5).
        facts.append((name, value))
    return FactsPath(tuple(facts), path)


_PARSERS: Final[dict[Argument, Callable[[str | None], object]]] = {
    Argument.NONE: _none,
    Argument.TEXT: _text,
    Argument.OPTIONAL_TEXT: _optional_text,
    Argument.PASSWORD: _password,
    Argument.TEXT_PATH: _text_path,
    Argument.PATH: _path,
    Argument.OPTIONAL_PATH: _optional_path,
    Argument.LISTING: _listing,
    Argument.HOST_PORT: lambda text: parse_host_port(_text(text)),
    # One space precedes it, and no more (RFC 2428 §2): a second one would be a delimiter out of its range.
    Argument.EXTENDED_HOST_PORT: lambda text: parse_extended(_password(text)),
    Argument.LONG_HOST_PORT: lambda text: parse_long(_text(text)),
    Argument.FAMILY: _family,
    Argument.TYPE: _type,
    Argument.STRUCTURE: _structure,
    Argument.MODE: _mode,
    Argument.ALLOCATION: _allocation,
    Argument.MARKER: _marker,
    Argument.LANGUAGE: _language,
    Argument.HOST: _host,
    Argument.TIME_PATH: _time_path,
    Argument.FACTS_PATH: _facts_path,
}
