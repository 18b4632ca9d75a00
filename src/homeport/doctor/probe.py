"""Probe: an FTP server seen from a client's side, at each of its addresses, in every mode. Values out: a Survey.

Each wait is bounded by the time-out that is given; nothing is written to the server, and nothing is read but its
greeting, its features and a listing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from homeport.advice.attempt import Attempt, Mode, Seen
from homeport.advice.diagnosis import diagnose

from . import trials
from .client import Gone
from .facts import attempt_of, changes_of, learned_from, meddling
from .survey import Endpoint, Survey, Trial, View
from .target import NameUnknown, Target, addresses_of
from .visit import Tls, Visit, VisitFailed, told_addresses

_RESETS = 3
"""So many control connections are tried before it is said that they break at the same command every time."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to probe."""

    timeout: float = 10.0
    """Seconds that anything is waited for."""
    tls: Tls = Tls.AUTO
    active_ports: range | None = None
    """Where we listen in active mode; None: any port."""
    modes: tuple[Mode, ...] = (Mode.PASV, Mode.EPSV, Mode.PORT, Mode.EPRT)


Say = Callable[[str], None]
"""Told what is being done, for who waits before a terminal."""


def probe(target: Target, wishes: Wishes, say: Say) -> Survey:
    """Try everything. Does not raise for anything that a server or the network does."""

    def survey(views: tuple[View, ...], problem: str | None = None) -> Survey:
        return Survey(
            target=target.shown, host=target.host, user=target.user, timeout=wishes.timeout, views=views,
            problem=problem,
        )  # fmt: skip

    try:
        addresses = addresses_of(target.host, wishes.timeout)
    except NameUnknown as error:
        return survey((), f"The name {target.host} could not be looked up: {error}.")
    return survey(tuple(_Prober(target, (one, target.port), wishes, say).view() for one in addresses))


class _Prober:
    """One address."""

    def __init__(self, target: Target, address: Endpoint, wishes: Wishes, say: Say) -> None:
        self._target = target
        self._address = address
        self._wishes = wishes
        self._say = say
        self._found = View(address=address)

    def view(self) -> View:
        self._say(f"connecting to {self._address[0]} port {self._address[1]}")
        visit = Visit(self._target, self._address, self._wishes.timeout, self._wishes.tls)
        try:
            visit.begin(careful=True)
            self._learn(visit)
            self._ask_around(visit)
        except VisitFailed as failure:
            if self._found.local is None:
                self._learn(visit)
            visit.close()
            return self._ended_early(failure)
        self._compare_with_plain(visit)
        self._try_all(visit).quit()
        return replace(self._found, changes=changes_of(self._found))

    # -- what there is ---------------------------------------------------------------------------------

    def _learn(self, visit: Visit) -> None:
        learned = visit.learned
        self._found = replace(
            self._found,
            local=learned.local,
            connect_seconds=learned.connect_seconds,
            greeting=learned.greeting.text if learned.greeting is not None else None,
            greeting_seconds=learned.greeting.seconds if learned.greeting is not None else 0.0,
            features=learned.features,
            protection=learned.protection,
            protection_problem=learned.protection_problem,
            welcome=str(learned.login) if learned.login is not None else None,
            logged_in=learned.logged_in,
        )

    def _ask_around(self, visit: Visit) -> None:
        """SYST, and STAT, in which many servers tell the addresses of both ends as they see them."""
        system = visit.ask("SYST")
        status = visit.ask("STAT")
        texts = tuple(
            "\n".join(heard.lines)
            for heard in (visit.learned.greeting, visit.learned.login, status)
            if heard is not None and heard.good
        )
        told, inside = told_addresses(texts, visit.control.local[0], visit.control.peer[0])
        self._found = replace(self._found, system=system.text if system.good else None, told=told, inside=inside)

    def _ended_early(self, failure: VisitFailed) -> View:
        found = replace(self._found, problem=str(failure))
        if isinstance(failure.cause, Gone) and failure.cause.reset and found.local is not None:
            attempt = replace(self._facts(Mode.DEFAULT, Seen.CONTROL_RESET), resets=self._same_again())
            found = replace(found, diagnosis=diagnose(attempt))
        return found

    def _same_again(self) -> tuple[int, ...]:
        """After how many commands the control connection breaks, each time that it is tried."""
        counts = []
        for _ in range(_RESETS):
            visit = Visit(self._target, self._address, self._wishes.timeout, self._wishes.tls)
            try:
                visit.begin()
            except VisitFailed as again:
                if not isinstance(again.cause, Gone) or visit.learned.local is None:
                    break
                counts.append(visit.control.sent)
            else:
                break
            finally:
                visit.close()
        return tuple(counts)

    # -- did somebody change it on the way? --------------------------------------------------------------

    def _compare_with_plain(self, visit: Visit) -> None:
        """PASV in clear, for a comparison with what it says encrypted, where no router can change it.

        Only with the name and password of everybody: no other is sent in clear without being asked to.
        """
        if visit.context is None or self._target.implicit or not self._target.anonymous or ":" in self._address[0]:
            return
        self._say("comparing what PASV says with and without TLS")
        plain = Visit(self._target, self._address, self._wishes.timeout, Tls.OFF)
        try:
            plain.begin()
            in_clear = trials.announced_in(plain.ask("PASV").text)
        except VisitFailed:
            return  # a server may well refuse to talk in clear, and then there is nothing to compare
        finally:
            plain.close()
        try:
            encrypted = trials.announced_in(visit.ask("PASV").text)
        except VisitFailed:
            return  # the trial of PASV will meet the same and tell it
        if in_clear is not None and encrypted is not None:
            found = meddling(self._found, in_clear[0], encrypted[0], self._wishes.timeout)
            self._found = replace(self._found, meddling=found)

    # -- the modes -----------------------------------------------------------------------------------------

    def _try_all(self, visit: Visit) -> Visit:
        for mode in self._modes():
            self._say(f"trying {mode.value}")
            trial = self._try(visit, mode)
            self._found = learned_from(replace(self._found, trials=(*self._found.trials, trial)), trial)
            if trial.bad:
                # Whatever the server still has to say about it must not be taken for an answer to what comes next.
                visit.close()
                visit = Visit(self._target, self._address, self._wishes.timeout, self._wishes.tls)
                try:
                    visit.begin()
                except VisitFailed as failure:
                    self._found = replace(self._found, problem=f"After {mode.value} had failed: {failure}")
                    return visit
        return visit

    def _modes(self) -> list[Mode]:
        if ":" not in self._address[0]:
            return list(self._wishes.modes)
        # PORT cannot name an IPv6 address (RFC 2428 §1). PASV comes last: there are routers that swallow the answer.
        modes = [mode for mode in self._wishes.modes if mode is not Mode.PORT]
        return sorted(modes, key=lambda mode: mode is Mode.PASV)

    def _try(self, visit: Visit, mode: Mode) -> Trial:
        if mode.passive:
            return trials.passive(visit, mode, self._facts, self._wishes.timeout)
        return trials.active(visit, mode, self._facts, self._wishes.timeout, self._wishes.active_ports)

    def _facts(self, mode: Mode, seen: Seen) -> Attempt:
        return attempt_of(self._found, mode, seen, self._wishes.timeout)
