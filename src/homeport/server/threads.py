"""Threads: a pool that has a thread for everything that is to run now, and few while nothing runs.

Work is handed over to the thread that became idle last: its stack is still in the cache, and those at the far
end of the row grow old and leave. Each thread waits at a gate of its own (a bare lock), so that handing over is
one lock released and one thread woken, with no queue between.

There is no limit here: how many sessions there may be is for `admission.py` to say. If the system refuses a
thread, the work waits for the next one that becomes free; the first thread stays until the end, so there is one.

The stack size is left as it is: `threading.stack_size` belongs to the whole program, in which a server may be
embedded, and a stack is only address space until it is used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]

IDLE = 10.0
"""Seconds after which a thread that had nothing to do ends."""

_log = logging.getLogger("homeport.server")


class _Worker:
    """One thread's place in the row: its next work, and the gate that opens when there is some."""

    __slots__ = ("gate", "thread", "work")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.work: Work | None = None
        self.thread: threading.Thread | None = None


class Threads:
    """Runs whatever is submitted at once, each piece in a thread of its own."""

    def __init__(self, name: str = "homeport", *, idle: float = IDLE) -> None:
        """Starts the thread that stays. Raises RuntimeError if the system refuses even that."""
        self._name = name
        self._idle_seconds = idle
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._idle: dict[_Worker, None] = {}  # the last one became idle last
        self._waiting: deque[Work] = deque()
        self._stopping = False
        self._started = 0
        self._grow(None)

    @property
    def size(self) -> int:
        """How many threads there are."""
        return len(self._workers)

    @property
    def idle(self) -> int:
        """How many of them have nothing to do."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """How many of them work."""
        return len(self._workers) - len(self._idle)

    @property
    def waiting(self) -> int:
        """How much work waits for a thread that the system refused."""
        return len(self._waiting)

    def owns_current(self) -> bool:
        """Whether the caller runs in one of these threads."""
        current = threading.current_thread()
        with self._lock:
            return any(worker.thread is current for worker in self._workers)

    def submit(self, work: Work) -> None:
        """Run *work* now in an idle thread, else in a new one. Raises RuntimeError after `stop`."""
        with self._lock:
            if self._stopping:
                raise RuntimeError("the threads are stopped")
            if self._idle:
                worker, _ = self._idle.popitem()
                worker.work = work
                worker.gate.release()
                return
        try:
            self._grow(work)
        except (RuntimeError, MemoryError):
            self._wait_for_a_thread(work)

    def stop(self, timeout: float) -> bool:
        """No new work; threads end when theirs is done. Waits *timeout* seconds; whether all have ended."""
        with self._lock:
            self._stopping = True
            idle, self._idle = self._idle, {}
            for worker in idle:
                worker.gate.release()
            remaining = [worker.thread for worker in self._workers]
        until = time.monotonic() + timeout
        current = threading.current_thread()
        for thread in remaining:
            if thread is not None and thread is not current:
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread is not None and thread.is_alive() for thread in remaining)

    def _grow(self, work: Work | None) -> None:
        worker = _Worker()
        worker.work = work
        with self._lock:
            if self._stopping:
                raise RuntimeError("the threads are stopped")
            self._started += 1
            name = f"{self._name}-{self._started}"
            # Daemon: a program that forgets to stop its server can still end.
            worker.thread = threading.Thread(target=self._live, args=(worker,), name=name, daemon=True)
            self._workers.add(worker)
        try:
            worker.thread.start()
        except BaseException:
            with self._lock:
                self._workers.discard(worker)
            raise

    def _wait_for_a_thread(self, work: Work) -> None:
        with self._lock:
            if self._stopping:
                raise RuntimeError("the threads are stopped")
            if self._idle:  # one became idle meanwhile
                worker, _ = self._idle.popitem()
                worker.work = work
                worker.gate.release()
            else:
                self._waiting.append(work)

    def _live(self, worker: _Worker) -> None:
        try:
            while True:
                work, worker.work = worker.work, None
                if work is not None:
                    try:
                        work()
                    except Exception:  # noqa: BLE001 - the thread serves others after it
                        _log.exception("work in thread %s failed", threading.current_thread().name)
                    work = None  # an idle thread keeps nothing of the last session alive
                if not self._next(worker):
                    return
        finally:
            with self._lock:
                self._workers.discard(worker)

    def _next(self, worker: _Worker) -> bool:
        """Wait until *worker* has work. False: the thread is to end."""
        with self._lock:
            if self._waiting:
                worker.work = self._waiting.popleft()
                return True
            if self._stopping:
                return False
            self._idle[worker] = None
        patience = self._idle_seconds
        while not worker.gate.acquire(timeout=patience):
            with self._lock:
                # Either work was handed over in this very moment, and the gate is open; or it is the one that stays.
                if worker not in self._idle or len(self._workers) == 1:
                    patience = -1.0
                else:
                    del self._idle[worker]
                    self._workers.discard(worker)
                    return False
        return worker.work is not None
