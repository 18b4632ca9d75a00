from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from homeport.doctor.target import NameUnknown, Target, WrongTarget, addresses_of


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ftp://ftp.example.net", Target("ftp.example.net", 21)),
        ("ftp.example.net:2121", Target("ftp.example.net", 2121)),
        ("FTP://[2001:db8::7]/pub", Target("2001:db8::7", 21)),
        ("ftps://ftp.example.net/", Target("ftp.example.net", 990, implicit=True)),
        ("ftps://h:2990", Target("h", 2990, implicit=True)),
        ("ftp://bob:se%3Acret@h", Target("h", 21, "bob", "se:cret")),
        ("ftp://bob@h", Target("h", 21, "bob", "")),
    ],
)
def test_urls(text: str, target: Target) -> None:
    assert Target.parse(text) == target


@pytest.mark.parametrize("text", ["http://h/", "ftp:///pub", "ftp://h:99999", "ftp://h:x", "ftp://a%0d%0aDELE x@h", ""])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(WrongTarget):
        Target.parse(text)


def test_a_password_that_would_begin_another_command() -> None:
    with pytest.raises(WrongTarget):
        Target("h", 21, "bob").with_password("a\r\nDELE b")


def test_the_url_is_shown_without_its_secrets() -> None:
    assert Target.parse("ftp://bob:secret@[2001:db8::7]:2121/x").shown == "ftp://[2001:db8::7]:2121/"
    assert Target.parse("ftps://bob:secret@h").shown == "ftps://h/"


def test_an_address_is_itself() -> None:
    assert addresses_of("127.0.0.1", 5) == ("127.0.0.1",)
    assert addresses_of("::1", 5) == ("::1",)


def test_one_address_of_each_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: object, **options: object) -> list[object]:
        six = (socket.AF_INET6, 1, 6, "")
        four = (socket.AF_INET, 1, 6, "")
        return [
            (*six, ("2001:db8::1", 0, 0, 0)),
            (*six, ("2001:db8::2", 0, 0, 0)),
            (*four, ("192.0.2.1", 0)),
            (*four, ("192.0.2.2", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert addresses_of("h", 5) == ("192.0.2.1", "2001:db8::1")


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*arguments: object, **options: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(NameUnknown, match="Name or service not known"):
        addresses_of("h", 5)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def test_a_resolver_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    def look_up(*arguments: object, **options: object) -> list[object]:
        gate.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(NameUnknown, match=r"no answer within 0\.05 s"):
        addresses_of("h", 0.05)
