"""STUN (RFC 8489, RFC 5389): asks a server on the internet which address it sees us come from.

Only the Binding request is needed, without credentials. RFC numbers of sections are those of RFC 8489.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from .background import Patience
from .exchange import Endpoint, ask

PORT = 3478
MAGIC_COOKIE = 0x2112A442
ID_OCTETS = 12

_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_BINDING_ERROR = 0x0111
_MAPPED_ADDRESS = 0x0001
_ERROR_CODE = 0x0009
_XOR_MAPPED_ADDRESS = 0x0020
_FAMILIES = {1: 4, 2: 16}
"""The octets of an address by its family's number (§14.1)."""

_FIRST_WAIT = 0.5
_TRIES = 7
_LAST_WAIT = 16
"""RTO, Rc and Rm (§6.2.1)."""


class StunError(Exception):
    """The server answered, and not with an address."""


def binding_request(identity: bytes) -> bytes:
    """§5: type, length of what follows, the magic cookie, and the transaction's *identity*."""
    return struct.pack("!HHI12s", _BINDING_REQUEST, 0, MAGIC_COOKIE, identity)


def parse_response(octets: bytes, identity: bytes) -> str | None:
    """The address in the answer to the request with *identity*; None if it is no answer to it. Raises StunError."""
    if len(octets) < 20 or len(octets) % 4:
        return None
    kind, length, cookie, answered = struct.unpack_from("!HHI12s", octets)
    # §6.3.1: the identity is what tells an answer from a forgery, so it must be all there.
    if cookie != MAGIC_COOKIE or answered != identity or length != len(octets) - 20:
        return None
    attributes = dict(_attributes(octets[20:]))
    if kind == _BINDING_ERROR:
        error = attributes.get(_ERROR_CODE, b"")
        code = (error[2] & 7) * 100 + error[3] if len(error) >= 4 else 0
        raise StunError(f"it answers with error {code}")
    if kind != _BINDING_SUCCESS:
        return None
    # §14.2: some routers rewrite addresses wherever they see them; the one hidden by XOR comes through.
    key = octets[4:20]
    for attribute, mask in ((_XOR_MAPPED_ADDRESS, key), (_MAPPED_ADDRESS, bytes(16))):
        value = attributes.get(attribute, b"")
        size = _FAMILIES.get(value[1] if len(value) > 1 else 0)
        if size is not None and len(value) == 4 + size:
            return str(ip_address(bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))))
    raise StunError("it names no address")


def seen_address(server: Endpoint, patience: Patience) -> str:
    """Our address as *server* sees it. Raises exchange.Unanswered, StunError, Stopped."""
    identity = secrets.token_bytes(ID_OCTETS)
    return ask(
        server, lambda _: binding_request(identity), lambda octets: parse_response(octets, identity), _waits(), patience
    )


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """§14: type, length, value, and padding up to a multiple of four. Of several of a type the first counts."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(octets):
        kind, length = struct.unpack_from("!HH", octets, at)
        value = octets[at + 4 : at + 4 + length]
        if len(value) < length:
            break
        found.setdefault(kind, value)
        at += 4 + (length + 3) // 4 * 4
    return iter(found.items())


def _waits() -> Iterator[float]:
    """§6.2.1: 500 ms, twice as long each time, and at last 16 times the first."""
    for number in range(_TRIES - 1):
        yield _FIRST_WAIT * 2**number
    yield _FIRST_WAIT * _LAST_WAIT
