"""RFC 2577: bounce and stealing, guessing of names, passwords and ports, and what nobody may reach."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.conformance.conftest import Configured
from tests.session.harness import HOST, PASSWORD, USER, Harness

import homeport
from homeport.accounts.limits import LoginThrottle
from homeport.accounts.passwords import Passwords
from homeport.events.types import Event, StrangerRefused
from homeport.session.services import Clock, Policy
from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer, FtpServerFactory

THIEF = "127.0.0.2"
CONTENT = b"for the owner only"


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(client: Client, name: str = USER) -> int:
    """One login with a wrong password, and the code that it ends with."""
    client.ask(f"USER {name}", 331)
    return client.ask("PASS wrong").code


def stolen(address: tuple[str, int]) -> bytes:
    """What somebody gets who connects to *address* from another host."""
    try:
        with socket.create_connection(address, 10, (THIEF, 0)) as thief:
            return rest_of(thief)
    except ConnectionError:
        return b""


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the end, be that a reset."""
    heard = b""
    try:
        while octets := connection.recv(4096):
            heard += octets
    except ConnectionResetError:
        pass
    return heard


# -- bounce ----------------------------------------------------------------------------------------------------------


@pytest.mark.standard("2577-3-LOWPORT")
@pytest.mark.parametrize("port", [1, 21, 25, 80, 1023])
def test_no_data_connection_to_a_port_below_1024(client: Client, port: int) -> None:
    high, low = divmod(port, 256)
    client.ask(f"PORT 127,0,0,1,{high},{low}", 504)
    client.ask(f"EPRT |1|127.0.0.1|{port}|", 504)
    client.ask(f"LPRT 4,4,127,0,0,1,2,{high},{low}", 504)
    client.ask("PORT 127,0,0,1,4,0", 200)
    client.ask("EPRT |1|127.0.0.1|1024|", 200)


@pytest.mark.standard("2577-3-BOUNCE")
@pytest.mark.parametrize("way", [Way.PORT, Way.EPRT])
def test_no_data_connection_to_another_host(ftp_server: FtpServer, way: Way) -> None:
    with ftp_server.client() as client, socket.create_server((THIEF, 0)) as victim:
        port = victim.getsockname()[1]
        if way is Way.PORT:
            client.ask(f"PORT 127,0,0,2,{port >> 8},{port & 255}", 500, 501, 504)
        else:
            client.ask(f"EPRT |1|{THIEF}|{port}|", 500, 501, 504)
        # The refused address is not used: the transfer goes where it would have gone without.
        assert client.nlst(way=Way.DEFAULT).complete
        victim.setblocking(False)
        with pytest.raises(BlockingIOError):
            victim.accept()


# -- stealing --------------------------------------------------------------------------------------------------------


@pytest.mark.standard("2577-4-PEER-CHECK", "2577-8-STEAL")
@pytest.mark.parametrize("way", [Way.EPSV, Way.PASV])
@pytest.mark.parametrize("when", ["before the command", "after 150"])
def test_a_thief_who_is_first_gets_nothing_and_the_owner_everything(ftp_server: FtpServer, way: Way, when: str) -> None:
    (ftp_server.root / "f").write_bytes(CONTENT)
    heard: list[Event] = []
    ftp_server.server.subscribe(heard.append)
    with ftp_server.client() as client:
        address = client.passive(way)
        if when == "before the command":
            thief = client.connect(address, THIEF)
            client.ask("RETR f", 150)
            assert rest_of(thief) == b""
        else:
            client.ask("RETR f", 150)
            assert stolen(address) == b""
        assert rest_of(client.connect(address)) == CONTENT
        assert client.final().code == 226
    assert any(isinstance(event, StrangerRefused) and event.peer[0] == THIEF for event in heard)


