"""Replies: a three-digit code, a text, and the one encoder that puts them on the wire (RFC 959 §4.2).

A reply is one line, `200 text`, or several: `211-text`, any lines, `211 end`. A line in between that
begins with three digits is padded with a space, so that no client takes it for the last one.
Telnet asks for two more things (RFC 854): the octet 255 is doubled, and a CR that is data is
followed by NUL. Texts are str; octets of names that are no UTF-8 travel as surrogate escapes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

_NUL: Final = 0
_LF: Final = 10
_CR: Final = 13


class Code(IntEnum):
    """Reply codes by their meaning. The number is the standard's; RFC 959 unless a line says otherwise."""

    RESTART_MARKER = 110
    DATA_OPEN_STARTING = 125
    DATA_OPENING = 150

    OK = 200
    SUPERFLUOUS = 202
    SYSTEM_STATUS = 211
    DIRECTORY_STATUS = 212
    FILE_STATUS = 213
    HELP_MESSAGE = 214
    SYSTEM_NAME = 215
    READY = 220
    GOODBYE = 221
    DATA_OPEN_IDLE = 225
    DATA_CLOSING = 226
    PASSIVE = 227
    LONG_PASSIVE = 228  # RFC 1639
    EXTENDED_PASSIVE = 229  # RFC 2428
    LOGGED_IN = 230
    LOGGED_IN_BY_SECURITY = 232  # RFC 2228
    SECURITY_ACCEPTED = 234  # RFC 2228
    FILE_ACTION_OK = 250
    PATH_CREATED = 257

    NEED_PASSWORD = 331
    NEED_ACCOUNT = 332
    NEED_MORE = 350

    SERVICE_CLOSING = 421
    CANNOT_OPEN_DATA = 425
    TRANSFER_ABORTED = 426
    RESOURCE_MISSING = 431  # RFC 2228
    FILE_BUSY = 450
    LOCAL_ERROR = 451
    NO_SPACE = 452

    UNKNOWN_COMMAND = 500
    BAD_ARGUMENT = 501
    NOT_IMPLEMENTED = 502
    BAD_SEQUENCE = 503
    BAD_PARAMETER = 504
    PROTECTION_TOO_LOW = 521  # RFC 4217 §10.2
    UNSUPPORTED_FAMILY = 522  # RFC 2428
    HANDSHAKE_FAILED = 522  # RFC 4217 §10.2: TLS on the data connection failed or was not acceptable
    NOT_LOGGED_IN = 530
    NEED_ACCOUNT_TO_STORE = 532
    PROTECTION_REQUIRED = 533  # RFC 2228
    REFUSED_BY_POLICY = 534  # RFC 2228
    SECURITY_CHECK_FAILED = 535  # RFC 2228
    LEVEL_UNSUPPORTED = 536  # RFC 2228
    COMMAND_PROTECTION_UNSUPPORTED = 537  # RFC 2228
    UNAVAILABLE = 550
    PAGE_TYPE_UNKNOWN = 551
    QUOTA_EXCEEDED = 552
    NAME_NOT_ALLOWED = 553
    RESTART_INVALID = 554  # RFC 1123 §4.1.3.4
    TYPE_MISMATCH = 555  # RFC 1123 §4.1.3.4


class Reply:
    """One reply. `body` and `end` make it a multi-line one: `code-text`, the body's lines, `code end`.

    A plain class and no tuple or dataclass: of these two a compiler makes no less than an interpreter does, and some
    are made for each transfer.
    """

    __slots__ = ("body", "code", "end", "text")

    def __init__(self, code: int, text: str, body: tuple[str, ...] = (), end: str | None = None) -> None:
        self.code: Final = code
        self.text: Final = text
        self.body: Final = body
        self.end: Final = end

    def __repr__(self) -> str:
        return f"Reply({int(self.code)}, {self.text!r}, {self.body!r}, {self.end!r})"

    @property
    def preliminary(self) -> bool:
        """Whether another reply to the same command follows (1yz)."""
        return self.code < 200

    @property
    def positive(self) -> bool:
        """Whether the command was carried out or may go on (1yz, 2yz, 3yz)."""
        return self.code < 400

    def encode(self) -> bytes:
        """The octets on the control connection, CR LF at the end of every line."""
        code = int(self.code)
        if self.end is None and not self.body:
            return b"%d %s\r\n" % (code, _octets(self.text))
        out = [b"%d-%s\r\n" % (code, _octets(self.text))]
        for line in self.body:
            octets = _octets(line)
            out.append((b" " if octets[:3].isdigit() else b"") + octets + b"\r\n")
        out.append(b"%d %s\r\n" % (code, _octets(self.end or "")))
        return b"".join(out)


def _octets(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    # As numbers, which are looked for in octets at a third of the cost.
    if text.isascii() and _CR not in octets and _LF not in octets and _NUL not in octets:
        return octets
    # What a client sent may come back in a text. A line feed would end the line: it never stands alone on the wire
    # (RFC 1123 §3.3.1); and a NUL stands nowhere but behind a CR (RFC 854).
    octets = octets.replace(b"\x00", b" ").replace(b"\n", b" ")
    return octets.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\x00")
