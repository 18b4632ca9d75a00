"""What signals do to a server, without processes: the wishes are put in by hand."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest

from homeport.cli.running import PATIENT, PROMPT, Wish, Wishes, farewell, reopen, run, signals


@dataclass
class Session:
    activity: str | None


class Server:
    """Stops when `finish` is set, or at once when it is asked a second time."""

    def __init__(self, *activities: str | None) -> None:
        self.sessions = [Session(activity) for activity in activities]
        self.finish = threading.Event()
        self.asked: list[float] = []
        self.reopened = 0
        self.failure: OSError | None = None

    def stop(self, timeout: float) -> bool:
        self.asked.append(timeout)
        if len(self.asked) > 1:
            self.finish.set()
        return self.finish.wait(20)

    def reopen_logs(self) -> None:
        self.reopened += 1
        if self.failure is not None:
            raise self.failure


def running(server: Server, *wishes: Wish, said: Callable[[str], None] | None = None) -> list[str]:
    words: list[str] = []
    with closing(Wishes()) as queue:
        for wish in wishes:
            queue.put(wish)
        run(server, queue, said or words.append)
    return words


def test_the_first_wish_drains_and_the_second_hurries() -> None:
    server = Server("download of /a", None, "upload of /b")
    assert running(server, Wish.DRAIN, Wish.DRAIN) == [
        "Waiting for 2 transfers; press Ctrl-C again to stop at once.",
        "Stopping at once.",
    ]
    assert sorted(server.asked) == [0.0, PATIENT]


def test_a_server_without_transfers_stops_without_a_word() -> None:
    server = Server(None)
    server.finish.set()
    assert running(server, Wish.DRAIN) == []
    assert server.asked == [PATIENT]


def test_service_managers_do_not_wait_for_ever() -> None:
    server = Server()
    server.finish.set()
    running(server, Wish.DRAIN_PROMPTLY)
    assert server.asked == [PROMPT]
    assert PROMPT < 90


def test_logs_are_reopened_before_and_while_it_drains() -> None:
    server = Server("download of /a")

    def said(text: str) -> None:
        server.finish.set()

    running(server, Wish.REOPEN, Wish.REOPEN, Wish.DRAIN, said=said)
    assert server.reopened == 2


def test_a_log_that_cannot_be_reopened_ends_nothing() -> None:
    server = Server()
    server.failure = PermissionError(13, "Permission denied", "/var/log/x")
    words: list[str] = []
    reopen(server, words.append)
    assert words == [
        "A log file could not be opened anew, so the old one is used further: Permission denied (/var/log/x)."
    ]


def test_one_transfer_is_not_many() -> None:
    assert farewell(1) == "Waiting for 1 transfer; press Ctrl-C again to stop at once."


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_signals_become_wishes_and_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with signals() as wishes:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert [wishes.next() for _ in range(3)] == [Wish.DRAIN, Wish.DRAIN_PROMPTLY, Wish.REOPEN]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_no_signal_is_lost_whenever_it_comes() -> None:
    """One that comes in the moment before the wait would not end a wait on a lock."""
    with signals() as wishes:
        for number in range(500):
            sender = threading.Timer(number % 7 * 1e-5, os.kill, (os.getpid(), signal.SIGHUP))
            sender.start()
            assert wishes.next() is Wish.REOPEN
            sender.join()
