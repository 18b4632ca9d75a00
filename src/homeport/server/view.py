"""SessionView: one session as it was at one moment, for who looks from outside."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.data.offer import Offer
from homeport.session.protection import data_protected
from homeport.session.state import Session

Endpoint = tuple[str, int]

_ACTIVE = frozenset({"PORT", "EPRT", "LPRT", ""})
"""Here the server dials; without any of them, too (RFC 959 §3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataView:
    """A data connection: agreed on, waited for, or made."""

    mode: str
    """The verb that set it up; empty: the default data port."""
    passive: bool
    """Whether the client dials."""
    made: bool
    server: Endpoint
    """Port 0: not known before it is made."""
    client: Endpoint
    """Port 0: not known before it is made."""
    announced: str | None = None
    """The address that PASV was answered with."""
    seconds: float = 0.0
    """Since it was made."""
    octets: int = 0
    """What it has moved."""
    protected: bool = False
    """Whether it is, or will be, encrypted."""

    @property
    def rate(self) -> float:
        """Octets per second on average."""
        return self.octets / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    number: int
    peer: Endpoint
    local: Endpoint
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
    data: DataView | None = None
    """None: nothing has been agreed on."""
    tls: str | None = None
    """Version and cipher of the control connection's TLS; None: in clear."""
    inside: str | None = None
    """The client's address in its own network, if PORT told another than the one it comes from."""


def view_of(session: Session, now: float, *, busy: bool) -> SessionView:
    """*session* at *now* (monotonic). Its thread goes on meanwhile: each value is true, all together are nearly so."""
    user = session.user
    return SessionView(
        number=session.number, peer=session.peer, local=session.local, user=user.name if user is not None else None,
        client=session.client, seconds=now - session.opened, busy=busy, activity=session.activity,
        transfers=session.transfers, octets_in=session.octets_in, octets_out=session.octets_out,
        data=_data_of(session, now), tls=_tls_of(session), inside=session.inside,
    )  # fmt: skip


def _tls_of(session: Session) -> str | None:
    protection = session.protection
    return protection.layer.description if protection is not None and not protection.cleared else None


def _data_of(session: Session, now: float) -> DataView | None:
    link, protected = session.link, data_protected(session)
    if link is not None:
        ends = link.ends()
        if ends is not None:
            return DataView(
                mode=link.mode, passive=link.mode not in _ACTIVE, made=True, server=ends[0], client=ends[1],
                seconds=now - link.since, octets=link.octets, protected=protected,
            )  # fmt: skip
    data, here = session.data, session.local[0]
    match data:
        case None:
            if session.activity is None or link is not None:
                return None
            return DataView(
                mode="", passive=False, made=False, server=(here, 0), client=session.peer, protected=protected
            )
        case Offer():
            return DataView(
                mode=session.data_verb, passive=True, made=False, server=(here, data.port),
                client=(session.peer[0], 0), announced=data.address, protected=protected,
            )  # fmt: skip
        case _:
            return DataView(
                mode=session.data_verb, passive=False, made=False, server=(here, 0), client=(data.host, data.port),
                protected=protected,
            )  # fmt: skip
