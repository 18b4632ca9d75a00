"""Guessing: names by text and by the work that is done, passwords by many connections or an account of one's own."""

from __future__ import annotations

import time

import pytest
from tests.attacks.conftest import PASSWORD, USER, Attack

import homeport
from homeport.accounts import passwords
from homeport.accounts.limits import LoginThrottle
from homeport.events.types import CommandAnswered, LoginFailed
from homeport.testing.client import Client


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stored forms that passwords were checked against. The hash itself is left out, to be quick."""
    made: list[str] = []

    def verify(_: passwords.Argon2, stored: str, __: bytes) -> bool:
        made.append(stored)
        return False

    monkeypatch.setattr(passwords.Argon2, "verify", verify)
    monkeypatch.setattr("homeport.accounts.limits.PACE", (0.0,))
    return made


def attempt(client: Client, name: str, password: str = "wrong") -> tuple[tuple[int, str], tuple[int, str]]:
    user = client.ask(f"USER {name}")
    answer = client.ask(f"PASS {password}")
    return (user.code, user.text), (answer.code, answer.text)


HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43


@pytest.mark.parametrize("name", ["nobody", USER, "hashed", "homeless", "\udcff\udcfe", "a" * 2000, "MALLORY", "-x"])
def test_every_failed_login_says_the_same_and_costs_one_hash(attack: Attack, hashes: list[str], name: str) -> None:
    target = attack(users=[
        {"name": "hashed", "password": HASH}, {"name": "homeless", "password": "plain:right"},
    ])  # fmt: skip
    client = target.client(None)
    assert attempt(client, name) == ((331, "Please send your password"), (530, "Login incorrect"))
    assert len(hashes) == 1


def test_a_login_is_begun_anew_after_each_failure_whatever_stands_between(attack: Attack) -> None:
    """REIN, HOST and other names do not give a session more tries."""
    target = attack(sections={"limits": {"login_tries": 3, "sessions_per_address": 0}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("homeport.accounts.limits.PACE", (0.0,))
        client = target.client(None)
        attempt(client, USER)
        client.ask("PASS her own", 503)
        client.ask("REIN", 220)
        attempt(client, "other")
        client.ask("HOST localhost", 220)
        client.ask("USER x", 331)
        client.ask("PASS y", 421)
        client.end()


@pytest.mark.parametrize("success", ["anonymous", USER])
def test_a_login_of_ones_own_does_not_buy_guesses_at_another(attack: Attack, success: str) -> None:
    """Who fails as "victim" and succeeds as himself, in turn, is slowed as if he only failed."""
    clock = Time()
    throttle = LoginThrottle(clock)
    for _ in range(20):
        clock.now += throttle.delay("192.0.2.7") or 0.0
        throttle.failed("192.0.2.7", "victim")
        clock.now += throttle.delay("192.0.2.7") or 0.0
        throttle.succeeded("192.0.2.7", success)
    assert clock.now - 1000.0 > 20 * 5.0


def test_a_login_of_ones_own_heals_what_one_has_mistyped() -> None:
    clock = Time()
    throttle = LoginThrottle(clock)
    throttle.failed("192.0.2.7", USER)
    clock.now += throttle.delay("192.0.2.7") or 0.0
    throttle.succeeded("192.0.2.7", USER)
    assert throttle.delay("192.0.2.7") == 0.0


def test_many_connections_at_once_do_not_guess_faster() -> None:
    """What would have to wait longer than anybody waits is not looked at; it must not go through all together."""
    clock = Time()
    throttle = LoginThrottle(clock)
    for _ in range(10):
        throttle.failed("192.0.2.7", "victim")
    clock.now += 60.0
    looked_at = [delay for delay in (throttle.delay("192.0.2.7") for _ in range(500)) if delay is not None]
    assert max(looked_at) <= 30.0
    assert len(looked_at) <= 8


@pytest.mark.parametrize("address", ["2001:db8:0:1::{:x}", "2001:db8:0:1:{:x}::1", "::ffff:192.0.2.7"])
def test_addresses_of_one_host_are_slowed_as_one(address: str) -> None:
    clock = Time()
    throttle = LoginThrottle(clock)
    for number in range(1, 20):
        throttle.failed(address.format(number), "victim")
    delay = throttle.delay(address.format(99))
    assert delay is not None
    assert delay >= 5.0
    if "ffff" in address:
        assert throttle.delay("192.0.2.7") != 0.0


def test_one_who_is_refused_for_a_crowd_is_told_so_and_not_checked(attack: Attack, hashes: list[str]) -> None:
    target = attack()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("homeport.accounts.limits.LONGEST_DELAY", -1.0)
        client = target.client(None)
        with pytest.MonkeyPatch.context() as pace:
            pace.setattr("homeport.accounts.limits.PACE", (0.0, 100.0))
            attempt(client, "victim")
            client.ask(f"USER {USER}", 331)
            began = time.monotonic()
            reply = client.ask(f"PASS {PASSWORD}", 421)
    assert time.monotonic() - began < 5
    assert "address" in reply.text
    client.end()
    assert len(hashes) == 1
    assert [event.user for event in target.heard if isinstance(event, LoginFailed)] == ["victim", USER]


@pytest.mark.parametrize(
    "octets",
    [b"PASS {}", b"pass {}", b" PASS {}", b"PASS\t{}", b"\tPASS {}", b"xPASS {}", b"PASS  {}", b"ACCT {}", b"PASS{}",
     b"\xc3\xa9PASS {}", b"P\xff\xffASS {}"],
)  # fmt: skip
def test_no_password_stands_in_a_log(attack: Attack, octets: bytes) -> None:
    """However the command was spelt: what the server does not understand may still be somebody's password."""
    target = attack(sections={"log": {"commands": True, "console": False}})
    client = target.client(None)
    client.ask("USER someone", 331)
    client.ask(octets.replace(b"{}", b"s3cret-of-mine"))
    client.ask("NOOP", 200)
    client.ask("NOOP", 200)  # what is logged of a command follows its reply
    said = [event for event in target.heard if isinstance(event, CommandAnswered)]
    assert len(said) >= 3
    assert not [event for event in said if "s3cret" in event.line or "s3cret" in event.text.lower()]


def test_a_password_is_not_in_what_the_server_shows_of_itself(attack: Attack) -> None:
    target = attack()
    target.client()
    shown = repr(target.server.sessions) + repr(target.server.config) + repr(target.heard)
    assert PASSWORD not in shown
    assert isinstance(target.server, homeport.Server)
