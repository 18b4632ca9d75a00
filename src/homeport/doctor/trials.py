"""Trials: PASV, EPSV, PORT and EPRT, each with a real data connection and a listing over it.

The order of steps is that of every client: in passive mode the data connection is dialled before LIST is sent, in
active mode we listen, say where, send LIST and wait for the server.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from homeport.advice.attempt import Attempt, Mode, Seen
from homeport.advice.diagnosis import diagnose
from homeport.net.listener import plain, text_of

from .client import Control, Gone, Heard, TalkOver
from .data import Failure, Moved, dial, listen, may_dial, receive
from .survey import Endpoint, State, Trial
from .visit import Visit

Facts = Callable[[Mode, Seen], Attempt]
"""An Attempt with what is known of both ends; the rest is for who knows it."""

_NO_CONNECTION = frozenset({425, 426, 522})
"""What a server says when it has no data connection, or not one that it wants (RFC 959 §4.2.2, RFC 4217 §10.2)."""
_NUMBERS = re.compile(r"(\d{1,3})\D(\d{1,3})\D(\d{1,3})\D(\d{1,3})\D(\d{1,3})\D(\d{1,3})")
_EXTENDED = re.compile(r"([\x21-\x7e])\1\1(\d{1,5})\1")
_REUSE = re.compile(r"re-?us|resum|session", re.IGNORECASE)
LISTING = "LIST"
"""Every server has it (RFC 1123 §4.1.2.13), and only NLST is refused for an empty directory."""


def passive(visit: Visit, mode: Mode, facts: Facts, timeout: float) -> Trial:
    """PASV or EPSV. Raises nothing: what goes wrong is the result."""
    began = time.monotonic()
    control = visit.control
    try:
        heard = control.ask(mode.value)
    except TalkOver as over:
        return _lost(mode, facts, over, control.sent, began)
    if not heard.good:
        return _not_offered(mode, heard, facts, began, over_ipv6=":" in control.peer[0])
    announced = _announced(mode, heard, control.peer)
    if announced is None:
        if mode is Mode.PASV and ":" in control.peer[0]:
            return _failed(mode, facts(mode, Seen.UNREACHABLE), f"{heard} names no address", began, (heard,))
        return Trial(
            mode=mode, state=State.FAILS, seen="the numbers in the reply cannot be read", replies=(str(heard),),
            seconds=time.monotonic() - began,
        )  # fmt: skip
    attempt = replace(
        facts(mode, Seen.NOTHING), port=announced[1], announced=announced[0] if mode.names_address else None
    )
    data = _reach(announced, timeout, control)
    failure = data if isinstance(data, Failure) else None
    if isinstance(data, Failure) and announced[0] != control.peer[0]:
        data = dial((control.peer[0], announced[1]), timeout, control.local[0])
    if not isinstance(data, Failure):
        trial = _listed_over(visit, data, mode, attempt, timeout, began)
        if failure is None or trial.state is not State.WORKS:
            return replace(trial, announced=announced)
        # The address in 227 was of no use, and the one of the control connection was.
        trial = replace(trial, state=State.LENIENT, seen=failure.text)
    else:
        failure = failure or data
        trial = Trial(
            mode=mode, state=State.FAILS, seen=failure.text, seconds=time.monotonic() - began, replies=(str(heard),)
        )
    found = diagnose(replace(attempt, seen=failure.seen, error=failure.error))
    return replace(trial, announced=announced, diagnosis=found)


def active(visit: Visit, mode: Mode, facts: Facts, timeout: float, ports: range | None = None) -> Trial:
    """PORT or EPRT. Raises nothing: what goes wrong is the result."""
    began = time.monotonic()
    control = visit.control
    try:
        listener = listen(control.local[0], ports)
    except OSError as error:
        return Trial(
            mode=mode, state=State.UNPROVEN, seen=f"no port can be listened on here: {error.strerror or error}"
        )
    with listener:
        requested = text_of(listener.getsockname())
        try:
            heard = control.ask(_port_command(mode, requested))
        except TalkOver as over:
            return replace(_lost(mode, facts, over, control.sent, began), requested=requested)
        attempt = replace(facts(mode, Seen.NOTHING), port=requested[1], requested=requested, seconds=timeout)
        if not heard.good:
            trial = _refused(mode, heard, attempt, began)
        else:
            trial = _called(visit, listener, mode, attempt, timeout, began)
        return replace(trial, requested=requested)


# -- passive ---------------------------------------------------------------------------------------------


def announced_in(text: str) -> Endpoint | None:
    """The six numbers of 227, wherever they stand (RFC 1123 §4.1.2.6); None if they are not there or no address."""
    found = _NUMBERS.search(text)
    if found is None:
        return None
    numbers = [int(one) for one in found.groups()]
    port = numbers[4] * 256 + numbers[5]
    if max(numbers) > 255 or port == 0:
        return None
    return ".".join(str(one) for one in numbers[:4]), port


def _announced(mode: Mode, heard: Heard, peer: Endpoint) -> Endpoint | None:
    if mode is Mode.PASV:
        return None if ":" in peer[0] else announced_in(heard.text)
    found = _EXTENDED.search(heard.text)
    port = int(found.group(2)) if found is not None else 0
    return (peer[0], port) if 0 < port < 65536 else None


def _reach(announced: Endpoint, timeout: float, control: Control) -> socket.socket | Failure:
    """A connection to exactly where the server said."""
    objection = may_dial(announced, control.peer)
    if objection is not None:
        where = f"{announced[0]} port {announced[1]}"
        return Failure(Seen.UNREACHABLE, f"{where} was not dialled: {objection}")
    # To another address another of our own may lead.
    return dial(announced, timeout, control.local[0] if announced[0] == control.peer[0] else None)


def _listed_over(
    visit: Visit, data: socket.socket, mode: Mode, attempt: Attempt, timeout: float, began: float
) -> Trial:
    """LIST over a data connection that we have dialled."""
    control = visit.control
    ours, theirs = text_of(data.getsockname()), text_of(data.getpeername())
    with data:
        try:
            heard = control.ask(LISTING)
            if heard.preliminary:
                return replace(_read(visit, data, mode, attempt, heard, timeout, began), ours=ours, theirs=theirs)
        except TalkOver as over:
            return _failed(mode, replace(attempt, seconds=timeout), f"after {LISTING} {over}", began, ())
    return replace(_unlisted(mode, attempt, heard, began), ours=ours, theirs=theirs)


# -- active ----------------------------------------------------------------------------------------------


def _port_command(mode: Mode, at: Endpoint) -> str:
    host, port = plain(at[0]), at[1]
    if mode is Mode.EPRT:
        return f"EPRT |{2 if ':' in host else 1}|{host}|{port}|"
    return f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}"


def _called(visit: Visit, listener: socket.socket, mode: Mode, attempt: Attempt, timeout: float, began: float) -> Trial:
    """Send LIST and wait for the server's connection, or for what it says instead."""
    control = visit.control
    deadline = time.monotonic() + timeout
    opening: Heard | None = None
    try:
        control.say(LISTING)
        while True:
            called, heard_some = control.waits(listener, deadline - time.monotonic())
            if called:
                break
            if heard_some:
                heard = control.hear(max(deadline - time.monotonic(), 0.1))
                if not heard.preliminary:
                    return _unlisted(mode, attempt, heard, began, called=False)
                opening = heard
            elif time.monotonic() >= deadline:
                replies = (opening,) if opening is not None else ()
                return _failed(mode, attempt, f"no connection came within {timeout:g} s", began, replies)
        data, peer = listener.accept()
        with data:
            if opening is None:
                opening = control.hear()
            if not opening.preliminary:
                return _unlisted(mode, attempt, opening, began)
            trial = _read(visit, data, mode, attempt, opening, timeout, began)
    except (TalkOver, OSError) as over:
        return _failed(mode, attempt, f"after {LISTING} {over}", began, ())
    came = text_of(peer)
    notes = trial.notes
    if plain(came[0]) != plain(control.peer[0]):
        notes = (*notes, f"The data connection came from {came[0]}, and the server is at {control.peer[0]}.")
    return replace(trial, ours=attempt.requested, theirs=came, notes=notes)


