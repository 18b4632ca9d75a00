"""Load: a configuration file into a Config, or one report of everything that is wrong with it.

Each table is judged by itself and the conflicts between them afterwards, so that one fault does not hide another.
Lines are looked for only when there is a fault: a good file costs nothing but its parsing.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from .config import (
    AnonymousOptions,
    Config,
    Conflict,
    DataOptions,
    ListenOptions,
    ProxyOptions,
    RouterOptions,
    Section,
    ServerOptions,
    TlsOptions,
    UserOptions,
    name_conflicts,
    port_conflicts,
    way_conflicts,
    worker_conflicts,
)
from .faults import Fault, faults_of, key_text, unknown
from .positions import Key, positions
from .values.text import Origin


class ConfigurationError(Exception):
    """A configuration that cannot be used. The text is the report, every fault in it."""

    def __init__(self, path: str, faults: tuple[Fault, ...]) -> None:
        self.path = path
        self.faults = faults
        super().__init__(self.report())

    def report(self) -> str:
        """For each fault: file and line, option, what is wrong; the line; what was perhaps meant."""
        out: list[str] = []
        for fault in self.faults:
            place = self.path if fault.line is None else f"{self.path}:{fault.line}"
            option = f"{key_text(fault.key)}: " if fault.key else ""
            out.append(f"{place}: {option}{fault.text}")
            if fault.source:
                out.append(f"    {fault.source}")
            if fault.suggestion:
                out.append(f"    Did you mean {fault.suggestion}?")
        count = len(self.faults)
        out.append(f"{count} fault{'' if count == 1 else 's'} in {self.path}")
        return "\n".join(out)


def load(path: str) -> Config:
    """The configuration in the file at *path*. ConfigurationError with all its faults."""
    text, private = _read(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_fault(path, text, str(error)) from error
    origin = Origin(os.path.dirname(os.path.abspath(path)), private)
    sections, faults = _sections(values, origin)
    faults.extend(_conflicts(values, sections))
    if faults:
        raise ConfigurationError(path, _placed(text, faults))
    return Config.model_validate(sections)


# -- reading --------------------------------------------------------------------------------------------


def _read(path: str) -> tuple[str, bool]:
    """The text of the file, and whether only its owner may read it."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read()
    except OSError as error:
        reason = f"the file cannot be read: {error.strerror}"
        raise ConfigurationError(path, (Fault(None, (), reason),)) from error
    try:
        text = octets.decode("utf-8-sig")  # editors of Windows begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(path, (Fault(line, (), "the line is not UTF-8 text"),)) from error
    # Windows has other rights than these bits, and shows them as readable for all.
    return text, os.name == "nt" or not mode & (stat.S_IRGRP | stat.S_IROTH)


def _syntax_fault(path: str, text: str, message: str) -> ConfigurationError:
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    lines = text.split("\n")
    line = int(found[2]) if found and found[2] else len(lines)
    reason = (found[1] if found else message).rstrip(".")
    return ConfigurationError(path, (Fault(line, (), f"this is not TOML: {reason}", None, _shown(lines, line)),))


# -- judging --------------------------------------------------------------------------------------------


def _sections(values: dict[str, Any], origin: Origin) -> tuple[dict[str, Any], list[Fault]]:
    """The tables of the file that are good, and the faults of the others."""
    sections: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in values.items():
        field = Config.model_fields.get(name)
        if field is None:
            faults.append(unknown((name,)))
        elif name == "users":
            if isinstance(value, list):
                users = [_judged(UserOptions, ("users", index), one, origin, faults) for index, one in enumerate(value)]
                sections[name] = tuple(user for user in users if user is not None)
            else:
                faults.append(Fault(None, (name,), "every user has a table of its own: [[users]]"))
        else:
            model = field.annotation
            if not (isinstance(model, type) and issubclass(model, Section)):
                raise TypeError(f"the option {name} is no table")
            section = _judged(model, (name,), value, origin, faults)
            if section is not None:
                sections[name] = section
    return sections, faults