@pytest.mark.standard("2577-8-STEAL")
def test_nobody_else_can_bring_the_data_of_an_upload(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        address = client.passive()
        client.ask("STOR f", 150)
        assert stolen(address) == b""
        owner = client.connect(address)
        owner.sendall(CONTENT)
        owner.close()
        assert client.final().code == 226
    assert (ftp_server.root / "f").read_bytes() == CONTENT


@pytest.mark.standard("2577-4-PEER-CHECK")
def test_where_only_the_thief_comes_the_transfer_fails() -> None:
    with Harness(policy=Policy(data_seconds=0.3)) as harness, harness.client() as client:
        assert client.stor("f", CONTENT).complete
        address = client.passive()
        client.ask("RETR f", 150)
        assert stolen(address) == b""
        assert client.final().code in {425, 426}
        client.ask("NOOP", 200)


@pytest.mark.standard("2577-8-RANDOM")
def test_passive_ports_cannot_be_foreseen(client: Client) -> None:
    ports = [client.passive()[1] for _ in range(100)]
    ranks = {port: rank for rank, port in enumerate(sorted(set(ports)))}
    assert len(ranks) >= 8
    steps = [(ranks[after] - ranks[before]) % len(ranks) for before, after in pairwise(ports)]
    # A counter has one step, a generator with a fixed cycle one follower for each port; chance has some 80 pairs.
    assert max(steps.count(step) for step in set(steps)) < 40
    assert len(set(pairwise(ports))) >= 50


@pytest.mark.standard("2577-8-RANDOM")
def test_active_ports_cannot_be_foreseen(client: Client) -> None:
    """From one transfer to the next, where the client gives each a port of its own, as clients do."""
    ports = []
    for _ in range(12):
        listener = client.active(Way.EPRT)
        client.ask("NLST", 150)
        with client.accept(listener) as data:
            ports.append(data.getpeername()[1])
            assert rest_of(data) == b""
        assert client.final().code == 226
    assert ports not in (sorted(ports), sorted(ports, reverse=True))


# -- guessing --------------------------------------------------------------------------------------------------------


@pytest.mark.standard("2577-5-TRIES")
def test_after_a_few_failures_the_session_is_over(harness: Harness) -> None:
    client = harness.client(login=False)
    codes: list[int] = []
    while not codes or codes[-1] == 530:
        harness.now += 10.0  # longer than any delay
        codes.append(fail(client))
        if codes[-1] == 530:
            client.ask("REIN", 220)  # no way to begin the count anew
    assert codes[-1] == 421
    assert 3 <= len(codes) <= 5
    client.end()


@pytest.mark.standard("2577-5-DELAY")
def test_the_next_guess_waits_and_nobody_else_does(harness: Harness) -> None:
    guesser = harness.client(login=False)
    for _ in range(2):
        harness.now += 10.0
        assert fail(guesser) == 530
    guesser.ask(f"USER {USER}", 331)
    began = time.monotonic()
    guesser.command("PASS wrong")
    with Client(HOST, harness.port, source=THIEF) as other:
        other.login(USER, PASSWORD)
        other.ask("NOOP", 200)
        assert not guesser.pending()
    assert guesser.final().code == 530
    assert time.monotonic() - began >= 0.95


@pytest.mark.standard("2577-5-DELAY")
def test_the_delay_grows_to_five_seconds_and_cannot_be_got_round_by_many_connections() -> None:
    clock = Time()
    throttle = LoginThrottle(clock)
    for _ in range(5):
        throttle.failed(THIEF, USER)
        clock.now += 5.0
    assert throttle.delay(THIEF) == pytest.approx(0.0, abs=1e-6)
    assert [throttle.delay(THIEF) for _ in range(3)] == pytest.approx([5.0, 10.0, 15.0])
    assert throttle.delay(HOST) == 0.0


@pytest.mark.standard("2577-5-LIMIT")
def test_connections_from_one_address_are_limited(configured: Configured) -> None:
    server = configured({"limits": {"sessions_per_address": 2}})
    with server.client(), server.client():
        with Client(server.host, server.port, greeted=False) as third:
            assert third.final().code == 421
            third.end()
        with server.client(source=THIEF) as other:
            other.ask("NOOP", 200)


@pytest.mark.standard("2577-7-331")
@pytest.mark.parametrize("anonymous", [False, True])
def test_user_gives_the_same_331_to_every_name(ftp_server_factory: FtpServerFactory, *, anonymous: bool) -> None:
    server = ftp_server_factory(anonymous=anonymous)
    with server.client(login=False) as client:
        texts = {client.ask(f"USER {name}", 331).raw for name in (server.user, "nobody-here", "root", "x" * 200, "é")}
    assert len(texts) == 1


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[homeport.Server, Time]]:
    """A server whose user has a password that is hashed as in earnest, and its clock."""
    clock = Time()
    users = [{"name": USER, "password": Passwords().hash(PASSWORD), "home": tmp_path}]
    with homeport.Server(users=users, clock=Clock(monotonic=clock)) as server:
        yield server, clock


