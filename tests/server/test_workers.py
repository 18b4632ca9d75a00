"""Several workers as their clients, and whoever runs them, see them: real processes, real sockets, real signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psutil
import pytest

import homeport
from homeport.accounts.model import READ_ONLY, Grant, User
from homeport.accounts.passwords import Passwords
from homeport.accounts.providers import Provider, StaticAccounts
from homeport.data.address import Rule, Rules
from homeport.events.types import Event, LoggedIn, ServerStarted, ServerStopped, SessionClosed, SessionOpened, Warned
from homeport.protocol.path import ROOT
from homeport.server.asking import ask
from homeport.server.config import Config
from homeport.server.listening import StartError
from homeport.server.workers import POSSIBLE, count_of, most_workers, slices, usable_processors
from homeport.session.services import Clock
from homeport.testing.client import Client, Way

from .fakes import wait_for

needs_workers = pytest.mark.skipif(
    not (POSSIBLE and os.path.isdir("/proc/self/fd")), reason="several workers cannot be here"
)
PER_ADDRESS = 4
BIG = 32 * 1024 * 1024


@dataclass
class Farm:
    """A server of two workers, and what it tells."""

    folder: Path
    options: dict[str, Any]
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = homeport.Server(config=self.config())
        self.server.subscribe(self.events.append)

    def config(self, **options: Any) -> Config:
        """What the server was made with, but for some *options*."""
        (self.folder / "home").mkdir(exist_ok=True)
        values: dict[str, Any] = {
            "server": {"workers": 2, "state": str(self.folder / "state")},
            "listen": {"addresses": ["127.0.0.1"], "port": 0},
            "data": {"passive_ports": "any"},
            "limits": {"sessions_per_address": PER_ADDRESS},
            "users": [{"name": "bob", "password": "plain:secret", "home": str(self.folder / "home")}],
        }
        for table, changes in [*self.options.items(), *options.items()]:
            values[table] = changes if isinstance(changes, list) else values.get(table, {}) | changes
        return Config.model_validate(values)

    def status(self) -> list[dict[str, Any]]:
        """The workers, as the console tells of them."""
        found: list[dict[str, Any]] = ask(str(self.folder / "state"), {"ask": "status"})["status"]["workers"]
        return found

    def serving(self) -> list[int]:
        """The processes that take clients."""
        return [worker["pid"] for worker in self.status() if worker["state"] == "serving"]

    def sessions(self) -> int:
        return sum(worker["sessions"] for worker in self.status())

    def process_of(self, client: Client) -> int:
        """The worker that *client* has come to, by the passive port that it is given."""
        port = client.passive()[1]
        (found,) = [worker["pid"] for worker in self.status() if port in worker["passive_ports"]]
        return int(found)

    def client(self, source: str = "127.0.0.1") -> Client:
        client = Client(self.server.host, self.server.port, source=source)
        client.login("bob", "secret")
        return client

    def two(self, stack: contextlib.ExitStack, source: str) -> tuple[Client, Client]:
        """Two clients in different workers."""
        # Both there, and alone: who is given to which worker depends on how many sessions each has.
        wait_for(lambda: len(self.serving()) >= 2 and self.sessions() == 0)
        one, other = stack.enter_context(self.client(source)), stack.enter_context(self.client(source))
        assert self.process_of(one) != self.process_of(other)
        return one, other

    def told_of(self, process: int) -> bool:
        return any(f"process {process})" in text for text in self.warnings())

    def warnings(self) -> list[str]:
        return [event.text for event in list(self.events) if isinstance(event, Warned)]


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
def no_process_stays() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


@contextlib.contextmanager
def farm(folder: Path, **options: dict[str, Any]) -> Iterator[Farm]:
    made = Farm(folder, options)
    with made.server:
        yield made
    assert any(isinstance(event, ServerStopped) for event in made.events)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One for all tests that leave it as it was. Each has an address of its own to come from."""
    before = selectors_open()
    with farm(tmp_path_factory.mktemp("farm"), uploads={"partial_days": 0}) as made:
        # Two loops, and what looks after the certificate and opens its selector in its own time.
        wait_for(lambda: selectors_open() == before + 3)
        yield made


