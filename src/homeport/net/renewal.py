"""Renewal: when a certificate is asked for, how long to wait after a failure, and where it is kept.

A certificate is renewed at two thirds of its life, and up to a sixtieth of it later: each at a moment of its own that
follows from its fingerprint, so that it is the same after every restart, and not the same for all servers in the
world. After a failure the wait doubles, from ten minutes up to a day. How many there were is kept in a file: a server
that is started again and again must not ask the authority each time, which would lock it out.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Protocol

from .certificates import Certificate, CertificateUnusable, parse_certificate, read_certificate
from .wholefile import read_whole, write_whole

_FIRST_WAIT = 600.0
_LONGEST_WAIT = 86400.0
_LIMITED_WAIT = 3600.0
"""The least after an authority said that it was asked too often."""

CERTIFICATE_FILE = "certificate.pem"
"""Key and chain in one file, so that they can never be found not to fit."""
ATTEMPTS_FILE = "attempts.json"

Wait = Callable[[float], object]
"""Waits so many seconds; raises whatever ends the work."""


class IssueFailed(Exception):
    """There is no certificate this time. The text says why, for people."""

    def __init__(self, text: str, *, limited: bool = False) -> None:
        super().__init__(text)
        self.limited = limited
        """Whether the authority was asked too often."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was just issued. Both PEM."""

    key: bytes
    chain: bytes


class Authority(Protocol):
    """Who issues certificates."""

    def issue(self, names: tuple[str, ...], wait: Wait) -> Issued:
        """A new certificate for *names*, with a new key. Waits by *wait* only. Raises IssueFailed."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a certificate was asked for in vain since one was issued, and when last (seconds since 1970)."""

    failures: int = 0
    last: float = 0.0
    limited: bool = False


class Renewal:
    """One certificate, kept in a directory of its own. For one thread at a time."""

    def __init__(
        self,
        authority: Authority,
        names: tuple[str, ...],
        directory: str,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """*chance* gives numbers from 0 to 1."""
        self.names = names
        self.path = os.path.join(directory, CERTIFICATE_FILE)
        self._authority = authority
        self._directory = directory
        self._chance = chance
        self._attempts_path = os.path.join(directory, ATTEMPTS_FILE)
        self._wait_until: float | None = None

    def due(self, now: float) -> float:
        """When it is to be asked for next, in seconds since 1970; *now* or earlier: at once."""
        certificate = self.certificate()
        if certificate is None or not set(self.names) <= set(certificate.names):
            wanted = now  # there is none, or other names were configured since
        else:
            wanted = renewal_time(certificate)
        return max(wanted, self._not_before(now))

    def certificate(self) -> Certificate | None:
        """The one that there is, if it can be used."""
        try:
            return read_certificate(self.path)
        except CertificateUnusable:
            return None

    def renew(self, now: float, wait: Wait) -> Certificate:
        """Ask for a new one now, and keep it. Raises IssueFailed; then `due` is later."""
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            issued = self._authority.issue(self.names, wait)
            certificate = parse_certificate(issued.chain, issued.key, "what was issued", "the new key")
            # The key alone would be lost with every failure; it is worth nothing without the certificate.
            write_whole(self.path, issued.key + issued.chain, 0o600)
        except (IssueFailed, CertificateUnusable, OSError) as error:
            self._failed(now, limited=isinstance(error, IssueFailed) and error.limited)
            raise error if isinstance(error, IssueFailed) else IssueFailed(str(error)) from error
        self._keep(Attempts())
        self._wait_until = 0.0
        return certificate

    # -- failures ----------------------------------------------------------------------------------------------

    def _not_before(self, now: float) -> float:
        if self._wait_until is None:
            attempts = self._kept()
            # A clock that was wrong, and is set back, must not end renewal for good.
            last = min(attempts.last, now)
            self._wait_until = last + backoff(attempts, self._chance()) if attempts.failures else 0.0
        return self._wait_until

    def _failed(self, now: float, *, limited: bool) -> None:
        attempts = Attempts(self._kept().failures + 1, now, limited)
        self._wait_until = now + backoff(attempts, self._chance())
        self._keep(attempts)

    def _kept(self) -> Attempts:
        try:
            octets = read_whole(self._attempts_path)
            found = json.loads(octets) if octets is not None else {}
            return Attempts(int(found["failures"]), float(found["last"]), bool(found["limited"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Attempts()  # nobody has failed, or nobody can say so

    def _keep(self, attempts: Attempts) -> None:
        try:
            write_whole(self._attempts_path, json.dumps(asdict(attempts)).encode(), 0o600)
        except OSError:
            pass  # where nothing can be written the certificate could not either, and that has been told


def renewal_time(certificate: Certificate) -> float:
    """When it is to be renewed, in seconds since 1970."""
    life = certificate.expires - certificate.begins
    share = int(certificate.fingerprint.replace(":", "")[:8], 16) / 0xFFFFFFFF
    moment: timedelta = life * 2 / 3 + life / 60 * share
    return (certificate.begins + moment).timestamp()


def backoff(attempts: Attempts, chance: float) -> float:
    """Seconds to wait after the last failure: doubled by each, and a fifth more or less by *chance* (0 to 1)."""
    doubled: float = _FIRST_WAIT * 2 ** min(attempts.failures - 1, 20)
    seconds = min(doubled, _LONGEST_WAIT) * (0.8 + 0.4 * chance)
    return max(seconds, _LIMITED_WAIT) if attempts.limited else seconds
