"""Readiness: which descriptors have input, asked of the system in the cheapest way that it has.

A descriptor is either watched (the listening sockets) or armed (the sessions), and both are reported for as long as
they have input; or it is armed for once (their data connections). To arm is one system call with Linux's epoll, in
whatever thread, while the lobby sleeps in `wait`. Elsewhere the selectors module does it, whose selectors may be
changed only by the thread that waits: there arming leaves a note and wakes that thread, and what is armed is reported
once, so that nobody has to take it back.
"""

from __future__ import annotations

import select
import selectors
import sys
import threading
from typing import Protocol

from homeport.data.waker import Waker


class Readiness(Protocol):
    lasting: bool
    """Whether what was armed stays so when it was reported."""

    def fileno(self) -> int:
        """A descriptor that is readable when `wait` would return at once; -1 where there is none."""

    def watch(self, descriptor: int) -> None:
        """Report *descriptor* whenever it has input, until `forget`. In the thread that waits, or before it does."""

    def arm(self, descriptor: int) -> None:
        """Report *descriptor*, which is not armed, as soon as it has input or is at its end. From any thread.

        May raise OSError for one that is closed.
        """

    def arm_once(self, descriptor: int, writing: bool) -> None:
        """Report *descriptor* once, when it has input or is at its end; or, for *writing*, when it takes output.

        Those that are armed come before it, if they have become ready before it. What was asked for it earlier is
        forgotten. From any thread. May raise OSError for one that is closed.
        """

    def disarm(self, descriptor: int) -> None:
        """Report it no longer. In the thread that waits; nothing happens if it is closed, or not armed."""

    def forget(self, descriptor: int) -> None:
        """No longer report a watched *descriptor*. In the thread that waits, or after it is over."""

    def wait(self, timeout: float | None) -> list[int]:
        """The descriptors that have input; [] after *timeout* seconds or `wake`."""

    def wake(self) -> None:
        """Let `wait` return now. From any thread."""

    def close(self) -> None: ...


class SelectorReadiness:
    """Readiness by the selectors module (everywhere else)."""

    lasting = False

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        try:
            self._waker = Waker()
        except OSError:
            self._selector.close()
            raise
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._notes: list[tuple[int, int, bool]] = []  # descriptor, events, whether it is one beside another
        self._armed: set[int] = set()
        self._beside: set[int] = set()

    def fileno(self) -> int:
        return -1  # not every selector has one, and not every one of them can be polled

    def watch(self, descriptor: int) -> None:
        self._register(descriptor, selectors.EVENT_READ)
        self._armed.discard(descriptor)

    def arm(self, descriptor: int) -> None:
        self._note(descriptor, selectors.EVENT_READ, beside=False)

    def arm_once(self, descriptor: int, writing: bool) -> None:
        self._note(descriptor, selectors.EVENT_WRITE if writing else selectors.EVENT_READ, beside=True)

    def _note(self, descriptor: int, events: int, *, beside: bool) -> None:
        with self._lock:
            self._notes.append((descriptor, events, beside))
        self.wake()

    def disarm(self, descriptor: int) -> None:
        if descriptor in self._armed:
            self._armed.discard(descriptor)
            self._selector.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def wait(self, timeout: float | None) -> list[int]:
        self._take_notes()
        ready = []
        try:
            found = self._selector.select(timeout)
        except OSError:  # what select and poll think of a descriptor that was closed while it was armed
            if not self._drop_closed():
                raise
            return []
        for key, _ in found:
            if key.fileobj is self._waker:
                self._waker.clear()
                continue
            ready.append(key.fd)
            if key.fd in self._armed:
                self._armed.discard(key.fd)
                self._selector.unregister(key.fd)
        ready.sort(key=self._beside.__contains__)  # they come in no order, and these are to be last
        return ready

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        self._selector.close()
        self._waker.close()

    def _register(self, descriptor: int, events: int) -> None:
        try:
            self._selector.register(descriptor, events)
        except KeyError:  # armed anew, or the number of a socket that was closed while it was armed
            self._selector.unregister(descriptor)
            self._selector.register(descriptor, events)

    def _drop_closed(self) -> bool:
        """Forget what was closed while it was armed; whether there was such a thing."""
        closed = [descriptor for descriptor in self._armed if not _is_open(descriptor)]
        for descriptor in closed:
            self.disarm(descriptor)
        return bool(closed)

    def _take_notes(self) -> None:
        with self._lock:
            notes, self._notes = self._notes, []
        for descriptor, events, beside in notes:
            try:
                self._register(descriptor, events)
            except (OSError, ValueError):
                continue  # closed before its note was read
            self._armed.add(descriptor)
            if beside:
                self._beside.add(descriptor)
            else:
                self._beside.discard(descriptor)


def _is_open(descriptor: int) -> bool:
    try:
        select.select((descriptor,), (), (), 0.0)
    except OSError:
        return False
    return True


def best() -> Readiness:
    """The cheapest one that this system has."""
    if sys.platform != "linux":
        return SelectorReadiness()
    from .epoll import EpollReadiness

    return EpollReadiness()
