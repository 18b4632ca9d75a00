"""Each mode against servers that do one thing wrong, in plain text."""

from __future__ import annotations

import socket

import pytest

from homeport.advice.attempt import Mode
from homeport.advice.causes import Cause
from homeport.doctor.probe import Wishes, probe
from homeport.doctor.survey import State, Trial
from homeport.doctor.target import Target

from .probing import AMPLE, TIMEOUT, announce, states, survey_of, trial_of, view_of
from .servers import LISTING, Faulty, Hush, Say, Talk, running

# -- passive mode goes wrong ---------------------------------------------------------------------------


def nobody(reply: str) -> Say:
    """A passive port at which nobody listens."""

    def answer(talk: Talk, _: str) -> str:
        port = talk.listen()
        talk.forget()
        return reply.format(port=port, high=port >> 8, low=port & 255)

    return answer


def test_a_wrong_address_in_227_is_overcome_and_told() -> None:
    with running(Faulty({"PASV": announce("127.0.0.9")})) as server:
        survey = survey_of(server, modes=(Mode.PASV,))
    (trial,) = view_of(survey).trials
    assert trial.state is State.LENIENT
    assert trial.octets == len(LISTING)
    assert trial.announced is not None
    assert trial.announced[0] == "127.0.0.9"
    assert "127.0.0.9 port" in trial.seen
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.WRONG_ANNOUNCED
    assert "227 named 127.0.0.9" in view_of(survey).changes[0]
    assert survey.exit_code == 1


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1"])
def test_an_address_that_nobody_can_dial_is_not_dialled(address: str) -> None:
    with running(Faulty({"PASV": announce(address)})) as server:
        trial = trial_of(server, Mode.PASV)
    assert trial.state is State.LENIENT
    assert "was not dialled: it is" in trial.seen


def test_a_server_cannot_make_us_attack_another() -> None:
    with running(Faulty({"PASV": "227 ok (127,0,0,9,0,25)"})) as server:
        trial = trial_of(server, Mode.PASV)
    assert trial.state is State.FAILS
    assert "ports below 1024 of another host are not dialled" in trial.seen


@pytest.mark.parametrize(
    ("mode", "reply"), [(Mode.EPSV, "229 ok (|||{port}|)"), (Mode.PASV, "227 ok (127,0,0,1,{high},{low})")]
)
def test_a_passive_port_that_refuses(mode: Mode, reply: str) -> None:
    with running(Faulty({mode.value: nobody(reply)})) as server:
        trial = trial_of(server, mode)
    assert trial.state is State.FAILS
    assert trial.seen.endswith("refused the connection")
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.REFUSED


@pytest.mark.parametrize(
    ("mode", "reply", "state", "text"),
    [
        (Mode.EPSV, "500 what?", State.ABSENT, "does not have the command"),
        (Mode.EPSV, "522 no", State.ABSENT, "does not have the command"),
        (Mode.EPSV, "229 ok", State.FAILS, "cannot be read"),
        (Mode.EPSV, "229 ok (|||70000|)", State.FAILS, "cannot be read"),
        (Mode.PASV, "227 ok (1,2,3)", State.FAILS, "cannot be read"),
        (Mode.PASV, "227 ok (300,1,1,1,1,1)", State.FAILS, "cannot be read"),
        (Mode.PASV, "227 ok (127,0,0,1,0,0)", State.FAILS, "cannot be read"),
        (Mode.PASV, "550 not today", State.FAILS, "refused it: 550 not today"),
    ],
)
def test_answers_to_the_passive_commands(mode: Mode, reply: str, state: State, text: str) -> None:
    with running(Faulty({mode.value: reply})) as server:
        trial = trial_of(server, mode)
    assert trial.state is state
    assert text in trial.seen
    assert trial.diagnosis is None


def test_a_server_without_a_free_port() -> None:
    with running(Faulty({"EPSV": "425 all taken"})) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.RANGE_TOO_SMALL


def test_numbers_without_brackets_are_numbers() -> None:
    def pasv(talk: Talk, _: str) -> str:
        port = talk.listen()
        return f"227 =127,0,0,1,{port >> 8},{port & 255}"

    with running(Faulty({"PASV": pasv})) as server:
        assert trial_of(server, Mode.PASV).state is State.WORKS


def test_a_server_that_does_not_see_the_connection() -> None:
    with running(Faulty({"LIST": "425 nobody came"})) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.state is State.FAILS
    assert trial.seen == "a connection was made, but the server did not see it: 425 nobody came"
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.NOTHING_ARRIVED


def test_a_server_that_does_not_want_to_list() -> None:
    with running(Faulty({"LIST": "550 forbidden"})) as server:
        survey = survey_of(server, modes=(Mode.EPSV, Mode.EPRT))
    assert set(states(view_of(survey)).values()) == {State.UNPROVEN}
    assert survey.exit_code == 1  # nothing is known to work


