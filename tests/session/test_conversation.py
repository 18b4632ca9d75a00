"""What a conversation does about time: deadlines of the login, the wait for the next command, the server's stop."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from homeport.data.offer import Offer
from homeport.events.types import CloseReason, SessionClosed
from homeport.protocol.path import ROOT, VirtualPath
from homeport.session.conversation import Conversation
from homeport.session.stopping import Stopping
from homeport.storage.memory import MemoryStorage

from .harness import HOST, Harness


@pytest.fixture
def harness() -> Iterator[Harness]:
    with Harness() as one:
        yield one


@pytest.mark.standard("959-4.1.1-REIN")
@pytest.mark.parametrize("again", ["REIN", "USER test"])
def test_who_logs_out_late_has_the_whole_time_for_the_next_login(harness: Harness, again: str) -> None:
    client = harness.client()
    harness.now += 100  # more than a login may take
    assert client.ask(again).code in (220, 331)
    harness.advance(59)
    assert client.ask("USER test").code == 331
    harness.advance(2)
    assert client.reply().code == 421


def test_starting_the_login_again_wins_no_time(harness: Harness) -> None:
    client = harness.client(login=False)
    harness.advance(59)
    assert client.ask("USER test").code == 331
    harness.advance(2)
    assert client.reply().code == 421


class StopMeanwhile(MemoryStorage):
    """The server begins to stop while a directory is being made."""

    __slots__ = ("stopping",)

    stopping: Stopping

    def make_directory(self, path: VirtualPath, mode: int = 0o777) -> None:
        super().make_directory(path, mode)
        self.stopping.set()


def test_a_stop_begins_nothing_new() -> None:
    """Commands that were sent ahead do not keep a server from stopping."""
    storage = StopMeanwhile()
    with Harness(storage) as harness:
        storage.stopping = harness.services.stopping
        client = harness.client()
        client.send(b"MKD a\r\nMKD b\r\nNOOP\r\n", "MKD", "MKD", "NOOP")
        assert client.reply().code == 257
        assert client.reply().code == 421
        wait_until(lambda: isinstance(harness.events[-1], SessionClosed))
    assert [event.reason for event in harness.events if isinstance(event, SessionClosed)] == [CloseReason.SHUTDOWN]
    assert [entry.name for entry in storage.scan(ROOT)] == ["a"]


def test_it_never_waits_for_a_command() -> None:
    with Harness() as harness, socket.create_server((HOST, 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection, peer = listener.accept()
        talk = Conversation(connection, 1, peer[:2], connection.getsockname()[:2], harness.services)
        assert talk.run()
        assert client.recv(100).startswith(b"220")
        assert talk.run()
        client.sendall(b"NOOP\r\nNO")
        wait_until(lambda: bool(select.select([talk.fileno()], [], [], 0)[0]))
        assert talk.run()
        assert client.recv(100) == b"200 OK\r\n"
        assert talk.run()
        client.close()
        wait_until(lambda: bool(select.select([talk.fileno()], [], [], 0)[0]))
        assert not talk.run()


# -- while PASV waits for a port ---------------------------------------------------------------------------------------


@pytest.fixture
def held(harness: Harness) -> list[Offer]:
    """All ports, promised to other sessions of the client."""
    return [harness.services.ports.offer(HOST, HOST, 0) for _ in harness.services.ports.ports]


def test_what_is_said_while_pasv_waits_is_answered_after_it(harness: Harness, held: list[Offer]) -> None:
    client = harness.client()
    client.command("PASV")
    wait_until(lambda: bool(held[0].place.range.queues))
    client.command("STAT")
    client.command("NOOP")
    held[0].release()
    assert [client.reply().code for _ in range(3)] == [227, 211, 200]


def test_abor_ends_the_wait_of_pasv(harness: Harness, held: list[Offer]) -> None:
    client = harness.client()
    client.command("EPSV")
    wait_until(lambda: bool(held[0].place.range.queues))
    client.command("ABOR")
    refused = client.reply()
    assert (refused.code, refused.text) == (425, "Aborted before a port was free")
    assert client.reply().code in (225, 226)
    assert not held[0].place.range.queues


def test_who_leaves_while_pasv_waits_leaves_the_queue(harness: Harness, held: list[Offer]) -> None:
    client = harness.client()
    client.command("EPSV")
    queues = held[0].place.range.queues
    wait_until(lambda: bool(queues))
    client.close()
    wait_until(lambda: any(isinstance(event, SessionClosed) for event in harness.events))
    assert not queues


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


# -- turns, and ends from outside --------------------------------------------------------------------------------------


@pytest.fixture
def talk(harness: Harness) -> Iterator[tuple[Conversation, socket.socket]]:
    """A conversation that nobody runs, greeted, and its client."""
    with socket.create_server((HOST, 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        connection, peer = listener.accept()
    with client:
        one = Conversation(connection, 1, peer[:2], connection.getsockname()[:2], harness.services)
        assert one.run()
        assert client.recv(100).startswith(b"220")
        yield one, client
        if one.fileno() >= 0:
            one.end(CloseReason.SHUTDOWN)
            while one.run():
                pass


def lines(client: socket.socket, most: int) -> int:
    """How many replies are there; *most* come in the end."""
    client.settimeout(0.05)
    octets = b""
    try:
        while octets.count(b"\n") < most:
            octets += client.recv(65536)
    except TimeoutError:
        pass
    return octets.count(b"\n")


def test_commands_that_were_sent_ahead_are_carried_out_some_in_a_turn(
    talk: tuple[Conversation, socket.socket],
) -> None:
    """Or one client with ten thousand of them would have the thread for itself. Meanwhile nothing more is read."""
    one, client = talk
    client.sendall(b"NOOP\r\n" * 100)
    wait_until(lambda: bool(select.select([one.fileno()], [], [], 0)[0]))
    assert one.run()
    answered = lines(client, 17)
    assert 1 <= answered <= 16
    client.sendall(b"NOOP\r\n" * 1000)
    turns = [one.waiting]
    while turns[-1]:
        assert one.run()
        turns.append(one.waiting)
    assert lines(client, 1100 - answered) == 100 - answered
    assert len(turns) > 6
    wait_until(lambda: bool(select.select([one.fileno()], [], [], 0)[0]))
    while select.select([one.fileno()], [], [], 0)[0] or one.waiting:
        assert one.run()
    assert lines(client, 1000) == 1000


@pytest.mark.parametrize("reason", list(CloseReason))
def test_whatever_ends_it_from_outside_it_says_goodbye_and_closes(
    talk: tuple[Conversation, socket.socket], reason: CloseReason
) -> None:
    """Also what only the server itself does: when the system has no memory to watch one connection more."""
    one, client = talk
    one.end(reason)
    assert not one.run()
    assert client.recv(1000).startswith(b"421 ")
    assert client.recv(1000) == b""
    assert one.fileno() == -1


def test_nothing_is_carried_out_for_who_is_ended(talk: tuple[Conversation, socket.socket]) -> None:
    """What comes in on and on would never come to its end."""
    one, client = talk
    client.sendall(b"NOOP\r\n")
    wait_until(lambda: bool(select.select([one.fileno()], [], [], 0)[0]))
    one.end(CloseReason.KICKED)
    assert not one.run()
    assert client.recv(1000).startswith(b"421 ")


def test_who_is_ended_hears_nothing_more_of_what_was_sent_ahead(talk: tuple[Conversation, socket.socket]) -> None:
    one, client = talk
    client.sendall(b"NOOP\r\n" * 100)
    wait_until(lambda: bool(select.select([one.fileno()], [], [], 0)[0]))
    assert one.run()
    assert one.waiting
    one.end(CloseReason.KICKED)
    assert not one.run()
    replies = b""
    while octets := client.recv(65536):
        replies += octets
    assert replies.count(b"200 ") <= 16
    assert replies.splitlines()[-1].startswith(b"421 ")