@pytest.mark.standard("2577-7-331")
def test_a_wrong_password_takes_the_same_time_for_every_name(guarded: tuple[homeport.Server, Time]) -> None:
    server, clock = guarded
    taken: dict[str, list[float]] = {USER: [], "nobody-here": []}
    for name, seconds in 2 * list(taken.items()):
        with Client(server.host, server.port) as client:
            clock.now += 10.0
            began = time.perf_counter()
            assert fail(client, name) == 530
            seconds.append(time.perf_counter() - began)
    known, unknown = (min(seconds) for seconds in taken.values())
    # Without the work of a hash it would be a hundredth.
    assert 1 / 4 < known / unknown < 4


# -- what nobody may reach -------------------------------------------------------------------------------------------


@pytest.mark.standard("2577-9-ANON")
def test_anonymous_reads_and_makes_nothing_outside(ftp_server_factory: FtpServerFactory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    root = tmp_path / "public"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "file").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("../secret")
    server = ftp_server_factory(root=root, anonymous=True)
    with server.client(login=False) as client:
        client.login("anonymous", "guest@")
        client.ask("TYPE I", 200)
        for path in (
            "../secret",
            "/../secret",
            "out/secret",
            "file",
            "up",
            str(tmp_path / "secret"),
            "out/../../secret",
        ):
            final = client.retr(path).final
            assert final.code in {550, 553}, path
            assert client.stor(path, b"evil").final.code in {550, 553}
            for line in (f"SIZE {path}", f"DELE {path}", f"MDTM {path}", f"RNFR {path}"):
                assert client.ask(line).code in {550, 553}, line
        for line in ("CWD out", "MKD out/new", "MKD new", "RMD out"):
            client.ask(line, 550, 553)
        assert client.stor("new", b"evil").final.code in {550, 553}
    assert sorted(os.listdir(tmp_path)) == ["public", "secret"]
    assert (tmp_path / "secret").read_bytes() == CONTENT


@pytest.mark.standard("2577-9-SITE-EXEC")
@pytest.mark.parametrize(
    "line", ["EXEC id", "EXEC ../../bin/sh", "exec %p", "INDEX x", "GROUP root", "MSG x", "ALIAS x"]
)
def test_site_runs_nothing(client: Client, line: str) -> None:
    client.ask(f"SITE {line}", 500, 501, 502)


@pytest.mark.standard("2577-9-DEBUG")
@pytest.mark.parametrize("verb", ["WIZ", "DEBUG", "KILL", "SHELL", "EXEC", "SYSTEM", "HELP\x00"])
@pytest.mark.parametrize("login", [False, True])
def test_there_are_no_back_doors(ftp_server: FtpServer, verb: str, *, login: bool) -> None:
    with ftp_server.client(login=login) as client:
        client.ask(verb, 500)
        client.ask(f"{verb} 1", 500)
