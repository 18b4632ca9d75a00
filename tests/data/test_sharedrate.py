"""A rate that several processes keep together."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("fcntl")

from homeport.data.sharedrate import SharedBucket, SharedRates
from homeport.data.throttle import Bucket


@pytest.fixture
def descriptor() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.truncate(8 * 8)
        yield file.fileno()


@pytest.fixture
def rates(descriptor: int) -> Iterator[SharedRates]:
    rates = SharedRates(descriptor)
    yield rates
    rates.close()


def test_it_is_as_a_bucket_of_one_process(rates: SharedRates) -> None:
    shared, own = SharedBucket(rates, 3, 1000), Bucket(1000)
    for bucket in (shared, own):
        assert bucket.delay() <= 0
        bucket.spend(1000)
        # A fifth of a second's worth is made up for.
        assert bucket.delay() == pytest.approx(0.8 if bucket is shared else 1.0, abs=0.05)
        bucket.spend(500)
        assert bucket.delay() == pytest.approx(1.3 if bucket is shared else 1.5, abs=0.05)


def test_another_place_is_another_limit(rates: SharedRates) -> None:
    SharedBucket(rates, 0, 10).spend(1000)
    assert SharedBucket(rates, 1, 10).delay() <= 0
    assert SharedBucket(rates, 0, 10).delay() > 90


_SPENDER = """
import sys
from homeport.data.sharedrate import SharedBucket, SharedRates
rates = SharedRates(int(sys.argv[1]))
bucket = SharedBucket(rates, 2, 1000)
for _ in range(2000):
    bucket.spend(1)
print("spent", flush=True)
sys.stdin.read()
"""


def test_nothing_that_processes_spend_at_the_same_time_is_lost(rates: SharedRates, descriptor: int) -> None:
    begun = time.monotonic()
    bucket = SharedBucket(rates, 2, 1000)
    bucket.spend(1_000_000)  # so far ahead that nothing is made up for
    spenders = [
        subprocess.Popen(
            [sys.executable, "-c", _SPENDER, str(descriptor)],
            pass_fds=[descriptor], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdout.readline() == b"spent\n"
    due = rates.due[2] - begun
    for spender in spenders:
        spender.kill()
        spender.communicate()
    assert due == pytest.approx(1000 + 4 - 0.2, abs=0.1)
    # A lock that a dead process had is free.
    bucket.spend(1000)
    assert rates.due[2] - begun == pytest.approx(due + 1, abs=0.01)
    assert os.fstat(descriptor).st_size == 64
