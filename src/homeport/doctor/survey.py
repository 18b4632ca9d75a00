"""Survey: what a probe found. Values only; `report.py`, `picture.py` and `drawing.py` show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from homeport.advice.attempt import Mode
from homeport.advice.causes import Diagnosis

Endpoint = tuple[str, int]


class State(Enum):
    """What came of a mode. The value is for people and for JSON."""

    WORKS = "works"
    LENIENT = "works only if the address in 227 is ignored"
    """Most clients of today do so, and old and small ones do not."""
    FAILS = "fails"
    ABSENT = "not offered"
    """The server does not have the command, or rightly refuses it here."""
    UNPROVEN = "not tried to the end"
    """The server refused to list anything, for reasons that have nothing to do with connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way to get a data connection, tried with a listing."""

    mode: Mode
    state: State
    seen: str
    """A clause: what happened."""
    seconds: float = 0.0
    """From the command to the end of the listing, or to the failure."""
    announced: Endpoint | None = None
    """Passive: where the server asked to be dialled. For EPSV the address is that of the control connection."""
    requested: Endpoint | None = None
    """Active: where the server was asked to dial."""
    ours: Endpoint | None = None
    """Our end of the data connection, once there was one."""
    theirs: Endpoint | None = None
    octets: int = 0
    """What the listing had."""
    resumed: bool | None = None
    """Whether TLS resumed the session of the control connection; None: no TLS."""
    replies: tuple[str, ...] = ()
    """What the server said, without the talk before."""
    notes: tuple[str, ...] = ()
    """Sentences about what is remarkable though it does not fail."""
    diagnosis: Diagnosis | None = None

    @property
    def bad(self) -> bool:
        return self.state in (State.FAILS, State.LENIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """TLS on the control connection."""

    version: str
    cipher: str
    names: tuple[str, ...]
    """What the certificate is for."""
    issuer: str
    begins: datetime
    expires: datetime
    self_signed: bool
    fingerprint: str
    distrust: str | None
    """Why a careful client would not trust the certificate; None: it would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The server at one of its addresses."""

    address: Endpoint
    local: Endpoint | None = None
    """Our end of the control connection; None: there was none."""
    connect_seconds: float = 0.0
    greeting: str | None = None
    greeting_seconds: float = 0.0
    system: str | None = None
    """What SYST said."""
    features: tuple[str, ...] | None = None
    """None: the server does not have FEAT, or says nothing that could be read."""
    protection: Protection | None = None
    protection_problem: str | None = None
    """Why there is no TLS, although it was asked for."""
    logged_in: bool = False
    welcome: str | None = None
    """The reply to the login, good or bad."""
    told: str | None = None
    """Our address as the server sees it, if it tells."""
    inside: str | None = None
    """The server's address as it sees it itself, if it tells another than the one that we dialled."""
    trials: tuple[Trial, ...] = ()
    changes: tuple[str, ...] = ()
    """What a router between has changed, in sentences."""
    meddling: Diagnosis | None = None
    """PASV says something else in clear than encrypted."""
    problem: str | None = None
    """Why it ended early, in a sentence."""
    diagnosis: Diagnosis | None = None
    """... and what that means, where it is known."""

    @property
    def reached(self) -> bool:
        return self.local is not None

    @property
    def sees(self) -> str | None:
        """Our address as it is on the server's side, as far as anybody knows."""
        return self.told or (self.local[0] if self.local is not None else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All of it."""

    target: str
    """The URL, without name and password."""
    host: str
    user: str
    timeout: float
    views: tuple[View, ...]
    problem: str | None = None
    """Why there are none."""

    @property
    def exit_code(self) -> int:
        """0: every mode that is offered works, everywhere; 1: some fail; 2: could not connect or log in anywhere."""
        if not any(view.logged_in for view in self.views):
            return 2
        failed = any(not view.logged_in or any(trial.bad for trial in view.trials) for view in self.views)
        works = any(trial.state is State.WORKS for view in self.views for trial in view.trials)
        return 1 if failed or not works else 0
