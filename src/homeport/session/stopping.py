"""Stopping: whether the server stops, for those who would begin something, or wait for a delay."""

from __future__ import annotations

import threading


class Stopping:
    """As a `threading.Event`, but that `is_set`, which is asked for with every command, costs nothing."""

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        """From now on, for good."""
        self._set = True
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, at most *seconds*; whether it is."""
        return self._event.wait(seconds)
