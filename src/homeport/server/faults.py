"""Fault: what is wrong with a configuration, in our words and not in those of the library that finds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .config import Config, Section, UserOptions
from .positions import Key
from .values.text import OptionError, quote


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    line: int | None
    """From 1; None where it is the file as a whole."""
    key: Key
    """The way to the option, as in ("users", 0, "home")."""
    text: str
    suggestion: str | None = None
    """What was perhaps meant."""
    source: str = ""
    """The line itself, a password in it made unreadable."""


@dataclass(frozen=True, slots=True)
class Missing(Fault):
    """An option that must be there and is not."""

    option: str = ""


def faults_of(error: ValidationError, section: Key = ()) -> list[Fault]:
    """What *error* found in the table *section*, or in a whole configuration."""
    details = error.errors(include_url=False)
    found = [_fault(section, detail) for detail in details if not _follows(detail, details)]
    # An option that is missing because it is misspelt is one fault and not two.
    meant = {fault.suggestion for fault in found if fault.key != section}
    return [fault for fault in found if not (isinstance(fault, Missing) and fault.option in meant)]


def key_text(key: Key) -> str:
    """The way to an option as people write it: `users[0].home`; the first user is number 1."""
    out = ""
    for part in key:
        if isinstance(part, int):
            out += f"[{part + 1}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else quote(part)
            out += f".{name}" if out else name
    return out


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether *detail* is a list called too short only because items of it are bad."""
    if detail["type"] != "too_short":
        return False
    loc = detail["loc"]
    return any(other["loc"][: len(loc)] == loc and other is not detail for other in details)


def _fault(section: Key, detail: ErrorDetails) -> Fault:
    """What pydantic found, in our words."""
    key = (*section, *(part for part in detail["loc"] if part != "[key]"))
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            error = context["error"]
            suggestion = error.suggestion if isinstance(error, OptionError) else None
            return Fault(None, key, str(error), suggestion)
        case "extra_forbidden":
            return unknown(key)
        case "missing":
            return Missing(None, section, f'the option "{key[-1]}" is missing', option=str(key[-1]))
        case "literal_error":
            known = re.findall(r"'([^']*)'", context["expected"])
            near = get_close_matches(str(detail["input"]).lower(), known, 1)
            text = f"{_written(detail['input'])} is not one of {', '.join(map(quote, known))}"
            return Fault(None, key, text, quote(near[0]) if near else None)
        case "greater_than_equal":
            return Fault(None, key, f"{detail['input']} is too little: at least {context['ge']}")
        case "less_than_equal":
            return Fault(None, key, f"{detail['input']} is too much: at most {context['le']}")
        case "model_type":
            return Fault(None, key, f"this is a table: [{key[0]}]")
        case kind:
            return Fault(None, key, _WANTED.get(kind, detail["msg"]))


_WANTED = {
    "int_type": "a whole number is wanted, without quotation marks",
    "bool_type": "true or false is wanted, without quotation marks",
    "string_type": "text is wanted, in quotation marks",
    "dict_type": "a table is wanted: { ... }",
    "tuple_type": "a list is wanted: [ ... ]",
    "too_short": "the list is empty",
}


def unknown(key: Key) -> Fault:
    """An option that does not exist: near to one of its table, or one of another table."""
    name = str(key[-1])
    tables = {table: _options(table) for table in Config.model_fields}
    if len(key) == 1:
        text = "there is no table and no option of this name"
        near = get_close_matches(name, [*tables, "user"], 1)
        if near and near[0] in get_close_matches(name, [near[0], *chain(*tables.values())], 1):
            table = "users" if near[0] == "user" else near[0]
            return Fault(None, key, text, "[[users]]" if table == "users" else f"[{table}]")
    else:
        text = "there is no such option"
        near = get_close_matches(name, tables[str(key[0])], 1)
        if near:
            return Fault(None, key, text, near[0])
    for table, options in tables.items():
        near = get_close_matches(name, options, 1, 0.75)
        if near:
            return Fault(None, key, text, f"{near[0]} in {'[[users]]' if table == 'users' else f'[{table}]'}")
    return Fault(None, key, text)


def _options(table: str) -> list[str]:
    if table == "users":
        return list(UserOptions.model_fields)
    model = Config.model_fields[table].annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, Section) else []


def _written(value: object) -> str:
    return quote(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
