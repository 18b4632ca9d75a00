"""The PROXY protocol, versions 1 and 2: the header in which a proxy tells for whom it connects.

Pure. A Reader is fed octets as they come and asks only for such as belong to the header, so that nothing of what
follows is ever taken in: it asks for the least that must still come, never for more.

Sections are those of the specification by Willy Tarreau, as HAProxy ships it (proxy-protocol.txt).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""What version 2 begins with (§2.2)."""
LONGEST_LINE = 107
"""Octets of the longest line of version 1, its end included (§2.1)."""

_SHORTEST_LINE = len(b"PROXY UNKNOWN\r\n")
_FIXED = 16
"""Octets of a header of version 2 before its addresses."""
_ADDRESSES = {0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}
"""Octets of the addresses by family and protocol (§2.2)."""
_TCP4, _TCP6 = 0x11, 0x21
_LOCAL, _PROXY = 0x20, 0x21

_TYPE_AUTHORITY = 0x02
_TYPE_CRC32C = 0x03
"""§2.2.1, §2.2.3."""

_IPV4 = r"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}"
_IPV6 = r"[0-9A-Fa-f:.]{2,39}"
_PORT = r"(?:0|[1-9]\d{0,4})"
_LINE = re.compile(rf"PROXY (?:TCP4 ({_IPV4}) ({_IPV4})|TCP6 ({_IPV6}) ({_IPV6})) ({_PORT}) ({_PORT})\r\n", re.ASCII)


class ProxyError(ValueError):
    """No valid header: the connection is to be closed, and nothing said (§2.1). The text is a clause for people."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a proxy told. Both ends are None where the connection is the proxy's own, or of a kind unknown here."""

    source: tuple[str, int] | None = None
    """Address and port of the client."""
    destination: tuple[str, int] | None = None
    """Where the client connected to."""
    authority: str | None = None
    """The host name that the client had in mind, where the proxy knows it (§2.2.2)."""


