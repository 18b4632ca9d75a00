"""The one gate: known, phase, protection, argument, permission, verb, reply; every question in one place and order.

No verb is reached but through `dispatch`, nor goes on but through `resume`, and no reply leaves them that the grammar
does not allow for the verb.
"""

from __future__ import annotations

import secrets
import traceback
from typing import Final

from homeport.accounts.model import Encryption
from homeport.events.types import Failed
from homeport.protocol.argument import Argument, parse
from homeport.protocol.command import ArgumentError, Command
from homeport.protocol.grammar import GRAMMAR, Row
from homeport.protocol.path import PathError, VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.storage.base import StorageError

from .commands import Context, Verb
from .lost import ControlLost
from .protection import data_protected, demanded
from .refusal import NOT_LOGGED_IN, Refusal, reply_for
from .underway import Underway, Wake
from .verbs import about, connection, listing, login, metadata, security, site, transfer, tree

VERBS: Final[dict[str, Verb]] = {
    verb.name: verb
    for module in (login, security, connection, tree, listing, metadata, transfer, about, site)
    for verb in module.VERBS
}
"""Every verb that is implemented; the grammar has all that are known."""

_PATHS: Final = frozenset({Argument.PATH, Argument.OPTIONAL_PATH})
_INVALID_IS_501: Final = frozenset({"MLST", "MLSD"})
"""Verbs whose argument, where it is invalid, is answered 501 and by nothing else (RFC 3659 §7.1)."""
_TOO_LOW: Final = Reply(
    Code.PROTECTION_TOO_LOW, "Data connections must be protected here; send PBSZ 0 and PROT P first"
)
_UNKNOWN: Final = Reply(Code.UNKNOWN_COMMAND, "Unknown command")


def dispatch(context: Context, command: Command) -> Reply | Underway:
    """The final reply to *command*, or its transfer, which waits; what is unexpected becomes 451 and a Failed event.

    Raises only ControlLost, when the client is gone.
    """
    row = GRAMMAR.get(command.verb)
    if row is None:
        return _UNKNOWN
    context.session.commands += 1
    context.verb = row.verb  # and not the command's own text: the session keeps it
    context.started = False
    try:
        reply = _run(context, row, command)
    except ControlLost:
        raise
    except Exception as error:  # noqa: BLE001 - a bug ends in 451 and in the log, not in a dead session
        reply = _reply_to(context, error)
    return reply if isinstance(reply, Underway) else _final(context, row, reply)


def resume(context: Context, underway: Underway, wake: Wake) -> Reply | None:
    """As `dispatch`, of which this is what comes later: the final reply, or None as long as the transfer waits."""
    reply: Reply | None
    try:
        reply = underway.go_on(wake)
    except ControlLost:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        context.session.activity = None
        context.session.link = None
        reply = _reply_to(context, error)
    return None if reply is None else _final(context, GRAMMAR[context.verb], reply)


def _reply_to(context: Context, error: Exception) -> Reply:
    """What a verb that has raised *error* answers."""
    if isinstance(error, Refusal):
        return error.reply
    if isinstance(error, StorageError):
        return reply_for(error, context.verb, started=context.started)
    if isinstance(error, ArgumentError):
        return Reply(error.code, error.text)
    return _failed(context, error)


def _final(context: Context, row: Row, reply: Reply) -> Reply:
    """*reply*, if the grammar allows it."""
    if row.preliminary:
        session = context.session
        # REST is for one transfer, also for one that was refused (RFC 3659 §5.3).
        session.restart = 0
        if session.data is not None:
            # Its passive port would be gone if the transfer had come to use it.
            session.excuse_data()
    if not row.allows(reply.code):
        return _failed(context, AssertionError(f"{row.verb} may not be answered {int(reply.code)} {reply.text}"))
    return reply


def _run(context: Context, row: Row, command: Command) -> Reply | Underway:
    verb = VERBS.get(row.verb)
    if verb is None:
        return Reply(Code.NOT_IMPLEMENTED, f"{row.verb} is not implemented here")
    session = context.session
    if verb.login and session.user is None:
        return NOT_LOGGED_IN
    if (
        verb.transfers
        and not data_protected(session)
        and demanded(context.services.policy.tls, session.user) is Encryption.BOTH
    ):
        # Asked at the transfer, and not at PASV (RFC 4217 §10.2). With TLS it is 521, not RFC 2228's 534.
        return _TOO_LOW
    if session.rename_from is not None and not verb.keeps_rename:
        session.rename_from = None
    argument = parse(row.argument, command.argument)
    if row.argument in _PATHS:
        path = session.place if argument is None else _path(context, str(argument))
        if verb.permission is not None:
            context.permit(verb.permission, path)
        return verb.run(context, None if argument is None else path)
    return verb.run(context, argument)


def _path(context: Context, text: str) -> VirtualPath:
    """The path that *text* names from where the session is; 553, where the verb has it, if no file can."""
    try:
        return VirtualPath.parse(text, context.session.place)
    except PathError as error:
        named = context.verb not in _INVALID_IS_501 and GRAMMAR[context.verb].allows(Code.NAME_NOT_ALLOWED)
        raise Refusal(Code.NAME_NOT_ALLOWED if named else Code.BAD_ARGUMENT, str(error)) from None


def _failed(context: Context, error: BaseException) -> Reply:
    """451 with an id for the client; the trace goes to the log under the same id."""
    mark = secrets.token_hex(4)
    context.services.events.publish(
        Failed(
            at=context.services.clock.time(),
            session=context.session.number,
            id=mark,
            text=f"{context.verb}: {type(error).__name__}: {error}",
            trace="".join(traceback.format_exception(error)),
        )
    )
    return Reply(Code.LOCAL_ERROR, f"Something went wrong on this server; its log has the details under {mark}")