def selectors_open() -> int:
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # of the look itself
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return links.count("anon_inode:[eventpoll]")


# -- how many, and which ports are whose -------------------------------------------------------------------------------


def test_auto_is_one_for_each_usable_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_of(1) == 1
    assert count_of(None) == (usable_processors() if POSSIBLE else 1)
    if hasattr(os, "sched_getaffinity"):
        assert usable_processors() == len(os.sched_getaffinity(0))
        monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_processors() == 1
    monkeypatch.setattr("homeport.server.workers.POSSIBLE", False)
    assert count_of(8) == 1


def test_slices_are_disjoint_even_and_whole() -> None:
    ports = {"127.0.0.1": range(10, 17), "::1": range(20, 24)}
    parts = slices(ports, 3)
    for address, numbers in ports.items():
        given = [number for part in parts for number in part[address]]
        assert sorted(given) == list(numbers)
        sizes = [len(part[address]) for part in parts]
        assert max(sizes) - min(sizes) <= 1
    assert most_workers(ports, 8) == 4
    assert most_workers(ports, 2) == 2


# -- serving -----------------------------------------------------------------------------------------------------------


@needs_workers
def test_clients_are_shared_and_each_worker_has_passive_ports_of_its_own(shared: Farm) -> None:
    with contextlib.ExitStack() as stack:
        wait_for(lambda: shared.sessions() == 0)
        clients = [stack.enter_context(shared.client("127.0.0.2")) for _ in range(4)]
        served = [shared.process_of(client) for client in clients]
        assert os.getpid() not in served
        assert sorted(map(served.count, set(served))) == [2, 2]
        assert set(served) <= children()
        first, second = (set(worker["passive_ports"]) for worker in shared.status())
        assert not first & second
        assert first | second == set(shared.server.passive_ports)
        for number, client in enumerate(clients):
            assert client.stor(f"of-{number}", b"x" * 1000).complete
            assert client.retr(f"of-{number}").data == b"x" * 1000


@needs_workers
def test_a_range_is_kept_to(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path, data={"passive_ports": free_ports(3)}) as made, contextlib.ExitStack() as stack:
        assert made.server.passive_ports == made.server.config.data.passive_ports
        one, other = made.two(stack, "127.0.0.1")
        slices_of = {worker["pid"]: worker["passive_ports"] for worker in made.status()}
        assert sorted(map(len, slices_of.values())) == [1, 2]
        for client in (one, other):
            own = slices_of[made.process_of(client)]
            assert {client.passive()[1] for _ in range(4)} <= set(own)


