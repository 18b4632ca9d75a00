"""A server behind proxies that introduce their clients (PROXY protocol): 127.0.0.2 is the proxy, 127.0.0.3 is none."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

import homeport
from homeport.data.arrivals import Arrivals, Proxies
from homeport.data.ports import PassivePorts
from homeport.events.types import Event, SessionOpened, SessionRefused, StrangerRefused
from homeport.protocol.proxy import SIGNATURE
from homeport.server.config import Config

PROXY, NONE, SERVER = "127.0.0.2", "127.0.0.3", "127.0.0.1"
CLIENT, FRONT = ("198.51.100.7", 40123), ("203.0.113.20", 21)
CLIENT_6, FRONT_6 = ("2001:db8::7", 40123), ("2001:db8::20", 21)


def line(source: tuple[str, int] = CLIENT, destination: tuple[str, int] = FRONT) -> bytes:
    kind = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {kind} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def binary(source: tuple[str, int], destination: tuple[str, int], more: bytes = b"", *, command: int = 0x21) -> bytes:
    packed = [ip_address(host).packed for host, _ in (source, destination)]
    block = b"".join(packed) + struct.pack("!HH", source[1], destination[1]) + more
    return SIGNATURE + struct.pack("!BBH", command, 0x11 if len(packed[0]) == 4 else 0x21, len(block)) + block


class Side:
    """One raw connection to the server."""

    def __init__(self, port: int, source: str = PROXY) -> None:
        self.socket = socket.create_connection((SERVER, port), timeout=10, source_address=(source, 0))
        self.octets = b""

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def line(self) -> str:
        """The next line; "" at the end."""
        while b"\r\n" not in self.octets:
            more = self.socket.recv(4096)
            if not more:
                return ""
            self.octets += more
        one, self.octets = self.octets.split(b"\r\n", 1)
        return one.decode()

    def ask(self, command: str) -> str:
        self.send(f"{command}\r\n".encode())
        return self.line()

    def is_silent(self) -> bool:
        """Whether nothing comes for a while."""
        self.socket.settimeout(0.15)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b"?"
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)

    def is_over(self) -> bool:
        """Whether the server ended it with nothing said."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def login(self, header: bytes) -> None:
        self.send(header)
        assert self.line().startswith("220 ")
        assert self.ask("USER bob").startswith("331 ")
        assert self.ask("PASS secret").startswith("230 ")

    def close(self) -> None:
        self.socket.close()


Connect = Callable[..., Side]


class Running:
    def __init__(self, server: homeport.Server) -> None:
        self.server = server
        self.events: list[Event] = []
        server.subscribe(self.events.append)

    @property
    def port(self) -> int:
        return self.server.port

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def refusals(self) -> list[SessionRefused]:
        return [event for event in self.events if isinstance(event, SessionRefused)]


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Running] = []

    def begin(**sections: dict[str, object]) -> Running:
        (tmp_path / "file").write_bytes(b"content")
        options: dict[str, object] = {
            "listen": {"addresses": [SERVER], "port": 0},
            "users": [{"name": "bob", "password": "plain:secret", "home": str(tmp_path)}],
            "log": {"console": False},
            **sections,
            "data": {"passive_ports": "any", **sections.get("data", {})},
            "proxy": {"networks": [f"{PROXY}/32"], "control": True, **sections.get("proxy", {})},
        }
        one = Running(homeport.Server(config=Config.model_validate(options)))
        running.append(one)
        one.server.start()
        return one

    yield begin
    for one in running:
        assert one.server.stop(0.0)


@pytest.fixture
def connect() -> Iterator[Connect]:
    made: list[Side] = []

    def open_one(port: int, source: str = PROXY) -> Side:
        made.append(Side(port, source))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it never became so"
        time.sleep(0.005)


def passive(reply: str) -> tuple[str, int]:
    """Address (of 227) and port."""
    extended = re.search(r"\(\|\|\|(\d+)\|\)", reply)
    if extended is not None:
        return "", int(extended[1])
    numbers = re.search(r"\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)", reply)
    assert numbers is not None, reply
    return numbers[1].replace(",", "."), int(numbers[2]) * 256 + int(numbers[3])


# -- the control connection ---------------------------------------------------------------------------------------


