"""Plan: what a transfer is to move; Result: how that went. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, Protocol

from homeport.storage.base import Reader, Writer

from .codec import Codec


class Outcome(Enum):
    """How a transfer ended; the value is for people."""

    COMPLETE = "complete"
    ABORTED = "aborted"
    """The watch said so."""
    CONTROL_LOST = "control connection lost"
    LOST = "data connection lost"
    """Reset, or broken otherwise."""
    STALLED = "stalled"
    """Nothing moved for `Plan.stall` seconds."""
    STORAGE_FAILED = "storage failed"


class Plan:
    """What is to be moved: exactly one of `reader` (send a file), `chunks` (send what comes) and `writer` (receive).

    A plain class, like all that is made for each transfer: a tuple with names costs a compiled program ten times more.
    """

    __slots__ = ("chunks", "codec", "length", "offset", "reader", "stall", "writer")

    def __init__(
        self,
        *,
        reader: Reader | None = None,
        chunks: Iterable[bytes] | None = None,
        writer: Writer | None = None,
        offset: int = 0,
        most: int | None = None,
        codec: Codec | None = None,
        stall: float = 30.0,
    ) -> None:
        """*most*: octets of the file that are sent at most; None: to its end."""
        self.reader: Final = reader
        self.chunks: Final = chunks
        self.writer: Final = writer
        self.offset: Final = offset
        """Of the file, where sending starts."""
        length = 0
        if reader is not None:
            # The file as it was when it was opened: one that grows meanwhile would have no end.
            length = max(reader.size - offset, 0)
            if most is not None:
                length = min(length, most)
        self.length: Final = length
        """Of the file: how many octets are sent, from the offset on."""
        self.codec: Final = codec
        """An Encoder for what is sent, a Decoder for what is received."""
        self.stall: Final = stall
        """Seconds without any progress after which the transfer is given up."""

    @property
    def expected(self) -> int | None:
        """How many octets will be sent, where that is certain."""
        return None if self.reader is None or self.codec is not None else self.length


class Result:
    """How it went."""

    __slots__ = ("error", "octets", "outcome", "seconds")

    def __init__(self, outcome: Outcome, octets: int, seconds: float, error: Exception | None = None) -> None:
        self.outcome: Final = outcome
        self.octets: Final = octets
        """Moved over the data connection."""
        self.seconds: Final = seconds
        self.error: Final = error
        """For STORAGE_FAILED the storage's, for LOST the socket's."""


class Progress(Protocol):
    """What counts the octets while they move."""

    octets: int