def _refused(mode: Mode, heard: Heard, attempt: Attempt, began: float) -> Trial:
    """PORT or EPRT was answered no."""
    if heard.unknown_command and "illegal" not in heard.text.lower():
        return Trial(
            mode=mode, state=State.ABSENT, seen="the server does not have the command", replies=(str(heard),),
            seconds=time.monotonic() - began,
        )  # fmt: skip
    # Some say 500 "Illegal PORT command" and mean the address. A server that refuses an address which cannot be wrong
    # has switched active mode off, and there is nothing to conclude.
    asked = attempt.requested_kind
    private = asked is not None and not asked.outside and attempt.across
    diagnosis = diagnose(replace(attempt, seen=Seen.FOREIGN)) if private else None
    return Trial(
        mode=mode, state=State.FAILS, seen=f"the server refused it: {heard}", replies=(str(heard),),
        seconds=time.monotonic() - began, diagnosis=diagnosis,
    )  # fmt: skip


# -- both --------------------------------------------------------------------------------------------------


def _read(
    visit: Visit, data: socket.socket, mode: Mode, attempt: Attempt, opening: Heard, timeout: float, began: float
) -> Trial:
    """The listing and the reply that ends it. The server has said that it begins."""
    moved = receive(visit, data, timeout)
    final: Heard | None = None
    over: TalkOver | None = None
    try:
        final = visit.control.final()
    except TalkOver as happened:
        over = happened
    replies = (str(opening), *((str(final),) if final is not None else ()))
    seconds = time.monotonic() - began
    good = final is not None and final.good
    if moved.failure is None and good:
        return Trial(
            mode=mode, state=State.WORKS, seen="a listing came", seconds=seconds, octets=moved.octets,
            resumed=moved.resumed, replies=replies, notes=_notes(moved),
        )  # fmt: skip
    seen, text = _what_broke(moved, final, over)
    found = diagnose(replace(attempt, seen=seen, octets=moved.octets, seconds=timeout))
    return Trial(
        mode=mode, state=State.FAILS, seen=text, seconds=seconds, octets=moved.octets, resumed=moved.resumed,
        replies=replies, diagnosis=found,
    )  # fmt: skip


