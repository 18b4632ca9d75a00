"""Transfers that wait for their clients, in a whole server: no thread waits with them, and all else is as ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType

import pytest

from homeport.accounts.limits import LoginThrottle, SessionLimits
from homeport.accounts.model import User
from homeport.accounts.passwords import Passwords, plain
from homeport.accounts.providers import Accounts, StaticAccounts
from homeport.data.ports import PassivePorts
from homeport.events.types import CloseReason, SessionClosed, TransferEnded
from homeport.net.listener import listen
from homeport.protocol.path import VirtualPath
from homeport.server import readiness
from homeport.server.operation import Operation, Parts
from homeport.server.post import SharedPost
from homeport.server.sessions import Talk
from homeport.session.conversation import Conversation
from homeport.session.services import Clock, Policy, Services
from homeport.session.stopping import Stopping
from homeport.storage.base import Access, Entry, NotFound, Writer
from homeport.storage.memory import MemoryStorage
from homeport.testing.client import Client

from .fakes import Recorder, wait_for
from .house import KINDS

HOST = "127.0.0.1"
STALL = 0.3
"""Seconds of a test that waits for it; all others have time."""
SIZE = 4 * 1024 * 1024
"""Of a file that no socket takes as a whole."""


class Hanging(MemoryStorage):
    """A disk that hangs in the middle of a write, until `release`, and may say what it likes."""

    __slots__ = ("entries", "hangs", "release")

    def __init__(self) -> None:
        super().__init__()
        self.entries: Callable[[], Iterator[Entry]] | None = None
        """What a listing says instead of the truth."""
        self.hangs = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def open_write(self, path: VirtualPath, access: Access, offset: int = 0, mode: int = 0o666) -> Writer:
        return HangingWriter(super().open_write(path, access, offset, mode), self)

    def scan(self, path: VirtualPath) -> Iterator[Entry]:
        return super().scan(path) if self.entries is None else self.entries()

    def content(self, path: str) -> bytes:
        with self.open_read(VirtualPath.parse(path)) as reader:
            return b"".join(bytes(chunk) for chunk in reader.chunks())


class HangingWriter(Writer):
    def __init__(self, writer: Writer, storage: Hanging) -> None:
        self._writer = writer
        self._storage = storage
        self.position = writer.position

    def write(self, data: memoryview) -> None:
        if not self._storage.release.is_set():
            self._storage.hangs.set()
            self._storage.release.wait(20)
        self._writer.write(data)

    def commit(self) -> None:
        self._writer.commit()

    def abort(self, *, keep: bool) -> None:
        self._writer.abort(keep=keep)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


class Site:
    """An operation with real conversations over a storage in memory."""

    def __init__(self, stall: float) -> None:
        self.undo = ExitStack()
        self.recorder = Recorder()
        self.storage = Hanging()
        writer = self.storage.open_write(VirtualPath.parse("/large"), Access.REPLACE)
        writer.write(memoryview(bytes(SIZE)))
        writer.commit()
        passive = PassivePorts.open([HOST], None, count=4)
        post = SharedPost()
        passwords = Passwords()
        stopping = Stopping()
        self.services = services = Services(
            accounts=Accounts([StaticAccounts([(User("bob", "/"), plain("secret"))], passwords)], passwords),
            throttle=LoginThrottle(Clock().monotonic),
            ports=passive,
            events=self.recorder.bus,
            storage_for=lambda _: self.storage,
            policy=Policy(data_seconds=stall),
            post=post,
            stopping=stopping,
        )

        def converse(connection: socket.socket, number: int, peer: tuple[str, int], local: tuple[str, int]) -> Talk:
            return Conversation(connection, number, peer, local, services)

        self.operation = Operation(
            Parts(
                listeners=(listen(HOST, 0),), passive=passive, limits=SessionLimits(10_000, 0), converse=converse,
                events=self.recorder.bus, post=post, stopping=stopping, close=passive.close,
            )
        )  # fmt: skip
        self.undo.callback(self.operation.stop, 0)

    def client(self) -> Client:
        client = Client(HOST, self.operation.addresses[0][1], timeout=10)
        self.undo.callback(client.close)
        client.login("bob", "secret")
        client.ask("TYPE I", 200)
        return client

    def begin(self, client: Client, command: str) -> socket.socket:
        """*command* has been given, and its transfer is suspended."""
        data = self.undo.enter_context(socket.socket())
        data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data.settimeout(10)
        data.connect(client.passive())
        before = self.suspended
        client.command(command)
        assert client.reply().code == 150
        wait_for(lambda: self.suspended == before + 1)
        return data

    @property
    def suspended(self) -> int:
        return sum(talk.beside >= 0 for talk in self.operation.sessions.all())

    def ended(self) -> list[TransferEnded]:
        return [event for event in self.recorder.events if isinstance(event, TransferEnded)]

    def has(self, path: str) -> bool:
        try:
            self.storage.stat(VirtualPath.parse(path))
        except NotFound:
            return False
        return True


@pytest.fixture(autouse=True, params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the system tells what is ready."""
    monkeypatch.setattr(readiness, "best", request.param)


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(getattr(request, "param", 20.0))
    with made.undo:
        yield made


