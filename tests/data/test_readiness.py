from __future__ import annotations

import select
import socket
from collections.abc import Callable

import pytest

from homeport.data import readiness

Ready = Callable[[tuple[int, ...], tuple[int, ...], float], list[int]]


def polled(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
    return readiness.polled(select.poll(), reading, writing, seconds)


@pytest.mark.parametrize(
    "ready",
    [
        readiness.ready,
        readiness.selected,
        pytest.param(polled, marks=pytest.mark.skipif(not hasattr(select, "poll"), reason="Windows has only select")),
    ],
)
def test_ready(ready: Ready) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert ready((one.fileno(),), (), 0) == []
        assert ready((), (one.fileno(),), 0) == [one.fileno()]
        assert ready((-1,), (-1, one.fileno()), 5) == [one.fileno()]
        other.send(b"x")
        assert ready((other.fileno(), one.fileno()), (), 5) == [one.fileno()]
        assert ready((one.fileno(),), (), -1) == [one.fileno()]
