"""Lines: what can be told of a command line without carrying it out."""

from __future__ import annotations

from typing import Final

from homeport.protocol.command import Command
from homeport.protocol.grammar import GRAMMAR
from homeport.protocol.telnet import LineTooLong

_NOT_FTP: Final = frozenset({
    "GET", "POST", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "HELO", "EHLO", "LHLO",
})  # fmt: skip
"""First words of other protocols. A browser can be made to post FTP commands in the body of a request (D-29)."""


def is_foreign(command: Command) -> bool:
    """Whether whoever begins with this speaks another protocol."""
    return command.verb in _NOT_FTP or command.verb.startswith("SSH-")


def bare_verb(line: bytes | LineTooLong) -> bytes:
    """The whole line, where it is a verb without an argument."""
    return b"" if isinstance(line, LineTooLong) else line.rstrip().upper()


def shown(command: Command) -> str:
    """The command for a log: a password never stands in one, and what is not understood might be a password."""
    if command.verb in ("PASS", "ACCT", "ADAT"):
        return f"{command.verb} ****"
    if command.verb not in GRAMMAR:
        return "****"
    return command.verb if command.argument is None else f"{command.verb} {command.argument}"
