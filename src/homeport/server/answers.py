"""Answers: what a running server says at its console (see `console.py` for the requests)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

from homeport import __version__

from .view import SessionView

Facts = Callable[[], Mapping[str, object]]
"""What only who built the server knows; values of JSON."""


class Served(Protocol):
    """What is asked of a server in operation."""

    @property
    def addresses(self) -> Sequence[tuple[str, int]]: ...

    @property
    def passive_ports(self) -> Sequence[int]: ...

    def view(self) -> Sequence[SessionView]: ...

    def kick(self, number: int) -> bool: ...

    def reopen_logs(self) -> None: ...


class Answers:
    """Answers requests, in any thread."""

    def __init__(self, served: Served, facts: Facts, started: float) -> None:
        """*started*: seconds since 1970."""
        self._served = served
        self._facts = facts
        self._started = started

    def __call__(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """ValueError for what is no request."""
        match request:
            case {"ask": "status"}:
                return {"status": self._status()}
            case {"ask": "sessions"}:
                return {"sessions": [asdict(view) for view in self._served.view()]}
            case {"ask": "kick", "session": int(number)}:
                return {"ended": self._served.kick(number)}
            case {"ask": "reload-logs"}:
                try:
                    self._served.reopen_logs()
                except OSError as error:
                    raise ValueError(f"{error.filename} cannot be opened: {error.strerror}") from error
                return {}
            case _:
                raise ValueError("not a request: ask for status, sessions, kick (with the session), reload-logs")

    def _status(self) -> dict[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started,
            "addresses": list(self._served.addresses),
            "passive_ports": list(self._served.passive_ports),
            "sessions": len(self._served.view()),
            **self._facts(),
        }
