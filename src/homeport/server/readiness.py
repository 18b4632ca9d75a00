"""Readiness: which descriptors have input, asked of the system in the cheapest way that it has.

A descriptor is either watched (reported for as long as it has input: the listening sockets) or armed (reported
once, then silent until it is armed again: the parked sessions). Linux's epoll has both, and arming is one system
call in whatever thread, while the lobby sleeps in `wait`. Elsewhere the selectors module does it, whose selectors
may be changed only by the thread that waits: there arming leaves a note and wakes that thread.
"""

from __future__ import annotations

import select
import selectors
import sys
import threading
from typing import Protocol

from homeport.data.waker import Waker

_BATCH = 256
"""Most descriptors that one `wait` reports."""


class Readiness(Protocol):
    def watch(self, descriptor: int) -> None:
        """Report *descriptor* whenever it has input, until `forget`. In the thread that waits, or before it does."""

    def arm(self, descriptor: int) -> None:
        """Report *descriptor* once, as soon as it has input or is at its end. From any thread."""

    def forget(self, descriptor: int) -> None:
        """No longer report a watched *descriptor*. In the thread that waits, or after it is over."""

    def wait(self, timeout: float | None) -> list[int]:
        """The descriptors that have input; [] after *timeout* seconds or `wake`."""

    def wake(self) -> None:
        """Let `wait` return now. From any thread."""

    def close(self) -> None: ...


if sys.platform == "linux":

    class EpollReadiness:
        """Readiness by epoll (Linux)."""

        __slots__ = ("_epoll", "_once", "_waker")

        def __init__(self) -> None:
            self._epoll = select.epoll()
            try:
                self._waker = Waker()
            except OSError:
                self._epoll.close()
                raise
            self._epoll.register(self._waker.fileno(), select.EPOLLIN)
            self._once = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT

        def watch(self, descriptor: int) -> None:
            self._epoll.register(descriptor, select.EPOLLIN)

        def arm(self, descriptor: int) -> None:
            try:
                self._epoll.modify(descriptor, self._once)
            except FileNotFoundError:  # the first time for this socket; closing a socket makes epoll forget it
                self._epoll.register(descriptor, self._once)

        def forget(self, descriptor: int) -> None:
            self._epoll.unregister(descriptor)

        def wait(self, timeout: float | None) -> list[int]:
            ready = [descriptor for descriptor, _ in self._epoll.poll(timeout, _BATCH)]
            if self._waker.fileno() in ready:
                self._waker.clear()
                ready.remove(self._waker.fileno())
            return ready

        def wake(self) -> None:
            self._waker.wake()

        def close(self) -> None:
            self._epoll.close()
            self._waker.close()


class SelectorReadiness:
    """Readiness by the selectors module (everywhere else)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        try:
            self._waker = Waker()
        except OSError:
            self._selector.close()
            raise
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._notes: list[int] = []
        self._armed: set[int] = set()

    def watch(self, descriptor: int) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ)

    def arm(self, descriptor: int) -> None:
        with self._lock:
            self._notes.append(descriptor)
        self.wake()

    def forget(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def wait(self, timeout: float | None) -> list[int]:
        self._take_notes()
        ready = []
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._waker:
                self._waker.clear()
                continue
            ready.append(key.fd)
            if key.fd in self._armed:
                self._armed.discard(key.fd)
                self._selector.unregister(key.fd)
        return ready

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        self._selector.close()
        self._waker.close()

    def _take_notes(self) -> None:
        with self._lock:
            notes, self._notes = self._notes, []
        for descriptor in notes:
            try:
                self._selector.register(descriptor, selectors.EVENT_READ)
            except KeyError:  # the number of a socket that was closed while it was armed
                self._selector.unregister(descriptor)
                self._selector.register(descriptor, selectors.EVENT_READ)
            except (OSError, ValueError):
                continue  # closed before its note was read
            self._armed.add(descriptor)


def best() -> Readiness:
    """The cheapest one that this system has."""
    return EpollReadiness() if sys.platform == "linux" else SelectorReadiness()