class Reader:
    """Reads one header."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = b""

    @property
    def wanted(self) -> int:
        """How many octets are surely still part of the header; 0 once it is complete."""
        octets = self._octets
        if len(octets) < _SHORTEST_LINE:
            return _SHORTEST_LINE - len(octets)
        if octets.startswith(SIGNATURE):
            if len(octets) < _FIXED:
                return _FIXED - len(octets)
            return _FIXED + int.from_bytes(octets[14:16], "big") - len(octets)
        if octets.endswith(b"\r\n"):
            return 0
        return 1 if octets.endswith(b"\r") else 2

    def feed(self, octets: bytes) -> Header | None:
        """Take in *octets*, at most `wanted` of them; the Header once it is complete. Raises ProxyError."""
        self._octets += octets
        begun = self._octets
        if begun[: len(SIGNATURE)] == SIGNATURE[: len(begun)]:
            # §2.2: the version and the command are judged as soon as they are there, addresses when all is.
            if len(begun) > len(SIGNATURE):
                _check_command(begun[12])
            return None if len(begun) < _FIXED or self.wanted else parse_binary(begun)
        if not begun.startswith(b"PROXY "[: len(begun)]):
            raise ProxyError("it does not begin with a PROXY header")
        if begun.endswith(b"\r\n"):
            return parse_line(begun)
        line = begun.removesuffix(b"\r")
        if b"\r" in line or b"\n" in line:
            raise ProxyError("a line ends with a single CR or LF")
        if len(begun) + self.wanted > LONGEST_LINE:
            raise ProxyError(f"no line ends within {LONGEST_LINE} octets")
        return None


def parse_line(line: bytes) -> Header:
    """The header of version 1 in *line*, which ends with CR LF (§2.1). Raises ProxyError."""
    if line == b"PROXY UNKNOWN\r\n" or line.startswith(b"PROXY UNKNOWN "):
        return Header()  # whatever follows is ignored
    found = _LINE.fullmatch(line.decode("latin-1"))
    if found is None:
        raise ProxyError("its PROXY line has not the form that it must have")
    try:
        ends = [str(IPv4Address(one)) for one in found.group(1, 2) if one is not None]
        ends = ends or [_plain6(IPv6Address(one)) for one in found.group(3, 4)]
    except ValueError:
        raise ProxyError("its PROXY line has an address that is none") from None
    ports = [int(one) for one in found.group(5, 6)]
    if max(ports) > 65535:
        raise ProxyError("its PROXY line has a port that is none")
    return Header((ends[0], ports[0]), (ends[1], ports[1]))


def parse_binary(octets: bytes) -> Header:
    """The header of version 2 that *octets* are (§2.2). Raises ProxyError."""
    command, kind = octets[12], octets[13]
    _check_command(command)
    if kind >> 4 > 3 or kind & 15 > 2:
        raise ProxyError(f"its PROXY header names the unknown family and protocol {kind:#04x}")
    rest = octets[_FIXED:]
    if command == _LOCAL:
        return Header()  # the proxy's own connection: the block is skipped, whatever is in it
    size = _ADDRESSES.get(kind, 0)
    if len(rest) < size:
        raise ProxyError("its PROXY header is too short for its addresses")
    values = _values(rest[size:]) if kind else {}
    _check_sum(octets, values.get(_TYPE_CRC32C))
    if kind == _TCP4:
        source, destination, *ports = struct.unpack_from("!4s4sHH", rest)
        ends = (str(IPv4Address(source)), str(IPv4Address(destination)))
    elif kind == _TCP6:
        source, destination, *ports = struct.unpack_from("!16s16sHH", rest)
        ends = (_plain6(IPv6Address(source)), _plain6(IPv6Address(destination)))
    else:
        return Header()  # UNSPEC, and valid kinds that are not ours: the real ends count
    authority = values.get(_TYPE_AUTHORITY, (0, b""))[1].decode("utf-8", "replace") or None
    return Header((ends[0], ports[0]), (ends[1], ports[1]), authority)


def _check_command(octet: int) -> None:
    if octet >> 4 != 2:
        raise ProxyError(f"its PROXY header is of version {octet >> 4}")
    if octet not in (_LOCAL, _PROXY):
        raise ProxyError(f"its PROXY header has the unknown command {octet & 15}")


def _values(octets: bytes) -> dict[int, tuple[int, bytes]]:
    """Type, length and value of each vector (§2.2.1): by type, where the value begins in *octets*, and the value."""
    found: dict[int, tuple[int, bytes]] = {}
    at = 0
    while at < len(octets):
        if at + 3 > len(octets):
            raise ProxyError("its PROXY header ends within a vector")
        kind, length = struct.unpack_from("!BH", octets, at)
        at += 3
        value = octets[at : at + length]
        if len(value) < length:
            raise ProxyError("its PROXY header ends within a vector")
        found.setdefault(kind, (at - len(octets), value))
        at += length
    return found


def _check_sum(octets: bytes, sum_: tuple[int, bytes] | None) -> None:
    """§2.2.3: a checksum over the whole header, with zeros in its own place, must be right if it is there."""
    if sum_ is None:
        return
    at, value = len(octets) + sum_[0], sum_[1]
    if len(value) != 4 or crc32c(octets[:at] + bytes(4) + octets[at + 4 :]) != int.from_bytes(value, "big"):
        raise ProxyError("the checksum of its PROXY header is wrong")


def _plain6(address: IPv6Address) -> str:
    mapped = address.ipv4_mapped
    return str(mapped if mapped is not None else address)


def _table() -> tuple[int, ...]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = row >> 1 ^ (0x82F63B78 if row & 1 else 0)
        rows.append(row)
    return tuple(rows)


_CRC32C = _table()
"""The polynomial of Castagnoli, 0x1EDC6F41, its bits in reverse order (RFC 9260 Appendix A)."""


def crc32c(octets: bytes) -> int:
    """The CRC-32C of *octets*."""
    remainder = 0xFFFFFFFF
    for octet in octets:
        remainder = remainder >> 8 ^ _CRC32C[(remainder ^ octet) & 0xFF]
    return remainder ^ 0xFFFFFFFF