def pasv_over_ipv6(reply: str | Say) -> Trial:
    with running(Faulty({"PASV": reply}, address="::1")) as server:
        return trial_of(server, Mode.PASV, timeout=TIMEOUT)


def test_pasv_over_ipv6_that_is_answered_all_the_same() -> None:
    trial = pasv_over_ipv6("227 ok (0,0,0,0,195,80)")
    assert trial.state is State.FAILS
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.PASV_IPV6


def test_a_command_that_is_swallowed() -> None:
    def silent(talk: Talk, _: str) -> str:
        raise Hush

    trial = pasv_over_ipv6(silent)
    assert trial.state is State.FAILS
    assert trial.seen == "after PASV no answer within 0.3 s"


# -- active mode goes wrong ---------------------------------------------------------------------------


def test_nobody_comes() -> None:
    def wait(talk: Talk, _: str) -> str:
        talk.say("150 wait")
        raise Hush

    with running(Faulty({"LIST": wait})) as server:
        trial = trial_of(server, Mode.EPRT, timeout=TIMEOUT)
    assert trial.state is State.FAILS
    assert trial.seen == "no connection came within 0.3 s"
    assert trial.replies == ("150 wait",)
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.NOTHING_ARRIVED


def test_the_server_says_that_it_cannot_connect() -> None:
    def fail(talk: Talk, _: str) -> str:
        talk.say("150 trying")
        return "425 no way"

    with running(Faulty({"LIST": fail})) as server:
        trial = trial_of(server, Mode.PORT)
    assert trial.seen == "the server could not connect: 425 no way"
    assert trial.diagnosis is not None


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("500 what?", State.ABSENT),
        ("502 not here", State.ABSENT),
        ("500 Illegal PORT command", State.FAILS),
        ("501 no", State.FAILS),
    ],
)
def test_port_is_refused(reply: str, state: State) -> None:
    with running(Faulty({"PORT": reply})) as server:
        trial = trial_of(server, Mode.PORT)
    assert trial.state is state
    assert trial.requested is not None
    # From an address that cannot be the reason, nothing is concluded.
    assert trial.diagnosis is None


def test_a_connection_from_another_address_is_remarked() -> None:
    def elsewhere(talk: Talk, _: str) -> str:
        talk.say("150 coming")
        assert talk.target is not None
        with socket.create_connection(talk.target, AMPLE, source_address=("127.0.0.9", 0)) as data:
            data.sendall(LISTING)
        return "226 done"

    with running(Faulty({"LIST": elsewhere})) as server:
        trial = trial_of(server, Mode.PORT)
    assert trial.state is State.WORKS
    assert trial.notes == ("The data connection came from 127.0.0.9, and the server is at 127.0.0.1.",)


def test_no_port_is_left_to_listen_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, running(Faulty()) as server:
        port = taken.getsockname()[1]
        wishes = Wishes(AMPLE, active_ports=range(port, port + 1), modes=(Mode.PORT,))
        (trial,) = view_of(probe(Target("127.0.0.1", server.port), wishes, lambda _: None)).trials
    assert trial.state is State.UNPROVEN
    assert "no port can be listened on here" in trial.seen


# -- the connection is there, and then ---------------------------------------------------------------------------


def test_nothing_moves() -> None:
    def stall(talk: Talk, _: str) -> str:
        talk.say("150 here")
        with talk.open():
            talk.connection.recv(1)
        raise Hush

    with running(Faulty({"LIST": stall})) as server:
        trial = trial_of(server, Mode.EPSV, timeout=TIMEOUT)
    assert trial.seen == "nothing moved for 0.3 s after 0 bytes"
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.STALLED


def test_it_is_broken_off() -> None:
    def cut(talk: Talk, _: str) -> str:
        talk.say("150 here")
        with talk.open() as data:
            data.sendall(LISTING)
        return "426 lost"

    with running(Faulty({"LIST": cut})) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.seen == "the server broke it off: 426 lost"
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.DATA_LOST


def test_it_is_never_said_to_be_complete() -> None:
    def forget(talk: Talk, _: str) -> str:
        talk.say("150 here")
        with talk.open() as data:
            data.sendall(LISTING)
        raise Hush

    with running(Faulty({"LIST": forget})) as server:
        trial = trial_of(server, Mode.EPSV, timeout=TIMEOUT)
    assert "did not say that it was complete" in trial.seen
    assert trial.octets == len(LISTING)


def test_the_next_mode_is_tried_on_a_new_connection() -> None:
    """What a server says late of one mode must not count for another."""

    def late(talk: Talk, _: str) -> str:
        if talk.target is None:
            return talk.server.usual(talk, "LIST", "") or ""
        talk.say("150 wait")
        raise Hush

    with running(Faulty({"LIST": late})) as server:
        view = view_of(survey_of(server, timeout=TIMEOUT, modes=(Mode.EPRT, Mode.EPSV)))
    assert states(view) == {"EPRT": State.FAILS, "EPSV": State.WORKS}
    assert server.heard.count("USER anonymous") == 2
