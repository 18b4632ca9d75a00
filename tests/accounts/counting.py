"""A hasher that counts instead of taking its time: equal work is proven by numbers and not by a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CountingHasher:
    """Stored form: "counted:" and the password. `calls` is the work that was done."""

    def __init__(self, during: Callable[[], None] = lambda: None) -> None:
        self.calls: list[str] = []
        self.running = 0
        self.most_running = 0
        self._during = during
        self._lock = threading.Lock()

    def hash(self, password: bytes) -> str:
        self.calls.append("hash")
        return f"counted:{password.decode()}"

    def verify(self, stored: str, password: bytes) -> bool:
        with self._lock:
            self.calls.append("verify")
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self._during()
        with self._lock:
            self.running -= 1
        return stored.removeprefix("old-") == f"counted:{password.decode('utf-8', 'surrogateescape')}"

    def outdated(self, stored: str) -> bool:
        return stored.startswith("old-")
