"""The values of a configuration file: durations, sizes, ports, addresses, paths, passwords, rights.

Each kind has a parser from what TOML gives to what the server uses, and where it is not plain a writer back to
text; `forms.py` makes types of them. A parser raises OptionError. Paths and passwords depend on the file that they
stand in; that is what `Origin` tells, and without one (a configuration made in a program) nothing on the disk is asked.
What a parser gives it also takes, so that a program may say `DataOptions(active_port=None)`; TOML has no such values.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

from pydantic import ValidationInfo

from homeport.accounts.model import READ_ONLY, READ_WRITE, Permission
from homeport.accounts.names import fault_in
from homeport.protocol.path import PathError, VirtualPath

Network = IPv4Network | IPv6Network
Item = TypeVar("Item")

LONGEST = 7 * 86400.0
"""No deadline is longer, in seconds: the system's waits take 32 bits of milliseconds."""
MOST_PASSIVE_PORTS = 4096


class OptionError(ValueError):
    """A value that cannot be used. `suggestion` is what was perhaps meant, as TOML text."""

    def __init__(self, text: str, suggestion: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that a value stands in: what relative paths are relative to, and who may read it."""

    directory: str
    private: bool
    """Whether nobody but the file's owner may read it."""


def quote(text: object) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def near(word: str, words: Iterable[str]) -> str | None:
    """The one of *words* that *word* is most like, as TOML text."""
    found = get_close_matches(word.lower(), list(words), 1)
    return quote(found[0]) if found else None


def write_list(values: Iterable[object]) -> str:
    return "[" + ", ".join(quote(value) for value in values) + "]"


# -- durations and sizes ---------------------------------------------------------------------------

_SECONDS = {
    "ms": 0.001,
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_OCTETS = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_AMOUNTS = re.compile(r"(?:\s*\d+(?:\.\d+)?\s*[A-Za-z]+)+\s*", re.ASCII)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds, from a number of seconds or from text such as "90 s", "1 min", "1 h 30 min"."""
    if isinstance(value, str):
        seconds = _sum(value, _SECONDS, "a duration", '"30 s" or "1 min"')
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise OptionError('a duration is wanted: a number of seconds, or text such as "30 s" or "1 min"')
    if not 0.0 < seconds <= LONGEST:
        raise OptionError(f"a duration is more than 0 s and at most {write_duration(LONGEST)}")
    return seconds


def write_duration(seconds: float) -> str:
    """The text for *seconds* in the largest unit that expresses them whole."""
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= factor and seconds % factor == 0:
            return f"{seconds / factor:.0f} {unit}"
    return f"{seconds:g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g} ms"


def parse_size(value: object) -> int:
    """Octets, from a number or from text such as "64 KiB" or "1 MB"."""
    if isinstance(value, int) and not isinstance(value, bool):
        octets = value
    elif isinstance(value, str):
        octets = round(_sum(value, _OCTETS, "a size", '"8 KiB" or "1 MiB"'))
    else:
        raise OptionError('a size is wanted: a number of octets, or text such as "8 KiB"')
    if octets <= 0:
        raise OptionError("a size is more than 0")
    return octets


def parse_rate(value: object) -> int:
    """Octets a second, written as a size; 0 is no limit."""
    return 0 if value in (0, "0") and not isinstance(value, bool) else parse_size(value)


def write_rate(octets: int) -> str:
    return write_size(octets) if octets else "0"


def write_size(octets: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if octets >= factor and octets % factor == 0:
            return f"{octets // factor} {unit}"
    return f"{octets} B"


def _sum(text: str, units: dict[str, Any], what: str, examples: str) -> float:
    if not _AMOUNTS.fullmatch(text):
        raise OptionError(f"{quote(text)} is not {what}: write a number and a unit, as in {examples}")
    total = 0.0
    for number, unit in _AMOUNT.findall(text):
        factor = units.get(unit.lower())
        if factor is None:
            raise OptionError(f"{quote(unit)} is no unit of {what}, as in {examples}", near(unit, units))
        total += float(number) * factor
    return total


# -- ports -----------------------------------------------------------------------------------------


def parse_port(value: object) -> int:
    """A port, 0 to 65535."""
    if isinstance(value, bool) or not isinstance(value, int):
        hint = value if isinstance(value, str) and value.isdigit() else None
        raise OptionError("a port is a whole number, without quotation marks", hint)
    if not 0 <= value <= 65535:
        raise OptionError(f"{value} is not a port: ports go from 0 to 65535")
    return value


def parse_active_port(value: object) -> int | None:
    """A port, or None for "auto"."""
    if value is None:
        return None
    if isinstance(value, str):
        if value == "auto":
            return None
        hint = value if value.isdigit() else near(value, ("auto",))
        raise OptionError('the active port is "auto" or a number, without quotation marks', hint)
    return parse_port(value)


def parse_ports(value: object) -> tuple[int, ...] | None:
    """Ports in rising order from "50000-50009,50020", a number, or a list of both; None for 0 and "any"."""
    if value is None or (value in (0, "0", "any") and not isinstance(value, bool)):
        return None
    parts = value if isinstance(value, list | tuple) else value.split(",") if isinstance(value, str) else [value]
    ports: set[int] = set()
    for part in parts:
        ports.update(_range(part))
    if not ports:
        raise OptionError('no ports: write a range such as "50000-50019", or "any"')
    if len(ports) > MOST_PASSIVE_PORTS:
        raise OptionError(
            f"{len(ports)} ports are too many: all of them stay open, and one port serves any number of sessions; "
            f"at most {MOST_PASSIVE_PORTS}"
        )
    return tuple(sorted(ports))


def _range(part: object) -> range:
    text = str(part).strip()
    found = re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", text, re.ASCII)
    if found is None or isinstance(part, bool):
        raise OptionError(f'{quote(text)} is neither a port nor a range of ports such as "50000-50019"')
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise OptionError(f"the range {text} goes down", quote(f"{high}-{low}"))
    if low < 1 or high > 65535:
        raise OptionError(f"{text} leaves the ports, which go from 1 to 65535")
    return range(low, high + 1)


def write_ports(ports: tuple[int, ...] | None) -> str:
    """The text that `parse_ports` reads as *ports*, in as few ranges as can be."""
    if ports is None:
        return "any"
    ranges: list[list[int]] = []
    for port in ports:
        if ranges and port == ranges[-1][1] + 1:
            ranges[-1][1] = port
        else:
            ranges.append([port, port])
    return ",".join(f"{low}-{high}" if low != high else str(low) for low, high in ranges)


def parse_outside_ports(value: object) -> tuple[int, ...] | None:
    """As `parse_ports`; None for "same"."""
    if value is None or value == "same":
        return None
    ports = parse_ports(value)
    if ports is None:
        raise OptionError('the ports outside are a range such as "60000-60019", or "same"', quote("same"))
    return ports


# -- addresses -------------------------------------------------------------------------------------

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


# -- paths -----------------------------------------------------------------------------------------


def parse_path(value: object, info: ValidationInfo) -> str:
    """An absolute path of the host; a relative one is relative to the configuration file, "~" is the own home."""
    if not isinstance(value, str) or not value or "\x00" in value:
        raise OptionError("a path is text and not empty")
    origin: Origin | None = info.context
    return os.path.abspath(os.path.join(origin.directory if origin else "", os.path.expanduser(value)))


def parse_state(value: object, info: ValidationInfo) -> str:
    path = parse_path(value, info)
    if info.context is not None and os.path.lexists(path) and not os.path.isdir(path):
        raise OptionError(f"{path} is not a directory")
    return path


def parse_home(value: object, info: ValidationInfo) -> str:
    """A directory; it may be missing where the account, by an option before this one, is not enabled."""
    path = parse_path(value, info)
    if info.context is not None and info.data.get("enabled", True) and not os.path.isdir(path):
        there = os.path.lexists(path)
        raise OptionError(f"{path} is not a directory" if there else f"the directory {path} does not exist")
    return path


def parse_readable(value: object, info: ValidationInfo) -> str:
    path = parse_path(value, info)
    if info.context is not None:
        if not os.path.isfile(path):
            raise OptionError(f"{path} is not a file" if os.path.lexists(path) else f"the file {path} does not exist")
        if not os.access(path, os.R_OK):
            raise OptionError(f"the file {path} may not be read by this user")
    return path


def parse_log_file(value: object, info: ValidationInfo) -> str:
    path = parse_path(value, info)
    if info.context is not None:
        if os.path.isdir(path):
            raise OptionError(f"{path} is a directory, and a log is a file")
        if not os.path.isdir(os.path.dirname(path)):
            raise OptionError(f"the directory {os.path.dirname(path)} does not exist")
    return path


# -- accounts --------------------------------------------------------------------------------------


def parse_name(value: object) -> str:
    if not isinstance(value, str):
        raise OptionError("a name is text")
    fault = fault_in(value)
    if fault is not None:
        raise OptionError(fault)
    return value


def parse_password(value: object, info: ValidationInfo) -> str:
    """An argon2id hash, or "plain:" and the password in a file that only its owner may read."""
    if not isinstance(value, str):
        raise OptionError('a password is text: "$argon2id$..." or "plain:..."')
    if value.startswith("plain:"):
        if value == "plain:":
            raise OptionError("the password is empty")
        if info.context is not None and not info.context.private:
            raise OptionError('a "plain:" password in a file that others may read; take it from them: chmod 600')
        return value
    if not ARGON2ID.fullmatch(value):
        # Never the value itself: it is somebody's password.
        raise OptionError('neither an argon2id hash ("$argon2id$...") nor "plain:" and a password')
    return value


_BASE64 = r"\$[A-Za-z0-9+/]{11,}"
ARGON2ID = re.compile(rf"\$argon2id\$v=19\$m=\d{{1,7}},t=\d{{1,3}},p=\d{{1,3}}{_BASE64}{_BASE64}", re.ASCII)
_PERMISSIONS = tuple(permission.value for permission in Permission)
_ACCESS = {"read": READ_ONLY, "read-write": READ_WRITE}


def parse_access(value: object) -> frozenset[Permission]:
    """ "read", "read-write", or a list of permissions; an empty list is none."""
    if isinstance(value, str):
        if value in _ACCESS:
            return _ACCESS[value]
        one = f"[{quote(value)}]" if value in _PERMISSIONS else None
        raise OptionError(f'{quote(value)} is no access: "read", "read-write" or a list', one or near(value, _ACCESS))
    if isinstance(value, frozenset) and all(isinstance(one, Permission) for one in value):
        return value
    if not isinstance(value, list):
        raise OptionError('access is "read", "read-write" or a list of permissions')
    for name in value:
        if name not in _PERMISSIONS:
            known = ", ".join(_PERMISSIONS)
            raise OptionError(f"{quote(name)} is no permission; they are {known}", near(str(name), _PERMISSIONS))
    return frozenset(Permission(name) for name in value)


def write_access(access: frozenset[Permission]) -> str:
    for name, permissions in _ACCESS.items():
        if access == permissions:
            return quote(name)
    return write_list(permission.value for permission in Permission if permission in access)


def parse_prefix(value: object) -> VirtualPath:
    """A path of the user's own tree."""
    if isinstance(value, VirtualPath):
        return value
    if not isinstance(value, str) or not value.startswith("/"):
        raise OptionError(f'{quote(value)} is no path of this user: it begins with "/"', quote(f"/{value}"))
    try:
        return VirtualPath.parse(value)
    except PathError as error:
        raise OptionError(str(error)) from None


def parse_umask(value: object, info: ValidationInfo) -> int:
    """From octal text. A number of a file is refused, being decimal: `umask = 22` is not 022."""
    if info.context is None and isinstance(value, int) and 0 <= value <= 0o777:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"(?:0o)?[0-7]{1,4}", value) or int(value, 8) > 0o777:
        hint = quote(f"{value:03o}") if isinstance(value, int) and value in (0o22, 0o77, 0o27, 0o2) else None
        raise OptionError('a umask is octal digits in quotation marks, such as "022"', hint)
    return int(value, 8)
