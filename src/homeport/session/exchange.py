"""One use of the data connection: say 150, get the connection, pump, close it, and tell how it went.

Every verb that moves octets over the data connection ends here, so order (RFC 959 §5.4, §5.2), replies and
events are the same for all: 150 is said without waiting for the client to connect, since some connect only after it;
425 when no connection came about, 426 when it was lost or aborted, 451 when this side failed, and 226 after the
data connection was closed.

A transfer that has to wait for its client is suspended: then the reply comes later, from `underway.py`.
"""

from __future__ import annotations

from typing import Final

from homeport.data.channel import Connection, dial
from homeport.data.connection import DataConnectionError
from homeport.data.offer import Offer
from homeport.data.plan import Outcome, Plan, Result
from homeport.data.stream import PlainStream, Stream
from homeport.data.throttle import ThrottledStream
from homeport.data.transfer import Transfer
from homeport.data.truncated import Truncated
from homeport.events.types import Direction, TransferEnded
from homeport.net.ending import is_there
from homeport.protocol.hostport import HostPort
from homeport.protocol.reply import Code, Reply
from homeport.storage.base import InputOutputError, StorageError, Writer

from .commands import Context
from .failure import broken, no_connection
from .link import Link
from .protection import data_protected
from .refusal import Refusal, reply_for
from .secured import protect
from .underway import Underway, close

LOWEST_PORT: Final = 1024
"""No data connection to a port below it: they belong to services that a bounce could attack (RFC 2577 §3)."""


class _Suspended(Underway):
    """What `exchange` returns in the place of a reply, and all that is needed to make that later."""

    __slots__ = ("_appended", "_context", "_done", "_passive", "_path")

    def __init__(
        self, transfer: Transfer, context: Context, plan: Plan, path: str, done: str, *, passive: bool, appended: bool
    ) -> None:
        super().__init__(transfer, plan)
        self._context: Final = context
        self._path: Final = path
        self._done: Final = done
        self._passive: Final = passive
        self._appended: Final = appended

    def settle(self, result: Result) -> Reply:
        return _settle(
            self._context, self.plan, self._path, self._done, result, passive=self._passive, appended=self._appended
        )


def exchange(
    context: Context, plan: Plan, path: str, opening: str, done: str, *, appended: bool = False
) -> Reply | Underway:
    """Carry out *plan* over a new data connection; *opening* is the text of 150, *done* begins that of 226.

    An upload is published here, before it counts as complete. Raises Refusal with 425, 426 or 451 for everything that
    is not. The data connection is closed in any case, and so is the reader or writer of *plan*: if what is returned is
    no reply, when that has come to its end. *path* and *appended* are for the log.
    """
    session = context.session
    passive = isinstance(session.data, Offer)
    try:
        transfer = _begin(context, plan, path, opening, passive=passive)
        result = transfer.advance()
    except BaseException:
        session.activity = None
        session.link = None
        close(plan)
        raise
    if result is None:
        return _Suspended(transfer, context, plan, path, done, passive=passive, appended=appended)
    return _settle(context, plan, path, done, result, passive=passive, appended=appended)


def _begin(context: Context, plan: Plan, path: str, opening: str, *, passive: bool) -> Transfer:
    """Say 150 and have the data connection; nothing is moved yet."""
    session, services = context.session, context.services
    going_on = context.announce(Reply(Code.DATA_OPENING, opening))
    context.started = True
    if not going_on:
        if passive:
            session.excuse_data()
            session.release_data()
        raise Refusal(Code.TRANSFER_ABORTED, "Aborted before the data connection was there")
    session.activity = f"{_kind(plan)} of {path}"
    mode = "" if session.data is None else session.data_verb
    clock = services.clock.monotonic
    connection = _connect(context)
    link = session.link = Link(connection, mode, clock())
    if data_protected(session):
        stream: Stream = protect(context, plan, connection)
    else:
        stream = PlainStream(connection, plan.expected)
    throttles = session.throttles
    throttle = throttles.download if plan.writer is None else throttles.upload
    if throttle is not None:
        stream = ThrottledStream(stream, throttle)
    transfer = Transfer(plan, stream, context.watch, clock, services.buffers)
    # What has come in with a handshake, nothing would tell of.
    transfer.untold = isinstance(stream, PlainStream)
    link.follow(transfer)
    return transfer


def _kind(plan: Plan) -> str:
    """The value of its Direction: the member's own costs more than all else of a transfer's name."""
    if plan.reader is not None:
        return "download"
    return "listing" if plan.writer is None else "upload"


