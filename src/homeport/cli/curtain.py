"""Curtain: holds back the events of a start until what stands above them has been printed."""

from __future__ import annotations

import threading

from homeport.events.bus import Subscriber
from homeport.events.types import Event


class Curtain:
    """A subscriber that keeps events until `rise`, and hands them on from then on. Safe for threads."""

    __slots__ = ("_held", "_lock", "_subscriber")

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._lock = threading.Lock()
        self._held: list[Event] | None = []

    def __call__(self, event: Event) -> None:
        if self._held is not None:
            with self._lock:
                if self._held is not None:
                    self._held.append(event)
                    return
        self._subscriber(event)

    def rise(self) -> None:
        """Hand on what was held, in order; what comes meanwhile waits its turn."""
        with self._lock:
            for event in self._held or ():
                self._subscriber(event)
            self._held = None
