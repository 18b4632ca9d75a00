"""SharedPost: which thread waits for all sessions, and how it is relieved of it.

Leaders and followers. One thread holds the post: it waits for all sessions at once and carries out what they ask,
itself, one after the other. A small command costs no hand-over between threads that way, and since only one thread
runs, nobody contends for the interpreter's lock. But whoever holds the post must not wait for anything else while
others need it. Three things see to that:

* All waits of a session go through `ready`, which waits for the session's descriptors *and* for the selector of all
  the others. If the others are first, the post is handed on to another thread, and this one only waits for its own.
* Work that takes long by nature (a password hash, a handshake while others wait) calls `give_way` or `make_way` before.
* What takes long by surprise (a disk that hangs) is seen by the deputy (`deputy.py`), who relieves the holder.

Handing on is an offer: the post is another's when that one has come and taken it, and not before. Where the system has
no thread to spare, who offers it keeps it, and serves the others when it is through with its own; so there is always
somebody who holds it. A thread that was relieved finishes what it does as any other thread would, and then goes to the
pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from threading import get_ident

from homeport.data.readiness import ready, stirs

from .deputy import Deputy

NOBODY = 0


class SharedPost:
    """A `data.post.Post` that the lobby fills. Until it does, nobody holds it, and nothing is shared."""

    __slots__ = (
        "_deputy", "_hand_on", "_last", "_seconds_left", "_wanted", "holder", "lock", "offered", "selector", "work",
    )  # fmt: skip

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Is held, and the holder checked, by who changes `holder`, `work` or `offered`."""
        self.holder = NOBODY
        """The identity of the thread (`threading.get_ident`)."""
        self.work = 0
        """The number of the piece of work that it does; 0 while it does none, or waits as it should."""
        self.offered = False
        """Whether the holder does without it, or is to: the next thread that comes takes it."""
        self._last = 0
        self._deputy: Deputy | None = None
        self.selector = -1
        """A descriptor that is readable while a session or a listening socket has input; -1: there is none."""
        self._hand_on: Callable[[], None] = _nothing
        self._wanted: Callable[[], bool] = _never
        self._seconds_left: Callable[[], float] = _forever

    def open(
        self,
        selector: int,
        hand_on: Callable[[], None],
        wanted: Callable[[], bool],
        seconds_left: Callable[[], float],
        deputy: Deputy,
    ) -> None:
        """*wanted*: whether something waits for the holder already; *seconds_left*: until something is due."""
        self._deputy = deputy
        self.selector = selector
        self._hand_on = hand_on
        self._wanted = wanted
        self._seconds_left = seconds_left

    def begin(self) -> None:
        """The holder begins, or goes on with, a piece of work."""
        self._last += 1
        self.work = self._last
        deputy = self._deputy
        if deputy is not None and deputy.asleep:
            deputy.wake()

    def end(self) -> bool:
        """The piece of work is done. Whether this thread holds the post still: what it has offered it keeps then."""
        lock = self.lock
        lock.acquire()  # `with` costs a third more, and this is part of every command
        mine = self.holder == get_ident()
        if mine:
            self.work = 0
            self.offered = False
        lock.release()
        return mine

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        if self.holder != get_ident() or not self._waits():
            return ready(reading, writing, seconds)
        until = time.monotonic() + seconds
        if self.selector >= 0 and not self._wanted():
            found = ready((*reading, self.selector), writing, min(seconds, self._seconds_left()))
            others = self.selector in found
            if others:
                found.remove(self.selector)
            if found or (not others and time.monotonic() >= until):
                self.begin()
                return found  # the others have their turn in a moment
        self._hand_on()
        return ready(reading, writing, until - time.monotonic())

    def _waits(self) -> bool:
        """The holder is about to wait, which is no reason to relieve it; False: it is being relieved just now."""
        with self.lock:
            if self.holder != get_ident() or self.offered:
                return False
            self.work = 0
        return True

    def make_way(self, descriptor: int = -1) -> bool:
        if self.holder == get_ident():
            if self.selector >= 0 and not self._wanted():
                found = ready((descriptor, self.selector), (), 0.0)
                if self.selector in found:
                    self._hand_on()
                return descriptor in found
            self._hand_on()
        return descriptor >= 0 and stirs(descriptor)

    def give_way(self) -> None:
        if self.holder == get_ident():
            self._hand_on()


def _nothing() -> None:
    """Hands on nothing."""


def _never() -> bool:
    return False


def _forever() -> float:
    return float("inf")
