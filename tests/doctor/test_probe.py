"""The probe against real servers, and against servers that each do one thing wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import homeport
from homeport.advice.attempt import Mode
from homeport.advice.causes import Cause
from homeport.doctor import probe as probe_module
from homeport.doctor.probe import Wishes, probe
from homeport.doctor.survey import State
from homeport.doctor.target import NameUnknown, Target
from homeport.doctor.visit import Tls

from .probing import AMPLE, TIMEOUT, states, survey_of, trial_of, view_of
from .servers import Cut, Faulty, Talk, running

# -- servers that are as they should be ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_homeport_works_in_every_mode(tmp_path: Path, host: str) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with homeport.Server(tmp_path, anonymous=True, host=host) as server:
        survey = probe(Target.parse(server.url), Wishes(AMPLE), lambda _: None)
    view = view_of(survey)
    expected = {"EPSV": State.WORKS, "PASV": State.WORKS, "EPRT": State.WORKS, "PORT": State.WORKS}
    if ":" in host:
        del expected["PORT"]
        expected["PASV"] = State.ABSENT
        assert "rightly refused" in view.trials[-1].seen
    assert states(view) == expected
    assert survey.exit_code == 0
    assert view.greeting == "Homeport FTP server ready"
    assert view.features is not None
    assert "EPSV" in view.features
    assert view.changes == ()
    assert all(trial.octets > 0 for trial in view.trials if trial.state is State.WORKS)
    assert {trial.resumed for trial in view.trials} == {None}


def test_homeport_with_tls(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with homeport.Server(tmp_path / "files", anonymous=True, state=tmp_path / "state") as server:
        survey = probe(Target.parse(server.url), Wishes(AMPLE), lambda _: None)
    view = view_of(survey)
    assert survey.exit_code == 0
    assert set(states(view).values()) == {State.WORKS}
    assert view.protection is not None
    assert view.protection.version == "TLSv1.3"
    assert view.protection.self_signed
    assert "127.0.0.1" in view.protection.names
    assert view.protection.distrust is not None
    assert "self-signed" in view.protection.distrust
    assert [trial.resumed for trial in view.trials] == [True] * 4
    assert view.meddling is None


def test_homeport_without_tls_though_it_offers_it(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with homeport.Server(tmp_path / "files", anonymous=True, state=tmp_path / "state") as server:
        survey = probe(Target.parse(server.url), Wishes(AMPLE, Tls.OFF), lambda _: None)
    assert survey.exit_code == 0
    assert view_of(survey).protection is None


_FOREIGN = """
import sys, warnings
warnings.simplefilter("ignore")
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user("bob", "secret", sys.argv[1])
FTPHandler.banner = "foreign"
server = FTPServer(("127.0.0.1", 0), FTPHandler)
print(server.address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def foreign(directory: Path) -> Iterator[int]:
    """pyftpdlib, in a process of its own, as it warns of itself at import; its port."""
    command = [sys.executable, "-c", _FOREIGN, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_pyftpdlib_works_in_every_mode(tmp_path: Path) -> None:
    with foreign(tmp_path) as port:
        survey = probe(Target.parse(f"ftp://bob:secret@127.0.0.1:{port}"), Wishes(AMPLE), lambda _: None)
    view = view_of(survey)
    assert survey.exit_code == 0, view
    assert set(states(view).values()) == {State.WORKS}
    assert view.greeting == "foreign"
    assert view.system is not None
    assert view.system.startswith("UNIX")


def test_a_wrong_password(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, user="bob", password="secret") as server:
        target = Target("127.0.0.1", server.port, "bob", "wrong")
        survey = probe(target, Wishes(AMPLE), lambda _: None)
    assert survey.exit_code == 2
    view = view_of(survey)
    assert view.reached
    assert view.problem is not None
    assert view.problem.startswith("bob could not log in: 530")
    assert view.trials == ()


def test_both_families_of_a_name_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "addresses_of", lambda host, timeout: ("127.0.0.1", "::1"))
    with homeport.Server(tmp_path, anonymous=True) as server:
        survey = probe(Target("localhost", server.port), Wishes(AMPLE), lambda _: None)
    four, six = survey.views
    assert four.logged_in
    assert not six.reached
    assert six.problem is not None
    assert "refused the connection" in six.problem
    assert survey.exit_code == 1


# -- there is nobody ---------------------------------------------------------------------------


def test_a_name_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, timeout: float) -> tuple[str, ...]:
        raise NameUnknown("Name or service not known")

    monkeypatch.setattr(probe_module, "addresses_of", unknown)
    survey = probe(Target("nowhere.example", 21), Wishes(AMPLE), lambda _: None)
    assert survey.exit_code == 2
    assert survey.problem == "The name nowhere.example could not be looked up: Name or service not known."


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    view = view_of(probe(Target("127.0.0.1", port), Wishes(AMPLE), lambda _: None))
    assert not view.reached
    assert view.problem is not None
    assert "refused the connection: no server listens there" in view.problem


