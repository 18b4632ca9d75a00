"""The time zone of the golden lines: one hour east of UTC, wherever the tests run."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def one_hour_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the golden lines need a time zone that can be set")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XXX-1")
        time.tzset()
        yield
    time.tzset()
