"""PartialSweep: once a day, the kept data of uploads that nobody goes on with are removed from all homes.

It works beside the server, in a thread of its own that waits for most of its life, and begins a minute after the start:
then the clients that come back after a restart are served, and a server that lives for a moment, as in a test, never
looks. Whose homes they are is asked anew each time, since accounts come and go while the server runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from homeport.accounts.database import AccountError, Database
from homeport.events.bus import Bus
from homeport.events.types import PartialsRemoved
from homeport.net.background import Background, Patience
from homeport.session.services import Clock
from homeport.storage.partials import remove_old

from .config import Config

DAY = 86400.0
FIRST = 60.0
"""Seconds from the start of the server."""
_PAUSE = 0.02
"""Seconds, after so many names that a disk has had some work: a million of them take half a minute or more."""


class PartialSweep:
    """See the head of this module; it is a `background.Work`."""

    def __init__(
        self, homes: Callable[[], Iterable[str]], days: int, shut: Sequence[str], events: Bus, clock: Clock
    ) -> None:
        """*homes* tells the directories of the host to look into; *shut*: places in them that are left alone."""
        self._homes = homes
        self._seconds = days * DAY
        self._shut = shut
        self._events = events
        self._clock = clock

    def run(self, patience: Patience) -> None:
        patience.wait((), FIRST)
        while True:
            for home in outermost(self._homes()):
                self._sweep(home, patience)
            patience.wait((), DAY)

    def end(self, patience: Patience) -> None:
        """Nothing is left half done."""

    def _sweep(self, home: str, patience: Patience) -> None:
        before = self._clock.time() - self._seconds
        try:
            removed = remove_old(home, before, lambda: patience.wait((), _PAUSE), shut=self._shut)
        except OSError:
            return  # it is not there: whoever logs in hears so
        if removed.files:
            self._events.publish(
                PartialsRemoved(
                    at=self._clock.time(), directory=home, files=removed.files, octets=removed.octets,
                    days=round(self._seconds / DAY),
                )
            )  # fmt: skip


def partial_sweep(
    config: Config, database: Database | None, shut: Sequence[str], events: Bus, clock: Clock
) -> Background | None:
    """The thread that does it, to be started; None where kept data are not to be removed."""
    days = config.uploads.partial_days
    if not days:
        return None
    fixed = [user.home for user in config.users]
    if config.anonymous.enabled and config.anonymous.home is not None:
        fixed.append(config.anonymous.home)

    def homes() -> list[str]:
        if database is None:
            return fixed
        try:
            return [*fixed, *(account.user.home for account in database.list())]
        except AccountError:
            return fixed  # the next login says what is wrong with it; tomorrow it is asked again

    return Background("homeport-partials", PartialSweep(homes, days, shut, events, clock), clock=clock.monotonic)


def outermost(homes: Iterable[str]) -> list[str]:
    """*homes* without those that lie in another one, by where they really are and on the same file system."""
    real = sorted({os.path.realpath(home) for home in homes})
    found: list[str] = []
    for home in real:
        if not any(_holds(other, home) for other in found):
            found.append(home)
    return found


def _holds(other: str, home: str) -> bool:
    if os.path.commonpath((other, home)) != other:
        return False
    try:
        return os.stat(other).st_dev == os.stat(home).st_dev
    except OSError:
        return False  # one is not there, which the look into it will show
