"""Addresses, names of hosts, and networks."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from .ports import parse_port
from .text import OptionError, quote

Network = IPv4Network | IPv6Network
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)*(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)


def parse_address(value: object) -> str:
    """An IP address in its shortest text form."""
    if not isinstance(value, str):
        raise OptionError('an IP address is text, such as "192.0.2.7" or "::"')
    if value == "*":
        raise OptionError('"*" is not an IP address; all addresses are "0.0.0.0" and "::"')
    try:
        return str(ip_address(value))
    except ValueError:
        suggestion = quote(value[1:-1]) if value.startswith("[") and value.endswith("]") else None
        raise OptionError(f"{quote(value)} is not an IP address", suggestion) from None


def parse_external(value: object) -> str:
    """An address, a host name, "auto" or "none"."""
    if not isinstance(value, str):
        raise OptionError('an address, a name, "auto" or "none" is wanted')
    try:
        return str(ip_address(value))
    except ValueError:
        pass
    # All digits and dots is an address that failed, not the name of a host (RFC 1123 §2.1).
    if not _HOST_NAME.fullmatch(value) or value.replace(".", "").isdigit():
        raise OptionError(f'{quote(value)} is neither an address nor a host name, nor "auto" or "none"')
    return value


def parse_stun_server(value: object) -> str:
    """A host name or an address, with ":" and a port if that is not the usual one."""
    if not isinstance(value, str):
        raise OptionError('a STUN server is text, such as "stun.example.net" or "stun.example.net:3478"')
    host, port = split_host_port(value)
    try:
        parse_external(host)
        parse_port(port if port is not None else 1)
    except OptionError:
        host = ""
    if host in ("", "auto", "none") or port == 0:
        raise OptionError(f'{quote(value)} is no server such as "stun.example.net:3478"')
    return value


def split_host_port(text: str) -> tuple[str, int | None]:
    """Host and port of "host:port", "[2001:db8::1]:3478" or a host alone."""
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?", text, re.ASCII)
    if found is None:
        return text, None
    return found[1] or found[2] or "", int(found[3]) if found[3] else None


def parse_host_name(value: object) -> str:
    """A host name in small letters."""
    if not isinstance(value, str) or not _HOST_NAME.fullmatch(value) or value.replace(".", "").isdigit():
        raise OptionError(f"{quote(value)} is not a host name")
    return value.lower()


def parse_https(value: object) -> str:
    """The address of something that is reached by HTTPS."""
    if not isinstance(value, str) or not re.fullmatch(r"https://[^/\s]+(/\S*)?", value):
        raise OptionError(f"{quote(value)} is not an address that begins with https://")
    return value


def parse_mail(value: object) -> str:
    """A mail address, as far as one can tell without writing to it."""
    if not isinstance(value, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise OptionError(f"{quote(value)} is not a mail address")
    return value


def parse_network(value: object) -> Network:
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise OptionError(f'{quote(value)} is not a network such as "10.8.0.0/16": {error}') from None
