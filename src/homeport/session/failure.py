"""A data connection that failed: the facts that the session knows, the diagnosis, the event, and the refusal.

A client that dials before it sends RETR, and gives up, never asks for the connection: it asks for another port, or is
gone. That, too, is told (`never_came`), with a diagnosis where it cannot well be anything else. And where a firewall
cuts the control connection instead, as soon as it reads PORT or PASV, the end of the session shows it (`session_over`).

Nothing here runs while all goes well. What a fact means is `advice`'s business; here they are only collected.
"""

from __future__ import annotations

import time
from dataclasses import replace

from homeport.advice.attempt import Attempt, Mode, Seen
from homeport.advice.causes import Cause as Fault
from homeport.advice.causes import Diagnosis
from homeport.advice.diagnosis import cause_of, diagnose
from homeport.data.address import Decision, Rules, decide
from homeport.data.connection import Cause, DataConnectionError
from homeport.data.offer import Offer
from homeport.data.plan import Outcome, Result
from homeport.events.types import CloseReason, ControlConnectionsCut, DataConnectionFailed, PassivePortUnused
from homeport.net.ending import was_reset
from homeport.protocol.hostport import HostPort
from homeport.protocol.reply import Code

from .commands import Context
from .protection import control_protected, data_protected
from .refusal import Refusal
from .state import Session

_SEEN = {
    Cause.NOTHING_ARRIVED: Seen.NOTHING,
    Cause.STRANGER_ONLY: Seen.STRANGERS,
    Cause.REFUSED: Seen.REFUSED,
    Cause.TIMED_OUT: Seen.TIMED_OUT,
    Cause.UNREACHABLE: Seen.UNREACHABLE,
    Cause.NO_PORT: Seen.NO_PORT_FREE,
    Cause.NO_DESCRIPTOR: Seen.NO_DESCRIPTOR,
    Cause.CLOSED: Seen.CLOSED,
    Cause.PLAIN_TEXT: Seen.PLAIN_TEXT,
    Cause.TLS_FAILED: Seen.TLS_FAILED,
    Cause.NOT_RESUMED: Seen.NOT_RESUMED,
}
"""ABORTED and CONTROL_LOST are the client's own wish; there is nothing to diagnose."""

_LONG = 5.0
"""Seconds that a client is busy with dialling at least, if it leaves a port alone for as long. Nobody who means to use
one waits before he dials."""
_IN_A_ROW = 2
"""Ports that are asked for and left alone. One alone may be a client's whim."""
_NAMED = frozenset({Fault.PRIVATE_ANNOUNCED, Fault.BRIDGE_ANNOUNCED})
"""Of these the address alone is proof, where the client is beyond a router."""

_SET_UP = frozenset({"PASV", "EPSV", "LPSV", "PORT", "EPRT", "LPRT"})
"""What filters stumble over: the commands, and replies, that name a port which they are to open."""


def decision_for(session: Session, rules: Rules) -> Decision:
    """What is announced to the client of *session*."""
    return decide(rules, session.peer[0], session.reached, guess=not session.inward)


def no_connection(
    context: Context, target: Offer | HostPort, error: DataConnectionError, source_failure: str | None = None
) -> Refusal:
    """425 for a data connection that did not come about. *source_failure*: why it came from another port than 20."""
    if error.cause in (Cause.ABORTED, Cause.CONTROL_LOST):
        return Refusal(Code.TRANSFER_ABORTED, "Aborted before the data connection was there")
    facts = _facts(context, _SEEN[error.cause])
    if isinstance(target, Offer):
        attempt = replace(_passive(context, facts, target), strangers=error.strangers)
        address = (target.address or target.local, target.announced)
        _doubt(context, target)
    else:
        attempt = replace(_active(context, facts, target), error=error.number, source_failure=source_failure)
        if context.session.requested is not None:
            context.session.unforwarded = True
        address = (target.host, target.port)
    return _refuse(context, Code.CANNOT_OPEN_DATA, attempt, address)


def never_came(context: Context, offer: Offer) -> None:
    """Tell the log of *offer*, which is over and was never used: each cause once in a session.

    With a diagnosis, if there is evidence that the client had tried: the address that it was told cannot be reached
    from where it is; or no transfer has gone well yet, and it took its time or went away without QUIT; or it did so
    before.
    """
    session, events = context.session, context.services.events
    session.unused += 1
    if events.silent:
        return
    seconds = time.monotonic() - offer.made
    facts = replace(_facts(context, Seen.STRANGERS if offer.strangers else Seen.NOTHING), seconds=round(seconds, 1))
    attempt = replace(_passive(context, facts, offer), strangers=tuple(offer.strangers))
    found = diagnose(attempt)
    tried = (
        (found.cause in _NAMED and attempt.beyond)
        or (not session.transfers and (seconds >= _LONG or context.closing is CloseReason.CLIENT))
        or session.unused >= _IN_A_ROW
    )
    if tried:
        _doubt(context, offer)
    diagnosis = found.cause.value if tried else ""
    if diagnosis in session.told:
        return
    session.told = (*session.told, diagnosis)
    address = (offer.address or offer.local, offer.announced)
    events.publish(
        PassivePortUnused(
            at=context.services.clock.time(),
            session=session.number,
            peer=session.peer,
            user=session.user.name if session.user is not None else session.name or "",
            target=address,
            seconds=seconds,
            cause=found.happened
            if tried
            else f"{session.peer[0]} asked for it by {session.data_verb} and did not come.",
            diagnosis=diagnosis,
            side=found.side.value if tried else "",
            advice=found.advice if tried else "",
        )
    )


