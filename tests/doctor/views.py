"""Made-up surveys, with documentation addresses: what the golden pictures and reports are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from homeport.advice.attempt import Mode, Seen
from homeport.advice.diagnosis import diagnose
from homeport.doctor.facts import attempt_of, changes_of
from homeport.doctor.survey import Endpoint, Protection, State, Survey, Trial, View

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SERVER, INSIDE = "198.51.100.20", "192.168.50.10"


def passive(
    view: View, mode: Mode, announced: Endpoint, seen: Seen | None, text: str, *, lenient: bool = False
) -> Trial:
    """A trial that works (*seen* None), or came to nothing."""
    made = seen is None or lenient
    trial = Trial(
        mode=mode,
        state=State.LENIENT if lenient else State.WORKS if made else State.FAILS,
        seen=text,
        seconds=0.031,
        announced=announced,
        ours=(view.local[0], 40215) if made and view.local is not None else None,
        theirs=(view.address[0], announced[1]) if made else None,
        octets=1234 if made else 0,
    )
    if seen is None:
        return trial
    told = announced[0] if mode.names_address else None
    attempt = replace(attempt_of(view, mode, seen, 5), port=announced[1], announced=told)
    return replace(trial, diagnosis=diagnose(attempt))


def active(view: View, mode: Mode, seen: Seen | None, text: str) -> Trial:
    assert view.local is not None
    requested = (view.local[0], 40217)
    trial = Trial(
        mode=mode,
        state=State.WORKS if seen is None else State.FAILS,
        seen=text,
        seconds=0.052,
        requested=requested,
        ours=requested if seen is None else None,
        theirs=(view.address[0], 20) if seen is None else None,
        octets=1234 if seen is None else 0,
    )
    if seen is None:
        return trial
    attempt = replace(attempt_of(view, mode, seen, 5), port=40217, requested=requested)
    return replace(trial, diagnosis=diagnose(attempt))


def survey(*views: View, problem: str | None = None) -> Survey:
    finished = tuple(replace(view, changes=changes_of(view)) for view in views)
    return Survey(
        target="ftp://ftp.example.net/",
        host="ftp.example.net",
        user="anonymous",
        timeout=5,
        views=finished,
        problem=problem,
    )


PUBLIC = View(
    address=(SERVER, 21),
    local=("203.0.113.66", 40213),
    connect_seconds=0.012,
    greeting="vsFTPd 3.0.5",
    greeting_seconds=0.003,
    system="UNIX Type: L8",
    features=("EPRT", "EPSV", "MDTM", "PASV", "REST STREAM", "SIZE", "TVFS"),
    logged_in=True,
    welcome="230 Login successful.",
)
"""A public client, a public server."""
GOOD = replace(
    PUBLIC,
    protection=Protection(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        names=("ftp.example.net",),
        issuer="CN=Example CA",
        begins=datetime(2026, 10, 1, tzinfo=UTC),
        expires=datetime(2026, 12, 1, tzinfo=UTC),
        self_signed=False,
        fingerprint="AB:CD",
        distrust=None,
    ),
)
GOOD = replace(
    GOOD,
    trials=(
        replace(passive(GOOD, Mode.EPSV, (SERVER, 50003), None, "a listing came"), resumed=True),
        replace(passive(GOOD, Mode.PASV, (SERVER, 50007), None, "a listing came"), resumed=True),
        replace(active(GOOD, Mode.EPRT, None, "a listing came"), resumed=True),
        replace(active(GOOD, Mode.PORT, None, "a listing came"), resumed=False, notes=("It did not resume.",)),
    ),
)
"""All is well."""

_HOME = replace(PUBLIC, local=("192.168.1.10", 40213), told="203.0.113.10", inside=INSIDE)
BOTH = replace(
    _HOME,
    trials=(
        passive(_HOME, Mode.EPSV, (SERVER, 50003), None, "a listing came"),
        passive(
            _HOME, Mode.PASV, (INSIDE, 50007), Seen.TIMED_OUT, f"{INSIDE} port 50007 did not answer within 5 s",
            lenient=True,
        ),
        active(_HOME, Mode.EPRT, Seen.FOREIGN, "the server refused it: 501 Rejected foreign address"),
        active(_HOME, Mode.PORT, Seen.NOTHING, "no connection came within 5 s"),
    ),
)  # fmt: skip
"""Both behind routers; the server does not know its outside address (row 14 of the truth table)."""

ONLY_21 = replace(PUBLIC, inside=INSIDE)
ONLY_21 = replace(
    ONLY_21,
    trials=(
        passive(ONLY_21, Mode.EPSV, (SERVER, 50003), Seen.REFUSED, f"{SERVER} port 50003 refused the connection"),
        passive(ONLY_21, Mode.PASV, (SERVER, 50007), Seen.REFUSED, f"{SERVER} port 50007 refused the connection"),
        active(ONLY_21, Mode.EPRT, None, "a listing came"),
        Trial(mode=Mode.PORT, state=State.ABSENT, seen="the server does not have the command"),
    ),
)
"""The server's router forwards port 21 only (row 10)."""

NOBODY = View(
    address=("2001:db8::20", 21), problem="2001:db8::20 port 21 did not answer within 5 s: nothing is let in."
)
"""There was no connection."""

VIEWS = {"good": GOOD, "both": BOTH, "only-21": ONLY_21}
