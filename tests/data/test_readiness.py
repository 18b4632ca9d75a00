from __future__ import annotations

import importlib
import select
import socket
from collections.abc import Iterator
from types import ModuleType

import pytest

from homeport.data import readiness


@pytest.fixture(params=["poll", "select"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    if request.param == "select":
        with monkeypatch.context() as patched:
            patched.delattr(select, "poll", raising=False)
            importlib.reload(readiness)
    yield readiness
    importlib.reload(readiness)


def test_ready(module: ModuleType) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert module.ready((one.fileno(),), (), 0) == []
        assert module.ready((), (one.fileno(),), 0) == [one.fileno()]
        assert module.ready((-1,), (-1, one.fileno()), 5) == [one.fileno()]
        other.send(b"x")
        assert module.ready((other.fileno(), one.fileno()), (), 5) == [one.fileno()]
        assert module.ready((one.fileno(),), (), -1) == [one.fileno()]
