"""Which reply answers which command, and whether it may (RFC 959 §4.2, §5.4). Pure; the client feeds it.

Every command that was sent is awaited until its one final reply has come. Replies come in the order of
the commands, with one exception: while a transfer is under way (its 1yz was heard), STAT and NOOP may be
answered before it is over (§4.1.3). A reply that no command awaits is a spontaneous one, which §5.4
forbids; only 421 may come at any time, and then nothing follows it but the end of the connection.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from homeport.protocol import grammar

from .replies import HeardReply, ProtocolError

CONNECT = "(CONNECT)"
"""The verb that stands for the connection itself: the greeting answers it."""

_AFTER_PRELIMINARY = frozenset({226, 250, 421, 425, 426, 451, 452, 522, 535, 551, 552, 554})
"""The final replies that are possible once a 1yz was said. §5.4 has 226 250 425 426 451 551 552; 452 is the 4yz of a
disk that fills up meanwhile (RFC 1123 §4.1.2.11), 554 a marker that proves wrong, 522 and 535 are the protection's
(RFC 4217 §10.2, RFC 2228 §6)."""

_DURING_TRANSFER = frozenset({"STAT", "NOOP"})

_LINE = rb"[^\r\n]*\r\n"
_VISIBLE = rb"[\t\x20-\x7e]*\r\n"
_PATH = rb"(?:[^\r\n]|\r\x00)+"
_FACTS = rb"(?:[^ =;\r\n]+=[^ ;\r\n]*;)"
_ENTRIES = rb"(?: " + _FACTS + rb"* " + _PATH + rb"\r\n)+"
_FIXED_TEXTS: dict[tuple[str, int], re.Pattern[bytes]] = {
    (verb, code): re.compile(pattern, re.DOTALL)
    for verbs, code, pattern in (
        ("SYST", 215, rb"215 [A-Z][A-Z0-9/-]*(?: [^\r\n]*)?\r\n"),
        ("PASV", 227, rb"227 [^\d\r\n]*\((?:\d{1,3},){5}\d{1,3}\)[^\d\r\n]*\r\n"),
        ("LPSV", 228, rb"228 [^\d\r\n]*\(\d+(?:,\d+)+\)[^\d\r\n]*\r\n"),
        ("EPSV", 229, rb"229 [^()\r\n]*\(([\x21-\x7e])\1\1\d{1,5}\1\)\r\n"),
        ("EPSV EPRT", 522, rb"522 [^()\r\n]*\(\d+(?:,\d+)*\)\r\n"),
        # An absolute path in quotes, quotes in it doubled; CR NUL is a CR in it (RFC 959 Appendix II, RFC 2640 §3.1).
        ("PWD XPWD MKD XMKD", 257, rb'257 "/(?:[^"\r\n]|""|\r\x00)*"(?: [^\r\n]*)?\r\n'),
        ("STOU", 125, rb"125 FILE: " + _PATH + rb"\r\n"),  # RFC 1123 §4.1.2.9
        ("STOU", 150, rb"150 FILE: " + _PATH + rb"\r\n"),
        ("SIZE", 213, rb"213 \d+\r\n"),  # RFC 3659 §4.1
        ("MDTM", 213, rb"213 \d{14}(?:\.\d+)?\r\n"),  # RFC 3659 §3.1
        # The texts around the entries are visible ASCII (RFC 3659 §7.2).
        ("MLST", 250, rb"250-" + _VISIBLE + _ENTRIES + rb"250(?: " + _VISIBLE + rb"|\r\n)"),
        ("MLSD", 150, rb"150(?: " + _VISIBLE + rb"|\r\n)"),
        ("MLSD", 226, rb"226 " + _VISIBLE),
        # One space before each feature, and no tab (RFC 2389 §3.2); "211 End" has nothing behind it.
        (
            "FEAT",
            211,
            rb"211 " + _LINE + rb"|211-" + _LINE + rb"(?: [\x21-\x7e]+(?: [\x20-\x7e]+)?\r\n)+211 (?i:end)\r\n",
        ),
        ("MFMT", 213, rb"213 (?i:Modify)=\d{14}(?:\.\d+)?; " + _PATH + rb"\r\n"),
        ("MFCT", 213, rb"213 (?i:Create)=\d{14}(?:\.\d+)?; " + _PATH + rb"\r\n"),
        ("MFF", 213, rb"213 " + _FACTS + rb"+ " + _PATH + rb"\r\n"),
        ("AVBL DSIZ", 213, rb"213 \d+\r\n"),
    )
    for verb in verbs.split()
}
"""The texts that a standard fixes; all others are free (RFC 959 §4.2). Matched against the octets on the wire."""


@dataclass(slots=True, eq=False)
class _Awaited:
    verb: str
    under_way: bool = False


@dataclass(slots=True)
class Dialogue:
    """The commands that are still to be answered, oldest first."""

    _awaited: deque[_Awaited] = field(default_factory=deque)
    ended: bool = False
    """Whether the server said its last: 421, or 221 to QUIT. Only the end of the connection may follow."""

    @property
    def awaited(self) -> tuple[str, ...]:
        """The verbs that have had no final reply yet."""
        return tuple(one.verb for one in self._awaited)

    def expect(self, verb: str) -> None:
        """A command with *verb* was sent (CONNECT for the connection itself)."""
        self._awaited.append(_Awaited(verb.upper()))

    def hear(self, reply: HeardReply) -> str:
        """Match *reply* to the command that it answers; returns its verb. Raises ProtocolError if it may not come."""
        if self.ended:
            raise ProtocolError(f"after its last reply the server said: {reply}")
        if not self._awaited:
            if reply.code == 421:  # Said when the service must shut down (§4.2.1), also on a timeout.
                self.ended = True
                return ""
            raise ProtocolError(f"a reply to no command: {reply}")
        answered = self._answered_by(reply)
        if not self._allows(answered, reply.code):
            state = " after its preliminary reply" if answered.under_way else ""
            raise ProtocolError(f"{answered.verb} may not be answered{state} by: {reply}")
        shape = _FIXED_TEXTS.get((answered.verb, reply.code))
        if shape is not None and not shape.fullmatch(reply.raw):
            raise ProtocolError(f"the text of this reply to {answered.verb} is fixed by its standard: {reply.raw!r}")
        if reply.preliminary:
            answered.under_way = True
        else:
            self._awaited.remove(answered)
        if reply.code == 421 or (answered.verb == "QUIT" and reply.code == 221):
            self.ended = True
        return answered.verb

    def _answered_by(self, reply: HeardReply) -> _Awaited:
        first = self._awaited[0]
        if first.under_way and not self._allows(first, reply.code):
            for later in self._awaited:
                if later.verb in _DURING_TRANSFER and self._allows(later, reply.code):
                    return later
        return first

    @staticmethod
    def _allows(awaited: _Awaited, code: int) -> bool:
        if awaited.verb == CONNECT:
            if code in grammar.GREETING_PRELIMINARY:
                return not awaited.under_way
            return code in grammar.GREETING
        row = grammar.GRAMMAR.get(awaited.verb)
        if row is None:
            return code in grammar.ANYWHERE
        if not awaited.under_way:
            return row.allows(code)
        # At most one 1yz a command (§4.2). After 120 to REIN comes 220.
        return code >= 200 and row.allows(code) and (code in _AFTER_PRELIMINARY or code == 220)
