"""The report of a probe, and its JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from homeport.advice.attempt import Mode
from homeport.doctor.account import account, as_json, verdict
from homeport.doctor.facts import meddling
from homeport.doctor.survey import State, Trial, View

from .goldens import compare
from .views import BOTH, GOOD, NOBODY, NOW, ONLY_21, PUBLIC, SERVER, VIEWS, survey


@pytest.mark.parametrize("name", VIEWS)
def test_reports(name: str) -> None:
    compare(f"{name}.report.txt", account(survey(VIEWS[name]), now=NOW))


def test_a_report_of_two_addresses_of_which_one_does_not_answer() -> None:
    text = account(survey(GOOD, NOBODY), now=NOW)
    assert text.index(f"{SERVER} port 21") < text.index("2001:db8::20 port 21")
    assert "2001:db8::20 port 21 did not answer within 5 s" in text
    assert survey(GOOD, NOBODY).exit_code == 1


def test_colours_are_nothing_but_colours() -> None:
    coloured = account(survey(BOTH), now=NOW, colour=True)
    assert "\x1b[31m" in coloured
    for code in ("0", "1", "2", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == account(survey(BOTH), now=NOW)


def test_whatever_the_server_says_is_made_visible() -> None:
    evil = "\x1b[2J\x07"
    view = replace(GOOD, greeting=evil, system=evil, welcome=evil, problem=evil, trials=(
        Trial(mode=Mode.EPSV, state=State.UNPROVEN, seen=evil),
    ))  # fmt: skip
    text = account(survey(view), now=NOW)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("\\x1b[2J") == 5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"expires": datetime(2026, 11, 1, tzinfo=UTC)}, "ran out on 2026-11-01"),
        ({"begins": datetime(2026, 12, 1, tzinfo=UTC)}, "is not valid before 2026-12-01"),
        ({"expires": datetime(2027, 6, 1, tzinfo=UTC)}, "until 2027-06-01; trusted, by CN=Example CA"),
        ({"distrust": "self-signed certificate", "self_signed": True}, "self-signed: clients ask"),
        ({"distrust": "Hostname mismatch"}, "not trusted: Hostname mismatch"),
        ({"names": ()}, "for no name"),
    ],
)
def test_certificates(changed: dict[str, object], words: str) -> None:
    assert GOOD.protection is not None
    protection = replace(GOOD.protection, **changed)  # type: ignore[arg-type]  # one field at a time
    assert words in " ".join(account(survey(replace(GOOD, protection=protection)), now=NOW).split())


def test_meddling_is_told_with_its_cure() -> None:
    view = replace(GOOD, meddling=meddling(GOOD, "203.0.113.1", SERVER, 5))
    text = account(survey(view), now=NOW)
    assert "PASV without TLS: rewritten" in text
    assert "Switch the FTP helper (ALG" in text


@pytest.mark.parametrize(
    ("views", "code", "words"),
    [
        ((GOOD,), 0, "All modes that the server offers work from here."),
        ((BOTH,), 1, "From here EPSV works, and others fail."),
        ((ONLY_21,), 1, "From here EPRT works, and others fail."),
        ((PUBLIC,), 1, "No mode works from here."),
        ((NOBODY,), 2, "The server could not be tried: there was no login."),
        ((), 2, "The server could not be tried: there was no login."),
    ],
)
def test_verdicts(views: tuple[View, ...], code: int, words: str) -> None:
    found = survey(*views)
    assert found.exit_code == code
    assert verdict(found) == words


def test_a_name_that_is_unknown() -> None:
    text = account(survey(problem="The name ftp.example.net could not be looked up: no."), now=NOW)
    assert "The name ftp.example.net could not be looked up: no." in text


def test_json_holds_all_of_it() -> None:
    found = json.loads(json.dumps(as_json(survey(BOTH))))
    (view,) = found["views"]
    assert view["address"] == [SERVER, 21]
    pasv = view["trials"][1]
    assert pasv["mode"] == "PASV"
    assert pasv["state"] == "works only if the address in 227 is ignored"
    assert pasv["diagnosis"]["cause"] == "private-announced"
    assert pasv["diagnosis"]["side"] == "the server"
    assert pasv["diagnosis"]["cures"]
    assert (
        json.loads(json.dumps(as_json(survey(GOOD))))["views"][0]["protection"]["expires"]
        == "2026-12-01T00:00:00+00:00"
    )
