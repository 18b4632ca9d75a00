"""Reference: the sample file and the reference page, written from the declaration in `config.py`.

In the sample every option stands as a comment with its default, so that the file as printed changes
nothing, and taking away the "#" of a line changes what it says. An option without a default shows an example.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from .config import Config
from .forms import Form, write_plain
from .section import Section
from .values.text import quote

_WIDTH = 100

PAGE_HEAD = """\
# Configuration

This page is written by `homeport config reference` from the declaration in `src/homeport/server/config.py`;
do not edit it. `homeport config sample` prints a file to start from, `homeport config check FILE` says what is wrong
with one, and `homeport serve --config FILE` uses it.

The file is [TOML](https://toml.io). An option that is left out has its default. An option that does not exist, or a
value that cannot be, is an error: all of them are reported at once, with their lines, and nothing is started.
Relative paths are relative to the file itself; `~` is the home directory of who runs the server.
"""


def sample() -> str:
    """A configuration file that changes nothing, with every option in it as a comment."""
    out = ["# Configuration of Homeport. Every option is here with its default; take away the # to change one."]
    for name, section in _sections():
        out.append("")
        out.extend(_comment(_sentence(section)))
        out.append("#[[users]]" if name == "users" else f"[{name}]")
        for option, field in section.model_fields.items():
            out.append("")
            out.extend(_comment(field.description or ""))
            value, note = (_default(field), "") if _tells(field) else (_example(field), "  # an example")
            out.append(f"#{option} = {value}{note}")
    return "\n".join(out) + "\n"


def reference() -> str:
    """The reference page in Markdown."""
    out = [PAGE_HEAD]
    for name, section in _sections():
        out.append(f"## `{'[[users]]' if name == 'users' else f'[{name}]'}`\n")
        out.append(f"{_sentence(section)}\n")
        out.append("| Option | Value | Default | |")
        out.append("|---|---|---|---|")
        for option, field in section.model_fields.items():
            default = "none"
            if field.is_required():
                default = "*must be given*"
            elif _tells(field):
                default = f"`{_default(field)}`"
            cells = [f"`{option}`", _cell(_words(field)), default, _cell(field.description or "")]
            out.append(f"| {' | '.join(cells)} |")
        out.append("")
    return "\n".join(out)


def _sections() -> Iterator[tuple[str, type[Section]]]:
    """The tables in the order of their declaration, the table of one user for all of them."""
    for name, field in Config.model_fields.items():
        for candidate in (field.annotation, *get_args(field.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, Section):
                yield name, candidate
                break
        else:
            raise TypeError(f"the option {name} is no table")


def _sentence(section: type[Section]) -> str:
    return (section.__doc__ or "").strip()


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _tells(field: FieldInfo) -> bool:
    """Whether there is a default to see: neither missing nor empty nor a None that TOML cannot write."""
    if field.is_required() or field.default in ((), {}):
        return False
    return field.default is not None or _form_of(field, optional=False) is not None


def _default(field: FieldInfo) -> str:
    return _toml(field, field.default)


def _example(field: FieldInfo) -> str:
    if not field.examples:
        raise TypeError(f"an option without a default needs an example: {field.description}")
    return _toml(field, field.examples[0])


def _toml(field: FieldInfo, value: object) -> str:
    form = _form_of(field, optional=True)
    return form.write(value) if form is not None else write_plain(value)


def _words(field: FieldInfo) -> str:
    form = _form_of(field, optional=True)
    words = _plain_words(field.annotation) if form is None else form.words
    least = next((f"at least {bound.ge}" for bound in field.metadata if isinstance(bound, Ge)), "")
    most = next((f"at most {bound.le}" for bound in field.metadata if isinstance(bound, Le)), "")
    return ", ".join(part for part in (words, least, most) if part)


def _plain_words(annotation: Any) -> str:
    alternatives = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(alternatives) == 1:
        return _plain_words(alternatives[0])
    if get_origin(annotation) is Literal:
        return ", ".join(map(quote, get_args(annotation)))
    return {bool: "true or false", int: "whole number", str: "text"}[annotation]


def _form_of(field: FieldInfo, *, optional: bool) -> Form | None:
    """The Form of an option's type; with *optional*, also that of `X | None`, whose None cannot be written."""
    found = [one for one in field.metadata if isinstance(one, Form)]
    if not found and optional:
        for alternative in get_args(field.annotation):
            found.extend(one for one in get_args(alternative)[1:] if isinstance(one, Form))
    return found[0] if found else None
