"""Refusal, and the one table from what a storage raises to what a client hears.

A verb says an expected "no" by raising Refusal. Errors of the storage reach the gate as they are; here, and
nowhere else, they become replies. RFC 959 §5.4 has other codes before the data connection was announced (1yz)
than after it, and other ones for verbs that write a name than for verbs that read one; so the table has three columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from homeport.protocol.reply import Code, Reply
from homeport.storage import base


class Refusal(Exception):
    """The expected "no" of a verb: its one final reply."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{int(code)} {text}")
        self.reply = Reply(code, text)


@dataclass(frozen=True, slots=True)
class _Row:
    reading: int
    """Of a verb that needs what is there (RETR, CWD, DELE, MDTM ...), and MKD."""
    writing: int
    """Of a verb that gives a file its name: STOR, STOU, APPE, RNTO."""
    started: int
    """After 1yz: only 425, 426, 451, 551 and 552 are left (§5.4)."""
    text: str


_TABLE: dict[type[base.StorageError], _Row] = {
    base.NotFound: _Row(550, 550, 451, "No such file or directory"),
    base.AlreadyExists: _Row(550, 553, 451, "The name is taken"),
    base.NotADirectory: _Row(550, 550, 451, "Not a directory"),
    base.IsADirectory: _Row(550, 553, 451, "This is a directory"),
    base.NotAFile: _Row(550, 553, 451, "Not a regular file"),
    base.DirectoryNotEmpty: _Row(550, 553, 451, "The directory is not empty"),
    base.AccessDenied: _Row(550, 550, 451, "Access denied"),
    base.Busy: _Row(450, 450, 451, "In use, try again later"),
    base.NoSpace: _Row(452, 452, 451, "No space left"),
    base.QuotaExceeded: _Row(552, 552, 552, "The quota is used up"),
    base.NameNotAllowed: _Row(553, 553, 451, "This name cannot be used"),
    base.BadOffset: _Row(554, 554, 451, "The restart offset lies beyond the end of the file"),
    base.NotSupported: _Row(504, 504, 451, "Not possible with this storage"),
    base.InputOutputError: _Row(450, 450, 451, "Reading or writing failed"),
}

_WRITING = frozenset({"STOR", "STOU", "APPE", "RNTO"})


def reply_for(error: base.StorageError, verb: str, *, started: bool) -> Reply:
    """The reply to *verb* for *error*; *started*: after its preliminary reply."""
    row = _TABLE.get(type(error)) or _TABLE[base.InputOutputError]
    if started:
        code = row.started
    elif verb in _WRITING:
        code = row.writing
    else:
        code = row.reading
    return Reply(code, row.text if error.path is None else f"{error.path}: {row.text}")


NOT_LOGGED_IN = Reply(Code.NOT_LOGGED_IN, "Please log in with USER and PASS")
PERMISSION_DENIED = "Permission denied"
