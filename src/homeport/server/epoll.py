"""EpollReadiness: `readiness.Readiness` by epoll. For Linux only."""

from __future__ import annotations

import select
from typing import Final

from homeport.data.waker import Waker

_BATCH: Final = 256
"""Most descriptors that one `wait` reports."""
_INPUT: Final[int] = select.EPOLLIN
_UNTIL_DISARMED: Final[int] = select.EPOLLIN | select.EPOLLRDHUP
_ONCE_READING: Final[int] = select.EPOLLIN | select.EPOLLONESHOT
_ONCE_WRITING: Final[int] = select.EPOLLOUT | select.EPOLLONESHOT


class EpollReadiness:
    """Readiness by epoll: what is armed stays so when it was reported."""

    __slots__ = ("_epoll", "_waker", "_waking", "lasting")

    def __init__(self) -> None:
        self.lasting = True
        self._epoll = select.epoll()
        try:
            self._waker = Waker()
        except OSError:
            self._epoll.close()
            raise
        self._waking = self._waker.fileno()
        self._epoll.register(self._waking, _INPUT)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch(self, descriptor: int) -> None:
        self._epoll.register(descriptor, _INPUT)

    def arm(self, descriptor: int) -> None:
        self._epoll.register(descriptor, _UNTIL_DISARMED)

    def arm_once(self, descriptor: int, writing: bool) -> None:
        events = _ONCE_WRITING if writing else _ONCE_READING
        try:
            self._epoll.register(descriptor, events)
        except FileExistsError:
            self._epoll.modify(descriptor, events)

    def disarm(self, descriptor: int) -> None:
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            pass  # it is closed, and epoll has forgotten it

    def forget(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)

    def wait(self, timeout: float | None) -> list[int]:
        waking = self._waking
        ready: list[int] = []
        for descriptor, _ in self._epoll.poll(timeout, _BATCH):
            if descriptor == waking:
                self._waker.clear()
            else:
                ready.append(descriptor)
        return ready

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        self._epoll.close()
        self._waker.close()
