"""The external address: a name, a STUN server, an interface; changes, failures, and what stays."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from tests.net.patience import FakePatience

from homeport.net import external
from homeport.net.background import Patience, Stopped
from homeport.net.exchange import Unanswered
from homeport.net.external import External, ExternalWatch, Name, OwnInterface, Stun, Unknown


class Answers:
    """A resolver, or a source, that answers one thing after another; the last for ever. An error is raised."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    def next(self) -> object:
        self.asked += 1
        one = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(one, Exception):
            raise one
        return one

    def __call__(self, name: str) -> Sequence[str]:
        found = self.next()
        assert isinstance(found, list)
        return found

    def ask(self, patience: Patience) -> External:
        found = self.next()
        assert isinstance(found, External)
        return found


NO_NAME = socket.gaierror(-2, "Name or service not known")
ONE, OTHER = External("192.0.2.1", "somebody"), External("192.0.2.2", "somebody")


def watch(*sources: Answers, until: float, **options: object) -> tuple[list[External | None], list[str]]:
    told: list[External | None] = []
    warned: list[str] = []
    work = ExternalWatch(sources, told.append, warned.append, **options)  # type: ignore[arg-type]
    with pytest.raises(Stopped):
        work.run(FakePatience(until=until))
    return told, warned


def test_a_name_is_its_ipv4_address_where_it_has_one() -> None:
    name = Name("ftp.example.net", Answers(["2001:db8::1", "192.0.2.1", "192.0.2.2"]))
    assert name.ask(FakePatience()) == External("192.0.2.1", "the name ftp.example.net")


@pytest.mark.parametrize("answer", [NO_NAME, []])
def test_a_name_that_cannot_be_looked_up(answer: object) -> None:
    with pytest.raises(Unknown, match=r"ftp\.example\.net could not be looked up"):
        Name("ftp.example.net", Answers(answer)).ask(FakePatience())


def test_the_systems_resolver_is_asked() -> None:
    assert "127.0.0.1" in external.look_up("127.0.0.1")


def test_a_name_is_looked_up_every_five_minutes_and_a_change_is_told() -> None:
    names = Answers(ONE, ONE, OTHER)
    told, warned = watch(names, until=1000 + 650)
    assert told == [ONE, OTHER]
    assert names.asked == 3
    assert warned == []


def test_what_was_known_stays_and_the_failure_is_told_once() -> None:
    names = Answers(ONE, Unknown("No."), Unknown("No."), ONE, Unknown("No."))
    told, warned = watch(names, until=1000 + 300 + 30 + 30 + 300)
    assert told == [ONE]
    assert warned == ["No. 192.0.2.1 stays the external address."] * 2, "once for each time that it began to fail"


def test_who_never_knew_is_asked_again_soon() -> None:
    names = Answers(Unknown("No."), Unknown("No."), ONE)
    told, warned = watch(names, until=1000 + 60)
    assert told == [None, ONE]
    assert len(warned) == 1
    assert "the address that they are connected to" in warned[0]


def test_the_first_source_that_knows_is_believed() -> None:
    first, second, third = Answers(Unknown("No.")), Answers(ONE), Answers(OTHER)
    told, warned = watch(first, second, third, until=1001)
    assert (told, warned, third.asked) == ([ONE], [], 0)


def test_nobody_is_asked_while_that_is_not_wanted() -> None:
    names = Answers(ONE)
    told, _ = watch(names, until=5000, wanted=lambda: False)
    assert (told, names.asked) == ([], 0)


def test_it_may_be_no_reason_to_warn() -> None:
    assert watch(Answers(Unknown("No.")), until=1001, patient=True) == ([None], [])


@pytest.mark.parametrize(("address", "known"), [("11.0.50.20", True), ("192.168.1.2", False), ("100.64.0.2", False)])
def test_an_interface_counts_if_its_address_is_public(address: str, known: bool) -> None:
    source = OwnInterface(lambda: address)
    if known:
        assert source.ask(FakePatience()).address == address
    else:
        with pytest.raises(Unknown):
            source.ask(FakePatience())


def test_a_machine_without_a_network_has_no_external_address() -> None:
    with pytest.raises(Unknown):
        OwnInterface(lambda: None).ask(FakePatience())


def test_a_stun_server_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def seen(server: tuple[str, int], patience: Patience) -> str:
        asked.append(server)
        if len(asked) > 1:
            raise Unanswered("192.0.2.5 does not answer on UDP port 3479")
        return "192.0.2.1"

    monkeypatch.setattr(external, "seen_address", seen)
    source = Stun("stun.example.net", 3479, Answers(["2001:db8::5", "192.0.2.5"]))
    assert source.ask(FakePatience()) == External("192.0.2.1", "told by the STUN server stun.example.net")
    assert asked == [("192.0.2.5", 3479)]
    with pytest.raises(Unknown, match="does not answer"):
        source.ask(FakePatience())


@pytest.mark.parametrize("answer", [NO_NAME, ["2001:db8::5"]])
def test_a_stun_server_that_cannot_be_asked(answer: object) -> None:
    with pytest.raises(Unknown, match=r"STUN server stun\.example\.net"):
        Stun("stun.example.net", 3478, Answers(answer)).ask(FakePatience())
