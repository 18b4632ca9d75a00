"""HostPort: where data connections go, as PORT, EPRT and LPRT name it, and what EPSV asks for (RFC 959, 2428, 1639).

The parsers take the argument without what may stand around it, and raise ArgumentError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal, NamedTuple

from .command import ArgumentError
from .reply import Code


class HostPort(NamedTuple):
    """Where the client waits for the data connection. `host` is an address in its canonical text form."""

    family: int  # 4 or 6
    host: str
    port: int  # 1 to 65535


class Passive(Enum):
    """The type of EPSV_ALL, which is no family but stands where one could."""

    ALL = "ALL"


EPSV_ALL: Final = Passive.ALL
"""From now on the client uses nothing but EPSV (RFC 2428 §4)."""

FamilyRequest = Literal[4, 6] | Passive | None
"""The argument of EPSV: an IP version, EPSV_ALL, or None for that of the control connection."""


_OCTET = r"(?:0|[1-9][0-9]{0,2})"
_OCTETS = re.compile(rf"{_OCTET}(?:,{_OCTET})*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
DECIMAL: Final = re.compile(r"0|[1-9][0-9]*")
"""A decimal number without leading zeros."""
_EXTENDED_FAMILIES: Mapping[str, Literal[4, 6]] = {"1": 4, "2": 6}  # Address family numbers (RFC 2428 §2).
_LONG_FAMILIES: Mapping[int, int] = {4: 4, 6: 16}  # IP versions (RFC 1639 §2), and the octets of an address.
_PORT_OCTETS = 2
_MAX_PORT = 65535


def _numbers(text: str) -> list[int]:
    """The comma-separated octets of PORT and LPRT. Leading zeros are refused: they mean octal to some."""
    if _OCTETS.fullmatch(text) is None:
        raise ArgumentError("The address must be decimal numbers with commas between.")
    numbers = [int(field) for field in text.split(",")]
    if max(numbers) > 255:
        raise ArgumentError("A number in the address is larger than 255.")
    return numbers


def _port(high: int, low: int) -> int:
    # The grammar of RFC 959 has 1 to 255 for every field, which no real port keeps; only the port 0 is none.
    port = high << 8 | low
    if port == 0:
        raise ArgumentError("The port cannot be 0.")
    return port


def parse_host_port(text: str) -> HostPort:
    """The argument of PORT: h1,h2,h3,h4,p1,p2 (RFC 959 §5.3.2)."""
    fields = _numbers(text)
    if len(fields) != 6:
        raise ArgumentError("Six numbers are needed: h1,h2,h3,h4,p1,p2.")
    a, b, c, d, high, low = fields
    return HostPort(4, f"{a}.{b}.{c}.{d}", _port(high, low))


def parse_extended(text: str) -> HostPort:
    """The argument of EPRT: |family|address|port|, where the first character is the delimiter (RFC 2428 §2)."""
    if not text:
        raise ArgumentError("This command needs an argument.")
    delimiter = text[0]
    fields = text.split(delimiter)
    if not "!" <= delimiter <= "~" or len(fields) != 5 or fields[0] or fields[4]:
        raise ArgumentError("The form is |family|address|port| (RFC 2428).")
    family = _family_number(fields[1])
    if _PORT.fullmatch(fields[3]) is None or (port := int(fields[3])) > _MAX_PORT:
        raise ArgumentError("The port must be a number from 1 to 65535.")
    return HostPort(family, parse_address(family, fields[2]), port)


def _family_number(text: str) -> Literal[4, 6]:
    if DECIMAL.fullmatch(text) is None:
        raise ArgumentError("The address family must be a number (RFC 2428).")
    family = _EXTENDED_FAMILIES.get(text)
    if family is None:
        raise ArgumentError("Network protocol not supported, use (1,2)", Code.UNSUPPORTED_FAMILY)
    return family


def parse_address(family: int, text: str) -> str:
    """The canonical form of an address. A scope id means something only on the client's own host."""
    try:
        address = IPv4Address(text) if family == 4 else IPv6Address(text)
    except AddressValueError:
        raise ArgumentError(f"That is no IPv{family} address.") from None
    if "%" in text:
        raise ArgumentError("An address cannot have a scope id here.")
    return str(address)


def parse_long(text: str) -> HostPort:
    """The argument of LPRT: family, octets of the address, octets of the port, with their numbers (RFC 1639 §2)."""
    fields = _numbers(text)
    length = fields[1] if len(fields) > 1 else 0
    if len(fields) < length + 3 or len(fields) != length + 3 + fields[length + 2]:
        raise ArgumentError("The lengths do not agree with the number of fields (RFC 1639).")
    family, host, port = fields[0], bytes(fields[2 : length + 2]), fields[length + 3 :]
    if family not in _LONG_FAMILIES:
        raise ArgumentError("Supported address families are (4,6)", Code.PROTECTION_TOO_LOW)  # 521 in RFC 1639 §4
    if length != _LONG_FAMILIES[family] or len(port) != _PORT_OCTETS:
        raise ArgumentError("A length is wrong for this address family (RFC 1639).")
    return HostPort(family, str(IPv4Address(host) if family == 4 else IPv6Address(host)), _port(*port))


def parse_family(word: str) -> FamilyRequest:
    """The argument of EPSV, a family or ALL (RFC 2428 §3, §4)."""
    return EPSV_ALL if word.isascii() and word.upper() == "ALL" else _family_number(word)
