"""Plan: what a transfer is to move; Result: how that went. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, Protocol

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


class Plan(NamedTuple):
    """What is to be moved: exactly one of `reader` (send a file), `chunks` (send what comes) and `writer` (receive)."""

    reader: Reader | None = None
    chunks: Iterable[bytes] | None = None
    writer: Writer | None = None
    offset: int = 0
    """Of the file, where sending starts."""
    most: int | None = None
    """Octets of the file that are sent at most; None: to its end."""
    codec: Codec | None = None
    """An Encoder for what is sent, a Decoder for what is received."""
    stall: float = 30.0
    """Seconds without any progress after which the transfer is given up."""


class Result(NamedTuple):
    """How it went."""

    outcome: Outcome
    octets: int
    """Moved over the data connection."""
    seconds: float
    error: Exception | None = None
    """For STORAGE_FAILED the storage's, for LOST the socket's."""


class Progress(Protocol):
    """What counts the octets while they move."""

    octets: int
