"""Forms: the kinds of values of `values/` as types, for the options of `config.py` to be declared with.

Each carries its parser, for pydantic, and its Form, for the sample file and the reference page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, Strict

from homeport.accounts.model import Permission
from homeport.protocol.path import VirtualPath

from .values.accounts import parse_access, parse_name, parse_password, parse_prefix, parse_umask, write_access
from .values.addresses import (
    Network,
    parse_address,
    parse_external,
    parse_host_name,
    parse_https,
    parse_mail,
    parse_network,
    parse_stun_server,
)
from .values.amounts import parse_duration, parse_rate, parse_size, write_duration, write_rate, write_size
from .values.paths import parse_home, parse_log_file, parse_readable, parse_state
from .values.ports import parse_active_port, parse_outside_ports, parse_port, parse_ports, write_ports
from .values.text import quote, write_list
from .values.workers import parse_workers, write_workers


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of value is written: in words for a reader, and the writer of a value as TOML."""

    words: str
    write: Callable[[Any], str]


def write_plain(value: object) -> str:
    """Numbers, truth values and text as TOML has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else quote(value)


def write_active_port(port: int | None) -> str:
    return quote("auto") if port is None else str(port)


def write_table(table: dict[Any, Any]) -> str:
    """An inline table of texts and of lists of rights."""
    rows = (f"{quote(k)} = {write_access(v) if isinstance(v, frozenset) else quote(v)}" for k, v in table.items())
    return "{ " + ", ".join(rows) + " }" if table else "{}"


def write_tables(tables: Iterable[dict[str, str]]) -> str:
    """Inline tables of texts."""
    rows = ("{ " + ", ".join(f"{key} = {quote(text)}" for key, text in one.items()) + " }" for one in tables)
    return f"[{', '.join(rows)}]"


Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    Form('duration: "30 s", "1 min", or seconds', lambda seconds: quote(write_duration(seconds))),
]
Size = Annotated[
    int, PlainValidator(parse_size), Form('size: "8 KiB", or octets', lambda octets: quote(write_size(octets)))
]
Rate = Annotated[
    int,
    PlainValidator(parse_rate),
    Form('size a second: "2 MiB", or 0 for no limit', lambda octets: quote(write_rate(octets))),
]
Port = Annotated[int, PlainValidator(parse_port), Form("port", write_plain)]
ActivePort = Annotated[int | None, PlainValidator(parse_active_port), Form('port, or "auto"', write_active_port)]
Ports = Annotated[
    tuple[int, ...] | None,
    PlainValidator(parse_ports),
    Form('ports: "50000-50009,50020", or "any"', lambda ports: quote(write_ports(ports))),
]
OutsidePorts = Annotated[
    tuple[int, ...] | None,
    PlainValidator(parse_outside_ports),
    Form('ports: "60000-60019", or "same"', lambda ports: quote("same" if ports is None else write_ports(ports))),
]
Address = Annotated[str, PlainValidator(parse_address), Form("IP address", quote)]
Addresses = Annotated[tuple[Address, ...], Strict(False), Form("list of IP addresses", write_list)]
ExternalAddress = Annotated[str, PlainValidator(parse_external), Form('IP address, host name, "auto" or "none"', quote)]
HostName = Annotated[str, PlainValidator(parse_host_name)]
HostNames = Annotated[tuple[HostName, ...], Strict(False), Form("list of host names", write_list)]
HttpsAddress = Annotated[str, PlainValidator(parse_https), Form("address that begins with https://", quote)]
MailAddress = Annotated[str, PlainValidator(parse_mail), Form("mail address", quote)]
StunServer = Annotated[str, PlainValidator(parse_stun_server), Form("host name or address, and port", quote)]
NetworkKey = Annotated[Network, PlainValidator(parse_network)]
Networks = Annotated[tuple[NetworkKey, ...], Strict(False), Form("list of networks", write_list)]
Announcements = Annotated[dict[NetworkKey, Address], Form('table: { "10.8.0.0/16" = "10.8.0.1" }', write_table)]
SessionReuseFor = Annotated[
    dict[NetworkKey, Literal["prefer", "require", "off"]],
    Form('table: { "192.0.2.0/24" = "require" }', write_table),
]
ClientPatterns = Annotated[tuple[str, ...], Strict(False), Form("list of texts", write_list)]
StateDirectory = Annotated[str, PlainValidator(parse_state), Form("path of a directory", quote)]
Home = Annotated[str, PlainValidator(parse_home), Form("path of a directory", quote)]
ReadableFile = Annotated[str, PlainValidator(parse_readable), Form("path of a file", quote)]
LogFile = Annotated[str, PlainValidator(parse_log_file), Form("path of a file", quote)]
UserName = Annotated[str, PlainValidator(parse_name), Form("text", quote)]
Password = Annotated[str, PlainValidator(parse_password), Form('"$argon2id$..." or "plain:..."', quote)]
Access = Annotated[
    frozenset[Permission],
    PlainValidator(parse_access),
    Form('"read", "read-write" or a list of permissions', write_access),
]
Prefix = Annotated[VirtualPath, PlainValidator(parse_prefix)]
AccessByPath = Annotated[dict[Prefix, Access], Form('table: { "/incoming" = ["list", "create"] }', write_table)]
Workers = Annotated[int | None, PlainValidator(parse_workers), Form('whole number, or "auto"', write_workers)]
Umask = Annotated[int, PlainValidator(parse_umask), Form('octal text: "022"', lambda mask: quote(f"{mask:03o}"))]