@pytest.mark.parametrize(
    ("greeting", "problem"),
    [
        ("", "did not greet: no answer within 0.3 s. If it is a server for implicit TLS"),
        ("SSH-2.0-OpenSSH_9.2", "which is no reply of FTP"),
        ("421 too many", "does not want to serve now: 421 too many"),
    ],
)
def test_greetings_that_are_none(greeting: str, problem: str) -> None:
    with running(Faulty(greeting=greeting)) as server:
        survey = survey_of(server, timeout=TIMEOUT)
    found = view_of(survey).problem
    assert found is not None
    assert problem in found
    assert survey.exit_code == 2


# -- the control connection breaks ---------------------------------------------------------------------------


def cut(talk: Talk, _: str) -> str:
    raise Cut


def test_a_control_connection_that_breaks_at_the_same_command_is_filtered() -> None:
    with running(Faulty({"SYST": cut})) as server:
        view = view_of(survey_of(server))
    assert view.problem is not None
    assert view.problem.startswith("After SYST: the control connection was reset")
    assert view.diagnosis is not None
    assert view.diagnosis.cause is Cause.CONTROL_LOST  # by then it was logged in, and the second time it gets that far


def test_a_login_that_is_cut_every_time_is_filtered() -> None:
    with running(Faulty({"USER": cut})) as server:
        survey = survey_of(server)
    view = view_of(survey)
    assert view.diagnosis is not None
    assert view.diagnosis.cause is Cause.CONTROL_FILTERED
    assert survey.exit_code == 2


def test_a_mode_whose_command_is_cut() -> None:
    with running(Faulty({"EPSV": cut})) as server:
        trial = trial_of(server, Mode.EPSV)
    assert trial.seen.startswith("after EPSV the control connection was reset")
    assert trial.diagnosis is not None
    assert trial.diagnosis.cause is Cause.CONTROL_LOST


# -- what is asked, and what is not ---------------------------------------------------------------------------


def test_nothing_is_written_to_the_server() -> None:
    with running(Faulty()) as server:
        survey_of(server)
    verbs = {line.partition(" ")[0] for line in server.heard}
    assert verbs <= {"USER", "PASS", "FEAT", "AUTH", "SYST", "STAT", "EPSV", "PASV", "EPRT", "PORT", "LIST", "QUIT"}


def test_features_that_are_told_after_the_login_only() -> None:
    def feat(talk: Talk, _: str) -> str:
        if "USER anonymous" not in talk.server.heard:
            return "530 log in first"
        return "211-Features:\r\n EPSV\r\n MDTM\r\n211 End"

    with running(Faulty({"FEAT": feat})) as server:
        view = view_of(survey_of(server, modes=(Mode.EPSV,)))
    assert view.features == ("EPSV", "MDTM")


def test_what_is_done_is_told_meanwhile() -> None:
    said: list[str] = []
    with running(Faulty()) as server:
        probe(Target("127.0.0.1", server.port), Wishes(AMPLE), said.append)
    assert said[0] == f"connecting to 127.0.0.1 port {server.port}"
    assert "trying PASV" in said
