"""What all words have in common: who was to connect to whom, and what was seen."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..attempt import Attempt, Seen
from ..causes import Diagnosis

Words = Callable[[Attempt], Diagnosis]

PASSIVE_INSTEAD = "use EPSV or PASV"


def end(address: str, port: int) -> str:
    return f"{address} port {port}"


def wait(attempt: Attempt) -> str:
    return f"{attempt.seconds:g} s"


def dialled(attempt: Attempt) -> str:
    """Who connected to whom, without a full stop."""
    here, there = attempt.local[0], attempt.peer[0]
    if attempt.mode.passive:
        told = attempt.announced or here
        named = f", which the answer to {attempt.mode.value} had named" if attempt.mode.names_address else ""
        because = f", because {attempt.reason}" if attempt.reason and attempt.mode.names_address else ""
        return f"{there} was to connect to {end(told, attempt.port)}{named}{because}"
    target = attempt.dialled or there
    asked = ""
    if attempt.requested is not None:
        asked = f", as {attempt.mode.value} asked"
        if attempt.requested[0] != target:
            asked = f"; {attempt.mode.value} had named {attempt.requested[0]}"
    source = f" from port {attempt.source_port}" if attempt.source_port else ""
    return f"This server, {here}, was to connect{source} to {end(target, attempt.port)}{asked}"


def seen(attempt: Attempt) -> str:
    match attempt.seen:
        case Seen.NOTHING:
            return f"nothing arrived within {wait(attempt)}"
        case Seen.STRANGERS:
            others = ", ".join(dict.fromkeys(attempt.strangers)) or "another address"
            return f"within {wait(attempt)} only {others} came, and was sent away"
        case Seen.REFUSED:
            return "the connection was refused"
        case Seen.TIMED_OUT:
            return f"there was no answer within {wait(attempt)}"
        case Seen.UNREACHABLE:
            why = f" ({os.strerror(attempt.error).lower()})" if attempt.error is not None else ""
            return f"there is no way to it{why}"
        case other:
            value: str = other.value
            return value


def happened(attempt: Attempt) -> str:
    return f"{dialled(attempt)}; {seen(attempt)}."


def failed(attempt: Attempt) -> str:
    """The beginning of a sentence to the client about a passive port that was not reached."""
    if attempt.seen is Seen.REFUSED:
        return f"Port {attempt.port} refused the connection"
    if attempt.seen is Seen.UNREACHABLE:
        return f"There is no way to port {attempt.port}"
    return f"Nothing reached port {attempt.port}"
