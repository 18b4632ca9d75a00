"""Bounce and theft: no third host is dialled however it is spelt, and nobody gets a connection that is another's."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from tests.attacks.conftest import PASSWORD, USER, Attack

import homeport
from homeport.testing.client import Way

SECRET = b"for one of the two"


@pytest.fixture
def victim() -> Iterator[socket.socket]:
    """A service of another host."""
    with socket.create_server(("127.0.0.3", 0)) as listener:
        yield listener


def untouched(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize(
    "line",
    [
        "PORT 127,0,0,3,{high},{low}", "PORT 0127,0,0,3,{high},{low}", "PORT 127,0,0,259,{high},{low}",
        "PORT 127,0,0,1,{high},{low},1", "EPRT |1|127.0.0.3|{port}|", "EPRT |1|127.3|{port}|",
        "EPRT |1|2130706435|{port}|",
        "EPRT |1|0x7f.0.0.3|{port}|", "EPRT |1|0177.0.0.3|{port}|", "EPRT |2|::ffff:127.0.0.3|{port}|",
        "EPRT |2|::127.0.0.3|{port}|", "EPRT |2|::1|{port}|", "EPRT |1|localhost|{port}|",
        "EPRT |1|::ffff:127.0.0.3|{port}|",
        "LPRT 4,4,127,0,0,3,2,{high},{low}", "LPRT 6,16,0,0,0,0,0,0,0,0,0,0,255,255,127,0,0,3,2,{high},{low}",
        "PORT 10,0,0,1,{high},{low}", "PORT 192,168,0,1,{high},{low}", "PORT 169,254,169,254,{high},{low}",
        "PORT 255,255,255,255,{high},{low}", "PORT 224,0,0,1,{high},{low}", "EPRT |1|100.64.0.1|{port}|",
    ],
)  # fmt: skip
def test_no_spelling_of_a_third_host_is_taken(attack: Attack, victim: socket.socket, line: str) -> None:
    target = attack()
    (target.root / "f").write_bytes(SECRET)
    port = victim.getsockname()[1]
    client = target.client()
    client.ask(line.format(port=port, high=port >> 8, low=port & 255), 501, 504, 521, 522)
    assert client.retr("f", way=Way.DEFAULT).complete
    assert untouched(victim)


@pytest.mark.parametrize(
    "line", ["PORT 0,0,0,0,{high},{low}", "EPRT |1|0.0.0.0|{port}|", "LPRT 4,4,0,0,0,0,2,{high},{low}"]
)
def test_the_address_of_nobody_means_the_client(attack: Attack, line: str) -> None:
    """To connect to 0.0.0.0 would mean this machine; here the client comes from another address of it."""
    target = attack()
    (target.root / "f").write_bytes(SECRET)
    with (
        target.client(source="127.0.0.2") as client,
        socket.create_server(("127.0.0.2", 0)) as own,
        socket.create_server(("127.0.0.1", own.getsockname()[1])) as service,
    ):
        port = own.getsockname()[1]
        client.ask(line.format(port=port, high=port >> 8, low=port & 255), 200)
        client.ask("RETR f", 150)
        with own.accept()[0] as data:
            data.settimeout(10)
            assert data.recv(100) == SECRET
        assert client.final().code == 226
        assert untouched(service)


@pytest.mark.parametrize(
    "line", ["EPRT |2|::ffff:127.0.0.1|{port}|", "EPRT |2|::ffff:127.0.0.3|{port}|", "EPRT |1|127.0.0.1|{port}|"]
)
def test_mapped_addresses_are_no_way_from_ipv6_to_ipv4(attack: Attack, line: str) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("there is no IPv6 here")
    target = attack(sections={"listen": {"addresses": ["::1"], "port": 0}})
    with socket.create_server(("127.0.0.1", 0)) as service, target.client() as client:
        client.ask(line.format(port=service.getsockname()[1]), 501, 504, 522)
        assert untouched(service)


def test_the_default_data_port_is_no_port_of_a_service(attack: Attack) -> None:
    """A client with a low port of its own would have the server connect to it, without any PORT."""
    target = attack()
    low = socket.socket()
    with low:
        low.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for port in range(1023, 900, -1):
            try:
                low.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                pytest.skip("no low port can be had here")
            break
        low.connect((target.server.host, target.server.port))
        heard = low.makefile("rb")
        for line in (b"", f"USER {USER}".encode(), f"PASS {PASSWORD}".encode(), b"LIST"):
            if line:
                low.sendall(line + b"\r\n")
            reply = heard.readline()
            if line == b"LIST":
                while not reply.startswith(b"4"):
                    assert reply.startswith(b"150")
                    reply = heard.readline()
                assert reply.startswith(b"425")
        heard.close()


def test_two_users_of_one_address_never_share_a_port(attack: Attack) -> None:
    """Between them only the port tells whose a connection is: it is promised to one at a time, and by chance."""
    target = attack()
    clients = [target.client() for _ in range(10)]
    ports = [client.passive()[1] for client in clients]
    assert len(set(ports)) == len(ports)


def test_the_ports_of_one_client_do_not_follow_each_other(attack: Attack) -> None:
    target = attack()
    client = target.client()
    ports = [client.passive()[1] for _ in range(40)]
    assert len(set(ports)) > 5
    places = [sorted(target.server.passive_ports).index(port) for port in ports]
    steps = {after - before for before, after in pairwise(places)}
    assert len(steps) > 5


def test_a_connection_for_an_earlier_offer_is_not_taken_for_a_later_one(attack: Attack) -> None:
    target = attack()
    client = target.client()
    for _ in range(2 * len(target.server.passive_ports)):
        address = client.passive()
        client.connect(address)  # is never used
        client.ask("ABOR", 225, 226)
    assert client.stor("f", SECRET).complete
    assert (target.root / "f").read_bytes() == SECRET


def test_a_connection_before_the_login_gets_nothing(attack: Attack) -> None:
    target = attack()
    client = target.client(None)
    for line in ("PASV", "EPSV", "PORT 127,0,0,1,4,0", "LIST", "RETR f", "STAT /", "SIZE f", "MLST", "SITE HELP"):
        client.ask(line, 530)
    with socket.create_connection(("127.0.0.1", target.server.passive_ports[0]), 10) as stranger:
        try:
            assert stranger.recv(1) == b""
        except ConnectionResetError:
            pass


@pytest.mark.parametrize(
    "first", ["GET / HTTP/1.1", "POST /x HTTP/1.1", "OPTIONS * HTTP/1.1", "EHLO me", "CONNECT x:25 HTTP/1.1"]
)
def test_a_browser_speaks_no_ftp(attack: Attack, first: str) -> None:
    """FTP commands in the body of a request that a web page made a browser send (a cross-protocol attack)."""
    target = attack(anonymous={"access": "read-write"})
    with socket.create_connection((target.server.host, target.server.port), 10) as browser:
        browser.sendall(f"{first}\r\nHost: x\r\n\r\nUSER anonymous\r\nPASS x\r\nMKD hacked\r\nQUIT\r\n".encode())
        heard = b""
        try:
            while octets := browser.recv(4096):
                heard += octets
        except ConnectionResetError:
            pass
    assert heard.count(b"\r\n") == 2
    assert b"\r\n421 " in heard
    assert list(target.root.iterdir()) == []


def test_a_command_that_ends_in_a_name_cannot_begin_another(attack: Attack) -> None:
    """CR and LF in names, as in URLs that somebody was given: each line is one command, and CR NUL a part of a name."""
    target = attack()
    client = target.client()
    client.command(b"MKD a\rDELE b")  # sent as CR NUL
    assert client.final().code == 257
    assert [one.name for one in target.root.iterdir()] == ["a\rDELE b"]
    raw = client.list_().data
    assert raw.count(b"\n") == 1


def test_a_server_can_be_told_to_dial_third_hosts_and_is_not_by_itself(attack: Attack, victim: socket.socket) -> None:
    assert homeport.Config().data.allow_foreign is False
    target = attack(sections={"data": {"allow_foreign": True}})
    port = victim.getsockname()[1]
    target.client().ask(f"PORT 127,0,0,3,{port >> 8},{port & 255}", 200)
