"""Codecs: what stands between the octets of a file and those of its transfer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Encoder(Protocol):
    """From the octets of a file to those of the transfer. It may hold some back between chunks."""

    def encode(self, chunk: bytes | memoryview) -> bytes: ...

    def again(self, sent: int) -> None:
        """Only the first *sent* octets of what `encode` returned last could be used.

        The same chunk comes once more, whole or in parts, and *sent* octets of it are left out.
        """

    def finish(self) -> bytes:
        """What was held back."""


@runtime_checkable
class Decoder(Protocol):
    """From the octets of the transfer to those of a file."""

    def decode(self, chunk: bytes | memoryview) -> bytes: ...

    def finish(self) -> bytes:
        """What was held back."""


Codec = Encoder | Decoder