def _settle(
    context: Context, plan: Plan, path: str, done: str, result: Result, *, passive: bool, appended: bool
) -> Reply:
    """The transfer is over: publish or give up what it brought, tell the log, and make the reply or the refusal."""
    session = context.session
    session.activity = None
    session.link = None
    if plan.writer is not None:
        try:
            result = _end_upload(context, plan.writer, result)
        except BaseException:
            plan.writer.abort(keep=False)
            raise
    elif plan.reader is not None:
        plan.reader.close()
    session.transfers += 1
    if plan.writer is None:
        session.octets_out += result.octets
    else:
        session.octets_in += result.octets
    if not context.services.events.silent:
        _tell(context, plan, path, result, passive=passive, appended=appended)
    if result.outcome is Outcome.COMPLETE:
        return Reply(Code.DATA_CLOSING, f"{done}: {result.octets} bytes in {_text(result.seconds)} seconds")
    raise _refusal(context, result)


def _end_upload(context: Context, writer: Writer, result: Result) -> Result:
    """Publish what is complete; keep, if the policy says so, what broke off."""
    if result.outcome is not Outcome.COMPLETE:
        writer.abort(keep=context.services.policy.keep_partial)
        return result
    try:
        writer.commit()
    except StorageError as error:
        writer.abort(keep=context.services.policy.keep_partial)
        return Result(Outcome.STORAGE_FAILED, result.octets, result.seconds, error)
    return result


def _text(seconds: float) -> str:
    """With three digits behind the point. The standard library's way takes longer than all else of a reply."""
    thousandths = int(seconds * 1000 + 0.5)
    if thousandths < len(_AT_ONCE):
        return _AT_ONCE[thousandths]
    return f"{thousandths // 1000}.{str(1000 + thousandths % 1000)[1:]}"


_AT_ONCE: Final = tuple(f"0.00{thousandths}" for thousandths in range(10))
"""Of most transfers."""


def _connect(context: Context) -> Connection:
    """The data connection that PORT, PASV or the default asks for (RFC 959 §3.2)."""
    session, policy = context.session, context.services.policy
    target = session.data
    if isinstance(target, Offer):
        try:
            connection = target.wait(context.watch, policy.data_seconds)
            session.unused = 0
            return connection
        except DataConnectionError as error:
            raise no_connection(context, target, error) from None
        finally:
            session.release_data()
    if target is None:
        if session.extended_only:
            raise Refusal(Code.CANNOT_OPEN_DATA, "After EPSV ALL each transfer needs an EPSV")
        # The default data port is the port that the client's control connection comes from (§3.2).
        target = HostPort(6 if ":" in session.peer[0] else 4, *session.peer)
        if target.port < LOWEST_PORT:
            raise Refusal(Code.CANNOT_OPEN_DATA, f"Port {target.port} is never connected to; use PASV or EPSV")
    # The data port is on the address that the client is connected to (RFC 1123 §4.1.2.12).
    source = (session.source, policy.active_port)
    other_port: list[str] = []
    try:
        address = (target.host, target.port)
        return dial(address, source, context.watch, policy.data_seconds, other_port.append)
    except DataConnectionError as error:
        raise no_connection(context, target, error, other_port[0] if other_port else None) from None


def _tell(context: Context, plan: Plan, path: str, result: Result, *, passive: bool, appended: bool) -> None:
    """Tell the log."""
    session, services, user = context.session, context.services, context.user
    services.events.publish(
        TransferEnded(
            at=services.clock.time(),
            session=session.number,
            peer=session.peer,
            user=user.name,
            anonymous=user.anonymous,
            direction=Direction(_kind(plan)),
            path=path,
            octets=result.octets,
            seconds=result.seconds,
            binary=plan.codec is None,
            passive=passive,
            appended=appended,
            error=None if result.outcome is Outcome.COMPLETE else _why(context, result),
        )
    )


def _why(context: Context, result: Result) -> str:
    ended = _ended_here(context, result)
    if ended is not None:
        return ended
    return result.outcome.value if result.error is None else f"{result.outcome.value}: {result.error}"


def _ended_here(context: Context, result: Result) -> str | None:
    """Why a transfer lost its control connection, if not by the client, who is still there: the session was ended."""
    if result.outcome is not Outcome.CONTROL_LOST:
        return None
    stopping = context.services.stopping.is_set()
    there = is_there(context.watch.fileno())
    if there or (there is None and stopping):
        return "the server is stopping" if stopping else "the server has ended the session"
    return None


def _refusal(context: Context, result: Result) -> Refusal:
    moved = f"after {result.octets} bytes"
    match result.outcome:
        case Outcome.ABORTED | Outcome.CONTROL_LOST:
            ended = _ended_here(context, result)
            return Refusal(Code.TRANSFER_ABORTED, f"Transfer aborted {moved}{f': {ended}' if ended else ''}")
        case Outcome.LOST if isinstance(result.error, Truncated):
            # D-15: a FIN alone could be anybody's.
            return Refusal(
                Code.TRANSFER_ABORTED, f"The upload was cut {moved}: your client closed it without a TLS close_notify"
            )
        case Outcome.LOST | Outcome.STALLED:
            return Refusal(Code.TRANSFER_ABORTED, broken(context, result).sentence)
        case _:
            error = result.error if isinstance(result.error, StorageError) else InputOutputError()
            reply = reply_for(error, context.verb, started=True)
            return Refusal(reply.code, f"{reply.text}; given up {moved}")
