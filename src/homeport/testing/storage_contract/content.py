"""Content: how the tests of the contract put files into a storage and look at them."""

from __future__ import annotations

from homeport.protocol.path import VirtualPath
from homeport.storage.base import (
    Access,
    Storage,
)

SECOND = 1_000_000_000


def path(text: str) -> VirtualPath:
    return VirtualPath.parse(text)


def put(storage: Storage, name: str, content: bytes, access: Access = Access.REPLACE, offset: int = 0) -> None:
    """One whole upload."""
    with storage.open_write(path(name), access, offset) as writer:
        writer.write(memoryview(content))
        writer.commit()


def leave(storage: Storage, name: str, content: bytes, access: Access = Access.REPLACE, offset: int = 0) -> None:
    """An upload that breaks off and is kept."""
    with storage.open_write(path(name), access, offset) as writer:
        writer.write(memoryview(content))
        writer.abort(keep=True)


def get(storage: Storage, name: str, offset: int = 0) -> bytes:
    """The content from *offset* on."""
    content = bytearray()
    buffer = memoryview(bytearray(1000))
    with storage.open_read(path(name)) as reader:
        while octets := reader.read_into(buffer, offset + len(content)):
            content += buffer[:octets]
    return bytes(content)


def names(storage: Storage, directory: str = "/") -> list[str]:
    return sorted(entry.name for entry in storage.scan(path(directory)))
