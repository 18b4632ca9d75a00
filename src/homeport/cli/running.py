"""Running: a server in the foreground, from its start until a signal ends it.

    SIGINT   (Ctrl-C) drains: transfers under way may finish, however long that takes
    SIGTERM  drains too, within the time that service managers leave
    either, a second time: everything ends at once
    SIGHUP   opens the log files anew, and where there are several workers reads the configuration anew

A signal handler may interrupt this thread anywhere, so it does nothing but put a wish into a queue that is made for
that; what is wished is done here, one thing after another. Python runs the handler only when this thread comes back to
Python. A wait on a lock would miss a signal that comes in the moment before it, and sleep on; so the wait is for a
socket, into which Python writes the moment a signal arrives (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Protocol

from homeport.data.readiness import ready

PATIENT = 7 * 86400.0
"""Seconds that Ctrl-C leaves to transfers: in effect all that they need, for a second Ctrl-C is always possible."""
PROMPT = 60.0
"""Seconds that SIGTERM leaves to them: systemd kills after 90."""
_LONG = 86400.0
"""Seconds until it looks for a wish although nothing has rung."""


class Wish(Enum):
    DRAIN = auto()
    DRAIN_PROMPTLY = auto()
    REOPEN = auto()
    OVER = auto()
    """The server has stopped."""


class Session(Protocol):
    """What is asked of a session."""

    @property
    def activity(self) -> str | None: ...


class Runnable(Protocol):
    """What is asked of a server (`homeport.Server`)."""

    @property
    def sessions(self) -> Sequence[Session]: ...

    def stop(self, timeout: float) -> bool: ...

    def reopen_logs(self) -> None: ...


class Wishes:
    """What signals have asked for, in order."""

    __slots__ = ("_bell", "_ear", "_queue")

    def __init__(self) -> None:
        # SimpleQueue.put may be interrupted by itself, which an Event or a Condition would not survive.
        self._queue: SimpleQueue[Wish] = SimpleQueue()
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)

    def fileno(self) -> int:
        """What is to be written to when a signal arrives."""
        return self._bell.fileno()

    def put(self, wish: Wish) -> None:
        """From any thread, and from a signal handler."""
        self._queue.put(wish)
        try:
            self._bell.send(b"\0")
        except BlockingIOError:
            pass  # so full that it is heard anyway

    def next(self) -> Wish:
        """Wait for the next one."""
        while True:
            try:
                return self._queue.get_nowait()
            except Empty:
                ready((self._ear.fileno(),), (), _LONG)
            try:
                while self._ear.recv(4096):
                    pass
            except BlockingIOError:
                continue  # what rang is in the queue by now, or about to be, and rings then

    def close(self) -> None:
        self._ear.close()
        self._bell.close()


@contextmanager
def signals() -> Iterator[Wishes]:
    """Turn signals into wishes for as long as the block lasts. In the main thread only."""
    wishes = Wishes()
    meanings = {"SIGINT": Wish.DRAIN, "SIGTERM": Wish.DRAIN_PROMPTLY, "SIGBREAK": Wish.DRAIN, "SIGHUP": Wish.REOPEN}
    numbers = {getattr(signal, name): wish for name, wish in meanings.items() if hasattr(signal, name)}

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature that signal asks for
        wishes.put(numbers[number])

    former = signal.set_wakeup_fd(wishes.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(former)
        wishes.close()


def run(server: Runnable, wishes: Wishes, say: Callable[[str], None], renew: Callable[[], None] | None = None) -> None:
    """Let *server*, which runs, go on until it is asked to stop and has stopped. *renew* reads its configuration."""
    stopper: threading.Thread | None = None
    while True:
        wish = wishes.next()
        match wish:
            case Wish.OVER:
                break
            case Wish.REOPEN if renew is not None and stopper is None:
                # It takes a while, in which the next signal must be heard.
                threading.Thread(
                    target=_renew, args=(renew, server, say), name="homeport-reload-asked", daemon=True
                ).start()
            case Wish.REOPEN:
                reopen(server, say)
            case _ if stopper is None:
                transfers = sum(1 for session in server.sessions if session.activity is not None)
                if transfers:
                    say(farewell(transfers))
                seconds = PROMPT if wish is Wish.DRAIN_PROMPTLY else PATIENT
                stopper = threading.Thread(target=_stop, args=(server, seconds, wishes), name="homeport-stop-asked")
                stopper.start()
            case _:
                say("Stopping at once.")
                server.stop(0.0)
    if stopper is not None:
        stopper.join()


def farewell(transfers: int) -> str:
    """What is said when the server begins to stop and is not idle."""
    return f"Waiting for {transfers} transfer{'s' if transfers > 1 else ''}; press Ctrl-C again to stop at once."


def reopen(server: Runnable, say: Callable[[str], None]) -> None:
    """Open the logs anew; a log that cannot be opened must not end the server."""
    try:
        server.reopen_logs()
    except OSError as error:
        say(
            f"A log file could not be opened anew, so the old one is used further: {error.strerror} ({error.filename})."
        )


def _renew(renew: Callable[[], None], server: Runnable, say: Callable[[str], None]) -> None:
    try:
        renew()
    finally:
        # A new configuration opens its own; a bad one must not keep who rotates the logs waiting.
        reopen(server, say)


def _stop(server: Runnable, seconds: float, wishes: Wishes) -> None:
    try:
        server.stop(seconds)
    finally:
        wishes.put(Wish.OVER)
