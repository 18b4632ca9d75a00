"""Control connections that a firewall cuts, always at the same command."""

from __future__ import annotations

import socket

import pytest

from homeport.events.types import ControlConnectionsCut
from homeport.net.ending import is_there, was_reset
from homeport.session.resets import MOST_NETWORKS, Resets

from .harness import HOST, Harness


def cut(harness: Harness, *lines: str, reset: bool = True) -> None:
    """A session that says *lines* and is cut then."""
    client = harness.client()
    for line in lines:
        client.ask(line)
    if reset:
        client.reset()
    else:
        client.close()
    harness.wait_until_over()


def told(harness: Harness) -> list[ControlConnectionsCut]:
    return [event for event in harness.events if isinstance(event, ControlConnectionsCut)]


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells a reset from an end afterwards")
@pytest.mark.parametrize("line", ["EPSV", "PASV", "PORT 127,0,0,1,195,80", "EPRT |1|127.0.0.1|50000|"])
def test_the_third_in_a_row_at_the_same_command_is_told(line: str) -> None:
    with Harness() as harness:
        cut(harness, "FEAT", line)
        cut(harness, "FEAT", line)
        assert told(harness) == []
        cut(harness, "FEAT", line)
        for _ in range(7):
            cut(harness, "FEAT", line)
        (event,) = told(harness)
    assert (event.diagnosis, event.verb, event.user) == ("control-filtered", line[:4], "test")
    # USER and PASS were commands, too.
    assert event.cause == f"The control connections with {HOST} were reset after command 4, 3 times in a row."
    assert "Use explicit TLS" in event.advice


def test_other_ends_and_other_places_are_no_filter() -> None:
    with Harness() as harness:
        for _ in range(4):
            cut(harness, "EPSV", reset=False)
            cut(harness, "EPSV", "NOOP")
            cut(harness, "NOOP")
        for count in range(4):
            cut(harness, *["NOOP"] * count, "EPSV")
        assert told(harness) == []


def test_a_session_that_goes_well_begins_anew() -> None:
    with Harness() as harness:
        for _ in range(2):
            cut(harness, "EPSV")
        client = harness.client()
        client.list_()
        client.quit()
        harness.wait_until_over()
        for _ in range(2):
            cut(harness, "EPSV")
        assert told(harness) == []


def test_each_network_has_its_own_and_what_is_old_is_forgotten() -> None:
    now = [0.0]
    resets = Resets(lambda: now[0])
    assert resets.add("192.0.2.7", 4) == (4,)
    assert resets.add("192.0.2.200", 4) == (4, 4)
    assert resets.add("192.0.3.7", 4) == (4,)
    assert resets.add("2001:db8::1", 5) == (5,)
    assert resets.add("2001:db8::ffff:1", 5) == (5, 5)
    now[0] = 3599.0
    assert resets.add("192.0.2.7", 9) == (4, 4, 9)
    now[0] += 3600.0
    assert resets.add("192.0.2.7", 9) == (9,)
    resets.forget("192.0.2.99")
    assert resets.add("192.0.2.7", 9) == (9,)
    for _ in range(20):
        latest = resets.add("192.0.2.7", 9)
    assert latest == (9,) * 8


def test_no_more_than_so_many_networks_are_remembered() -> None:
    resets = Resets(lambda: 0.0)
    for number in range(MOST_NETWORKS + 1):
        resets.add(f"10.{number >> 8}.{number & 255}.1", 4)
    assert len(resets._networks) == MOST_NETWORKS
    assert resets.add("10.0.0.1", 4) == (4,)
    assert resets.add("10.0.9.1", 4) == (4, 4)


def test_what_is_no_connection_of_tcp_was_not_reset() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not was_reset(one.fileno())
        assert is_there(one.fileno()) is None
        assert one.fileno() >= 0
    assert not was_reset(-1)
    assert is_there(-1) is None