def session_over(context: Context) -> None:
    """At the end of a session that has set up data connections: look whether somebody has cut it."""
    session, services = context.session, context.services
    if session.transfers:
        services.resets.forget(session.peer[0])
        return
    if context.verb not in _SET_UP or not was_reset(context.watch.fileno()):
        return
    resets = services.resets.add(session.peer[0], session.commands)
    facts = _facts(context, Seen.CONTROL_RESET)
    found = diagnose(replace(facts, resets=resets))
    known = cause_of(replace(facts, resets=resets[:-1])) is Fault.CONTROL_FILTERED
    if known or found.cause is not Fault.CONTROL_FILTERED or services.events.silent:
        return
    services.events.publish(
        ControlConnectionsCut(
            at=services.clock.time(),
            session=session.number,
            peer=session.peer,
            user=session.user.name if session.user is not None else session.name or "",
            verb=context.verb,
            cause=found.happened,
            diagnosis=found.cause.value,
            side=found.side.value,
            advice=found.advice,
        )
    )


def no_port(context: Context, error: DataConnectionError) -> Refusal:
    """425 for PASV and EPSV where no port can be offered, or ABOR ended the wait for one."""
    if error.cause in (Cause.ABORTED, Cause.CONTROL_LOST):
        return Refusal(Code.CANNOT_OPEN_DATA, "Aborted before a port was free")
    attempt = replace(_facts(context, _SEEN[error.cause]), mode=Mode(context.verb))
    return _refuse(context, Code.CANNOT_OPEN_DATA, attempt, (context.session.local[0], 0))


def not_allowed(context: Context, target: HostPort, seen: Seen) -> Refusal:
    """504 for a PORT that names what must not be dialled: FOREIGN or LOW_PORT."""
    attempt = replace(
        _facts(context, seen), mode=Mode(context.verb), port=target.port, requested=(target.host, target.port)
    )
    # RFC 2577 §3 says 504 for a low port, and names no code for a third host.
    return _refuse(context, Code.BAD_PARAMETER, attempt, (target.host, target.port))


def not_secured(context: Context, error: DataConnectionError, client: tuple[str, int]) -> Refusal:
    """522 for a data connection with *client* that was there, and whose TLS failed or is not acceptable (RFC 4217)."""
    if error.cause in (Cause.ABORTED, Cause.CONTROL_LOST):
        return Refusal(Code.TRANSFER_ABORTED, "Aborted in the TLS handshake of the data connection")
    return _refuse(context, Code.HANDSHAKE_FAILED, _facts(context, _SEEN[error.cause]), client)


def broken(context: Context, result: Result) -> Diagnosis:
    """Of a transfer that was LOST or STALLED after the connection had been made."""
    seen = Seen.STALLED if result.outcome is Outcome.STALLED else Seen.RESET
    return diagnose(replace(_facts(context, seen), octets=result.octets))


def _facts(context: Context, seen: Seen) -> Attempt:
    session, services = context.session, context.services
    return Attempt(
        mode=Mode(session.data_verb) if session.data_verb else Mode.DEFAULT,
        seen=seen,
        peer=session.peer,
        local=session.local,
        seconds=services.policy.data_seconds,
        passive_ports=len(services.ports.ports),
        control_protected=control_protected(session),
        protected=data_protected(session),
    )


def _passive(context: Context, facts: Attempt, offer: Offer) -> Attempt:
    announced = offer.address
    if announced is None:
        return replace(facts, port=offer.announced)
    decision = decision_for(context.session, context.services.announce())
    # The external address may have become another one since PASV was answered.
    reason = decision.reason if decision.address == announced else "it was the address to announce then"
    return replace(facts, port=offer.announced, announced=announced, reason=reason)


def _doubt(context: Context, offer: Offer) -> None:
    """A guess at what to announce led the client nowhere: it is not one of those that our router has turned round.

    A router may put its own address in the place of others as well, such as those of a VPN that ends there.
    """
    session = context.session
    if offer.address is not None and decision_for(session, context.services.announce()).turned:
        session.inward = True


def _active(context: Context, facts: Attempt, target: HostPort) -> Attempt:
    session = context.session
    asked = session.requested
    mode = facts.mode if session.data is not None else Mode.DEFAULT
    requested = (asked.host, asked.port) if asked is not None else (target.host, target.port)
    return replace(
        facts,
        mode=mode,
        port=target.port,
        requested=None if mode is Mode.DEFAULT else requested,
        dialled=target.host,
        source_port=context.services.policy.active_port,
    )


def _refuse(context: Context, code: Code, attempt: Attempt, target: tuple[str, int]) -> Refusal:
    found = diagnose(attempt)
    events = context.services.events
    if not events.silent:
        events.publish(
            DataConnectionFailed(
                at=context.services.clock.time(),
                session=context.session.number,
                peer=attempt.peer,
                user=context.user.name,
                passive=attempt.mode.passive,
                target=target,
                cause=found.happened,
                diagnosis=found.cause.value,
                side=found.side.value,
                advice=found.advice,
            )
        )
    return Refusal(code, found.sentence)
