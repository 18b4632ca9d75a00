"""From a client's view to the causes that a server would name: every cell of the truth table that a client can see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homeport.advice.attempt import Mode, Seen
from homeport.advice.causes import Cause, Side
from homeport.advice.diagnosis import diagnose
from homeport.doctor.facts import attempt_of, changes_of, learned_from, meddling, translated
from homeport.doctor.survey import State, Trial, View

INSIDE, OUTSIDE = "192.168.1.10", "198.51.100.7"
SERVER, SERVER_INSIDE = "203.0.113.4", "192.168.50.10"
PUBLIC = View(address=(SERVER, 21), local=(OUTSIDE, 40123), logged_in=True)
"""A public client, a public server."""
HOME = replace(PUBLIC, local=(INSIDE, 40123))
"""A client behind its router."""
NEAR = View(address=(SERVER_INSIDE, 21), local=("192.168.50.11", 40123), logged_in=True)
"""In the server's own network."""


@pytest.mark.parametrize("view", [PUBLIC, HOME])
@pytest.mark.parametrize(
    ("announced", "seen", "cause"),
    [
        (SERVER, Seen.TIMED_OUT, Cause.TIMED_OUT),
        (SERVER, Seen.REFUSED, Cause.REFUSED),
        (SERVER, Seen.UNREACHABLE, Cause.UNREACHABLE),
        (SERVER_INSIDE, Seen.TIMED_OUT, Cause.PRIVATE_ANNOUNCED),
        ("172.17.0.2", Seen.UNREACHABLE, Cause.BRIDGE_ANNOUNCED),
        ("203.0.113.99", Seen.TIMED_OUT, Cause.WRONG_ANNOUNCED),
    ],
)
def test_passive(view: View, announced: str, seen: Seen, cause: Cause) -> None:
    attempt = replace(attempt_of(view, Mode.PASV, seen, 5), port=50003, announced=announced)
    assert diagnose(attempt).cause is cause


def test_a_server_that_tells_its_inside_address_is_behind_a_router() -> None:
    view = replace(PUBLIC, inside=SERVER_INSIDE)
    found = diagnose(replace(attempt_of(view, Mode.EPSV, Seen.TIMED_OUT, 5), port=50003))
    assert (found.cause, found.side) == (Cause.TIMED_OUT, Side.SERVER_ROUTER)


def test_in_the_servers_own_network_an_outside_address_is_a_hairpin() -> None:
    attempt = replace(attempt_of(NEAR, Mode.PASV, Seen.REFUSED, 5), port=50003, announced=SERVER)
    assert diagnose(attempt).cause is Cause.HAIRPIN


@pytest.mark.parametrize("told", [None, OUTSIDE])
@pytest.mark.parametrize("seen", [Seen.NOTHING, Seen.FOREIGN])
def test_active_from_behind_a_router(told: str | None, seen: Seen) -> None:
    view = replace(HOME, told=told)
    attempt = replace(attempt_of(view, Mode.PORT, seen, 5), port=50100, requested=(INSIDE, 50100))
    found = diagnose(attempt)
    assert found.cause is Cause.PRIVATE_REQUESTED
    # The client's address on the other side is named only where it is known.
    assert (OUTSIDE in found.why) is (told is not None)
    assert "translates it to 192.168" not in found.why


def test_active_to_a_public_client_that_lets_nothing_in() -> None:
    attempt = replace(attempt_of(PUBLIC, Mode.PORT, Seen.NOTHING, 5), port=50100, requested=(OUTSIDE, 50100))
    assert diagnose(attempt).cause is Cause.NOTHING_ARRIVED
    assert diagnose(attempt).side is Side.CLIENT_ROUTER


def test_pasv_that_differs_in_clear_was_rewritten() -> None:
    found = meddling(PUBLIC, SERVER, SERVER_INSIDE, 5)
    assert found is not None
    assert found.cause is Cause.REWRITTEN
    assert f"{SERVER_INSIDE} was sent, and {SERVER} was read" in found.why
    assert meddling(PUBLIC, SERVER, SERVER, 5) is None


@pytest.mark.parametrize(
    ("view", "announced", "inside"),
    [
        (PUBLIC, SERVER_INSIDE, SERVER_INSIDE),
        (PUBLIC, "172.17.0.2", "172.17.0.2"),
        (PUBLIC, SERVER, None),
        (PUBLIC, "203.0.113.99", None),
        (PUBLIC, "0.0.0.0", None),
        (NEAR, "10.0.0.1", None),
        (replace(PUBLIC, inside="192.168.50.99"), SERVER_INSIDE, "192.168.50.99"),
    ],
)
def test_227_tells_the_servers_own_address(view: View, announced: str, inside: str | None) -> None:
    trial = Trial(mode=Mode.PASV, state=State.FAILS, seen="", announced=(announced, 50003))
    assert learned_from(view, trial).inside == inside
    assert learned_from(view, replace(trial, mode=Mode.EPSV)).inside == view.inside


@pytest.mark.parametrize(("view", "expected"), [(PUBLIC, False), (HOME, True), (NEAR, False)])
def test_who_is_translated(view: View, expected: bool) -> None:
    assert translated(view) is expected


def test_what_differs_between_the_ends_is_told() -> None:
    trials = (
        Trial(mode=Mode.PASV, state=State.LENIENT, seen="", announced=(SERVER_INSIDE, 50003)),
        Trial(mode=Mode.EPSV, state=State.WORKS, seen="", announced=(SERVER, 50003)),
        Trial(mode=Mode.PORT, state=State.WORKS, seen="", theirs=(SERVER, 20), requested=(INSIDE, 50100)),
    )
    view = replace(HOME, told=OUTSIDE, inside=SERVER_INSIDE, trials=trials)
    told = "\n".join(changes_of(view))
    for expected in (
        f"sees you as {OUTSIDE}, and here your address is {INSIDE}",
        f"227 named {SERVER_INSIDE}, which is private (RFC 1918)",
        "PORT named your inside address, and the connection came all the same",
    ):
        assert expected in told
    assert len(changes_of(view)) == 3
    # Where 227 has told the inside address already, nothing is said twice.
    (told,) = changes_of(replace(PUBLIC, inside=SERVER_INSIDE))
    assert f"sees itself as {SERVER_INSIDE}, and you reach it at {SERVER}" in told
    assert changes_of(PUBLIC) == ()
    assert len(changes_of(HOME)) == 1
    assert changes_of(replace(PUBLIC, local=None)) == ()
