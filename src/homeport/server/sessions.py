"""Sessions: those under way. Each is worked for by a thread, or parked in the lobby while it waits for its client.

Whoever holds a conversation works for it alone: a thread, or the lobby, or nobody (then it is over). The table
here only knows that they exist. From outside a session is ended with `end`, which lets its waits return;
whoever holds it does the rest.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Protocol

from homeport.events.bus import Bus
from homeport.events.types import CloseReason, Failed
from homeport.session.services import Clock
from homeport.session.state import Session

from .lobby import Lobby
from .post import SharedPost
from .threads import Threads

_log = logging.getLogger("homeport.server")


class Talk(Protocol):
    """What is asked of a conversation (`session.conversation.Conversation`)."""

    @property
    def session(self) -> Session: ...

    @property
    def busy(self) -> bool: ...

    @property
    def deadline(self) -> float: ...

    @property
    def beside(self) -> int: ...

    @property
    def sending(self) -> bool: ...

    @property
    def waiting(self) -> bool: ...

    def fileno(self) -> int: ...

    def run(self) -> bool: ...

    def proceed(self) -> bool: ...

    def expire(self) -> bool: ...

    def end(self, reason: CloseReason) -> None: ...


class Sessions:
    """The conversations under way, the threads and the lobby."""

    def __init__(
        self,
        threads: Threads,
        left: Callable[[Talk], None],
        events: Bus,
        clock: Clock,
        post: SharedPost | None = None,
    ) -> None:
        """*left* is called, in whatever thread, for every conversation that is over; *post* is what they wait by."""
        self._threads = threads
        self._left = left
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()  # taken as such: through the condition it costs a call in Python
        self._changed = threading.Condition(self._lock)
        self._under_way: dict[int, tuple[Talk, socket.socket, int]] = {}
        self.lobby: Lobby[Talk] = Lobby(
            threads.submit, self._work, self._expire, clock=clock.monotonic, post=post, proceed=self._proceed
        )

    def __len__(self) -> int:
        return len(self._under_way)

    def all(self) -> list[Talk]:
        """Those under way at this moment, the oldest first."""
        with self._lock:
            return [talk for talk, _, _ in self._under_way.values()]

    def get(self, number: int) -> Talk | None:
        """The one with this *number*, if it is under way."""
        entry = self._under_way.get(number)
        return entry[0] if entry is not None else None

    def begin(self, talk: Talk, connection: socket.socket) -> None:
        """Run *talk*, which owns *connection*, from now to its end."""
        with self._lock:
            self._under_way[talk.session.number] = (talk, connection, connection.fileno())
        if not self.lobby.welcome(talk):  # the server has been stopped in this very moment
            connection.close()
            self._leave(talk)

    def dismiss(self) -> None:
        """End all that are between two commands; what is being carried out may finish."""
        for talk in self.all():
            if not talk.busy:
                talk.end(CloseReason.SHUTDOWN)

    def end_all(self) -> None:
        """End all sessions, whatever they do."""
        for talk in self.all():
            talk.end(CloseReason.SHUTDOWN)

    def sever(self) -> None:
        """Cut all control connections, so that not even the last reply is waited for."""
        with self._lock:
            connections = [connection for _, connection, _ in self._under_way.values()]
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed in the meantime, which is what was wanted

    def wait_until_over(self, timeout: float) -> bool:
        """Wait until none is under way, at most *timeout* seconds; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._under_way, timeout)

    def resume(self, talk: Talk) -> None:
        """Go on with *talk*, which was parked and is the caller's now, in another thread."""
        self._threads.submit(partial(self._work, talk))

    # -- in the thread that works for it -------------------------------------------------------------

    def _work(self, talk: Talk, first: Callable[[], bool] | None = None) -> None:
        """*first* is what *talk* is to do; by default it has input."""
        try:
            going_on = talk.run() if first is None else first()
            while going_on:
                try:
                    if self.lobby.park(talk):
                        return
                    # The lobby is closed: the server stops. It hears so in its next round.
                    talk.end(CloseReason.SHUTDOWN)
                except OSError:
                    talk.end(CloseReason.LOST)
                going_on = talk.run()
        except BaseException as error:  # noqa: BLE001 - is published with its trace; who calls sys.exit ends only this
            self._failed(talk, error)
        self._leave(talk)

    def _proceed(self, talk: Talk) -> None:
        self._work(talk, talk.proceed)

    def _expire(self, talk: Talk) -> None:
        self._work(talk, talk.expire)

    def _failed(self, talk: Talk, error: BaseException) -> None:
        """A conversation closes itself even then; what happened must not be lost."""
        identity = secrets.token_hex(4)
        _log.error("session %d failed (%s)", talk.session.number, identity, exc_info=error)
        self._events.publish(Failed(
            at=self._clock.time(), session=talk.session.number, id=identity, text=f"{type(error).__name__}: {error}",
            trace="".join(traceback.format_exception(error)),
        ))  # fmt: skip

    def _leave(self, talk: Talk) -> None:
        self._left(talk)
        with self._lock:
            entry = self._under_way.pop(talk.session.number, None)
            if entry is not None:
                self.lobby.leave(talk, entry[2])
            if not self._under_way:
                self._changed.notify_all()
