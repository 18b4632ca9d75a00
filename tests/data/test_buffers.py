from __future__ import annotations

import gc
import mmap
import sys
from pathlib import Path

import pytest

from homeport.data.buffers import BUFFER_OCTETS, Buffers


def test_one_that_was_given_back_is_taken_again() -> None:
    buffers = Buffers()
    first, second = buffers.take(), buffers.take()
    assert len(first) == len(second) == BUFFER_OCTETS
    first[:3] = b"one"
    assert bytes(second[:3]) == b"\0\0\0"
    buffers.give(first)
    assert buffers.take() is first
    assert buffers.take() is not second


def test_few_are_kept() -> None:
    buffers = Buffers()
    taken = [buffers.take() for _ in range(20)]
    for one in taken:
        buffers.give(one)
    again = [buffers.take() for _ in range(20)]
    assert 0 < sum(any(one is other for other in taken) for one in again) < 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_that_is_not_filled_needs_no_memory() -> None:
    def private() -> int:
        """KiB of this process alone."""
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))

    gc.collect()
    buffers = Buffers()
    before = private()
    taken = [buffers.take() for _ in range(64)]
    for one in taken:
        one[:1000] = bytes(1000)
    assert private() - before < 64 * 16  # a page each, and what Python has for it
    del taken, one


def test_a_system_without_private_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MAP_PRIVATE", raising=False)
    assert len(Buffers().take()) == BUFFER_OCTETS
