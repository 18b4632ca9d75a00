"""The pool of threads: a thread for everything, few for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from homeport.server.threads import Threads

from .fakes import wait_for


@pytest.fixture
def threads() -> Iterator[Threads]:
    pool = Threads("test-pool", idle=30.0)
    yield pool
    assert pool.stop(5.0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test-pool")]


def test_work_runs_in_a_named_thread(threads: Threads) -> None:
    names: list[str] = []
    done = threading.Event()

    def work() -> None:
        names.append(threading.current_thread().name)
        assert threads.owns_current()
        done.set()

    threads.submit(work)
    assert done.wait(5)
    assert names[0].startswith("test-pool-")
    assert not threads.owns_current()


def test_everything_runs_at_the_same_time(threads: Threads) -> None:
    together = threading.Barrier(21)

    def meet() -> None:
        together.wait(5)

    for _ in range(20):
        threads.submit(meet)
    together.wait(5)  # breaks unless all twenty are there at once
    assert threads.size >= 20


def test_an_idle_thread_is_used_again(threads: Threads) -> None:
    for _ in range(50):
        done = threading.Event()
        threads.submit(done.set)
        assert done.wait(5)
        wait_for(lambda: threads.idle == threads.size)
    assert threads.size <= 2  # the first work may come before the first thread is ready


def test_it_shrinks_to_one() -> None:
    pool = Threads("shrinking", idle=0.05)
    together = threading.Barrier(11)

    def meet() -> None:
        together.wait(5)

    for _ in range(10):
        pool.submit(meet)
    together.wait(5)
    wait_for(lambda: pool.size == 1)
    time.sleep(0.15)  # three times the idle time: the last one stays
    assert pool.size == 1
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(5)
    assert pool.stop(5)
    assert pool.size == 0


def test_a_failure_is_logged_and_the_thread_lives_on(threads: Threads, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("on purpose")

    wait_for(lambda: threads.idle == 1)
    threads.submit(fail)
    wait_for(lambda: threads.idle == 1)
    done = threading.Event()
    threads.submit(done.set)
    assert done.wait(5)
    assert threads.size == 1
    assert "on purpose" in caplog.text


def test_an_idle_thread_keeps_nothing_alive(threads: Threads) -> None:
    import weakref

    class Session:
        def work(self) -> None:
            done.set()

    done = threading.Event()
    session = Session()
    reference = weakref.ref(session)
    threads.submit(session.work)
    assert done.wait(5)
    del session
    wait_for(lambda: reference() is None)


def test_work_waits_when_the_system_refuses_a_thread(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(lambda: threads.idle == 1)
    release, first, second = threading.Event(), threading.Event(), threading.Event()

    def long_work() -> None:
        first.set()
        release.wait(5)

    threads.submit(long_work)
    assert first.wait(5)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads.submit(second.set)
    assert threads.waiting == 1
    assert threads.size == 1
    assert not second.is_set()
    release.set()
    assert second.wait(5)
    assert threads.waiting == 0


def test_stop_waits_for_what_runs_and_is_bounded() -> None:
    pool = Threads("stopping")
    started, release = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(10)

    pool.submit(work)
    assert started.wait(5)
    begin = time.monotonic()
    assert not pool.stop(0.05)
    assert time.monotonic() - begin < 2
    with pytest.raises(RuntimeError, match="stopped"):
        pool.submit(work)
    release.set()
    assert pool.stop(5)
    assert pool.size == 0


def test_handing_over_is_safe_while_threads_leave() -> None:
    """Threads that give up waiting at the very moment in which they get work must still do it."""
    pool = Threads("leaving", idle=0.001)
    done = threading.Semaphore(0)
    for round_ in range(400):
        pool.submit(done.release)
        pool.submit(done.release)
        if round_ % 3 == 0:
            time.sleep(0.001)
    for _ in range(800):
        assert done.acquire(timeout=5)
    assert pool.stop(5)


def test_memory_that_is_short_is_a_thread_that_is_refused(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(lambda: threads.idle == 1)
    begun, release, second = threading.Event(), threading.Event(), threading.Event()

    def long_work() -> None:
        begun.set()
        release.wait(5)

    threads.submit(long_work)
    assert begun.wait(5)

    def refuse(_: threading.Thread) -> None:
        raise MemoryError

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads.submit(second.set)
    assert threads.size == 1
    release.set()
    assert second.wait(5)
