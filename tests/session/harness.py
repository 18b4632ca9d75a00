"""Harness: conversations on loopback sockets over a storage in memory, with a clock that stands still.

For what a real disk and a real clock do not give on demand: a full disk, a read error in the middle of a file, a file
in use, an idle hour. Everything but storage, clock and lobby is what a server runs with.

    with Harness() as harness, harness.client() as client:
        client.ask("NOOP", 200)
        harness.advance(301)
        assert client.reply().code == 421
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from homeport.accounts.limits import LoginThrottle
from homeport.accounts.model import Grant, User
from homeport.accounts.passwords import Passwords, plain
from homeport.accounts.providers import Accounts, StaticAccounts
from homeport.data.ports import PassivePorts
from homeport.events.bus import Bus
from homeport.events.types import CloseReason, Event
from homeport.protocol.path import VirtualPath
from homeport.session.conversation import Conversation
from homeport.session.services import Clock, Policy, Services
from homeport.storage.base import Access, Entry, Kind, Reader, Space, Storage, StorageError, Writer
from homeport.storage.memory import MemoryStorage
from homeport.testing.client import Client

USER = "test"
PASSWORD = "secret"
HOST = "127.0.0.1"
JOIN_SECONDS = 10.0


class Troubled(MemoryStorage):
    """A storage in memory that fails where it is told to.

    `troubles` maps the name of a method to what it raises; "read" and "write" strike in the middle of a transfer, after
    `quiet` octets, "commit" at its end, and "next" in the middle of a scan.
    """

    __slots__ = ("endless", "quiet", "troubles")

    def __init__(self, *, capacity: int | None = None) -> None:
        super().__init__(capacity=capacity)
        self.troubles: dict[str, StorageError] = {}
        self.quiet = 0
        self.endless = False
        """Whether every directory has entries without end."""

    def strike(self, method: str) -> None:
        if method in self.troubles:
            raise self.troubles[method]

    def put(self, path: str, content: bytes) -> None:
        """Store a file without a client."""
        writer = super().open_write(VirtualPath.parse(path), Access.REPLACE)
        writer.write(memoryview(content))
        writer.commit()

    def get(self, path: str) -> bytes:
        """A file's content without a client."""
        with super().open_read(VirtualPath.parse(path)) as reader:
            return b"".join(bytes(chunk) for chunk in reader.chunks())

    def stat(self, path: VirtualPath) -> Entry:
        self.strike("stat")
        return super().stat(path)

    def scan(self, path: VirtualPath) -> Iterator[Entry]:
        self.strike("scan")
        return self._entries_then_trouble(super().scan(path))

    def _entries_then_trouble(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        yield from entries
        self.strike("next")
        while self.endless:
            yield Entry("endless", Kind.FILE, 0, 0, 0o644, 1, 0, 0, "e", None)

    def open_read(self, path: VirtualPath) -> Reader:
        self.strike("open_read")
        return _TroubledReader(super().open_read(path), self)

    def open_write(self, path: VirtualPath, access: Access, offset: int = 0, mode: int = 0o666) -> Writer:
        self.strike("open_write")
        return _TroubledWriter(super().open_write(path, access, offset, mode), self)

    def make_directory(self, path: VirtualPath, mode: int = 0o777) -> None:
        self.strike("make_directory")
        super().make_directory(path, mode)

    def remove_directory(self, path: VirtualPath) -> None:
        self.strike("remove_directory")
        super().remove_directory(path)

    def remove_file(self, path: VirtualPath) -> None:
        self.strike("remove_file")
        super().remove_file(path)

    def rename(self, source: VirtualPath, target: VirtualPath) -> None:
        self.strike("rename")
        super().rename(source, target)

    def space(self, path: VirtualPath) -> Space:
        self.strike("space")
        return super().space(path)


class _TroubledReader(Reader):
    def __init__(self, reader: Reader, storage: Troubled) -> None:
        self._reader = reader
        self._storage = storage
        self.size = reader.size

    def fileno(self) -> int | None:
        return None

    def read_into(self, buffer: memoryview, offset: int) -> int:
        if offset >= self._storage.quiet:
            self._storage.strike("read")
        return self._reader.read_into(buffer, offset)

    def close(self) -> None:
        self._reader.close()


class _TroubledWriter(Writer):
    def __init__(self, writer: Writer, storage: Troubled) -> None:
        self._writer = writer
        self._storage = storage
        self.position = writer.position

    def write(self, data: memoryview) -> None:
        if self.position + len(data) > self._storage.quiet:
            self._storage.strike("write")
        self._writer.write(data)
        self.position = self._writer.position

    def commit(self) -> None:
        self._storage.strike("commit")
        self._writer.commit()

    def abort(self, *, keep: bool) -> None:
        self._writer.abort(keep=keep)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


class Harness:
    """A listening socket, and a thread for each conversation that comes in by it."""

    def __init__(
        self, storage: Storage | None = None, policy: Policy | None = None, grants: Sequence[Grant] | None = None
    ) -> None:
        self.now = 1000.0
        """Monotonic seconds, for all conversations."""
        self.events: list[Event] = []
        self.storage = storage if storage is not None else MemoryStorage()
        user = User(USER, "/") if grants is None else User(USER, "/", tuple(grants))
        clock = Clock(monotonic=lambda: self.now)
        passwords = Passwords()
        bus = Bus()
        bus.subscribe(self.events.append)
        self._undo = ExitStack()
        self._lock = threading.Lock()
        self._talks: list[_Talk] = []
        ports = PassivePorts.open([HOST], None, count=4)
        self._undo.callback(ports.close)
        self.services = Services(
            accounts=Accounts([StaticAccounts([(user, plain(PASSWORD))], passwords)], passwords),
            throttle=LoginThrottle(clock.monotonic),
            ports=ports,
            events=bus,
            storage_for=lambda _: self.storage,
            policy=policy if policy is not None else Policy(data_seconds=5.0),
            clock=clock,
        )
        self._listener = self._undo.enter_context(socket.create_server((HOST, 0)))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="harness")
        self._acceptor.start()

    def client(self, *, login: bool = True, timeout: float = 10.0) -> Client:
        """Connected and, with *login*, logged in. Closed with the harness, if not before."""
        client = Client(HOST, self.port, timeout=timeout)
        self._undo.callback(client.close)
        if login:
            client.login(USER, PASSWORD)
        return client

    def advance(self, seconds: float) -> None:
        """Let time pass: whoever is parked and overdue now is told so."""
        self.now += seconds
        with self._lock:
            for talk in self._talks:
                talk.wake()

    def wait_until_over(self) -> None:
        """Until all conversations so far have come to their end, which their clients have brought about."""
        with self._lock:
            for talk in self._talks:
                talk.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(JOIN_SECONDS)
        with self._lock:
            for talk in self._talks:
                talk.end()
        self._undo.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return  # shut down
            with self._lock:
                self._talks.append(_Talk(connection, len(self._talks) + 1, peer, self))