def free_ports(count: int) -> list[int]:
    """Numbers that the system has just had to spare."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            found.append(one.getsockname()[1])
        return sorted(found)


# -- what is right for all of them -------------------------------------------------------------------------------------


@needs_workers
def test_the_limit_of_an_address_counts_in_all_workers(shared: Farm) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(shared.client("127.0.0.3")) for _ in range(PER_ADDRESS)]
        with Client(shared.server.host, shared.server.port, source="127.0.0.3", greeted=False) as refused:
            reply = refused.reply()
            assert (reply.code, reply.text) == (421, "Too many connections from your address")
            refused.end()
        before = shared.sessions()
        clients[0].quit()
        wait_for(lambda: shared.sessions() == before - 1)
        stack.enter_context(shared.client("127.0.0.3"))


@needs_workers
def test_the_limit_of_the_server_counts_in_all_workers(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path, limits={"sessions": 3}) as made, contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(made.client())
        with Client(made.server.host, made.server.port, greeted=False) as refused:
            assert refused.reply().text == "Too many connections to this server; please try again later"
            refused.end()


@needs_workers
def test_a_client_behind_a_proxy_is_counted_as_itself_in_all_workers(tmp_path: Path, no_process_stays: None) -> None:
    proxy = {"networks": ["127.0.0.2/32"], "control": True}
    with farm(tmp_path, proxy=proxy, limits={"sessions_per_address": 2}) as made, contextlib.ExitStack() as stack:
        greetings = []
        for client in ["198.51.100.7"] * 3 + ["198.51.100.8"]:
            side = stack.enter_context(socket.create_connection(
                (made.server.host, made.server.port), timeout=10, source_address=("127.0.0.2", 0)
            ))  # fmt: skip
            side.sendall(f"PROXY TCP4 {client} 203.0.113.20 40123 21\r\n".encode())
            greetings.append(side.recv(4096)[:3])
        assert greetings == [b"220", b"220", b"421", b"220"]
        wait_for(lambda: made.sessions() == 3)
        stranger = stack.enter_context(socket.create_connection((made.server.host, made.server.port), timeout=10))
        assert stranger.recv(4096) == b""
        assert made.sessions() == 3


@needs_workers
def test_a_failed_login_slows_down_the_next_one_in_another_worker(shared: Farm) -> None:
    with contextlib.ExitStack() as stack:
        wait_for(lambda: shared.sessions() == 0)
        one, other = (
            stack.enter_context(Client(shared.server.host, shared.server.port, source="127.0.0.4")) for _ in range(2)
        )
        assert sorted(worker["sessions"] for worker in shared.status()) == [1, 1]
        one.ask("USER bob", 331)
        one.ask("PASS wrong", 530)
        begun = time.monotonic()
        other.login("bob", "secret")
        assert time.monotonic() - begun >= 0.4  # accounts.limits.PACE: half a second after a failure


@needs_workers
def test_sessions_are_listed_and_ended_wherever_they_are(shared: Farm) -> None:
    with contextlib.ExitStack() as stack:
        clients = shared.two(stack, "127.0.0.5")
        views = shared.server.sessions
        assert [view.peer for view in views] == [client.local for client in clients]
        assert [view.user for view in views] == ["bob", "bob"]
        numbers = [view.number for view in views]
        assert numbers == sorted(set(numbers))
        told = ask(str(shared.folder / "state"), {"ask": "sessions"})["sessions"]
        assert [view["number"] for view in told] == numbers
        for client, number in zip(clients, numbers, strict=True):
            assert ask(str(shared.folder / "state"), {"ask": "kick", "session": number})["ended"] is True
            assert client.reply().code == 421
            client.end()
        assert not shared.server.end_session(numbers[0])
        wait_for(lambda: shared.server.sessions == ())


@needs_workers
def test_events_and_logs_of_all_workers_come_together(tmp_path: Path, no_process_stays: None) -> None:
    log = tmp_path / "log"
    with farm(tmp_path, log={"json_file": str(log)}) as made:
        with contextlib.ExitStack() as stack:
            peers = [client.local for client in made.two(stack, "127.0.0.1")]
        old = log.rename(tmp_path / "old")
        made.server.reopen_logs()
        with contextlib.ExitStack() as stack:
            peers += [client.local for client in made.two(stack, "127.0.0.1")]
    for what in (SessionOpened, LoggedIn):
        assert [event.peer for event in made.events if isinstance(event, what)] == peers
    lines = [[json.loads(line) for line in file.read_text().splitlines()] for file in (old, log)]
    for number, half in enumerate(lines):
        opened = [line["peer"]["port"] for line in half if line["event"] == "SessionOpened"]
        assert sorted(opened) == sorted(port for _, port in peers[2 * number : 2 * number + 2])
    for once in (ServerStarted, ServerStopped):
        assert [type(event) for event in made.events].count(once) == 1
        assert [line["event"] for half in lines for line in half].count(once.__name__) == 1


@needs_workers
def test_the_rate_of_the_server_holds_for_all_workers_together(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path, rates={"server_download": 400_000}) as made, contextlib.ExitStack() as stack:
        (made.folder / "home/a").write_bytes(b"x" * 240_000)
        clients = made.two(stack, "127.0.0.1")
        streams = []
        begun = time.monotonic()
        for client in clients:
            data = client.connect(client.passive())
            client.command("RETR a")
            streams.append(data)
        octets = sum(len(b"".join(iter(partial(data.recv, 65536), b""))) for data in streams)
        took = time.monotonic() - begun
        assert octets == 480_000
        # A fifth of a second is made up for, and nobody waits behind the last piece of either, which is a twentieth.
        # Each alone would need 0.6 s.
        assert took >= 480_000 / 400_000 - 0.2 - 2 * 0.05
        for client in clients:
            assert client.final().code == 226


@needs_workers
def test_who_subscribes_later_hears_of_what_follows(tmp_path: Path, no_process_stays: None) -> None:
    made = Farm(tmp_path, {})
    made.server.unsubscribe(made.events.append)
    with made.server:
        heard: list[Event] = []
        made.server.subscribe(heard.append)
        with made.client() as client:
            wait_for(lambda: any(isinstance(event, LoggedIn) and event.peer == client.local for event in heard))
            client.quit()
        wait_for(lambda: any(isinstance(event, SessionClosed) for event in heard))
    assert made.events == []


@needs_workers
def test_all_workers_announce_what_was_learned_of_the_way_to_them(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path) as made:
        supervisor = made.server._supervisor
        assert supervisor is not None
        supervisor._spread(Rules(explicit=(Rule(ip_network("127.0.0.0/8"), "192.0.2.9"),)))
        for _ in range(2):
            with contextlib.ExitStack() as stack:
                clients = made.two(stack, "127.0.0.1")
                assert [client.passive(Way.PASV)[0] for client in clients] == ["192.0.2.9"] * 2
                victim = made.process_of(clients[0])
                os.kill(victim, signal.SIGKILL)
            # The one that takes its place is told, too.
            wait_for(lambda victim=victim: len(made.serving()) == 2 and victim not in made.serving())  # type: ignore[misc]


# -- death and replacement ---------------------------------------------------------------------------------------------


@needs_workers
def test_who_kills_a_worker_ends_its_sessions_only_and_it_is_replaced(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path) as made, contextlib.ExitStack() as stack:
        one, other = made.two(stack, "127.0.0.7")
        survivor, victim = made.process_of(one), made.process_of(other)
        ports = {worker["pid"]: worker["passive_ports"] for worker in made.status()}
        os.kill(victim, signal.SIGKILL)
        assert other.control.recv(1) == b""
        assert one.ask("NOOP", 200)
        wait_for(lambda: len(made.serving()) == 2)
        assert victim not in made.serving()
        (new,) = set(made.serving()) - {survivor}
        wait_for(lambda: new in {worker["pid"] for worker in made.status() if worker["passive_ports"]})
        assert {worker["pid"]: worker["passive_ports"] for worker in made.status()} == {
            survivor: ports[survivor], new: ports[victim],
        }  # fmt: skip
        # The dead one's place is free again, and no more than that.
        assert made.sessions() == 1
        for _ in range(PER_ADDRESS - 1):
            more = stack.enter_context(made.client("127.0.0.7"))
            assert more.mlsd().complete
        with Client(made.server.host, made.server.port, source="127.0.0.7", greeted=False) as refused:
            assert refused.reply().code == 421
            refused.end()
        wait_for(made.warnings)
        text = f"process {victim}) was ended by SIGKILL; 1 session was lost. It is replaced at once."
        assert text in made.warnings()[-1]


@needs_workers
def test_one_that_keeps_dying_is_replaced_the_more_slowly(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path) as made:
        victim, other = made.serving()
        for pause in ("at once", r"in 0\.5 seconds"):
            os.kill(victim, signal.SIGKILL)
            wait_for(partial(made.told_of, victim))
            assert re.search(rf"process {victim}\) was ended by SIGKILL; .* replaced {pause}\.$", made.warnings()[-1])
            with made.client() as client:  # by the other one
                assert client.mlsd().complete
            wait_for(lambda: len(made.serving()) == 2)
            (victim,) = set(made.serving()) - {other}


@needs_workers
def test_clients_wait_while_there_is_no_worker_at_all(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path) as made:
        for victim in made.serving():
            os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(made.warnings()) == 2)
        with made.client() as client:
            assert client.mlsd().complete
    closed = [event for event in made.events if isinstance(event, SessionClosed)]
    assert len(closed) == 1


# -- reload ------------------------------------------------------------------------------------------------------------


@needs_workers
def test_a_reload_lets_transfers_finish_and_serves_new_clients_anew(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path, data={"passive_ports": free_ports(2)}) as made, contextlib.ExitStack() as stack:
        (made.folder / "home/big").write_bytes(b"x" * BIG)
        getting, storing = made.two(stack, "127.0.0.1")
        idle = stack.enter_context(made.client("127.0.0.2"))
        stream = getting.connect(getting.passive())
        getting.ask("RETR big", 150)
        # The data connection is still to be made: the old worker keeps its port for that.
        where = storing.passive()
        storing.ask("STOR new", 150)
        before = set(made.serving())
        made.server.reload(made.config(server={"greeting": "Served anew"}))
        assert not before & set(made.serving())
        assert idle.reply().code == 421
        with Client(made.server.host, made.server.port, source="127.0.0.2") as fresh:
            assert fresh.ask("USER bob", 331)
            fresh.ask("PASS secret", 230)
            assert made.process_of(fresh) in made.serving()
            assert fresh.mlsd().complete
        sending = storing.connect(where)
        sending.sendall(b"y" * 1000)
        sending.close()
        assert storing.final().code == 226
        assert (made.folder / "home/new").read_bytes() == b"y" * 1000
        assert sum(len(part) for part in iter(partial(stream.recv, 1 << 20), b"")) == BIG
        assert getting.final().code == 226
        for old in (getting, storing):
            assert old.reply().code == 421
            old.end()
        wait_for(lambda: len(made.status()) == 2)
        assert {port for worker in made.status() for port in worker["passive_ports"]} == set(made.server.passive_ports)
        with Client(made.server.host, made.server.port) as last:
            last.login("bob", "secret")
        assert made.server.config.server.greeting == "Served anew"


@needs_workers
def test_a_reload_may_change_where_it_listens_and_how_many_there_are(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path) as made:
        old = made.server.port
        new = made.config(
            server={"workers": 3}, listen={"addresses": ["127.0.0.1", "127.0.0.8"], "port": free_ports(1)[0]}
        )
        made.server.reload(new)
        assert [port for _, port in made.server.addresses] == [new.listen.port] * 2
        wait_for(lambda: len(made.status()) == 3)
        with made.client() as client:
            assert client.mlsd().complete
        with Client("127.0.0.8", made.server.port) as client:
            client.login("bob", "secret")
            assert client.passive()[1] in set(made.server.passive_ports)
        assert accepts(made.server)
        assert not accepts(made.server, old)


@needs_workers
def test_a_reload_that_cannot_be_leaves_all_as_it_was(tmp_path: Path, no_process_stays: None) -> None:
    with farm(tmp_path) as made, made.client() as client, socket.socket() as taken:
        before, processes = made.server.config, children()
        homeless = made.config(users=[{"name": "eve", "password": "plain:x", "home": str(tmp_path / "gone")}])
        with pytest.raises(StartError, match=r"The home of eve, .*, is not a directory"):
            made.server.reload(homeless)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = made.config(listen={"addresses": ["127.0.0.1"], "port": taken.getsockname()[1]})
        with pytest.raises(StartError, match="is in use by another program"):
            made.server.reload(busy)
        wait_for(lambda: children() == processes)
        assert made.server.config == before
        assert client.mlsd().complete
        assert made.warnings() == []


# -- start and stop ----------------------------------------------------------------------------------------------------


@needs_workers
def test_workers_that_cannot_start_are_a_start_error(tmp_path: Path, no_process_stays: None) -> None:
    made = Farm(tmp_path, {"users": [{"name": "eve", "password": "plain:x", "home": str(tmp_path / "gone")}]})
    with pytest.raises(StartError, match=r"The home of eve, .*, is not a directory"):
        made.server.start()
    assert not made.server.running
    assert made.events == []


def choose(others: Sequence[Provider]) -> Sequence[Provider]:
    """Providers of a program of its own, which workers import."""
    guest = User("guest", os.getcwd(), (Grant(ROOT, READ_ONLY),))
    return [*others, StaticAccounts([(guest, "plain:please")], Passwords())]


@needs_workers
def test_providers_must_be_able_to_travel(tmp_path: Path, no_process_stays: None) -> None:
    made = Farm(tmp_path, {})
    with pytest.raises(StartError, match="cannot be handed to another process"):
        homeport.Server(config=made.config(), providers=lambda others: others).start()
    with homeport.Server(config=made.config(), providers=choose) as server, Client(server.host, server.port) as client:
        client.login("guest", "please")
    with pytest.raises(StartError, match="clock"):
        homeport.Server(config=made.config(), clock=Clock()).start()


@needs_workers
def test_a_stop_drains_all_workers(tmp_path: Path, no_process_stays: None) -> None:
    made = Farm(tmp_path, {})
    with made.server, contextlib.ExitStack() as stack:
        (made.folder / "home/big").write_bytes(b"x" * BIG)
        one, other = made.two(stack, "127.0.0.1")
        streams = []
        for client in (one, other):
            streams.append(client.connect(client.passive()))
            client.ask("RETR big", 150)
        stopping = stop_beside(made.server, 20.0)
        wait_for(lambda: "ServerStopping" in [type(event).__name__ for event in made.events])
        wait_for(lambda: not accepts(made.server))
        for client, stream in zip((one, other), streams, strict=True):
            assert sum(len(part) for part in iter(partial(stream.recv, 1 << 20), b"")) == BIG
            assert client.final().code == 226
        assert stopping()
    assert [type(event).__name__ for event in made.events][-1] == "ServerStopped"


@needs_workers
def test_what_drains_after_a_reload_may_finish_in_a_stop(tmp_path: Path, no_process_stays: None) -> None:
    made = Farm(tmp_path, {})
    with made.server, contextlib.ExitStack() as stack:
        (made.folder / "home/big").write_bytes(b"x" * BIG)
        client = stack.enter_context(made.client())
        stream = client.connect(client.passive())
        client.ask("RETR big", 150)
        made.server.reload(made.config(server={"greeting": "Served anew"}))
        stopping = stop_beside(made.server, 20.0)
        wait_for(lambda: "ServerStopping" in [type(event).__name__ for event in made.events])
        wait_for(lambda: [worker["state"] for worker in made.status()] == ["draining"])
        assert sum(len(part) for part in iter(partial(stream.recv, 1 << 20), b"")) == BIG
        assert client.final().code == 226
        assert stopping()
    assert made.warnings() == []


@needs_workers
def test_a_second_stop_ends_at_once(tmp_path: Path, no_process_stays: None) -> None:
    made = Farm(tmp_path, {})
    with made.server:
        (made.folder / "home/big").write_bytes(b"x" * BIG)
        with made.client() as client:
            client.connect(client.passive())
            client.ask("RETR big", 150)
            stopping = stop_beside(made.server, 60.0)
            wait_for(lambda: "ServerStopping" in [type(event).__name__ for event in made.events])
            begun = time.monotonic()
            made.server.stop(0.0)
            assert stopping()
            assert time.monotonic() - begun < 10
            assert client.final().code == 426
            client.reset()


def accepts(server: homeport.Server, port: int | None = None) -> bool:
    with socket.socket() as one:
        one.settimeout(5)
        return one.connect_ex((server.host, port or server.port)) == 0


def stop_beside(server: homeport.Server, seconds: float) -> Callable[[], bool]:
    """Stop in a thread; the function that is returned waits for it, and tells what came of it."""
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(server.stop(seconds)))
    thread.start()

    def wait() -> bool:
        thread.join(30)
        return outcome == [True]

    return wait


def test_one_worker_is_no_other_process(tmp_path: Path) -> None:
    before = children()
    made = Farm(tmp_path, {"server": {"workers": 1}})
    with made.server, made.client() as client:
        assert children() == before
        assert client.mlsd().complete
        assert not made.server.reloadable
        with pytest.raises(RuntimeError, match="one process"):
            made.server.reload(made.config())


def test_nothing_of_workers_is_imported_where_there_are_none() -> None:
    code = "import sys, homeport; homeport.Server; print([m for m in sys.modules if m.startswith('homeport.server.')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20).stdout
    assert "homeport.server.operation" in told
    assert not re.search(r"supervisor|crew|premises|packets|reception", told)
