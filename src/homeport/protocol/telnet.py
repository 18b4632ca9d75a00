"""Telnet as FTP's control connection has it (RFC 854, RFC 1123 §4.1.2.12): octets in, command lines out.

`Framer` takes the octets in whatever pieces they come, removes what is Telnet's, and gives the lines
one by one. Three layers lie over one another, and each keeps its half-read state between feeds:

1. Telnet. IAC IAC is one data octet 255. Two-octet commands (IP, DM, NOP, AYT ...) vanish: urgent data is
   read in-line, and since some clients send it without a DM, nothing is thrown away while waiting for one.
   WILL and DO are refused, WONT and DONT need no answer, IAC SB ... IAC SE is skipped whole.
2. Lines. CR LF ends one, and so does a lone LF, as scripts and netcat send it. Only an LF right
   behind CR NUL does not: there the CR is data (RFC 2640 §3.1), and the LF belongs to the same name.
3. CR NUL is a CR. A NUL elsewhere and a CR before anything else are data.

Nothing grows without bound. A line longer than the limit is reported once and skipped to its end,
and a subnegotiation without an end counts as such a line.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

_IAC: Final = b"\xff"
_SE: Final = 240
_SB: Final = 250
_WILL: Final = 251
_DO: Final = 253
_IAC_CODE: Final = 255
_NUL: Final = 0
_CR: Final = 13
_LF: Final = 10
_REFUSALS: Final = {_WILL: b"\xff\xfe", _DO: b"\xff\xfc"}  # IAC DONT to WILL, IAC WONT to DO


@dataclass(frozen=True, slots=True)
class LineTooLong:
    """Stands in the place of a line of more than `limit` octets. The rest of it is skipped."""

    limit: int


Line = bytes | LineTooLong


class Framer:
    """The incoming side of one control connection."""

    __slots__ = (
        "_half", "_lines", "_max_line", "_pending", "_plain", "_skipping", "_subnegotiation", "answers", "next",
    )  # fmt: skip

    def __init__(self, max_line: int = 8192) -> None:
        self._max_line = max_line
        self.clear()

    def clear(self) -> None:
        """Drop everything that was read and not yet taken, answers too: nothing in clear text counts under TLS."""
        self.next: Line | None = None
        """The next whole line without its end, which `next_line` takes; None: there is none yet."""
        # What follows it; None while there is nothing, which is nearly always.
        self._lines: deque[Line] | None = None
        # The begun line, Telnet removed; while skipping no more than its last two octets.
        self._pending = b""
        self._skipping = False
        # A Telnet sequence that has not ended. Of a subnegotiation only its frame, and the number of its octets.
        self._half = b""
        self._subnegotiation = 0
        self.answers = b""
        """The refusals that are to be sent now, each once; mostly none."""
        # Whether the next octet begins a line: nothing is half-read.
        self._plain = True

    @property
    def begun(self) -> bool:
        """Whether a line, or a Telnet sequence, has begun and not ended."""
        return not self._plain

    def feed(self, data: bytes) -> None:
        """Take octets as they were received."""
        # Nearly every read is one whole line and nothing else.
        if (
            self._plain
            and self.next is None
            and data.endswith(b"\r\n")
            and data.find(b"\n") == len(data) - 1
            # As numbers: `in` first tries to make a number of what it is given, and an error is not free.
            and _IAC_CODE not in data
            and _NUL not in data
            and len(data) - 2 <= self._max_line
        ):
            self.next = data[:-2]
            return
        if self._half or _IAC in data:
            self._remove_telnet(data)
        else:
            self._frame(data)
        self._plain = not (self._pending or self._half or self._skipping)

    def next_line(self) -> Line | None:
        """Take the next line; None when there is none yet."""
        line = self.next
        if line is not None:
            if self._lines is None:
                self.next = None
            else:
                self.next = self._lines.popleft()
                if not self._lines:
                    self._lines = None
        return line

    def take_answers(self) -> bytes:
        """Take what is to be sent now."""
        answers, self.answers = self.answers, b""
        return answers

    # -- Telnet ------------------------------------------------------------------------------------

    def _remove_telnet(self, data: bytes) -> None:
        half, self._half = self._half, b""
        if half:
            data = half + data
            if half[:2] == b"\xff\xfa":
                self._subnegotiation -= len(half) - 2  # Counted already, and now about to be read again.
        kept: list[bytes] = []
        answers: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            start = data.find(_IAC, at)
            if start < 0:
                kept.append(data[at:])
                break
            kept.append(data[at:start])
            code = data[start + 1] if start + 1 < end else None
            if code is None or (code >= _WILL and code != _IAC_CODE and start + 2 >= end):
                self._half = data[start:]
                break
            if code == _IAC_CODE:
                kept.append(_IAC)
                at = start + 2
            elif code == _SB:
                at = self._skip_subnegotiation(data, start + 2, kept)
            elif code >= _WILL:
                # The option is an octet like any other, also where it looks like CR, LF or IAC.
                if code in _REFUSALS:
                    answers.append(_REFUSALS[code] + data[start + 2 : start + 3])
                at = start + 3
            else:
                # An end of line is never part of a command: a client that sends 255 undoubled loses no line by it.
                at = start + (1 if code in (_CR, _LF) else 2)
        if answers:
            self.answers += b"".join(answers)
        self._frame(b"".join(kept))

    def _skip_subnegotiation(self, data: bytes, at: int, kept: list[bytes]) -> int:
        """Where the data goes on behind IAC SE, reading from *at* behind IAC SB."""
        begin = at - self._subnegotiation
        limit = begin + self._max_line
        end = len(data)
        while True:
            found = data.find(_IAC, at, min(end, limit))
            if limit <= end if found < 0 else found + 2 > limit:
                # No end within the limit. Octets of it must not be taken for commands, so they go as a line too long.
                self._subnegotiation = 0
                self._frame(b"".join(kept))
                kept.clear()
                self._refuse_line()
                return limit
            if found < 0 or found + 2 > end:
                self._half = b"\xff\xfa" + (_IAC if found >= 0 else b"")
                self._subnegotiation = end - begin
                return end
            if data[found + 1] == _SE:
                self._subnegotiation = 0
                return found + 2
            at = found + 2  # IAC IAC is an octet of its text; anything else has no business here.

    # -- lines -------------------------------------------------------------------------------------

    def _frame(self, data: bytes) -> None:
        pending = self._pending
        if pending:
            data = pending + data
        begin, search = 0, len(pending)
        while (end := data.find(b"\n", search)) >= 0:
            search = end + 1
            if end - begin >= 2 and data[end - 2 : end] == b"\r\x00":
                continue
            if self._skipping:
                self._skipping = False
            else:
                self._add(data[begin : end - 1 if end > begin and data[end - 1] == _CR else end])
            begin = search
        rest = data[begin:]
        excess = len(rest) - self._max_line
        # One octet more may be the CR of the end.
        if not self._skipping and (excess > 1 or (excess == 1 and rest[-1] != _CR)):
            self._refuse_line()
        self._pending = rest[-2:] if self._skipping else rest

    def _refuse_line(self) -> None:
        if not self._skipping:
            self._skipping = True
            self._put(LineTooLong(self._max_line))

    def _add(self, line: bytes) -> None:
        # The limit counts the line as it stood there, so it does not depend on where the pieces were cut.
        if len(line) > self._max_line:
            self._put(LineTooLong(self._max_line))
        else:
            self._put(line.replace(b"\r\x00", b"\r") if b"\x00" in line else line)

    def _put(self, line: Line) -> None:
        if self.next is None:
            self.next = line
        elif self._lines is None:
            self._lines = deque((line,))
        else:
            self._lines.append(line)
