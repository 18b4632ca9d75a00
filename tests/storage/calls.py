"""What stands in for the system's calls (`linux.Calls`) in tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from homeport.storage import linux


class Failing:
    """A call that fails *times* times (None: always) with *number*, and is *real* then."""

    def __init__(self, number: int, times: int | None = None, real: Callable[..., Any] | None = None) -> None:
        self.asked = 0
        self._number = number
        self._times = times
        self._real = real

    def __call__(self, *arguments: object) -> Any:
        self.asked += 1
        if self._real is not None and self._times is not None and self.asked > self._times:
            return self._real(*arguments)
        raise OSError(self._number, os.strerror(self._number))


class Instead:
    """The calls as they are, but for some."""

    def __init__(self, **calls: Callable[..., Any]) -> None:
        self._calls = calls
        self._real = linux._calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._real, name)


def instead(monkeypatch: pytest.MonkeyPatch, **calls: Callable[..., Any]) -> None:
    """Let *calls* stand in for the system's."""
    monkeypatch.setattr(linux, "_calls", Instead(**calls))
