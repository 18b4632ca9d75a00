"""Names, passwords and rights of users."""

from __future__ import annotations

import re

from pydantic import ValidationInfo

from homeport.accounts.model import READ_ONLY, READ_WRITE, Permission
from homeport.accounts.names import fault_in
from homeport.protocol.path import PathError, VirtualPath

from .text import OptionError, near, quote, write_list


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
