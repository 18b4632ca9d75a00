"""What a view tells of a session's data connection, from agreement to end."""

from __future__ import annotations

import errno

import pytest

from homeport.protocol.hostport import HostPort
from homeport.server.view import DataView, view_of
from homeport.session.link import Link
from homeport.session.state import Session


class Ends:
    """A socket with names, or one that has just been closed."""

    def __init__(self, *, closed: bool = False) -> None:
        self.closed = closed

    def getsockname(self) -> tuple[str, int]:
        if self.closed:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return ("192.0.2.1", 20)

    def getpeername(self) -> tuple[str, int]:
        return ("198.51.100.7", 50123)


class Moved:
    octets = 5000


@pytest.fixture
def session() -> Session:
    return Session(7, ("198.51.100.7", 40000), ("192.0.2.1", 21), opened=100.0)


def test_nothing_is_agreed_on(session: Session) -> None:
    assert view_of(session, 103.0, busy=False).data is None


def test_a_translated_client(session: Session) -> None:
    session.data, session.data_verb = HostPort(4, "198.51.100.7", 50123), "PORT"
    session.inside = "192.168.1.7"
    view = view_of(session, 103.0, busy=False)
    assert view.inside == "192.168.1.7"
    assert view.data == DataView(
        mode="PORT", passive=False, made=False, server=("192.0.2.1", 0), client=("198.51.100.7", 50123)
    )


def test_the_default_data_port_shows_while_it_is_dialled(session: Session) -> None:
    session.activity = "listing of /"
    assert view_of(session, 103.0, busy=True).data == DataView(
        mode="", passive=False, made=False, server=("192.0.2.1", 0), client=("198.51.100.7", 40000)
    )


def test_a_connection_that_is_there(session: Session) -> None:
    session.activity = "download of /a"
    session.link = Link(Ends(), "PORT", since=101.0)
    found = view_of(session, 103.0, busy=True).data
    assert found == DataView(
        mode="PORT", passive=False, made=True, server=("192.0.2.1", 20), client=("198.51.100.7", 50123), seconds=2.0
    )
    assert found.rate == 0
    session.link.follow(Moved())
    found = view_of(session, 103.0, busy=True).data
    assert found is not None
    assert found.octets == 5000
    assert found.rate == 2500.0


def test_one_that_has_just_ended_is_not_told(session: Session) -> None:
    session.activity = "download of /a"
    session.link = Link(Ends(closed=True), "EPSV", since=101.0)
    assert view_of(session, 103.0, busy=True).data is None
