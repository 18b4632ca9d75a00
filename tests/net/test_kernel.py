from __future__ import annotations

import errno
import socket
import sys

import pytest

from homeport.net import kernel


def test_either_it_can_or_there_is_a_reason() -> None:
    kernel.hindrance.cache_clear()
    why = kernel.hindrance()
    assert kernel.available() is (why is None)
    if why is not None:
        assert why.endswith(".")


@pytest.mark.skipif(sys.platform != "linux", reason="asks a Linux kernel")
@pytest.mark.parametrize(("number", "text"), [(errno.ENOENT, "modprobe tls"), (errno.EPERM, "refuses"), (None, None)])
def test_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, number: int | None, text: str | None) -> None:
    def answer() -> None:
        if number is not None:
            raise OSError(number, "told so")

    monkeypatch.setattr(kernel, "OP_ENABLE_KTLS", 8)
    monkeypatch.setattr(kernel, "_try", answer)
    kernel.hindrance.cache_clear()
    try:
        why = kernel.hindrance()
        assert why is None if text is None else text in str(why)
    finally:
        kernel.hindrance.cache_clear()


def test_a_connection_without_it() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not kernel.sends(one)
