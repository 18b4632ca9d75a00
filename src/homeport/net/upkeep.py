"""Upkeep: what happens to certificates while nobody asks for them: renewed in time, watched, warned about.

One thread that sleeps. It wakes once in an hour, because a machine that was suspended, or whose clock was set, would
not wake it in time; and when a renewal is due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from .background import Patience
from .renewal import IssueFailed, Renewal, Wait
from .store import CertificateStore, Source, Status

WARN_DAYS = (30, 14, 7, 1, 0)
"""How many days before a certificate runs out it is warned about; each once."""
_ROUND = 3600.0
_DAY = timedelta(days=1)


class Upkeep:
    """What a Background does for one store."""

    def __init__(
        self,
        store: CertificateStore,
        renewal: Renewal | None,
        warn: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        """*renewal* writes one of the files of *store*. *clock*: seconds since 1970."""
        self._store = store
        self._renewal = renewal
        self._warn = warn
        self._clock = clock
        self._warned: dict[str, int] = {}

    def run(self, patience: Patience) -> None:
        """Until *patience* raises Stopped."""

        def wait(seconds: float) -> None:
            patience.wait((), seconds)

        while True:
            wait(self.step(wait))

    def end(self, patience: Patience) -> None:
        """There is nothing to undo."""

    def step(self, wait: Wait) -> float:
        """Do what is due; seconds until there may be something to do again."""
        self._store.look()
        seconds = _ROUND
        if self._renewal is not None:
            seconds = min(seconds, self._renew(self._renewal, wait))
        self.warn_of_expiry()
        return seconds

    def warn_of_expiry(self) -> None:
        """Warn of what runs out soon and is renewed by nobody: once for each of WARN_DAYS."""
        for status in self._store.statuses(datetime.fromtimestamp(self._clock(), UTC)):
            if status.source is Source.ACME and self._renewal is not None:
                continue
            threshold = threshold_of(status.left)
            if threshold is not None and self._warned.get(status.fingerprint) != threshold:
                self._warned[status.fingerprint] = threshold
                self._warn(expiry_text(status))

    def _renew(self, renewal: Renewal, wait: Wait) -> float:
        now = self._clock()
        due = renewal.due(now)
        if due > now:
            return due - now
        try:
            renewal.renew(now, wait)
        except IssueFailed as failure:
            again = renewal.due(self._clock())
            self._warn(f"No certificate for {', '.join(renewal.names)}: {failure}. {self._rest(again)}")
            return max(again - self._clock(), 1.0)
        self._store.look()
        return max(renewal.due(self._clock()) - self._clock(), 1.0)

    def _rest(self, again: float) -> str:
        """When it is tried again, and how much time there is."""
        when = f"It is tried again at {datetime.fromtimestamp(again, UTC):%Y-%m-%d %H:%M} UTC"
        statuses = self._store.statuses(datetime.fromtimestamp(self._clock(), UTC))
        for status in statuses:
            if status.source is Source.ACME:
                return f"{when}; the one in use {_runs_out(status)}."
        return f"{when}; until then clients see another certificate." if statuses else f"{when}."


def threshold_of(left: timedelta, thresholds: Sequence[int] = WARN_DAYS) -> int | None:
    """The least of *thresholds*, in days, that is not less than *left*; None where there is time."""
    return min((days for days in thresholds if left <= days * _DAY), default=None)


def expiry_text(status: Status) -> str:
    """The warning, with its cure."""
    cure = "Put a new one in its place: it is taken without a restart, or let ACME do that ([acme])."
    if status.source is Source.SELF_SIGNED:
        cure = "The next start makes a new one, or `homeport cert self-signed` does."
    names = ", ".join(status.names[:3]) or "no name"
    return f"The certificate for {names} ({status.file}) {_runs_out(status)}. {cure}"


def _runs_out(status: Status) -> str:
    date = f"{status.expires:%Y-%m-%d}"
    if status.left <= timedelta(0):
        return f"ran out on {date}"
    days = round(status.left / _DAY)
    return f"runs out on {date}, in {'less than a day' if days == 0 else f'{days} day' + ('s' if days > 1 else '')}"
