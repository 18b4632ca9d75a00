"""What a server may put on the control connection, as a strict parser reads it (RFC 959 §4.2, RFC 854).

Strict means that nothing is mended: a line ends with CR LF and with nothing else, a code has three
digits, a multi-line reply ends with its own code and a space, and a line in between never begins with
three digits, so it cannot be taken for the last one. The Telnet layer beneath is as strict: octet 255
stands doubled, CR as data is followed by NUL, and the only Telnet commands that an FTP server
says are the refusals WONT and DONT (RFC 1123 §4.1.2.12). Whatever else comes raises ProtocolError.

The parser is pure: octets go in with `feed`, replies come out of `next_reply`, however they were cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# One token of the control connection. Data octets are everything but IAC, CR, LF and NUL; a line ends with CR LF;
# CR NUL and IAC IAC are one data octet each; IAC WONT x and IAC DONT x are refusals, whatever octet x is.
_TOKEN = re.compile(
    rb"(?P<data>[^\xff\r\n\x00]+)|(?P<end>\r\n)|(?P<cr>\r\x00)|(?P<iac>\xff\xff)|(?P<refusal>\xff[\xfc\xfe].)",
    re.DOTALL,
)
_UNFINISHED = frozenset({b"\r", b"\xff", b"\xff\xfc", b"\xff\xfe"})
"""Beginnings of a token, whose rest may still be under way."""

_OPENING = re.compile(rb"[1-6][0-9]{2}[ -]")
_THREE_DIGITS = re.compile(rb"[0-9]{3}")


class ProtocolError(AssertionError):
    """The server said what the standard does not allow. An AssertionError, so that a test fails by it."""


@dataclass(frozen=True, slots=True)
class HeardReply:
    """One reply as it came. `lines` are the octets after the Telnet layer, without code on the first and last line."""

    code: int
    lines: tuple[bytes, ...]
    raw: bytes

    @property
    def text(self) -> str:
        """The text of the first line; octets that are no UTF-8 as surrogate escapes."""
        return self.lines[0].decode("utf-8", "surrogateescape")

    @property
    def body(self) -> tuple[bytes, ...]:
        """The lines between the first and the last one of a multi-line reply."""
        return self.lines[1:-1]

    @property
    def multi_line(self) -> bool:
        return len(self.lines) > 1

    @property
    def preliminary(self) -> bool:
        """Whether another reply to the same command follows (1yz)."""
        return self.code < 200

    @property
    def positive(self) -> bool:
        """1yz, 2yz or 3yz."""
        return self.code < 400

    def __str__(self) -> str:
        return self.raw.decode("utf-8", "backslashreplace").rstrip("\r\n")


class ReplyParser:
    """Octets in, replies out. After a ProtocolError it is of no further use."""

    __slots__ = ("_at", "_buffer", "_line", "_lines", "_refusals")

    def __init__(self) -> None:
        self._buffer = bytearray()
        """From the beginning of the reply that is being read."""
        self._at = 0
        """Up to where the buffer has been understood."""
        self._line = bytearray()
        self._lines: list[bytes] = []
        self._refusals: list[bytes] = []

    def feed(self, octets: bytes) -> None:
        """Take what was received."""
        self._buffer += octets

    def next_reply(self) -> HeardReply | None:
        """The next whole reply, or None while there is none. Raises ProtocolError."""
        while (line := self._next_line()) is not None:
            self._lines.append(line)
            if self._complete(line):
                return self._take()
        return None

    def take_refusals(self) -> tuple[bytes, ...]:
        """The Telnet refusals seen since the last call, each three octets (RFC 854)."""
        refusals = tuple(self._refusals)
        self._refusals.clear()
        return refusals

    @property
    def unfinished(self) -> bytes:
        """What has come in and is not yet a whole reply."""
        return bytes(self._buffer)

    def finish(self) -> None:
        """The connection has ended: ProtocolError when that was in the middle of a reply."""
        if self.unfinished:
            raise ProtocolError(f"the connection ended in the middle of a reply: {self.unfinished!r}")

    def _next_line(self) -> bytes | None:
        """One line without its end and with the Telnet layer taken off."""
        while self._at < len(self._buffer):
            token = _TOKEN.match(self._buffer, self._at)
            if token is None:
                rest = bytes(self._buffer[self._at : self._at + 3])
                if rest in _UNFINISHED:
                    return None
                raise ProtocolError(f"octets that no reply may hold: {rest!r} in {self.unfinished!r}")
            self._at = token.end()
            match token.lastgroup:
                case "data":
                    self._line += token[0]
                case "cr":
                    self._line += b"\r"
                case "iac":
                    self._line += b"\xff"
                case "refusal":
                    self._take_refusal(token[0])
                case _:
                    line = bytes(self._line)
                    self._line.clear()
                    return line
        return None

    def _take_refusal(self, refusal: bytes) -> None:
        """Keep it apart: it stands between the replies' octets and belongs to none of them."""
        self._refusals.append(refusal)
        del self._buffer[self._at - len(refusal) : self._at]
        self._at -= len(refusal)

    def _complete(self, line: bytes) -> bool:
        """Whether *line*, the last of `_lines`, ends the reply (RFC 959 §4.2)."""
        first = self._lines[0]
        if len(self._lines) == 1:
            if not _OPENING.match(line):
                raise ProtocolError(f"neither `code SP text` nor `code-text`: {line!r}")
            return line[3:4] == b" "
        if line[:3] == first[:3] and line[3:4] == b" ":
            return True
        if _THREE_DIGITS.match(line):
            # It would have to be padded (§4.2); with another code it would be a reply within a reply.
            raise ProtocolError(f"a line inside a {first[:3].decode()} reply begins with three digits: {line!r}")
        return False

    def _take(self) -> HeardReply:
        raw = bytes(self._buffer[: self._at])
        lines = self._lines
        lines[0] = lines[0][4:]
        if len(lines) > 1:
            lines[-1] = lines[-1][4:]
        reply = HeardReply(int(raw[:3]), tuple(lines), raw)
        self._lines = []
        del self._buffer[: self._at]
        self._at = 0
        return reply
