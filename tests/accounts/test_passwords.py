"""Passwords: the real hash, its equal time told by counting, and what is remembered."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import argon2
import pytest

from homeport.accounts import passwords as module
from homeport.accounts.passwords import REMEMBERED, REMEMBERED_SECONDS, Passwords, generate_password, plain

from .counting import CountingHasher


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_real_hash() -> None:
    passwords = Passwords()
    stored = passwords.hash("sécret")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.right(stored, "sécret")
    assert not passwords.right(stored, "secret")
    assert not passwords.outdated(stored)


def test_the_parameters_are_those_of_rfc_9106() -> None:
    profile = argon2.profiles.RFC_9106_LOW_MEMORY
    assert profile.time_cost == module.TIME_COST
    assert profile.memory_cost == module.MEMORY_KIB
    assert profile.parallelism == module.LANES


def test_what_unknown_names_are_checked_against_is_a_hash_with_the_parameters_of_today() -> None:
    dummy = Passwords()._dummy
    assert argon2.extract_parameters(dummy) == argon2.profiles.RFC_9106_LOW_MEMORY
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # it is well-formed: not InvalidHashError
        argon2.PasswordHasher().verify(dummy, "anything")


def test_an_older_hash_is_outdated_and_still_right() -> None:
    old = argon2.PasswordHasher(1, 64, 1).hash("secret")
    passwords = Passwords()
    assert passwords.right(old, "secret")
    assert passwords.outdated(old)
    assert not passwords.outdated(plain("secret"))


def test_what_is_no_stored_password_is_an_error_and_no_answer() -> None:
    with pytest.raises(ValueError, match="neither a hash nor plain"):
        Passwords().right("rubbish", "secret")


def test_octets_that_are_no_text() -> None:
    passwords = Passwords(CountingHasher())
    odd = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert passwords.right(plain(odd), odd)
    assert not passwords.right(plain("secret"), odd)
    assert argon2.PasswordHasher().verify(Passwords().hash(odd), b"\xff\xfe")


@pytest.mark.standard("2577-7-331")
@pytest.mark.parametrize("stored", ["counted:secret", "plain:secret", None], ids=["hashed", "plain", "unknown"])
def test_every_failure_costs_one_hash(stored: str | None) -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    for _ in range(3):
        hasher.calls.clear()
        assert not passwords.right(stored, "wrong")
        assert hasher.calls == ["verify"]


def test_a_plain_password_costs_no_hash() -> None:
    hasher = CountingHasher()
    assert Passwords(hasher).right("plain:secret", "secret")
    assert hasher.calls == []


def test_a_right_password_is_hashed_once_in_five_minutes() -> None:
    hasher, clock = CountingHasher(), Clock()
    passwords = Passwords(hasher, clock=clock)
    for _ in range(20):
        assert passwords.right("counted:secret", "secret")
    clock.now += REMEMBERED_SECONDS - 1
    assert passwords.right("counted:secret", "secret")
    assert hasher.calls == ["verify"]
    clock.now += 1
    assert passwords.right("counted:secret", "secret")
    assert hasher.calls == ["verify"] * 2


def test_a_changed_password_is_not_remembered() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    assert passwords.right("counted:secret", "secret")
    assert not passwords.right("counted:other", "secret")
    assert passwords.right("counted:other", "other")
    assert hasher.calls == ["verify"] * 3


def test_what_is_remembered_is_bounded_and_the_oldest_goes() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    for number in range(REMEMBERED + 1):
        assert passwords.right(f"counted:{number}", str(number))
    assert len(passwords._right) == REMEMBERED
    hasher.calls.clear()
    assert passwords.right(f"counted:{REMEMBERED}", str(REMEMBERED))
    assert passwords.right("counted:1", "1")
    assert hasher.calls == []
    assert passwords.right("counted:0", "0")
    assert hasher.calls == ["verify"]


def test_nothing_of_a_password_is_kept() -> None:
    passwords = Passwords(CountingHasher())
    assert passwords.right("counted:topsecret", "topsecret")
    assert b"topsecret" not in b"".join(passwords._right)


def test_no_more_hashes_at_once_than_allowed() -> None:
    two_are_in = threading.Barrier(2)
    hasher = CountingHasher(during=lambda: void(two_are_in.wait(20)))
    passwords = Passwords(hasher, at_once=2)
    threads = [threading.Thread(target=passwords.right, args=(None, "x")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    # The barrier lets only pairs pass, so that two did run together; a third never did.
    assert (hasher.most_running, len(hasher.calls)) == (2, 6)


def void(_: object) -> None:
    return None


def test_generated_passwords() -> None:
    made = {generate_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"(?:[a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", one) for one in made)


def test_argon2_is_loaded_at_the_first_hash_and_not_before() -> None:
    program = (
        "import sys; from homeport.accounts.passwords import *; p = Passwords();"
        "assert p.right('plain:a', 'a'); assert 'argon2' not in sys.modules;"
        "assert not p.right(None, 'a'); assert 'argon2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
