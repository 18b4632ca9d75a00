"""xferlog: each file that was moved as one line in the format of wu-ftpd, which statistics programs read.

xferlog(5): fourteen fields with one space between them.

    current-time transfer-time remote-host file-size filename transfer-type special-action-flag direction
    access-mode username service-name authentication-method authenticated-user-id completion-status

    Mon Nov 24 14:03:07 2025 1 192.0.2.7 3200000 /photos/a.jpg b _ o r bob ftp 0 * c

The time is local and as ctime(3) writes it, five words to one field. The format has no way to quote: as in wu-ftpd
each space and each control character of a name is written as an underscore. All other octets are as the client
sent them.
"""

from __future__ import annotations

import time

from .types import Direction, Event, TransferEnded

_FIRST_ESCAPED_OCTET = 0xDC80
_LAST_CONTROL_OCTET = 0xDC9F
_LAST_ESCAPED_OCTET = 0xDCFF


def render(event: Event) -> bytes | None:
    """*event* as one line, LF at its end and nowhere else; None for what moved no file, as a listing."""
    if not isinstance(event, TransferEnded) or event.direction is Direction.LISTING:
        return None
    fields = (
        time.asctime(time.localtime(event.at)),
        # Whole seconds, and never none: programs divide by it.
        str(max(1, round(event.seconds))),
        event.peer[0],
        str(event.octets),
        _word(event.path),
        "b" if event.binary else "a",
        "_",  # neither compressed nor packed on the way
        "o" if event.direction is Direction.DOWNLOAD else "i",
        "a" if event.anonymous else "r",
        _word(event.user),
        "ftp",
        "0",  # no ident (RFC 931) was asked, so there is no authenticated user
        "*",
        "c" if event.error is None else "i",
    )
    return " ".join(fields).encode("utf-8", "surrogateescape") + b"\n"


def _word(text: str) -> str:
    """*text* as one field: never empty, no space, no control character, nothing that ends a line."""
    if text.isprintable() and " " not in text:
        return text or "_"
    return "".join([character if _stays(character) else "_" for character in text])


def _stays(character: str) -> bool:
    number = ord(character)
    if _FIRST_ESCAPED_OCTET <= number <= _LAST_ESCAPED_OCTET:
        # Below A0 it would be a control character to whoever reads the file as Latin-1.
        return number > _LAST_CONTROL_OCTET
    return character.isprintable() and character != " "
