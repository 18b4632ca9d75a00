"""TYPE A: text between the file, whose lines end with LF, and the wire, where they end with CR LF (RFC 959 §3.1.1.1).

What a file holds need not be tidy, so the rule for sending is: an LF goes as CR LF, a CR LF that is there already stays
CR LF and does not become CR CR LF, and a bare CR goes as it is. Receiving turns CR LF into LF and touches
nothing else. All 256 octets pass (a file with CR LF in it comes back with LF).

Transforms take chunks cut anywhere. SIZE and REST count *transfer* octets, those on the wire (RFC 3659 §4, §5.3):
`encoded_size` counts them, `AsciiEncoder(skip)` leaves the first of them out, and `locate` finds the place in the
file where they end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

Chunk = bytes | memoryview


class AsciiEncoder:
    """From the file to the wire. The first *skip* octets of the result are not given (REST)."""

    __slots__ = ("_after_cr", "_before", "skip")

    skip: int
    """Octets still to be left out; more than 0 at the end means that the file was shorter."""

    def __init__(self, skip: int = 0) -> None:
        self.skip = skip
        self._after_cr = False
        self._before = (skip, False)
        """Both, as they were before the last chunk."""

    def encode(self, chunk: Chunk) -> bytes:
        """The octets to be sent for *chunk*, which may be none."""
        data = bytes(chunk)
        self._before = (self.skip, self._after_cr)
        if not data:
            return data
        # The CR of this line end was sent with the chunk before.
        split = self._after_cr and data[0] == 0x0A
        self._after_cr = data[-1] == 0x0D
        out = b"\n" + _encode(data[1:]) if split else _encode(data)
        if self.skip:
            skipped = min(self.skip, len(out))
            self.skip -= skipped
            out = out[skipped:]
        return out

    def again(self, sent: int) -> None:
        """Only the first *sent* octets of what `encode` returned last could be used.

        The same chunk comes once more, whole or in parts, and *sent* octets of it are left out.
        """
        skip, self._after_cr = self._before
        self.skip = skip + sent

    def finish(self) -> bytes:
        """What is left at the end of the file: never anything, for a CR is sent at once."""
        return b""


class AsciiDecoder:
    """From the wire to the file. *after_cr*: the CR of a line end came before, with an upload that broke off there."""

    __slots__ = ("_held",)

    def __init__(self, *, after_cr: bool = False) -> None:
        self._held = after_cr

    def decode(self, chunk: Chunk) -> bytes:
        """The octets to be stored for *chunk*. A CR at its end waits for what follows."""
        data = bytes(chunk)
        if not data:
            return data
        if self._held:
            data = b"\r" + data
        self._held = data[-1] == 0x0D
        if self._held:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n")

    def finish(self) -> bytes:
        """What is left at the end of the data: a CR that nothing followed."""
        held, self._held = self._held, False
        return b"\r" if held else b""


class Position(NamedTuple):
    """A place in a file: behind `stored` octets of it."""

    stored: int
    after_cr: bool
    """An LF is next, and of the two octets that the wire has for it the CR is already past."""


def encoded_size(chunks: Iterable[Chunk]) -> int:
    """How many octets AsciiEncoder makes of *chunks*: SIZE in TYPE A, exact and not an estimate (RFC 3659 §4)."""
    size = 0
    after_cr = False
    for chunk in chunks:
        data = bytes(chunk)
        if data:
            size += _encoded_length(data, len(data), after_cr=after_cr)
            after_cr = data[-1] == 0x0D
    return size


def locate(chunks: Iterable[Chunk], octets: int) -> Position | None:
    """Where in the file made of *chunks* the first *octets* of its encoding end; None if it has not so many.

    For a STOR that goes on after REST: the file is cut at `stored`, and AsciiDecoder is told `after_cr`.
    """
    stored = 0
    left = octets
    after_cr = False
    for chunk in chunks:
        data = bytes(chunk)
        if not data:
            continue
        length = _encoded_length(data, len(data), after_cr=after_cr)
        if length > left:
            return _locate_within(data, stored, left, after_cr=after_cr)
        left -= length
        stored += len(data)
        after_cr = data[-1] == 0x0D
    return Position(stored, after_cr=False) if left == 0 else None


def _locate_within(data: bytes, stored: int, octets: int, *, after_cr: bool) -> Position:
    def length(count: int) -> int:
        return _encoded_length(data, count, after_cr=after_cr)

    # The longest piece whose encoding is no longer. If it is one octet short, the next is an LF whose CR is counted.
    count = bisect_right(range(len(data) + 1), octets, key=length) - 1
    return Position(stored + count, after_cr=length(count) < octets)


def _encode(data: bytes) -> bytes:
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
    return data.replace(b"\n", b"\r\n")


def _encoded_length(data: bytes, count: int, *, after_cr: bool) -> int:
    """The length of the encoding of the first *count* octets of *data*, with or without a CR before them."""
    length = count + data.count(b"\n", 0, count) - data.count(b"\r\n", 0, count)
    return length - 1 if after_cr and count and data[0] == 0x0A else length
