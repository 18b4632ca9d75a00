"""Passwords: how they are stored, made and checked.

A stored password is an argon2id hash ("$argon2id$...", RFC 9106) or "plain:" and the password itself.
Three things make a check more than one call of argon2:

* It takes 64 MiB and some 50 ms, so no more of them run at once than there are cores; the others wait. A flood of
  logins costs time then, but not memory.
* Clients open connections by the dozen and log in on each. A password that was right is remembered for
  five minutes, as a keyed hash of the stored form and the password together: nothing can be read from it
  without the key, which only this process has, and a changed password is another stored form, which was never seen.
  What is wrong is never remembered. Somebody who can read this process's memory sees passwords as they come in anyway.
* Whoever fails, fails after the work of exactly one hash: a wrong password, an unknown name, a wrong "plain:"
  one. So time does not tell which names exist (RFC 2577 §7), nor how their passwords are stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

PLAIN = "plain:"

# The second recommended choice of RFC 9106 §4 (that for little memory): what argon2-cffi calls RFC_9106_LOW_MEMORY.
TIME_COST = 3
MEMORY_KIB = 65536
LANES = 4
_SALT_OCTETS = 16
_TAG_OCTETS = 32

REMEMBERED = 1024
"""Most right passwords that are remembered at a time."""
REMEMBERED_SECONDS = 300.0

# No i, l, 1, o, 0: nothing that one reads as another.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS = 4
_GROUP = 4


def generate_password() -> str:
    """A new password of 79 bits of chance, as in "ahg4-k2mp-x9qd-7frt"; it needs no quoting anywhere."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def plain(password: str) -> str:
    """The stored form that holds *password* itself: for tests, and where the file is as secret as the password."""
    return PLAIN + password


class Hasher(Protocol):
    """A hash that is slow on purpose."""

    def hash(self, password: bytes) -> str: ...

    def verify(self, stored: str, password: bytes) -> bool:
        """Whether *stored* was made of *password*; ValueError where it is no hash of this kind."""

    def outdated(self, stored: str) -> bool:
        """Whether `hash` would make it with other parameters today."""


class Argon2:
    """argon2id. The library is loaded at the first hash: a start of the server need not wait for it."""

    __slots__ = ()

    def hash(self, password: bytes) -> str:
        from argon2 import PasswordHasher

        return PasswordHasher(TIME_COST, MEMORY_KIB, LANES, _TAG_OCTETS, _SALT_OCTETS).hash(password)

    def verify(self, stored: str, password: bytes) -> bool:
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerifyMismatchError

        try:
            return PasswordHasher().verify(stored, password)  # the parameters are those of the stored hash
        except VerifyMismatchError:
            return False
        except InvalidHashError as error:
            raise ValueError("a stored password is neither a hash nor plain") from error

    def outdated(self, stored: str) -> bool:
        from argon2 import PasswordHasher

        return PasswordHasher(TIME_COST, MEMORY_KIB, LANES, _TAG_OCTETS, _SALT_OCTETS).check_needs_rehash(stored)


class Passwords:
    """Makes and checks stored passwords. One for a server; safe for threads."""

    __slots__ = ("_before", "_clock", "_dummy", "_hasher", "_key", "_lock", "_right", "_running")

    def __init__(
        self,
        hasher: Hasher | None = None,
        *,
        at_once: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """*at_once* hashes may run at the same time: by default one for each core.

        *before* is called before each one is checked, which takes some ten milliseconds and may have to wait its turn.
        """
        self._hasher = hasher if hasher is not None else Argon2()
        self._running = threading.BoundedSemaphore(at_once if at_once is not None else _cores())
        self._clock = clock
        self._before = before
        self._key = secrets.token_bytes(32)
        self._dummy = _hash_of_nothing()
        self._lock = threading.Lock()
        self._right: OrderedDict[bytes, float] = OrderedDict()  # keyed hash -> when to forget it

    def hash(self, password: str) -> str:
        """The stored form of *password*: a new hash, another one each time."""
        with self._running:
            return self._hasher.hash(_octets(password))

    def outdated(self, stored: str) -> bool:
        """Whether *stored* should be replaced by a new hash: its parameters are not today's."""
        return not stored.startswith(PLAIN) and self._hasher.outdated(stored)

    def right(self, stored: str | None, password: str) -> bool:
        """Whether *password* is the one in *stored*; None is a user who does not exist.

        Every False costs one hash. ValueError where *stored* is no stored password at all.
        """
        octets = _octets(password)
        if stored is None:
            return self._fail(octets)
        if stored.startswith(PLAIN):
            return hmac.compare_digest(_octets(stored[len(PLAIN) :]), octets) or self._fail(octets)
        sign = hashlib.blake2b(_octets(stored) + b"\0" + octets, key=self._key, digest_size=32).digest()
        if self._remembers(sign):
            return True
        self._before()
        with self._running:
            right = self._hasher.verify(stored, octets)
        if right:
            self._remember(sign)
        return right

    def _fail(self, octets: bytes) -> bool:
        self._before()
        with self._running:
            self._hasher.verify(self._dummy, octets)
        return False

    def _remembers(self, sign: bytes) -> bool:
        with self._lock:
            until = self._right.get(sign)
            if until is None:
                return False
            if until > self._clock():
                return True
            del self._right[sign]
            return False

    def _remember(self, sign: bytes) -> None:
        with self._lock:
            self._right[sign] = self._clock() + REMEMBERED_SECONDS
            # All stay for the same time, so that the first in is the first to forget.
            self._right.move_to_end(sign)
            while len(self._right) > REMEMBERED:
                self._right.popitem(last=False)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hash_of_nothing() -> str:
    """A hash with today's parameters that was made of no password: to check against it costs the same and fails."""
    salt, tag = (
        base64.b64encode(secrets.token_bytes(octets)).rstrip(b"=").decode() for octets in (_SALT_OCTETS, _TAG_OCTETS)
    )
    return f"$argon2id$v=19$m={MEMORY_KIB},t={TIME_COST},p={LANES}${salt}${tag}"
