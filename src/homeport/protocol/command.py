"""A Command as a client says it, and the parsers of its argument (RFC 959 §5.3).

The verb is case-insensitive. For arguments that are pathnames exactly one space follows the verb, and
everything after it is the name, further and trailing spaces too (RFC 2640 §3.1, RFC 3659 §2.2); all
other arguments tolerate spaces around them. Each parser takes the argument's text and returns a
value, or raises ArgumentError with the reply code that the standard has for it.
"""

from __future__ import annotations

from typing import Final

from .reply import Code


class ArgumentError(ValueError):
    """An argument that does not parse. `code` is the reply code, the message its text."""

    def __init__(self, text: str, code: int = Code.BAD_ARGUMENT) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class Command:
    """One command line: the verb in upper case, and its argument (None where there was no space)."""

    __slots__ = ("argument", "verb")

    def __init__(self, verb: str, argument: str | None) -> None:
        self.verb: Final = verb
        self.argument: Final = argument

    @staticmethod
    def parse(line: bytes) -> Command:
        """From one line without its end. Octets that are no UTF-8 become surrogate escapes."""
        verb, space, argument = line.partition(b" ")
        return Command(
            verb.decode("ascii", "replace").upper(),
            argument.decode("utf-8", "surrogateescape") if space else None,
        )
