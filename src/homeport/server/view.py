"""SessionView: one session as it was at one moment, for who looks from outside."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.session.state import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    number: int
    peer: tuple[str, int]
    local: tuple[str, int]
    user: str | None
    """Who is logged in."""
    client: str | None
    """What the client said that it is (CLNT, CSID)."""
    seconds: float
    """Since it connected."""
    busy: bool
    """Whether a command is being carried out."""
    activity: str | None
    """The transfer under way, in words."""
    transfers: int
    octets_in: int
    octets_out: int


def view_of(session: Session, now: float, *, busy: bool) -> SessionView:
    """*session* at *now* (monotonic). Its thread goes on meanwhile: each value is true, all together are nearly so."""
    user = session.user
    return SessionView(
        number=session.number, peer=session.peer, local=session.local, user=user.name if user is not None else None,
        client=session.client, seconds=now - session.opened, busy=busy, activity=session.activity,
        transfers=session.transfers, octets_in=session.octets_in, octets_out=session.octets_out,
    )  # fmt: skip
