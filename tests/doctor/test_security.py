"""TLS on both connections, and all that may go wrong with it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from homeport.advice.attempt import Mode
from homeport.advice.causes import Cause
from homeport.doctor.survey import State
from homeport.doctor.visit import Tls
from homeport.net.selfsigned import own_certificate, own_paths

from .probing import TIMEOUT, announce, states, survey_of, trial_of, view_of
from .servers import LISTING, Faulty, Hush, Say, Talk, running


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    own_certificate(str(tmp_path), ["localhost", "127.0.0.1"])
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*own_paths(str(tmp_path)))
    return made


def auth(talk: Talk, _: str) -> None:
    talk.say("234 go on")
    assert talk.server.context is not None
    talk.connection = talk.server.context.wrap_socket(talk.connection, server_side=True)


def prot(talk: Talk, level: str) -> str:
    talk.protected = level == "P"
    return "200 ok"


def secure_list(talk: Talk, _: str) -> str:
    talk.say("150 here it comes")
    assert talk.server.context is not None
    with talk.open() as plain, talk.server.context.wrap_socket(plain, server_side=True) as data:
        data.sendall(LISTING)
        data.unwrap()
    return "226 done"


SECURE: dict[str, str | Say] = {"AUTH": auth, "PBSZ": "200 ok", "PROT": prot, "LIST": secure_list}


def test_tls_on_both(context: ssl.SSLContext) -> None:
    with running(Faulty(SECURE, context=context)) as server:
        survey = survey_of(server)
    view = view_of(survey)
    assert survey.exit_code == 0, view
    assert [trial.resumed for trial in view.trials] == [True] * 4
    assert view.protection is not None
    assert view.protection.distrust is not None


def test_implicit_tls(context: ssl.SSLContext) -> None:
    with running(Faulty(SECURE, context=context, implicit=True)) as server:
        survey = survey_of(server)
    assert survey.exit_code == 0, survey
    assert "AUTH TLS" not in server.heard
    assert survey.target.startswith("ftps://")


def test_a_certificate_that_is_trusted(
    context: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", own_paths(str(tmp_path))[0])
    with running(Faulty(SECURE, context=context)) as server:
        view = view_of(survey_of(server, modes=(Mode.EPSV,)))
    assert view.protection is not None
    assert view.protection.distrust is None


def test_a_handshake_that_fails_ends_it_where_there_is_a_password(context: ssl.SSLContext) -> None:
    def broken(talk: Talk, _: str) -> str:
        talk.say("234 go on")
        return "this is not TLS"

    with running(Faulty({"AUTH": broken})) as server:
        survey = survey_of(server, user="bob:secret@")
    view = view_of(survey)
    assert survey.exit_code == 2
    assert view.problem is not None
    assert view.problem.startswith("The TLS handshake on the control connection failed: wrong version number")
    assert not any(line.startswith("PASS") for line in server.heard)


def test_a_password_is_not_sent_in_clear_where_tls_was_offered() -> None:
    answers: dict[str, str | Say] = {"FEAT": "211-Features\r\n AUTH TLS\r\n211 End", "AUTH": "431 no certificate"}
    with running(Faulty(answers)) as server:
        survey = survey_of(server, user="bob:secret@")
        assert not any("secret" in line for line in server.heard)
        assert survey.exit_code == 2
        assert "--tls off" in (view_of(survey).problem or "")
        everybody = survey_of(server)
    assert everybody.exit_code == 0
    assert "refused: 431 no certificate" in (view_of(everybody).protection_problem or "")


def test_tls_that_is_required_and_not_there() -> None:
    with running(Faulty()) as server:
        survey = survey_of(server, tls=Tls.REQUIRE)
    assert survey.exit_code == 2
    assert view_of(survey).problem == "There is no TLS: 500 what?"


def test_plain_text_where_tls_was_agreed_on(context: ssl.SSLContext) -> None:
    answers = {verb: answer for verb, answer in SECURE.items() if verb != "LIST"}
    with running(Faulty(answers, context=context)) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.seen == "plain text came where TLS was agreed on"
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.PLAIN_ON_TLS


def test_tls_where_plain_text_was_agreed_on() -> None:
    def tls(talk: Talk, _: str) -> str:
        talk.say("150 here")
        with talk.open() as data:
            data.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        return "226 done"

    with running(Faulty({"LIST": tls})) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.TLS_ON_PLAIN


def test_a_handshake_for_data_that_comes_to_no_end(context: ssl.SSLContext) -> None:
    def silent(talk: Talk, _: str) -> str:
        talk.say("150 here")
        with talk.open():
            talk.connection.recv(1)
        raise Hush

    with running(Faulty({**SECURE, "LIST": silent}, context=context)) as server:
        trial = trial_of(server, Mode.EPSV, timeout=TIMEOUT)
    assert trial.seen == "the TLS handshake for data came to no end in 0.3 s"
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.TLS_FAILED


def test_a_handshake_for_data_that_is_cut_off(context: ssl.SSLContext) -> None:
    def cut_off(talk: Talk, _: str) -> str:
        talk.say("150 here")
        with talk.open() as data:
            data.recv(1)
            data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        return "426 handshake failed"

    with running(Faulty({**SECURE, "LIST": cut_off}, context=context)) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.TLS_FAILED


def test_a_server_that_misses_the_session(context: ssl.SSLContext) -> None:
    def picky(talk: Talk, argument: str) -> str:
        secure_list(talk, argument)
        return "522 SSL connection failed: session reuse required"

    with running(Faulty({**SECURE, "LIST": picky}, context=context)) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.TLS_NOT_RESUMED


def test_a_router_that_rewrites_227_is_caught_by_tls(context: ssl.SSLContext) -> None:
    def pasv(talk: Talk, argument: str) -> str:
        # What a gateway would do: it can only read, and change, what is in clear.
        seen = "127.0.0.1" if isinstance(talk.connection, ssl.SSLSocket) else "127.0.0.9"
        reply = announce(seen)(talk, argument)
        assert isinstance(reply, str)
        return reply

    with running(Faulty({**SECURE, "PASV": pasv}, context=context)) as server:
        view = view_of(survey_of(server))
    assert view.meddling is not None
    assert view.meddling.cause is Cause.REWRITTEN
    assert states(view)["PASV"] is State.WORKS


def test_a_server_that_refuses_to_protect_data(context: ssl.SSLContext) -> None:
    answers = {**{verb: one for verb, one in SECURE.items() if verb != "LIST"}, "PROT": "536 no"}
    with running(Faulty(answers, context=context)) as server:
        view = view_of(survey_of(server, modes=(Mode.EPSV,)))
    assert states(view) == {"EPSV": State.WORKS}
    assert view.trials[0].resumed is None
