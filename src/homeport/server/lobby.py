"""Lobby: where sessions wait for their clients, and the one thread that waits for all of them.

A session between two commands has nothing on a stack that is worth keeping. It is parked here: an entry in a table,
a deadline, and its descriptor in one selector. When it has input (or is at its end), the thread that waits carries its
command out itself; when its deadline passes, it is told so. Which thread that is changes (`post.py`): who has to wait
for something else hands the post on to a thread of the pool, and the deputy relieves one that takes too long. If that
happens again and again, as with a disk that is slow for everything, each command gets a thread of its own for a while.

Nobody has the thread for himself. A session that has more to do than a turn takes says so (`Guest.waiting`) and comes
again after all the others. What is late because the whole process stood still is no client's fault: what has come in is
looked at before a deadline is.

A session whose transfer waits for its client is parked, too, and its data connection is waited for beside it. It is not
idle: it expires when the transfer stalls, and a stop lets it finish.

A session that is not parked may still have input, which whoever works for it reads. So its descriptor stays in the
selector all the time, and is taken out only when it makes noise while nobody here may listen to it.

The same thread keeps watch over listening sockets and calls what is to be called at some time. It sleeps until the
earliest deadline, however many sessions are parked, and does not wake up for anything else. Who parks need not wake
it: the new deadline is put into the table, and only if it is earlier than what the thread sleeps for (which idle
deadlines, being all of a length, hardly ever are) is the thread told.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Final, Generic

from . import readiness
from .deadlines import Deadlines, due_time
from .deputy import Deputy
from .guest import G, Place
from .post import NOBODY, SharedPost
from .readiness import Readiness

_log = logging.getLogger("homeport.server")

_NEVER: Final = float("inf")
_BUSY_SECONDS: Final = 1.0
"""Between two looks at the deadline of a guest who is at work."""
_SOONER: Final = 0.5
"""A deadline that is this much earlier than its bucket moves at once."""
_SLOW_AT_ONCE: Final = 4
_SLOW_WITHIN: Final = 1.0
_SLOW_SECONDS: Final = 5.0
"""So many pieces of work that took too long, within so many seconds: for how many seconds each then has a thread."""
_PAUSE = 0.1
"""Before the next try, where the waiting itself has failed."""


class Lobby(Generic[G]):
    """Guests, watched sockets and timers, all waited for by one thread at a time."""

    def __init__(
        self,
        submit: Callable[[Callable[[], None]], None],
        resume: Callable[[G], None],
        expire: Callable[[G], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        watcher: Readiness | None = None,
        post: SharedPost | None = None,
        proceed: Callable[[G], None] | None = None,
    ) -> None:
        """*submit* has something carried out in another thread. *resume* gets a guest that has input, *proceed* one
        whose descriptor beside is ready, *expire* one whose deadline has passed; all do what is to be done with it.
        Opens the selector's descriptors; `stop` closes them.
        """
        self._submit = submit
        self._resume = resume
        self._proceed = proceed if proceed is not None else resume
        self._expire = expire
        self._clock = clock
        self._readiness = watcher if watcher is not None else readiness.best()
        self._lasting = self._readiness.lasting
        self._places: dict[int, Place[G]] = {}  # by descriptor
        self._beside: dict[int, Place[G]] = {}  # by that of a data connection; no number is in both
        self._deadlines: Deadlines[Place[G]] = Deadlines()
        self._watched: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._alarm = _NEVER  # when something is due
        self._batch: deque[int | Callable[[], None]] = deque()  # what the holder of the post has still to do
        self._again: list[int] = []  # who is to have another turn
        self._summoned = True  # a thread has been asked to take the post, and has not come yet
        self._slow: deque[float] = deque(maxlen=_SLOW_AT_ONCE)
        self._slow_until = 0.0
        self._open = True
        self._running = True
        self._started = False
        self._over = threading.Event()
        self._post = post = post if post is not None else SharedPost()
        self._lock = post.lock
        self._deputy = Deputy(post, self._relieve)
        post.open(self._readiness.fileno(), self._hand_on, self._is_wanted, self._seconds_left, self._deputy)

    def __len__(self) -> int:
        """How many guests are parked."""
        with self._lock:
            return sum(place.parked for place in self._places.values())

    def start(self) -> None:
        """Have the lobby served from now on. Raises RuntimeError if the system refuses a thread."""
        self._deputy.start()
        self._post.offered = self._started = True
        try:
            self._submit(self._live)
        except BaseException:
            self._started = False
            raise

    # -- guests ------------------------------------------------------------------------------------------

    def welcome(self, guest: G) -> bool:
        """Resume *guest*, a new one, as soon as the thread comes to it. False: nobody is taken any more."""
        descriptor = guest.fileno()
        with self._lock:
            if not self._open:
                return False
            self._enter(descriptor, guest).parked = True
            self._batch.append(descriptor)
            self._wake()
        return True

    def park(self, guest: G) -> bool:
        """Let *guest* wait here. False: nobody is taken any more. Raises OSError for a dead descriptor."""
        descriptor, beside = guest.fileno(), guest.beside
        with self._lock:
            if not self._open and (beside < 0 or self._over.is_set()):
                return False
            place = self._places.get(descriptor)
            if place is None or place.guest is not guest:
                place = self._enter(descriptor, guest)
            elif guest.deadline < due_time(place.bucket) - _SOONER:
                self._deadlines.remove(place, place.bucket)
                self._schedule(place)
            if not place.armed:
                try:
                    self._readiness.arm(descriptor)
                except OSError:
                    self._remove(descriptor, place)
                    raise
                place.armed = True
            # After its own: where both are ready, what the client has said comes first.
            if beside >= 0:
                self._arm_beside(place, beside, guest.sending)
            elif place.beside >= 0:
                self._forget_beside(place)
            place.parked = True
            if guest.waiting:
                self._again.append(descriptor)
                self._wake()
        return True

    def leave(self, guest: G, descriptor: int) -> None:
        """*guest*, whose descriptor this was before it was closed, is over."""
        with self._lock:
            place = self._places.get(descriptor)
            if place is not None and place.guest is guest:  # the number may be somebody else's by now
                self._remove(descriptor, place)

    def empty(self) -> list[G]:
        """Take out all who are idle: they belong to the caller now. Only who has something under way may still wait."""
        with self._lock:
            self._open = False
            idle = [place for place in self._places.values() if place.parked and place.beside < 0]
            for place in idle:
                place.parked = False
        return [place.guest for place in idle]

    def _enter(self, descriptor: int, guest: G) -> Place[G]:
        former = self._places.get(descriptor)
        if former is not None:  # it has closed its socket, and is about to leave
            self._deadlines.remove(former, former.bucket)
            self._forget_beside(former)
        self._beside.pop(descriptor, None)  # of a transfer that is over; who had it has not been parked since
        place = self._places[descriptor] = Place(guest)
        self._schedule(place)
        return place

    def _schedule(self, place: Place[G]) -> None:
        place.bucket = self._deadlines.add(place, place.guest.deadline)
        self._ring(due_time(place.bucket))

    def _remove(self, descriptor: int, place: Place[G]) -> None:
        del self._places[descriptor]
        self._deadlines.remove(place, place.bucket)
        self._forget_beside(place)

    def _arm_beside(self, place: Place[G], descriptor: int, sending: bool) -> None:
        """Report *descriptor* once. It may be another one than before, of the same number."""
        if place.beside != descriptor:
            if place.beside >= 0:
                self._forget_beside(place)
            place.beside = descriptor
        former = self._places.get(descriptor)
        if former is not None:  # it has closed its socket, and is about to leave
            self._remove(descriptor, former)
        self._beside[descriptor] = place
        self._readiness.arm_once(descriptor, sending)

    def _forget_beside(self, place: Place[G]) -> None:
        """*place* waits for nothing beside. What it waited for is closed, or about to be."""
        if self._beside.get(place.beside) is place:  # the number may be in somebody else's place by now
            del self._beside[place.beside]
        place.beside = -1

    # -- listening sockets and timers ------------------------------------------------------------------------

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call *ready*, which must not wait, whenever *descriptor* has input.

        In the lobby's thread, or before `start`.
        """
        self._watched[descriptor] = ready
        self._readiness.watch(descriptor)

    def forget(self, descriptor: int) -> None:
        """Undo `watch`. In the lobby's thread, or before `start`; before the descriptor is closed."""
        del self._watched[descriptor]
        self._readiness.forget(descriptor)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Call *action*, which must not wait, in the lobby's thread at *when*; never if that is stopped before.

        From any thread.
        """
        with self._lock:
            heapq.heappush(self._timers, (when, next(self._numbers), action))
            self._ring(when)

    def call(self, action: Callable[[], None]) -> None:
        """Call *action* in the lobby's thread as soon as it can. From any thread."""
        self.at(float("-inf"), action)

    def wake(self) -> None:
        """Look at the clock again, which a test has moved."""
        with self._lock:
            if not self._over.is_set():
                self._readiness.wake()

    def _ring(self, when: float) -> None:
        """Under the lock: something is due at *when*."""
        if when < self._alarm:
            self._alarm = when
            self._wake()

    def _wake(self) -> None:
        """Under the lock, as the closing of the selector is: so nobody wakes what is somebody else's by now."""
        if self._post.holder != get_ident() and not self._over.is_set():
            self._readiness.wake()

    def _seconds_left(self) -> float:
        return self._alarm - self._clock()

    # -- the post ----------------------------------------------------------------------------------------------

    def owns_current(self) -> bool:
        """Whether the caller runs in the thread that holds the post."""
        return self._post.holder == get_ident()

    def stop(self, timeout: float) -> bool:
        """End the lobby and close the selector; guests that are still here belong to nobody. Whether it ended.

        Does not wait when it is called in the lobby's own thread, where it is the last thing that happens.
        """
        with self._lock:
            self._running = False
            if not self._over.is_set():
                if not self._started:
                    self._close()
                    return True
                self._readiness.wake()
        if self.owns_current():
            return False
        ended = self._over.wait(timeout)
        self._deputy.stop()
        self._deputy.join(timeout)
        return ended

    def _is_wanted(self) -> bool:
        return bool(self._batch or self._again)

    def _hand_on(self) -> None:
        """In the thread that holds the post: let another one hold it."""
        with self._lock:
            if self._post.holder != get_ident():  # the deputy was quicker
                return
            self._post.work = 0
            summon = self._offer()
        if summon:
            self._summon()

    def _relieve(self, work: int) -> None:
        """Take the post from the thread that is still at *work*. In the deputy's thread."""
        with self._lock:
            if self._post.work != work or self._post.offered:
                return
            now = time.monotonic()
            self._slow.append(now)
            if len(self._slow) == _SLOW_AT_ONCE and now - self._slow[0] < _SLOW_WITHIN:
                self._slow_until = now + _SLOW_SECONDS
            summon = self._offer()
        if summon:
            self._summon()

    def _offer(self) -> bool:
        """Under the lock: the post is to be had. Whether a thread is still to be asked to come."""
        self._post.offered = True
        summon, self._summoned = not self._summoned, True
        return summon

    def _summon(self) -> None:
        """Ask a thread to take the post, which has been offered."""
        try:
            self._submit(self._live)
        except (RuntimeError, MemoryError) as error:
            # Stopped, or nothing is left to make one of: who holds it goes on when it is through with its own.
            _log.debug("no thread can take the post: %s", error)
            with self._lock:
                self._summoned = False

    def _live(self) -> None:
        """Take the post, if it is to be had, and hold it."""
        with self._lock:
            self._summoned = False
            if self._over.is_set() or not self._post.offered:
                return  # who had offered it is through, and has it still
            self._post.offered = False
            self._post.holder = get_ident()
            self._post.work = 0
        while self._running:
            try:
                if not self._turn():
                    return
            except Exception:  # noqa: BLE001 - nobody else would wait for the sessions any more
                _log.exception("the lobby cannot wait for its guests")
                time.sleep(_PAUSE)
                if not self._post.end():
                    return
        self._overdue(self._clock())  # what was to be called before the stop is called
        with self._lock:
            self._close()

    def _turn(self) -> bool:
        """Wait once, and do what is to be done then. Whether this thread still holds the post."""
        batch, post, me = self._batch, self._post, get_ident()
        due = False
        if not batch:
            now, alarm = self._clock(), self._alarm
            due = now >= alarm
            batch.extend(self._readiness.wait(0.0 if due or self._again else None if alarm == _NEVER else alarm - now))
            if self._again:
                self._take_again()
        while batch:
            item = batch.popleft()
            if isinstance(item, int):
                self._arrived(item)
            else:
                item()
            if post.offered:
                post.end()
            if post.holder != me:
                return False
        if due:
            self._overdue(now)
            if post.offered:
                post.end()
        return post.holder == me

    def _take_again(self) -> None:
        """Put those who are to have another turn behind those who have input, but nobody twice."""
        with self._lock:
            again, self._again = self._again, []
        present = set(self._batch)
        self._batch.extend(descriptor for descriptor in again if descriptor not in present)

    def _close(self) -> None:
        """Under the lock."""
        self._open = False
        self._post.holder = NOBODY
        self._over.set()
        self._readiness.close()
        self._deputy.stop()

    def _arrived(self, descriptor: int) -> None:
        ready = self._watched.get(descriptor)
        if ready is not None:
            self._do(ready)
            return
        with self._lock:
            place, to = self._places.get(descriptor), self._resume
            if place is None:
                place, to = self._beside.get(descriptor), self._proceed
                if place is None or not place.parked:
                    return  # it was closed while its input was reported, or is armed anew when its guest is parked
            else:
                if not self._lasting:
                    place.armed = False
                if not place.parked:
                    if place.armed:
                        place.armed = False
                        self._readiness.disarm(descriptor)
                    return
            place.parked = False
        self._carry_out(to, place.guest)

    def _overdue(self, now: float) -> None:
        """Do what was to be done at some time until *now*, or put it into the batch, and set the alarm anew."""
        actions: list[Callable[[], None]] = []
        with self._lock:
            while self._timers and self._timers[0][0] <= now:
                actions.append(heapq.heappop(self._timers)[2])
            for place in self._deadlines.expired(now):
                deadline = place.guest.deadline if place.parked else now + _BUSY_SECONDS
                if deadline > now:
                    place.bucket = self._deadlines.add(place, deadline)
                    continue
                # It leaves the table when it is over; until then it has to be in some bucket.
                place.bucket = self._deadlines.add(place, now + _BUSY_SECONDS)
                place.parked = False
                self._batch.append(partial(self._carry_out, self._expire, place.guest))
            earliest = self._deadlines.earliest()
            self._alarm = min(self._timers[0][0] if self._timers else _NEVER, _NEVER if earliest is None else earliest)
        for action in actions:
            self._do(action)

    def _carry_out(self, to: Callable[[G], None], guest: G) -> None:
        if self._slow_until and self._is_slow():
            try:
                self._submit(partial(to, guest))
                return
            except (RuntimeError, MemoryError):
                pass  # the server has been stopped, or nothing is left: then in this one
        self._post.begin()
        try:
            to(guest)
        except BaseException:  # noqa: BLE001 - the thread serves all the others too
            _log.exception("what a session wanted could not be carried out")
        self._post.end()

    def _is_slow(self) -> bool:
        if time.monotonic() < self._slow_until:
            return True
        self._slow_until = 0.0
        self._slow.clear()
        return False

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException:  # noqa: BLE001 - the thread serves all the others too
            _log.exception("the lobby's %r failed", action)
