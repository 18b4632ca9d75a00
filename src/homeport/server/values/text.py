"""What all values have in common: the text of TOML, and the error that says what is wrong with one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class OptionError(ValueError):
    """A value that cannot be used. `suggestion` is what was perhaps meant, as TOML text."""

    def __init__(self, text: str, suggestion: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that a value stands in: what relative paths are relative to, and who may read it."""

    directory: str
    private: bool
    """Whether nobody but the file's owner may read it."""


def quote(text: object) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def near(word: str, words: Iterable[str]) -> str | None:
    """The one of *words* that *word* is most like, as TOML text."""
    found = get_close_matches(word.lower(), list(words), 1)
    return quote(found[0]) if found else None


def write_list(values: Iterable[object]) -> str:
    return "[" + ", ".join(quote(value) for value in values) + "]"
