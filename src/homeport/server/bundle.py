"""Bundle: many descriptors as one. For Linux only."""

from __future__ import annotations

import select
from collections.abc import Sequence


class Bundle:
    """An epoll descriptor, which is readable while any of its descriptors is."""

    __slots__ = ("_epoll",)

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._epoll = select.epoll()
        try:
            for descriptor in descriptors:
                self._epoll.register(descriptor, select.EPOLLIN)
        except OSError:
            self._epoll.close()
            raise

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()