Begin = Callable[[Client], socket.socket]


@pytest.fixture(params=["STOR new", "RETR large"])
def begin(request: pytest.FixtureRequest, site: Site) -> Begin:
    """Begins an upload that waits for its first octets, or a download that waits for room."""
    return lambda client: site.begin(client, request.param)


def read_all(data: socket.socket) -> bytes:
    return b"".join(iter(lambda: data.recv(1 << 20), b""))


# -- what the client says meanwhile -----------------------------------------------------------------------------------


def test_stat_and_noop_are_answered_at_once(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data:
        data.sendall(b"12345")
        wait_for(lambda: any(b"5 bytes so far" in line for line in client.ask("STAT", 211).lines))
        client.ask("NOOP", 200)
        data.sendall(b"67890")
    assert client.reply().code == 226
    assert site.storage.content("/new") == b"1234567890"


def test_abor_ends_it(site: Site, begin: Begin) -> None:
    client = site.client()
    with begin(client):
        client.command("ABOR")
        assert [client.reply().code, client.reply().code] == [426, 226]
    assert not site.has("/new")
    assert [event.error for event in site.ended()] == ["aborted"]
    client.ask("NOOP", 200)
    assert client.stor("new", b"again").complete


def test_quit_waits_for_its_end(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data:
        client.command("QUIT")
        client.command("NOOP")
        data.sendall(b"content")
    assert [client.reply().code, client.reply().code] == [226, 221]
    assert site.storage.content("/new") == b"content"


def test_who_says_quit_and_is_gone_has_his_upload(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data:
        client.command("QUIT")
        client.shut()
        # A control connection that is at its end would be reported for ever: a thread stays with this one.
        wait_for(lambda: site.operation.sessions.all()[0].fileno() < 0)
        data.sendall(b"content")
    assert client.reply().code == 226
    wait_for(lambda: not len(site.operation.sessions))
    assert site.storage.content("/new") == b"content"


def test_and_so_has_who_asked_for_much_before(site: Site) -> None:
    """More than is carried out in a turn: he cannot come again for another one."""
    client = site.client()
    with site.begin(client, "STOR new") as data:
        client.send(b"PWD\r\n" * 40 + b"QUIT\r\n", *["PWD"] * 40, "QUIT")
        client.shut()
        wait_for(lambda: site.operation.sessions.all()[0].fileno() < 0)
        data.sendall(b"content")
    assert [client.reply().code for _ in range(42)] == [226] + [257] * 40 + [221]


def test_who_says_quit_and_is_gone_can_be_ended(site: Site) -> None:
    """Nobody waits for his control connection any more, and he may keep his data connection for ever."""
    client = site.client()
    with site.begin(client, "STOR new"):
        client.command("QUIT")
        client.shut()
        wait_for(lambda: site.operation.sessions.all()[0].fileno() < 0)
        assert site.operation.kick(1)
        assert client.reply().code == 426
        wait_for(lambda: not len(site.operation.sessions))
    assert not site.has("/new")


class Flood:
    """NOOP, on and on; what is answered is read, and forgotten."""

    def __init__(self, client: Client, line: bytes = b"NOOP") -> None:
        self._lines = (line + b"\r\n") * 500
        self._control = client.control
        self._over = threading.Event()
        self._threads = [threading.Thread(target=one) for one in (self._talk, self._hear)]

    def _talk(self) -> None:
        try:
            while not self._over.is_set():
                self._control.sendall(self._lines)
        except OSError:
            pass  # the session is over

    def _hear(self) -> None:
        try:
            while self._control.recv(1 << 16):
                pass
        except OSError:
            pass

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        try:
            self._control.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self._threads:
            thread.join()


def test_who_talks_on_and_on_is_served_all_the_same(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data, Flood(client):
        data.sendall(b"content")
        data.shutdown(socket.SHUT_WR)
        wait_for(lambda: site.has("/new"))


def test_and_is_ended_all_the_same(site: Site) -> None:
    """His input never comes to its end."""
    client = site.client()
    with site.begin(client, "STOR new"), Flood(client):
        assert site.operation.kick(1)
        wait_for(lambda: not len(site.operation.sessions))
    assert [event.error for event in site.ended()] == ["the server has ended the session"]


@pytest.mark.parametrize("line", [b"NOOP", b"NOOP " + b"x" * 4000])
def test_and_so_is_who_has_no_transfer(site: Site, line: bytes) -> None:
    """Be it that one read brings many commands, or only one."""
    client = site.client()
    with Flood(client, line):
        wait_for(lambda: site.operation.sessions.all()[0].session.commands > 10)
        assert site.operation.kick(1)
        wait_for(lambda: not len(site.operation.sessions))


def test_what_fails_unforeseen_leaves_nothing_behind(site: Site) -> None:
    def chunks() -> Iterator[Entry]:
        entry = site.storage.stat(VirtualPath.parse("/large"))
        yield from (entry for _ in range(100_000))
        raise ValueError("nobody thought of this")

    client = site.client()
    site.storage.entries = chunks
    with site.begin(client, "MLSD") as data, pytest.raises(ConnectionResetError):
        read_all(data)
    assert client.reply().code == 451
    [view] = site.operation.view()
    assert (view.activity, view.data) == (None, None)


def test_what_is_sent_ahead_is_carried_out_behind_it_and_in_order(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data:
        client.send(b"SIZE new\r\nREIN\r\nNOOP\r\nPWD\r\n", "SIZE", "REIN", "NOOP", "PWD")
        wait_for(lambda: not client.pending(0.05))
        assert site.suspended == 1
        data.sendall(b"content")
    assert [client.reply().code for _ in range(5)] == [226, 213, 220, 200, 530]


def test_a_burst_behind_a_suspended_upload_has_its_turns(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data:
        client.send(b"PWD\r\n" * 100, *["PWD"] * 100)
        data.sendall(b"content")
    assert [client.reply().code for _ in range(101)] == [226] + [257] * 100


def test_who_has_sent_all_before_he_asks_is_served_at_once(site: Site) -> None:
    client = site.client()
    data = site.undo.enter_context(socket.create_connection(client.passive(), timeout=10))
    data.sendall(b"content")
    data.shutdown(socket.SHUT_WR)
    client.command("STOR new")
    assert [client.reply().code, client.reply().code] == [150, 226]
    assert site.storage.content("/new") == b"content"


# -- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [STALL], indirect=True)
def test_one_that_stalls_is_given_up_and_the_session_goes_on(site: Site, begin: Begin) -> None:
    client = site.client()
    with begin(client):
        assert client.reply().code == 426
    client.ask("NOOP", 200)
    assert [event.error for event in site.ended()] == ["stalled"]
    assert not site.has("/new")


@pytest.mark.parametrize("site", [1.0], indirect=True)
def test_one_that_is_slow_does_not_stall(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new") as data:
        for _ in range(6):
            data.sendall(b"x")
            client.pending(0.3)
    assert client.reply().code == 226
    assert site.storage.content("/new") == b"x" * 6


def test_a_control_connection_that_is_lost_ends_it(site: Site, begin: Begin) -> None:
    client = site.client()
    with begin(client):
        client.reset()
        wait_for(lambda: not len(site.operation.sessions))
    assert [event.error for event in site.ended()] == ["control connection lost"]
    assert not site.has("/new")


def test_a_data_connection_that_is_lost_ends_it(site: Site, begin: Begin) -> None:
    client = site.client()
    with begin(client) as data:
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert client.reply().code == 426
    client.ask("NOOP", 200)


def test_a_session_that_is_ended_says_so(site: Site, begin: Begin) -> None:
    client = site.client()
    with begin(client):
        assert site.operation.kick(1)
        replies = [client.reply(), client.reply()]
    assert [reply.code for reply in replies] == [426, 421]
    assert "the server has ended the session" in replies[0].text
    wait_for(lambda: not len(site.operation.sessions))
    [closed] = site.recorder.of(SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert closed.reason is CloseReason.KICKED


def test_a_session_that_is_ended_is_so_even_if_quit_was_said(site: Site) -> None:
    client = site.client()
    with site.begin(client, "STOR new"):
        client.command("QUIT")
        wait_for(lambda: not client.pending(0.05))
        assert site.operation.kick(1)
        assert client.reply().code == 426
        wait_for(lambda: not len(site.operation.sessions))


# -- a stop -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["STOR new", "RETR large"])
def test_a_stop_lets_it_finish(site: Site, command: str) -> None:
    client, idle = site.client(), site.client()
    with site.begin(client, command) as data:
        stopper = threading.Thread(target=site.operation.stop, args=(20.0,))
        stopper.start()
        assert idle.reply().code == 421
        assert site.suspended == 1
        if command == "STOR new":
            data.sendall(b"content")
            data.shutdown(socket.SHUT_WR)
        else:
            assert len(read_all(data)) == SIZE
        assert [client.reply().code, client.reply().code] == [226, 421]
    stopper.join(10)
    assert not stopper.is_alive()


def test_the_end_of_the_drain_ends_it(site: Site, begin: Begin) -> None:
    client = site.client()
    with begin(client):
        site.operation.stop(0.1)
        replies = [client.reply(), client.reply()]
    assert [reply.code for reply in replies] == [426, 421]
    assert "the server is stopping" in replies[0].text
    assert not site.has("/new")


# -- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["STOR {}", "RETR large"])
def test_two_hundred_slow_ones_take_few_threads(site: Site, command: str) -> None:
    clients = [site.client() for _ in range(200)]
    connections = [site.begin(client, command.format(number)) for number, client in enumerate(clients)]
    assert threading.active_count() < 15
    views = site.operation.view()
    assert all(view.busy and view.activity is not None and view.data is not None for view in views)
    if command.startswith("STOR"):
        for number, data in enumerate(connections):
            data.sendall(b"%d" % number)
        wait_for(lambda: all(view.data is not None and view.data.octets for view in site.operation.view()))
        for data in connections:
            data.shutdown(socket.SHUT_WR)
        assert [client.reply().code for client in clients] == [226] * 200
        assert [site.storage.content(f"/{number}") for number in range(200)] == [b"%d" % n for n in range(200)]
    else:
        for client, data in zip(clients[:20], connections[:20], strict=True):
            assert len(read_all(data)) == SIZE
            assert client.reply().code == 226
        assert site.suspended == 180
    assert threading.active_count() < 15


def test_a_disk_that_hangs_holds_up_nobody_else(site: Site) -> None:
    client, other = site.client(), site.client()
    with site.begin(client, "STOR new") as data:
        site.storage.release.clear()
        data.sendall(b"content")
        assert site.storage.hangs.wait(10)
        for _ in range(3):
            other.ask("NOOP", 200)
        client.command("NOOP")
        site.storage.release.set()
    assert {client.reply().code, client.reply().code} == {200, 226}
    assert site.storage.content("/new") == b"content"


@pytest.mark.parametrize("gives_up", [True, False])
def test_half_a_file_is_not_taken_for_a_whole_one(site: Site, gives_up: bool) -> None:
    """Who gives up, or dies, ends his data, too, while we are still busy with what came before."""
    client = site.client()
    with site.begin(client, "STOR new") as data:
        site.storage.release.clear()
        data.sendall(bytes(100_000))
        assert site.storage.hangs.wait(10)
        if gives_up:
            client.command("ABOR")
        else:
            client.shut()
    site.storage.release.set()
    assert client.reply().code == 426
    if gives_up:
        assert client.reply().code == 226
    assert not site.has("/new")


def test_fast_ones_come_through_whole(site: Site) -> None:
    content = bytes(range(256)) * 40_000
    client = site.client()
    assert client.stor("new", content).complete
    assert site.storage.content("/new") == content
    assert client.retr("new").data == content
    assert site.suspended == 0


def test_one_session_after_the_other_has_the_same_number(site: Site) -> None:
    """Data connections come and go by the same descriptor: suspended, aborted, suspended again."""
    client = site.client()
    numbers = set()
    for _ in range(5):
        with site.begin(client, "STOR new"):
            numbers.add(site.operation.sessions.all()[0].beside)
            client.command("ABOR")
            assert [client.reply().code, client.reply().code] == [426, 226]
        with site.begin(client, "STOR new") as data:
            numbers.add(site.operation.sessions.all()[0].beside)
            data.sendall(b"content")
        assert client.reply().code == 226
    assert len(numbers) < 3
