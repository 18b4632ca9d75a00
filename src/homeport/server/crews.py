"""Crews: which workers there are, what they say, what becomes of those that die. All in the supervisor's thread.

One crew serves. Beside it there may be the next one, which a reload is waiting for, and workers of former ones that
drain. A worker that serves and dies is replaced: at once the first time, and the later the more often one in its place
has not lived long. A worker that was being started and dies has spoilt its crew.

A passive port is used by one worker at a time, for whoever accepts a connection must know whose it is. When a crew
takes over from another, each port follows as soon as no session of the old worker needs it: idle ones need none,
because they hear 421, and the others have their connection in a moment as a rule. Clients of the new worker
wait until it has a port, but not long.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from homeport.data.address import Rules
from homeport.events.bus import Bus
from homeport.events.types import Event

from .crew import Crew, Place, State, Worker
from .listening import StartError
from .loop import Loop
from .operation import GRACE
from .questions import Questions
from .reception import Reception

_log = logging.getLogger("homeport.server")

_STEADY_SECONDS = 10.0
"""A worker that lived so long was well."""
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until a worker is replaced, by how many in its place have not lived long."""
_PORT_SECONDS = 1.0
"""New workers have their passive ports at the latest then, even if sessions of old ones still need them."""
_LAST_SECONDS = 7 * 86400.0
"""For transfers in workers that drain after a reload: in effect all that they need."""
_DYING_SECONDS = 2.0
"""For a process whose sockets are closed."""
_LOOK = 0.02
"""Seconds between two looks at a process that is ending."""
_MESSAGES_AT_ONCE = 64