class _Talk:
    """One conversation and its thread, which also does what a lobby does for it."""

    def __init__(self, connection: socket.socket, number: int, peer: tuple[str, int], harness: Harness) -> None:
        self._harness = harness
        self._conversation = Conversation(connection, number, peer[:2], connection.getsockname()[:2], harness.services)
        self._waking, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"conversation-{number}")
        self._thread.start()

    def wake(self) -> None:
        self._waking.send(b"w")

    def join(self) -> None:
        self._thread.join(JOIN_SECONDS)
        assert not self._thread.is_alive()

    def end(self) -> None:
        self._conversation.end(CloseReason.SHUTDOWN)
        self.wake()
        self._thread.join(JOIN_SECONDS)
        self._waking.close()
        self._woken.close()

    def _run(self) -> None:
        conversation = self._conversation
        step: Callable[[], bool] = conversation.run
        while step():
            step = conversation.run if conversation.waiting else self._wait()

    def _wait(self) -> Callable[[], bool]:
        """What is to be done next with the conversation, which is parked."""
        one = self._conversation
        reading = [one.fileno(), self._woken.fileno()]
        writing: list[int] = []
        if one.beside >= 0:
            (writing if one.sending else reading).append(one.beside)
        while True:
            readable, writable, _ = select.select(reading, writing, [])
            if self._woken.fileno() in readable:
                self._woken.recv(4096)
            if one.fileno() in readable:
                return one.run
            if one.beside in (*readable, *writable):
                return one.proceed
            if self._harness.now >= one.deadline:
                return one.expire