@pytest.mark.standard("PROXY-2-FIRST", "PROXY-2.1-FORM")
@pytest.mark.parametrize("header", [line(), binary(CLIENT, FRONT), line(CLIENT_6, FRONT_6), binary(CLIENT_6, FRONT_6)])
def test_nothing_is_said_before_the_header_and_the_client_is_its_source(
    start: Start, connect: Connect, header: bytes
) -> None:
    running = start()
    side = connect(running.port)
    assert side.is_silent()
    for octet in header[:-1]:
        side.send(bytes([octet]))
    assert side.is_silent()
    side.send(header[-1:])
    assert side.line().startswith("220 ")
    (opened,) = running.of(SessionOpened)
    assert isinstance(opened, SessionOpened)
    assert opened.peer == (CLIENT_6 if b"TCP6" in header or (len(header) > 50 and header[13] == 0x21) else CLIENT)


@pytest.mark.standard("PROXY-2.1-REST")
def test_what_comes_along_with_the_header_is_ftp(start: Start, connect: Connect) -> None:
    side = connect(start().port)
    side.send(line() + b"USER bob\r\nPASS secret\r\n")
    assert [side.line()[:3] for _ in range(3)] == ["220", "331", "230"]


@pytest.mark.standard("PROXY-2-CONF")
def test_a_listener_with_a_header_takes_nobody_without(start: Start, connect: Connect) -> None:
    running = start()
    side = connect(running.port)
    side.send(b"USER bob\r\nPASS secret\r\n")
    assert side.is_over()
    eventually(running.refusals)
    assert "PROXY header" in running.refusals()[0].reason


@pytest.mark.standard("PROXY-2-CONF")
def test_a_listener_without_takes_the_header_as_commands(start: Start, connect: Connect) -> None:
    side = connect(start(proxy={"control": False}).port)
    assert side.line().startswith("220 ")
    side.send(line())
    assert side.line().startswith("500 ")


@pytest.mark.standard("PROXY-2-TRUST")
def test_from_others_the_header_is_not_even_read(start: Start, connect: Connect) -> None:
    running = start()
    side = connect(running.port, NONE)
    assert side.is_over()
    eventually(running.refusals)
    assert (running.refusals()[0].peer[0], running.refusals()[0].reason) == (NONE, "not a proxy that is trusted")


@pytest.mark.standard("PROXY-2-TIMEOUT")
def test_a_header_must_come_in_time(start: Start, connect: Connect) -> None:
    running = start(proxy={"header": 3})
    side = connect(running.port)
    side.send(line()[:10])
    began = time.monotonic()
    assert side.is_over()
    assert 2.5 < time.monotonic() - began < 9
    eventually(running.refusals)
    assert "in time" in running.refusals()[0].reason


@pytest.mark.standard("PROXY-2.2-SHORT", "PROXY-2.1-ABORT")
@pytest.mark.parametrize("octets", [line()[:20], b"proxy TCP4 ", binary(CLIENT, FRONT)[:20]])
def test_what_is_no_whole_header_ends_it(start: Start, connect: Connect, octets: bytes) -> None:
    running = start()
    side = connect(running.port)
    side.send(octets)
    side.socket.shutdown(socket.SHUT_WR)
    assert side.is_over()
    eventually(running.refusals)


def test_a_proxy_that_only_looks_whether_we_live_makes_no_noise(start: Start, connect: Connect) -> None:
    running = start()
    connect(running.port).close()
    side = connect(running.port)
    side.send(line())
    assert side.line().startswith("220 ")
    assert running.refusals() == []


@pytest.mark.standard("PROXY-2.2-CMD", "PROXY-2.1-UNKNOWN")
@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\x00\x00"])
def test_the_proxys_own_connection_is_a_session_of_its_own(start: Start, connect: Connect, header: bytes) -> None:
    running = start()
    side = connect(running.port)
    side.login(header)
    (opened,) = running.of(SessionOpened)
    assert isinstance(opened, SessionOpened)
    assert opened.peer[0] == PROXY


