from __future__ import annotations

import os

import pytest

from homeport.data.readiness import ready
from homeport.data.waker import Waker


@pytest.mark.parametrize("event", [True, False])
def test_wake_and_clear(monkeypatch: pytest.MonkeyPatch, event: bool) -> None:
    if not event:
        monkeypatch.delattr(os, "eventfd", raising=False)
    waker = Waker()
    try:
        assert ready((waker.fileno(),), (), 0) == []
        for _ in range(3):
            waker.wake()
        assert ready((waker.fileno(),), (), 0) == [waker.fileno()]
        waker.clear()
        waker.clear()
        assert ready((waker.fileno(),), (), 0) == []
    finally:
        waker.close()


def test_waking_never_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "eventfd", raising=False)
    waker = Waker()
    for _ in range(5000):
        waker.wake()
    waker.clear()
    assert ready((waker.fileno(),), (), 0) == []
    waker.close()