def _what_broke(moved: Moved, final: Heard | None, over: TalkOver | None) -> tuple[Seen, str]:
    denied = final is not None and final.code in _NO_CONNECTION and _REUSE.search(final.text) is not None
    if denied and moved.resumed is not None:
        return Seen.NOT_RESUMED, f"the server insists on a resumed TLS session: {final}"
    if moved.failure is not None and moved.failure.seen is not Seen.RESET:
        return moved.failure.seen, moved.failure.text
    if final is not None and not final.good:
        if moved.octets == 0 and final.code == 425:
            return Seen.NOTHING, f"a connection was made, but not with the server, which said: {final}"
        return Seen.RESET, f"the server broke it off: {final}"
    if moved.failure is not None:
        return moved.failure.seen, moved.failure.text
    if isinstance(over, Gone):
        return Seen.CONTROL_RESET, f"after the listing {over}"
    return Seen.STALLED, f"after the listing the server did not say that it was complete ({over})"


def _notes(moved: Moved) -> tuple[str, ...]:
    if moved.resumed is False:
        note = "TLS on the data connection did not resume the session of the control connection"
        return (f"{note}; this server does not mind.",)
    return ()


def _unlisted(mode: Mode, attempt: Attempt, heard: Heard, began: float, *, called: bool = True) -> Trial:
    """LIST was answered with a final reply at once."""
    seconds = time.monotonic() - began
    if heard.code in _NO_CONNECTION:
        if mode.passive:
            text = f"a connection was made, but the server did not see it: {heard}"
        else:
            text = f"the server could not connect: {heard}"
        seen = Seen.NOT_RESUMED if _REUSE.search(heard.text) and heard.code == 522 else attempt.seen
        return replace(_failed(mode, replace(attempt, seen=seen), text, began, (heard,)), seconds=seconds)
    seen_text = "the data connection was made" if called else "no data connection was tried"
    return Trial(
        mode=mode, state=State.UNPROVEN, seen=f"{seen_text}, and the server did not want to list: {heard}",
        seconds=seconds, replies=(str(heard),),
    )  # fmt: skip


def _not_offered(mode: Mode, heard: Heard, facts: Facts, began: float, *, over_ipv6: bool) -> Trial:
    """PASV or EPSV was answered no."""
    seconds = time.monotonic() - began
    if over_ipv6 and mode is Mode.PASV and heard.code >= 500:
        seen = "rightly refused: 227 cannot name an IPv6 address"
    elif heard.unknown_command or heard.code == 522:
        seen = "the server does not have the command"
    elif heard.code >= 500:
        return Trial(
            mode=mode, state=State.FAILS, seen=f"the server refused it: {heard}", seconds=seconds,
            replies=(str(heard),),
        )  # fmt: skip
    else:
        found = diagnose(facts(mode, Seen.NO_PORT_FREE))
        return Trial(
            mode=mode, state=State.FAILS, seen=f"the server has no port to offer: {heard}", seconds=seconds,
            replies=(str(heard),), diagnosis=found,
        )  # fmt: skip
    return Trial(mode=mode, state=State.ABSENT, seen=seen, seconds=seconds, replies=(str(heard),))


def _failed(mode: Mode, attempt: Attempt, text: str, began: float, replies: tuple[Heard, ...]) -> Trial:
    return Trial(
        mode=mode, state=State.FAILS, seen=text, seconds=time.monotonic() - began,
        replies=tuple(str(heard) for heard in replies), diagnosis=diagnose(attempt),
    )  # fmt: skip


def _lost(mode: Mode, facts: Facts, over: TalkOver, sent: int, began: float) -> Trial:
    """The control connection ended over the command that sets the mode up."""
    text = f"after {mode.value} {over}"
    if isinstance(over, Gone):
        return _failed(mode, replace(facts(mode, Seen.CONTROL_RESET), resets=(sent,)), text, began, ())
    return Trial(mode=mode, state=State.FAILS, seen=text, seconds=time.monotonic() - began)