def test_limits_count_the_clients_and_not_the_proxy(start: Start, connect: Connect) -> None:
    running = start(limits={"sessions_per_address": 1})
    first, other, second = (connect(running.port) for _ in range(3))
    first.login(line())
    other.login(line(("198.51.100.8", 1)))
    second.send(line())
    assert second.line().startswith("421 Too many connections from your address")
    assert second.is_over()
    assert running.refusals()[0].peer == CLIENT
    first.ask("QUIT")
    assert first.is_over()

    def is_free() -> bool:
        again = connect(running.port)
        again.send(line())
        return again.line().startswith("220 ")

    eventually(is_free)


def test_all_sessions_count_even_before_their_header(start: Start, connect: Connect) -> None:
    running = start(limits={"sessions": 1})
    first = connect(running.port)
    assert first.is_silent()
    assert connect(running.port).is_over()
    first.close()
    eventually(lambda: running.server.sessions == ())
    connect(running.port).login(line())


def test_the_server_stops_while_a_header_is_awaited(start: Start, connect: Connect) -> None:
    running = start()
    side = connect(running.port)
    eventually(lambda: running.server.sessions)
    began = time.monotonic()
    assert running.server.stop(0.0)
    assert time.monotonic() - began < 4
    assert side.is_over()


@pytest.mark.standard("PROXY-2.2.2-AUTHORITY")
@pytest.mark.parametrize(("name", "certain"), [(b"ftp.example.net", True), (b"other.example.net", False)])
def test_the_authority_is_as_good_as_host(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch, name: bytes, certain: bool
) -> None:
    hosts: list[str | None] = []
    running = start(server={"host_names": ["ftp.example.net"]})
    from homeport.accounts.providers import Accounts

    original = Accounts.authenticate

    def authenticate(self: Accounts, attempt: object) -> object:
        hosts.append(attempt.host)  # type: ignore[attr-defined]
        return original(self, attempt)  # type: ignore[arg-type]

    monkeypatch.setattr(Accounts, "authenticate", authenticate)
    connect(running.port).login(binary(CLIENT, FRONT, b"\x02\x00" + bytes([len(name)]) + name))
    assert hosts == ["ftp.example.net" if certain else None]


# -- data connections ---------------------------------------------------------------------------------------------


def fetch(control: Side, data: Side) -> bytes:
    assert control.line().startswith("150 ")
    octets = b""
    while more := data.socket.recv(4096):
        octets += more
    assert control.line().startswith("226 ")
    return octets


@pytest.mark.standard("PROXY-FTP-PASV")
def test_227_names_where_the_client_connected_to(start: Start, connect: Connect) -> None:
    side = connect(start().port)
    side.login(line())
    assert passive(side.ask("PASV"))[0] == FRONT[0]


@pytest.mark.standard("PROXY-FTP-PASV")
def test_data_from_the_client_itself(start: Start, connect: Connect) -> None:
    side = connect(start().port)
    side.login(line((NONE, 40123)))
    _, port = passive(side.ask("PASV"))
    data = connect(port, NONE)
    side.send(b"RETR file\r\n")
    assert fetch(side, data) == b"content"


@pytest.mark.standard("PROXY-FTP-PASV")
def test_data_by_the_proxy_without_a_header(start: Start, connect: Connect) -> None:
    running = start(proxy={"data": "proxy"})
    side = connect(running.port)
    side.login(line())
    _, port = passive(side.ask("EPSV"))
    assert connect(port, NONE).is_over(), "it is another one"
    data = connect(port, PROXY)
    side.send(b"RETR file\r\n")
    assert fetch(side, data) == b"content"


@pytest.mark.standard("PROXY-FTP-PASV")
@pytest.mark.parametrize(("client", "front"), [(CLIENT, FRONT), (CLIENT_6, FRONT_6)])
def test_data_by_the_proxy_with_a_header_goes_to_its_client(
    start: Start, connect: Connect, client: tuple[str, int], front: tuple[str, int]
) -> None:
    running = start(proxy={"data": "header"})
    side = connect(running.port)
    side.login(line(client, front))
    _, port = passive(side.ask("EPSV"))
    assert connect(port, NONE).is_over(), "it is no proxy"
    stranger = connect(port)
    stranger.send(line(("198.51.100.99", 7), front if client == CLIENT else FRONT))
    assert stranger.is_over()
    plain = connect(port)
    plain.send(b"STOR of something without a header")
    assert plain.is_over()
    data = connect(port)
    data.send(binary((client[0], 5), (front[0], port)))
    side.send(b"RETR file\r\n")
    assert fetch(side, data) == b"content"
    assert {event.peer[0] for event in running.events if isinstance(event, StrangerRefused)} == {NONE, "198.51.100.99"}


