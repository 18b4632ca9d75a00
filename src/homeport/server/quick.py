"""Quick: the Config of a server that is told everything by a few arguments of a program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from homeport.accounts.passwords import PLAIN, generate_password, plain

from .config import Config, Section, UserOptions

USER = "home"
"""Who may log in when nobody is named."""
_HASH = "$argon2id$"

UserLike = UserOptions | Mapping[str, object]
Directory = str | os.PathLike[str]
_Model = TypeVar("_Model", bound=Section)

_ARGUMENTS: dict[tuple[str | int, ...], str] = {
    ("listen", "addresses", 0): "host",
    ("listen", "port"): "port",
    ("data", "passive_ports"): "passive_ports",
    ("server", "state"): "state",
    ("anonymous", "home"): "root",
    ("users", -1, "name"): "user",
    ("users", -1, "password"): "password",
    ("users", -1, "home"): "root",
}
"""What the caller knows an option as; the user -1 is the one that has arguments of his own."""


@dataclass(frozen=True, slots=True)
class Quick:
    """A Config, and the user that it is all about, if there is one."""

    config: Config
    user: str | None
    password: str | None


def quick(
    root: Directory | None,
    *,
    user: str | None,
    password: str | None,
    anonymous: bool,
    read_only: bool,
    users: Iterable[UserLike],
    host: str,
    port: int,
    passive_ports: str | Sequence[int] | None,
    state: Directory | None,
) -> Quick:
    """As `Server` tells. Raises ValueError for what cannot be."""
    home = None if root is None else os.path.abspath(os.fspath(root))
    others = [_options(one, index, home, read_only=read_only) for index, one in enumerate(users)]
    if user is None and (password is not None or not (anonymous or others or state is not None)):
        user = USER
    if home is None and (user is not None or anonymous):
        raise ValueError("a directory to serve is needed, or users with homes of their own")
    accounts = others
    if user is None:
        password = None
    else:
        password = generate_password() if password is None else password
        accounts = [_options({"name": user, "password": password}, -1, home, read_only=read_only), *others]
    options: dict[str, dict[str, object]] = {
        "server": {} if state is None else {"state": os.path.abspath(os.fspath(state))},
        "listen": {"addresses": [host], "port": port},
        # Any port for active mode: the one beside a port that the system chose is nobody's.
        "data": {"active_port": 0, "passive_ports": _ports(passive_ports)},
        "limits": {"sessions_per_address": 0},
        "log": {"console": False},
        "anonymous": {"enabled": True, "home": home} if anonymous else {},
    }
    return Quick(_checked(Config, {**options, "users": accounts}, ()), user, password)


def _options(one: UserLike, index: int, home: str | None, *, read_only: bool) -> UserOptions:
    """*one* with a home and an access, if it has none. A password that is no stored form is the password itself."""
    if isinstance(one, UserOptions):
        return one
    if not isinstance(one, Mapping):
        raise ValueError(f"users[{index}]: a user is a UserOptions, or a mapping with name and password")  # noqa: TRY004 - as all that cannot be
    options = {"access": "read" if read_only else "read-write", **one}
    if home is not None:
        options.setdefault("home", home)
    for key, value in options.items():
        if isinstance(value, os.PathLike):
            options[key] = os.fspath(value)
    password = options.get("password")
    if isinstance(password, str) and not password.startswith((PLAIN, _HASH)):
        # Plain, in this program's memory only: a hash that is slow on purpose would make every login of a test wait.
        options["password"] = plain(password)
    return _checked(UserOptions, options, ("users", index))


def _checked(model: type[_Model], values: Mapping[str, object], where: tuple[str | int, ...]) -> _Model:
    """*values* as options. ValueError says in one sentence what is wrong with which argument."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # Only now: who makes no mistake does not load what finds out what was meant.
        from .faults import faults_of

        faults = faults_of(error, where)
        raise ValueError("; ".join(_sentence(fault.key, fault.text, fault.suggestion) for fault in faults)) from None


def _sentence(key: tuple[str | int, ...], text: str, suggestion: str | None) -> str:
    name = _ARGUMENTS.get(key)
    if name is None:
        # As Python counts, and not as a file does.
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
    asked = f"; did you mean {suggestion}?" if suggestion else ""
    return f"{name}: {text}{asked}" if name else f"{text}{asked}"


def _ports(ports: str | Sequence[int] | None) -> object:
    if ports is None:
        return "any"
    return ports if isinstance(ports, str) else list(ports)