def _judged(model: type[Section], key: Key, value: object, origin: Origin, faults: list[Fault]) -> Section | None:
    try:
        return model.model_validate(value, context=origin)
    except ValidationError as error:
        faults.extend(faults_of(error, key))
        return None


def _conflicts(values: Mapping[str, Any], sections: Mapping[str, Any]) -> Iterator[Fault]:
    """What the tables that are good say against each other, and what their files hold."""
    anonymous = sections.get("anonymous")
    users = values.get("users")
    names = [user.get("name") if isinstance(user, dict) else None for user in users] if isinstance(users, list) else []
    found: list[Conflict] = list(
        name_conflicts(
            [name if isinstance(name, str) else None for name in names],
            isinstance(anonymous, AnonymousOptions) and anonymous.enabled,
        )
    )
    listen = sections.get("listen") if "listen" in values else ListenOptions()
    data = sections.get("data") if "data" in values else DataOptions()
    if isinstance(listen, ListenOptions) and isinstance(data, DataOptions):
        found.extend(port_conflicts(listen, data))
    server = sections.get("server") if "server" in values else ServerOptions()
    if isinstance(server, ServerOptions) and isinstance(data, DataOptions):
        found.extend(worker_conflicts(server, data))
    router = sections.get("router") if "router" in values else RouterOptions()
    proxy = sections.get("proxy") if "proxy" in values else ProxyOptions()
    if isinstance(data, DataOptions) and isinstance(router, RouterOptions) and isinstance(proxy, ProxyOptions):
        found.extend(way_conflicts(data, router, proxy))
    tls = sections.get("tls")
    if isinstance(tls, TlsOptions):
        found.extend(_pem_conflicts(tls))
    for conflict in found:
        yield Fault(None, conflict.key, conflict.text)


def _pem_conflicts(tls: TlsOptions) -> Iterator[Conflict]:
    """Whether the files hold what they are named for; what it is worth is seen when TLS is set up."""
    if tls.certificate is not None:
        yield from _pem_conflict(("tls",), tls.certificate, tls.key)
    for index, one in enumerate(tls.certificates):
        yield from _pem_conflict(("tls", "certificates", index), one.certificate, one.key)


def _pem_conflict(where: Key, certificate: str, key: str | None) -> Iterator[Conflict]:
    for option, path, mark, what in (
        ("certificate", certificate, b"-----BEGIN CERTIFICATE-----", "certificate"),
        ("key" if key else "certificate", key or certificate, b"PRIVATE KEY-----", "private key"),
    ):
        try:
            with open(path, "rb") as file:
                if mark not in file.read(1024 * 1024):
                    yield Conflict((*where, option), f"the file {path} holds no {what} in PEM form")
        except OSError as error:
            yield Conflict((*where, option), f"the file {path} cannot be read: {error.strerror}")


# -- showing --------------------------------------------------------------------------------------------


def _placed(text: str, faults: list[Fault]) -> tuple[Fault, ...]:
    """The faults with their lines, from the top of the file down."""
    where = positions(text)
    lines = text.split("\n")
    placed: list[Fault] = []
    for fault in faults:
        way = fault.key
        while way and way not in where:
            way = way[:-1]
        line = where.get(way)
        placed.append(
            Fault(line, fault.key, fault.text, fault.suggestion, _shown(lines, line) if line is not None else "")
        )
    return tuple(sorted(placed, key=lambda fault: fault.line or 0))


def _shown(lines: list[str], line: int) -> str:
    """The line, but nothing of what could be a password, however its key is misspelt."""
    text = lines[line - 1].strip()
    words = re.findall(r"[A-Za-z_]+", text)
    secret = any(get_close_matches(word.lower(), ("password",), 1, 0.75) for word in words)
    if not secret and "plain:" not in text and "$argon2" not in text:
        return text
    before, sign, _ = text.partition("=")
    return f"{before}{sign} ..." if sign else "..."