@pytest.mark.standard("PROXY-FTP-PASV")
def test_the_header_of_a_data_connection_may_come_late_and_in_pieces(start: Start, connect: Connect) -> None:
    side = connect(start(proxy={"data": "header"}).port)
    side.login(line())
    _, port = passive(side.ask("PASV"))
    data = connect(port)
    side.send(b"RETR file\r\n")
    assert side.line().startswith("150 ")
    header = line()
    data.send(header[:9])
    assert data.is_silent()
    data.send(header[9:])
    assert data.socket.recv(100) == b"content"
    assert side.line().startswith("226 ")


def test_an_upload_begins_right_behind_the_header(start: Start, connect: Connect, tmp_path: Path) -> None:
    side = connect(start(proxy={"data": "header"}).port)
    side.login(line())
    _, port = passive(side.ask("PASV"))
    data = connect(port)
    data.send(line() + b"first octets, and the last")
    data.close()
    side.send(b"STOR new\r\n")
    assert side.line().startswith("150 ")
    assert side.line().startswith("226 ")
    assert (tmp_path / "new").read_bytes() == b"first octets, and the last"


def test_the_clients_own_address_is_dialled_in_active_mode(start: Start, connect: Connect) -> None:
    side = connect(start().port)
    side.login(line((NONE, 40123), (FRONT[0], 21)))
    with socket.create_server((NONE, 0)) as listener:
        number = listener.getsockname()[1]
        host = NONE.replace(".", ",")
        assert side.ask(f"PORT {host},{number >> 8},{number & 255}").startswith("200 ")
        side.send(b"RETR file\r\n")
        data, peer = listener.accept()
        with data:
            assert peer[0] == SERVER
            assert data.recv(100) == b"content"


# -- arrivals at one port ---------------------------------------------------------------------------------------------


def test_two_clients_of_one_proxy_share_a_port(start: Start, connect: Connect) -> None:
    proxies = Proxies(lambda address: address == PROXY)
    ports = PassivePorts.open([SERVER], None, count=1, proxies=proxies)
    try:
        one = ports.offer("198.51.100.7", SERVER, 1)
        two = ports.offer("198.51.100.8", SERVER, 1)
        assert one.port == two.port
        first, second = connect(one.port), connect(one.port)
        second.send(line(("198.51.100.8", 2)))
        assert ports.sweep() == []
        assert two.connection is not None
        assert one.connection is None
        assert ports.unsettled
        first.send(line(("198.51.100.7", 1)))
        eventually(lambda: not ports.sweep() and one.connection is not None)
        assert not ports.unsettled
    finally:
        for offer in (one, two):
            offer.release()
        ports.close()


def test_what_owes_its_header_too_long_is_reset(connect: Connect) -> None:
    ports = PassivePorts.open([SERVER], None, count=1, proxies=Proxies(lambda _: True, 0.0))
    side = connect(ports.ports[0])
    eventually(lambda: not ports.sweep() and not ports.unsettled)
    assert side.is_over()
    ports.close()


def test_closing_the_ports_ends_what_has_not_told_its_client(connect: Connect) -> None:
    ports = PassivePorts.open([SERVER], None, count=1, proxies=Proxies(lambda _: True))
    side = connect(ports.ports[0])
    eventually(lambda: not ports.sweep() and ports.unsettled)
    ports.close()
    assert side.is_over()


def test_only_so_many_wait_at_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    from homeport.data import arrivals

    monkeypatch.setattr(arrivals, "_MOST", 2)
    one = Arrivals(Proxies(lambda _: True))
    pairs = [socket.socketpair() for _ in range(3)]
    try:
        assert [one.add(ours, CLIENT) for ours, _ in pairs] == [True, True, False]
        assert len(one.descriptors()) == len(one) == 2
    finally:
        one.close()
        for ours, theirs in pairs:
            ours.close()
            theirs.close()
