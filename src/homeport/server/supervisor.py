"""Supervisor: a server of several processes, from its start to its stop. Serves no session itself.

It has what there is once (`premises.py`), lets clients in and counts them (`reception.py`), and sees to it that there
are as many workers as there should be (`crews.py`). All of that is done in one thread, which waits for nobody; whoever
wants something from all workers asks from another one. A second thread hands on the events that workers tell, so
that a slow subscriber holds up nobody but those who have something to tell.

A reload opens what is new and starts the new workers first. When all are ready, new clients go to them and the
old ones drain as in a stop. What is wrong with the new ones leaves all as it was.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from homeport.data.address import Rules
from homeport.events.bus import Bus
from homeport.events.types import Event, ServerStarted, ServerStopped, ServerStopping, Warned
from homeport.net.listener import Listener
from homeport.net.store import Status
from homeport.session.services import Clock

from .answers import Answers
from .blackboard import Blackboard
from .brief import Brief
from .build import ChooseProviders, facts_of, fresh_key, policy_of, reopen_all
from .config import Config
from .console import Console
from .crew import Crew, Place, nameless_file
from .crews import Crews
from .door import Door
from .listening import StartError
from .loop import Loop
from .operation import GRACE
from .premises import Premises, open_premises
from .reception import Reception
from .view import SessionView
from .workers import SLOT_OCTETS, SLOTS, count_of, most_workers, slices

_log = logging.getLogger("homeport.server")

START_SECONDS = 60.0
"""For all workers to be ready."""
_STOPPING = "The server is stopping."


class Supervisor:
    """A server that runs as soon as it is made. May be asked from any thread, as an `Operation`."""

    def __init__(self, config: Config, events: Bus, providers: ChooseProviders | None = None) -> None:
        """Start. Raises StartError, OSError or RuntimeError, and has left nothing then."""
        self._clock = Clock()
        self._started = self._clock.time()
        self._subscribers = events
        self._key = fresh_key()
        self._reloading = threading.Lock()
        self._stops = False
        self._over = threading.Event()
        self._own = Bus()
        """For what the supervisor itself has to tell."""
        self._own.subscribe(self._forward)
        self._premises: Premises | None = None
        self._door: Door | None = None
        self._console: Console | None = None
        self._whole = True
        """Whether all has ended that was to end."""
        self._finishing = False
        with ExitStack() as undo:
            self._memory = undo.enter_context(nameless_file())
            self._memory.truncate(SLOTS * SLOT_OCTETS)
            blackboard = Blackboard(self._memory.fileno())
            undo.callback(blackboard.close)
            # The news stop after the loop, and tell all that was to be told.
            self._news = Loop("homeport-news")
            undo.callback(self._news.stop, GRACE)
            self._loop = Loop("homeport-supervisor")
            undo.callback(self._loop.stop, GRACE)
            self._reception = Reception(config, self._own, self._clock, lambda: not self._stops, blackboard)
            self._crews = Crews(self._loop, self._news, self._reception, events, self._warn, self._finish)
            self._news.start()
            self._loop.start()
            self._closing = undo.pop_all()
        try:
            self._begin(config, providers)
        except BaseException:
            self._abandon()
            raise
        self._own.publish(ServerStarted(
            at=self._clock.time(), addresses=self.addresses, passive_ports=self.passive_ports,
        ))  # fmt: skip

    # -- what an operation can be asked ----------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the stop is complete."""
        return self._over.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the stop is complete, which somebody else asks for; whether it is."""
        return self._over.wait(timeout)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where clients connect."""
        return self._premises.places if self._premises is not None else ()

    @property
    def passive_ports(self) -> tuple[int, ...]:
        """Those of all workers."""
        crew = self._crews.current
        return tuple(sorted({place[1] for share in crew.shares for place in share})) if crew is not None else ()

    def certificates(self) -> tuple[Status, ...]:
        """What is shown to clients, the first to those that name no host."""
        certification = self._premises.certification if self._premises is not None else None
        return certification.store.statuses(datetime.now(UTC)) if certification is not None else ()

    def view(self) -> tuple[SessionView, ...]:
        """The sessions under way in all workers, in the order in which they came."""
        return self._crews.questions.views()

    def kick(self, number: int) -> bool:
        """End the session with this *number*; whether there is one."""
        return self._crews.questions.kick(number)

    def reopen_logs(self) -> None:
        """Go on in new log files of the same names, in every worker. Raises OSError."""
        if self._premises is not None:
            reopen_all(self._premises.logs)
        self._crews.questions.reopen()

    def hear(self) -> None:
        """Somebody has subscribed: workers are to tell of events."""
        self._loop.call(self._crews.relay)

    # -- start and reload, in the caller's thread ------------------------------------------------------------

    def reload(self, config: Config, providers: ChooseProviders | None = None) -> None:
        """Serve as *config* says from now on; who is connected finishes under the old one (see the head).

        Returns when new clients are served so. Raises StartError, and nothing has changed then.
        """
        with self._reloading:
            self._begin(config, providers)

    def _begin(self, config: Config, providers: ChooseProviders | None) -> None:
        """Start what *config* asks for, and let it take the place of what there was."""
        former = self._premises
        premises = open_premises(config, count_of(config.server.workers), self._own, self._spread, former)
        try:
            crew = self._ready_crew(premises, providers)
            self._in_the_loop(partial(self._switch, crew, premises))
        except BaseException:
            premises.leave(former)
            raise
        try:
            premises.enter()
        except (OSError, RuntimeError) as error:
            if former is None:
                raise
            self._warn(f"Not all of the new configuration is in use: the system refuses what it needs ({error}).")

    def _ready_crew(self, premises: Premises, providers: ChooseProviders | None) -> Crew:
        """New workers for *premises*, all of them ready. Raises StartError, and there are none then."""
        crew = Crew(self._brief_of(premises, providers), self._shares(premises))
        changed = self._crews.changed
        try:
            self._in_the_loop(partial(self._crews.start, crew))
            with changed:
                changed.wait_for(lambda: crew.complete or crew.fault or self._stops, START_SECONDS)
            if not crew.complete:
                late = f"The workers were not ready within {START_SECONDS:g} seconds."
                raise StartError(crew.fault or (_STOPPING if self._stops else late))  # noqa: TRY301 - undone below
        except BaseException:
            self._loop.call(partial(self._crews.dismiss, crew))
            raise
        return crew

    def _shares(self, premises: Premises) -> list[dict[Place, Listener]]:
        wanted = count_of(premises.config.server.workers)
        count = most_workers(premises.passive, wanted)
        if count < wanted:
            self._warn(
                f"There can be {count} workers and not {wanted}: each needs a passive port on every address. Let there "
                "be more ports (data.passive_ports), or fewer workers (server.workers)."
            )
        return [
            {(address, one.getsockname()[1]): one for address, ones in share.items() for one in ones}
            for share in slices(premises.passive, count)
        ]

    def _brief_of(self, premises: Premises, providers: ChooseProviders | None) -> Brief:
        return Brief(
            config=premises.config,
            port=premises.port,
            addresses=tuple(premises.addresses),
            rules=premises.announcement.rules,
            key=self._key,
            providers=providers,
            memory=self._memory.fileno(),
            level=logging.getLogger("homeport").getEffectiveLevel(),
            relay=not self._subscribers.silent,
            commands=premises.config.log.commands or self._subscribers.commands,
        )

    def _in_the_loop(self, action: Callable[[], None]) -> None:
        """Have *action* done in the supervisor's thread, and wait for it. Raises what it does, and StartError."""
        done = threading.Event()
        errors: list[BaseException] = []

        def act() -> None:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - is raised where it was asked for
                errors.append(error)
            finally:
                done.set()

        if not self._loop.call(act):
            raise StartError(_STOPPING)
        done.wait()
        if errors:
            raise errors[0]

    def _abandon(self) -> None:
        """Undo a start that failed. Nothing had started, so nobody hears that it stops."""
        self._stops = True
        self._own.unsubscribe(self._forward)
        self._loop.call(self._end)
        self._over.wait(4 * GRACE)

    # -- the stop ------------------------------------------------------------------------------------------

    def stop(self, timeout: float) -> bool:
        """As `Operation.stop`: drain for *timeout* seconds at most, then end everything; a second call ends at once."""
        first, self._stops = not self._stops, True
        with self._crews.changed:
            self._crews.changed.notify_all()
        self._loop.call(partial(self._drain if first else self._hurry, timeout))
        if self._loop.owns_current() or self._news.owns_current():
            return False
        return self._over.wait(timeout + 6 * GRACE) and self._whole

    def _drain(self, seconds: float) -> None:
        self._own.publish(ServerStopping(at=self._clock.time(), sessions=self._reception.total))
        self._shut()
        self._order_to_stop(seconds)

    def _hurry(self, _: float) -> None:
        self._order_to_stop(0.0)

    def _order_to_stop(self, seconds: float) -> None:
        self._loop.at(time.monotonic() + seconds + 4 * GRACE, self._finish)
        self._crews.stop(seconds)

    def _end(self) -> None:
        self._shut()
        self._loop.at(time.monotonic() + 2 * GRACE, self._finish)
        self._crews.end()

    def _shut(self) -> None:
        """Let nobody in any more."""
        self._reception.stopping = True
        if self._door is not None:
            self._door.close()
        # The door's are doubles of these, and who connects is to be refused as long as it takes.
        for listener in self._premises.control if self._premises is not None else ():
            listener.close()
        self._reception.give_up()

    def _finish(self) -> None:
        """All workers have ended, or are waited for no longer."""
        if self._finishing:
            return
        self._finishing = True
        self._whole = self._crews.ended
        # The console answers until now: a drain may take long, and somebody may want to see what it waits for.
        if self._console is not None:
            self._console.close()
        self._own.publish(ServerStopped(at=self._clock.time()))
        self._loop.stop(0.0)
        # A router is waited for, so that is done in a thread of its own.
        threading.Thread(target=self._close, name="homeport-stop", daemon=True).start()

    def _close(self) -> None:
        try:
            self._closing.close()
            with self._reloading:  # one that is under way gives up, or has just come to its end
                if self._premises is not None:
                    self._premises.leave()
        finally:
            self._over.set()

    # -- in the supervisor's thread --------------------------------------------------------------------------

    def _switch(self, crew: Crew, premises: Premises) -> None:
        """New clients are those of *crew* from now on."""
        if self._stops:
            self._crews.dismiss(crew)
            raise StartError(_STOPPING)
        former, self._premises = self._premises, premises
        for log in former.logs if former is not None else ():
            self._own.unsubscribe(log)
        for log in premises.logs:
            self._own.subscribe(log)
        if premises.config.log.commands:
            self._subscribers.commands = True
        self._reception.configure(premises.config)
        self._crews.serve(crew)
        if former is None or premises.control != former.control:
            door, self._door = self._door, self._new_door(premises)
            self._door.open()
            if door is not None:
                door.close()
        if former is None or premises.console is not former.console:
            if self._console is not None:
                self._console.close()
            self._console = self._new_console(premises)

    def _new_door(self, premises: Premises) -> Door:
        # The door closes its sockets, and others may be in use further; so it gets doubles.
        doubles = []
        for one in premises.control:
            doubles.append(Listener(one.family, os.dup(one.fileno())))
            doubles[-1].setblocking(False)
        return Door(doubles, self._loop, self._reception.admit, self._warn, time.monotonic)

    def _new_console(self, premises: Premises) -> Console | None:
        if premises.console is None:
            return None
        answers = Answers(self, self._facts, self._started)
        console = Console(premises.console, self._loop, _beside, answers, time.monotonic)
        console.open()
        return console

    def _facts(self) -> dict[str, object]:
        """For the console; in a thread of its own."""
        premises = self._premises
        if premises is None:
            return {}
        policy = policy_of(premises.config, premises.port)
        workers = [
            {"pid": worker.process.pid, "state": worker.state.name.lower(), "sessions": worker.sessions,
             "passive_ports": sorted({number for _, number in worker.ports})}
            for worker in self._crews.every()
        ]  # fmt: skip
        return {
            **facts_of(premises.config, policy, premises.announcement.rules, premises.outside),
            "workers": sorted(workers, key=lambda one: str(one["pid"])),
        }

    def _spread(self, rules: Rules) -> None:
        """New rules for PASV, in whatever thread."""
        self._loop.call(partial(self._crews.spread, rules))

    def _forward(self, event: Event) -> None:
        """To the subscribers, among what workers tell: in order, and without waiting for them."""
        if not self._subscribers.silent:
            self._news.call(partial(self._subscribers.publish, event))

    def _warn(self, text: str) -> None:
        self._own.publish(Warned(at=self._clock.time(), text=text))


def _beside(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="homeport-console", daemon=True).start()
