"""Facts: from what a client sees to an Attempt as `advice` wants it, and to what routers have changed. Pure.

A server sees both ends as they are on its side of all translators, a client as they are on its own. What the server
tells of that (in STAT, in its welcome) counts; where it tells nothing, the kinds of the two addresses do: a private
address cannot be the one that a server on the internet sees.
"""

from __future__ import annotations

from dataclasses import replace

from homeport.advice.address import Kind, kind
from homeport.advice.attempt import Attempt, Gateway, Mode, Seen
from homeport.advice.causes import Diagnosis
from homeport.advice.diagnosis import diagnose

from .survey import Trial, View


def attempt_of(view: View, mode: Mode, seen: Seen, timeout: float) -> Attempt:
    """What is known of both ends. The ports and addresses of the data connection are for who tries it."""
    local = view.local or ("0.0.0.0", 0)
    ours = view.told or local[0]
    protected = view.protection is not None
    return Attempt(
        mode=mode,
        seen=seen,
        peer=(ours, local[1]),
        local=(view.inside or view.address[0], view.address[1]),
        seconds=timeout,
        outside=view.address[0] if mode.names_address else None,
        across=translated(view),
        control_protected=protected,
        protected=protected,
    )


def learned_from(view: View, trial: Trial) -> View:
    """*view* and what *trial* tells of the server: an inside address in 227 is its own one behind its router."""
    announced = trial.announced
    if view.inside is not None or not trial.mode.names_address or announced is None:
        return view
    private = kind(announced[0]) in (Kind.PRIVATE, Kind.BRIDGE)
    return replace(view, inside=announced[0]) if private and kind(view.address[0]).outside else view


def translated(view: View) -> bool:
    """Whether a router must be translating our address: it is an inside one, and the server's is of the internet."""
    return view.local is not None and kind(view.address[0]).outside and not kind(view.local[0]).outside


def meddling(view: View, in_clear: str, encrypted: str, timeout: float) -> Diagnosis | None:
    """PASV answered with another address in clear than encrypted: somebody between rewrites it."""
    if in_clear == encrypted:
        return None
    attempt = attempt_of(view, Mode.PASV, Seen.TIMED_OUT, timeout)
    return diagnose(
        Attempt(
            mode=Mode.PASV, seen=Seen.TIMED_OUT, peer=attempt.peer, local=attempt.local, announced=encrypted,
            received=in_clear, gateway=Gateway.MEDDLED,
        )
    )  # fmt: skip


def changes_of(view: View) -> tuple[str, ...]:
    """What differs between the ends, in sentences."""
    if view.local is None:
        return ()
    here, there = view.local[0], view.address[0]
    changes = []
    if view.told is not None and view.told != here:
        changes.append(f"The server sees you as {view.told}, and here your address is {here}: a router translates it.")
    elif view.told is None and translated(view):
        changes.append(f"Your address {here} is {kind(here).value}: a router translates it on the way to the server.")
    announced = [one.announced[0] for one in view.trials if one.mode.names_address and one.announced is not None]
    if view.inside is not None and view.inside not in announced:
        changes.append(
            f"The server sees itself as {view.inside}, and you reach it at {there}: a router before it translates."
        )
    changes += [
        f"227 named {one}, which is {kind(one).value}; you reach the server at {there}."
        for one in announced
        if one != there
    ]
    for trial in view.trials:
        name = trial.mode.value
        if not trial.mode.passive and trial.theirs is not None and translated(view):
            changes.append(
                f"{name} named your inside address, and the connection came all the same: a router of yours reads FTP "
                "and opens the port (ALG), or forwards it."
            )
    return tuple(changes)