class Crews:
    """See the head of this module."""

    def __init__(
        self,
        loop: Loop,
        news: Loop,
        reception: Reception,
        subscribers: Bus,
        warn: Callable[[str], None],
        empty: Callable[[], None],
    ) -> None:
        """*loop* is the supervisor's thread, *news* the one in which *subscribers* hear of events. *empty* is called
        when the last worker has ended after `stopping` was set.
        """
        self._loop = loop
        self._news = news
        self._reception = reception
        self._subscribers = subscribers
        self._warn = warn
        self._empty = empty
        self.questions = Questions(loop, self.working)
        self.changed = threading.Condition()
        """Somebody may wait, in another thread, for a crew to be ready."""
        self.current: Crew | None = None
        """The one that serves."""
        self._next: Crew | None = None
        self._draining: set[Worker] = set()
        self._ending: set[Worker] = set()
        """Whose process, or whose last words, are still waited for: all that have not ended altogether."""
        self.stopping = False

    # -- what the supervisor asks for ------------------------------------------------------------------------

    def every(self) -> list[Worker]:
        """All that have not ended."""
        return [worker for worker in list(self._ending) if worker.state is not State.GONE]

    def working(self) -> list[Worker]:
        """Those that have sessions, or may have."""
        return [worker for worker in list(self._ending) if worker.state in (State.SERVING, State.DRAINING)]

    @property
    def ended(self) -> bool:
        """Whether there is none any more."""
        return not self._ending

    def start(self, crew: Crew) -> None:
        """Start the workers of *crew*, the next one. Raises StartError."""
        self._next = crew
        for index in range(len(crew.shares)):
            try:
                self._enlist(crew, index)
            except OSError as error:
                raise StartError(f"The system refuses to start a worker: {error}") from error
            except Exception as error:  # pickling calls code of whoever embeds the server
                raise StartError(f"What the workers need cannot be handed to another process: {error}") from error

    def dismiss(self, crew: Crew) -> None:
        """End the workers of a *crew* that did not come about."""
        if self._next is crew:
            self._next = None
        for worker in crew.workers.values():
            kill(worker)

    def serve(self, crew: Crew) -> None:
        """From now on new clients are those of *crew*, which is ready; the one before drains."""
        old, self.current, self._next = self.current, crew, None
        for worker in old.workers.values() if old is not None else ():
            self._reception.relieve(worker)
            if worker.state is State.STARTING or not worker.order(("stop", _LAST_SECONDS)):
                kill(worker)
            else:
                worker.state = State.DRAINING
                self._draining.add(worker)
        for worker in crew.workers.values():
            self._engage(crew, worker)

    def stop(self, seconds: float) -> None:
        """Let all workers drain for *seconds*, and then end."""
        self.stopping = True
        for worker in self.every():
            if worker.state is State.STARTING or not worker.order(("stop", seconds)):
                kill(worker)
        self._loop.at(time.monotonic() + seconds + 3 * GRACE, self._lose_patience)
        self._look_whether_empty()

    def end(self) -> None:
        """End all workers at once."""
        self.stopping = True
        for worker in self.every():
            kill(worker)
        self._look_whether_empty()

    def relay(self) -> None:
        """Somebody wants to hear of events from now on."""
        for crew in (self.current, self._next):
            if crew is not None:
                crew.brief = replace(crew.brief, relay=True, commands=crew.brief.commands or self._subscribers.commands)
        for worker in self.every():
            worker.order(("relay",))

    def spread(self, rules: Rules) -> None:
        """New rules for PASV."""
        if self.current is not None:
            self.current.brief = replace(self.current.brief, rules=rules)
        for worker in self.every():
            worker.order(("rules", rules))

    def _lose_patience(self) -> None:
        for worker in self.every():
            self._warn(f"The worker {worker.process.pid} did not end in time, and was killed.")
            kill(worker)

    # -- one worker --------------------------------------------------------------------------------------------

    def _enlist(self, crew: Crew, index: int) -> None:
        worker = crew.workers[index] = Worker(crew.brief, index)
        self._ending.add(worker)
        self._loop.watch(worker.line.fileno(), partial(self._heard, crew, worker))
        self._news.call(partial(self._news.watch, worker.news.fileno(), partial(self._told, worker)))

    def _heard(self, crew: Crew, worker: Worker) -> None:
        for _ in range(_MESSAGES_AT_ONCE):
            try:
                message, _ = worker.line.receive()
            except BlockingIOError:
                return
            except (EOFError, OSError):
                self._lost(crew, worker)
                return
            self._answer(crew, worker, message)

    def _answer(self, crew: Crew, worker: Worker, message: object) -> None:
        match message:
            case ("ready",):
                worker.state = State.SERVING
                if crew is self.current:
                    self._engage(crew, worker)
                self._tell_change()
            case ("failed to start", str(text)):
                worker.fault = text
            case ("retired", list(places)):
                self._free(worker, {(address, number) for address, number in places})
            case (("part" | "answer") as kind, int(question), value):
                self.questions.answered(question, worker, value, more=kind == "part")
            case _:
                answer = self._reception.heard(worker, message)
                if answer is not None:
                    try:
                        worker.line.send(answer[0])
                    except OSError as error:
                        _log.debug("a worker does not hear the answer: %s", error)

    def _told(self, worker: Worker) -> None:
        """In the thread of the news."""
        for _ in range(_MESSAGES_AT_ONCE):
            try:
                news, _ = worker.news.receive()
            except BlockingIOError:
                return
            except (EOFError, OSError):
                self._news.forget(worker.news.fileno())
                worker.news.close()
                self._loop.call(partial(self._ended, worker))
                return
            if isinstance(news, Event):
                self._subscribers.publish(news)
            elif isinstance(news, logging.LogRecord):
                logging.getLogger(news.name).handle(news)

    # -- passive ports -----------------------------------------------------------------------------------------

    def _engage(self, crew: Crew, worker: Worker) -> None:
        """Let *worker*, which is ready, have of its ports what is free, and clients as soon as that is enough."""
        taken = {place for old in self._draining for place in old.ports}
        share = crew.shares[worker.index]
        self._lend(crew, worker, share.keys() - taken)
        if share.keys() & taken:
            self._loop.at(time.monotonic() + _PORT_SECONDS, partial(self._lend_all, crew))

    def _lend(self, crew: Crew, worker: Worker, places: set[Place]) -> None:
        if self.stopping:
            return
        share = crew.shares[worker.index]
        if not worker.lend({place: share[place] for place in places}):
            self._loop.at(time.monotonic() + _LOOK, partial(self._lend_again, crew, worker, places))
        if {address for address, _ in share} == {address for address, _ in worker.ports}:
            self._reception.take_on(worker)

    def _lend_again(self, crew: Crew, worker: Worker, places: set[Place]) -> None:
        """It had not read what had been said to it before."""
        if worker.state is State.SERVING:
            self._lend(crew, worker, places)

    def _lend_all(self, crew: Crew) -> None:
        """Do not wait any longer for sessions that still need a port."""
        if crew is self.current:
            for worker in crew.workers.values():
                if worker.state is State.SERVING:
                    self._lend(crew, worker, set(crew.shares[worker.index]))

    def _free(self, worker: Worker, places: set[Place]) -> None:
        """*worker* needs these ports no longer."""
        worker.ports -= places
        crew = self.current
        for other in crew.workers.values() if crew is not None else ():
            if crew is not None and other is not worker and other.state is State.SERVING:
                freed = places & crew.shares[other.index].keys()
                if freed:
                    self._lend(crew, other, freed)

    # -- a worker's end ----------------------------------------------------------------------------------------

    def _lost(self, crew: Crew, worker: Worker) -> None:
        """The sockets of *worker* are closed: it has ended, or is about to."""
        self._loop.forget(worker.line.fileno())
        worker.close()
        before, worker.state = worker.state, State.GONE
        sessions = self._reception.bury(worker)
        self.questions.gone(worker)
        if crew.workers.get(worker.index) is worker:
            del crew.workers[worker.index]
        self._draining.discard(worker)
        self._free(worker, set(worker.ports))
        self._reap(worker, time.monotonic() + _DYING_SECONDS, partial(self._mourn, crew, worker, before, sessions))

    def _reap(self, worker: Worker, until: float, then: Callable[[], None]) -> None:
        """Wait for the process itself, without waiting; call *then* at *until* at the latest."""
        if worker.process.poll() is None:
            if time.monotonic() >= until:
                worker.process.kill()
                then()
                then, until = _nothing, float("inf")
            self._loop.at(time.monotonic() + _LOOK, partial(self._reap, worker, until, then))
            return
        then()
        self._ended(worker)

    def _ended(self, worker: Worker) -> None:
        """The process of *worker* has ended, or its last words were heard."""
        if worker.state is State.GONE and worker.process.returncode is not None and worker.news.fileno() < 0:
            self._ending.discard(worker)
            self._look_whether_empty()

    def _look_whether_empty(self) -> None:
        if self.stopping and not self._ending:
            self._empty()

    def _mourn(self, crew: Crew, worker: Worker, before: State, sessions: int) -> None:
        """Draw the consequences of a death."""
        how = _how(worker.process.returncode)
        if self.stopping:
            return
        if crew is self._next:
            crew.fault = crew.fault or worker.fault or f"A worker {how} before it was ready."
            self._tell_change()
        elif crew is self.current:
            pause = self._pause(crew, worker)
            why = f": {worker.fault}" if worker.fault else ""
            when = f"in {pause:g} seconds" if pause else "at once"
            self._warn(
                f"Worker {worker.index + 1} (process {worker.process.pid}) {how}{why}; {_of(sessions)} lost. "
                f"It is replaced {when}."
            )
            self._replace_later(crew, worker.index, pause)
        elif before is State.DRAINING and worker.process.returncode:
            self._warn(f"A worker that drained (process {worker.process.pid}) {how}; {_of(sessions)} lost.")

    def _pause(self, crew: Crew, worker: Worker) -> float:
        """Seconds until there is another one in its place."""
        if time.monotonic() - worker.since >= _STEADY_SECONDS:
            crew.deaths[worker.index] = 0
        pause = _PAUSES[min(crew.deaths[worker.index], len(_PAUSES) - 1)]
        crew.deaths[worker.index] += 1
        return pause

    def _replace_later(self, crew: Crew, index: int, pause: float) -> None:
        if pause:
            self._loop.at(time.monotonic() + pause, partial(self._replace, crew, index))
        else:
            self._replace(crew, index)

    def _replace(self, crew: Crew, index: int) -> None:
        if crew is not self.current or self.stopping:
            return
        try:
            self._enlist(crew, index)
        except OSError as error:
            self._warn(f"The system refuses to start a worker, which is tried again: {error}")
            self._replace_later(crew, index, _PAUSES[-1])

    def _tell_change(self) -> None:
        with self.changed:
            self.changed.notify_all()


def kill(worker: Worker) -> None:
    """End its process now. What follows is as with every other death."""
    if worker.process.poll() is None:
        worker.process.kill()


def _how(code: int | None) -> str:
    """What is to be said of a process with this returncode."""
    if code is None:
        return "does not end"
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _of(sessions: int) -> str:
    return "no session was" if not sessions else "1 session was" if sessions == 1 else f"{sessions} sessions were"


def _nothing() -> None:
    """Nothing is left to do."""
