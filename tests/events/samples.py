"""Events to write down, one of each kind, at 2025-11-24 13:03:07.25 UTC."""

from __future__ import annotations

from homeport.events.types import (
    Change,
    CloseReason,
    CommandAnswered,
    ControlConnectionsCut,
    DataConnectionFailed,
    Direction,
    Event,
    ExternalAddressChanged,
    Failed,
    HandshakeFailed,
    LoggedIn,
    LoginFailed,
    PartialsRemoved,
    PassivePortUnused,
    RouterMapped,
    ServerStarted,
    ServerStopped,
    ServerStopping,
    SessionClosed,
    SessionOpened,
    SessionProtected,
    SessionRefused,
    StrangerRefused,
    TransferEnded,
    TreeChanged,
    Warned,
)

AT = 1763989387.25
PEER = ("192.0.2.7", 40123)
LOCAL = ("192.0.2.1", 21)


def transfer(
    path: str = "/photos/a.jpg",
    *,
    direction: Direction = Direction.DOWNLOAD,
    user: str = "bob",
    octets: int = 3_200_000,
    seconds: float = 0.31,
    appended: bool = False,
    anonymous: bool = False,
    binary: bool = True,
    error: str | None = None,
) -> TransferEnded:
    return TransferEnded(
        at=AT,
        session=3,
        peer=PEER,
        user=user,
        anonymous=anonymous,
        direction=direction,
        path=path,
        octets=octets,
        seconds=seconds,
        binary=binary,
        passive=True,
        appended=appended,
        error=error,
    )


ONE_OF_EACH: tuple[Event, ...] = (
    ServerStarted(at=AT, addresses=(("0.0.0.0", 21), ("::", 21)), passive_ports=(50000, 50001, 50002, 50005)),
    Warned(at=AT, text="port 50003 is in use"),
    SessionOpened(at=AT, session=3, peer=PEER, local=LOCAL),
    SessionRefused(at=AT, peer=("198.51.100.9", 5), reason="too many sessions from 198.51.100.9"),
    LoginFailed(at=AT, session=3, peer=PEER, user="eve", reason="wrong name or password"),
    LoggedIn(at=AT, session=3, peer=PEER, user="bob", anonymous=False),
    CommandAnswered(at=AT, session=3, line="CWD /photos", code=250, text="OK"),
    SessionProtected(
        at=AT, session=3, peer=PEER, description="TLSv1.3, TLS_AES_256_GCM_SHA384", resumed=False, server_name="a.test"
    ),
    HandshakeFailed(at=AT, session=3, peer=PEER, reason="unsupported protocol"),
    transfer(),
    transfer(direction=Direction.UPLOAD, octets=512_000, seconds=3.1, error="the client aborted"),
    transfer(direction=Direction.UPLOAD, octets=10, seconds=0.004, appended=True),
    transfer("/photos", direction=Direction.LISTING, octets=700, seconds=0.002),
    DataConnectionFailed(
        at=AT,
        session=3,
        peer=PEER,
        user="bob",
        passive=True,
        target=("203.0.113.4", 50001),
        cause="nobody connected in 30 s",
    ),
    DataConnectionFailed(
        at=AT, session=3, peer=PEER, user="bob", passive=False, target=("2001:db8::7", 5000), cause="connection refused"
    ),
    PassivePortUnused(
        at=AT,
        session=3,
        peer=PEER,
        user="bob",
        target=("203.0.113.4", 50001),
        seconds=0.2,
        cause="192.0.2.7 asked for it by EPSV and did not come.",
    ),
    PassivePortUnused(
        at=AT,
        session=3,
        peer=PEER,
        user="bob",
        target=("203.0.113.4", 50001),
        seconds=30.0,
        cause="Nothing arrived in 30 s.",
        diagnosis="nothing-arrived",
        side="the server's router",
        advice="The router forwards port 21.",
    ),
    ControlConnectionsCut(
        at=AT,
        session=3,
        peer=PEER,
        user="bob",
        verb="EPSV",
        cause="They were reset after command 5, 3 times in a row.",
        diagnosis="control-filtered",
        side="the network between",
        advice="A firewall cuts them.",
    ),
    StrangerRefused(at=AT, peer=("198.51.100.9", 6), port=50001),
    TreeChanged(at=AT, session=3, user="bob", change=Change.RENAMED, path="/a", target="/b"),
    TreeChanged(at=AT, session=3, user="bob", change=Change.DELETED, path="/b"),
    Failed(at=AT, session=3, id="4f2a", text="ZeroDivisionError: division by zero", trace="Traceback ..."),
    SessionClosed(at=AT, session=3, peer=PEER, user="bob", reason=CloseReason.QUIT, seconds=65.2),
    ExternalAddressChanged(at=AT, address="11.0.50.20", before=None, origin="told by the router, by PCP"),
    RouterMapped(
        at=AT, protocol="PCP", gateway="192.168.1.1", family=4, ports=((21, 21), (50000, 50000), (50001, 61001))
    ),
    ExternalAddressChanged(at=AT, address=None, before="11.0.50.20", origin=""),
    PartialsRemoved(at=AT, directory="/srv/bob", files=3, octets=1_200_000_000, days=7),
    ServerStopping(at=AT, sessions=2),
    ServerStopped(at=AT),
)
