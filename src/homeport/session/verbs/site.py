"""SITE: HELP CHMOD UTIME UMASK IDLE (RFC 959 §4.1.3, RFC 1123 §4.1.2.8). No command is ever executed (RFC 2577 §9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from homeport.accounts.model import Permission
from homeport.events.types import Change
from homeport.protocol.command import ArgumentError
from homeport.protocol.listing import parse_time
from homeport.protocol.path import PathError, VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.session.changes import changed
from homeport.session.commands import Context, Verb

_IDLE_DIGITS = 9


@dataclass(frozen=True, slots=True)
class _Service:
    run: Callable[[Context, str], Reply]
    syntax: str


def site(context: Context, text: str) -> Reply:
    """SITE: hand over to one of the services below; 501 for any other (RFC 959 §5.4 has no 504 for SITE)."""
    name, _, argument = text.partition(" ")
    service = _SERVICES.get(name.upper())
    if service is None:
        raise ArgumentError(f"SITE {name.upper()} is not known here; SITE HELP lists what is")
    return service.run(context, argument)


def help_lines() -> tuple[str, ...]:
    """What SITE HELP and HELP SITE print."""
    return tuple(f" SITE {service.syntax}" for service in _SERVICES.values())


def _help(_: Context, __: str) -> Reply:
    return Reply(Code.HELP_MESSAGE, "The services of SITE", help_lines(), "End of SITE HELP")


def _chmod(context: Context, argument: str) -> Reply:
    mode, space, name = argument.partition(" ")
    bits = permission_bits(mode)
    path = _path(context, name if space else "")
    set_mode(context, path, bits)
    return Reply(Code.OK, f"{path} has mode {bits:03o}")


def set_mode(context: Context, path: VirtualPath, bits: int) -> None:
    """Set permission bits, for SITE CHMOD and MFF UNIX.mode."""
    context.permit(Permission.SET_MODE, path)
    context.storage.set_mode(path, bits)
    changed(context, Change.MODE_SET, path)


def set_modified(context: Context, path: VirtualPath, modified_ns: int) -> int:
    """Set the modification time, for SITE UTIME, MFMT and MFF Modify; the time that was really set."""
    context.permit(Permission.SET_TIME, path)
    kept = context.storage.set_modified(path, modified_ns)
    changed(context, Change.TIME_SET, path)
    return kept


def _utime(context: Context, argument: str) -> Reply:
    """Two forms are in use: `UTIME YYYYMMDDhhmm[ss] path` and `UTIME path access modify create UTC`."""
    first, _, rest = argument.partition(" ")
    if first.isdigit() and len(first) in (12, 14) and rest:
        when, name = first, rest
    else:
        words = argument.rsplit(" ", 4)
        if len(words) != 5 or words[4].upper() != "UTC":
            raise ArgumentError("SITE UTIME takes a time YYYYMMDDhhmm[ss] and a pathname")
        name, when = words[0], words[2]
    path = _path(context, name)
    set_modified(context, path, parse_time(when.ljust(14, "0")))
    return Reply(Code.OK, f"{path} has a new modification time")


def _umask(context: Context, argument: str) -> Reply:
    if argument:
        context.session.umask = permission_bits(argument)
    return Reply(Code.OK, f"The umask is {context.session.umask:03o}")


def _idle(context: Context, argument: str) -> Reply:
    session, policy = context.session, context.services.policy
    if argument:
        # Digits of any length: nothing is made of more of them than the longest time has.
        if not (argument.isascii() and argument.isdigit() and len(argument) <= _IDLE_DIGITS) or not (
            1 <= int(argument) <= policy.idle_seconds_most
        ):
            raise ArgumentError(f"SITE IDLE takes seconds from 1 to {policy.idle_seconds_most:g}")
        session.idle = float(argument)
    seconds = policy.idle_seconds if session.idle is None else session.idle
    return Reply(Code.OK, f"The connection may be idle for {seconds:g} seconds")


def permission_bits(text: str) -> int:
    """Octal digits as a number; ArgumentError (501) for anything else."""
    if not text or len(text) > 4 or any(digit not in "01234567" for digit in text) or int(text, 8) > 0o777:
        raise ArgumentError("Permission bits are octal digits from 000 to 777")
    return int(text, 8)


def _path(context: Context, text: str) -> VirtualPath:
    try:
        return VirtualPath.parse(text, context.session.place)
    except PathError as error:
        raise ArgumentError(str(error)) from None


_SERVICES = {
    "HELP": _Service(_help, "HELP"),
    "CHMOD": _Service(_chmod, "CHMOD mode pathname"),
    "UTIME": _Service(_utime, "UTIME YYYYMMDDhhmm[ss] pathname"),
    "UMASK": _Service(_umask, "UMASK [mask]"),
    "IDLE": _Service(_idle, "IDLE [seconds]"),
}

VERBS = (Verb("SITE", site),)
