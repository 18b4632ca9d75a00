"""RFC 959 §3.2, §3.3, §5.2: who connects to whom, from where, when, and who closes."""

from __future__ import annotations

import select
import socket

import pytest
from tests.conformance.conftest import Configured

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer, FtpServerFactory

BIG = 1 << 24
"""Octets: more than all the buffers between the two ends hold."""


def big(server: FtpServer, name: str = "big") -> None:
    with (server.root / name).open("wb") as file:
        file.truncate(BIG)


def drain(data: socket.socket) -> int:
    """Read to the end; how many octets came."""
    octets = 0
    data.settimeout(10)
    while chunk := data.recv(1 << 20):
        octets += len(chunk)
    return octets


def ended(data: socket.socket) -> bool:
    """Whether the other side closes or resets, and sends nothing before."""
    data.settimeout(10)
    try:
        return data.recv(1) == b""
    except ConnectionResetError:
        return True


def refused(client: Client, target: tuple[str, int]) -> bool:
    """Whether a connection to *target* is not used: refused, or ended at once."""
    try:
        return ended(client.connect(target))
    except ConnectionError:
        return True


def port_command(address: tuple[str, int]) -> str:
    return f"PORT {address[0].replace('.', ',')},{address[1] >> 8},{address[1] & 255}"


def pair_of_ports() -> int:
    """A free port whose lower neighbour is free too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as upper:
            port: int = upper.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port - 1)).close()
            except OSError:
                continue
            return port


@pytest.mark.standard("959-3.2-DEF-USER", "959-3.2-USER-CHANGES", "1123-4.1.2.12-USER-PORT")
def test_without_port_and_pasv_the_server_connects_to_the_clients_control_port(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        assert client.retr("f", way=Way.DEFAULT).data == b"f"
        assert client.stor("g", b"g", way=Way.DEFAULT).complete
        assert client.list_(way=Way.DEFAULT).complete


@pytest.mark.standard("959-3.2-DEF-USER")
def test_nobody_listens_on_the_control_port(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("LIST", 150)
        assert client.reply().code == 425


@pytest.mark.standard("959-3.2-DEF-SERVER", "959-5.2-SRC-PORT")
def test_active_connections_come_from_the_port_beside_the_control_port(configured: Configured) -> None:
    port = pair_of_ports()
    server = configured({"listen": {"port": port}, "data": {"active_port": "auto"}})
    (server.root / "f").write_bytes(b"f")
    with server.client() as client:
        for way in (Way.DEFAULT, Way.PORT, Way.PORT, Way.EPRT):
            listener = client.active(way)
            client.ask("RETR f", 150)
            data = client.accept(listener)
            assert data.getpeername() == ("127.0.0.1", port - 1)
            assert drain(data) == 1
            assert client.reply().code == 226
            listener.close()


@pytest.mark.standard("1123-4.1.2.12-SAME-IP")
def test_the_data_connection_is_on_the_address_of_the_control_connection(ftp_server_factory: FtpServerFactory) -> None:
    server = ftp_server_factory(host="0.0.0.0")  # all of the loopback network
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        with Client(address, server.port, source="127.0.0.9") as client:
            client.login(server.user, server.password)
            listener = client.active(Way.PORT)
            client.ask("NLST", 150)
            assert client.accept(listener).getpeername()[0] == address
            assert client.reply().code == 226
            assert client.passive(Way.PASV)[0] == address
            assert client.nlst(way=Way.PASV).complete


@pytest.mark.standard("959-3.2-CONNECT-LATE")
@pytest.mark.parametrize("way", [Way.PORT, Way.EPRT, Way.DEFAULT])
def test_the_server_connects_when_the_transfer_is_asked_for(ftp_server: FtpServer, way: Way) -> None:
    with ftp_server.client() as client:
        listener = client.active(way)
        client.ask("TYPE I", 200)
        assert not select.select([listener], [], [], 0.2)[0]
        client.ask("NLST", 150)
        assert drain(client.accept(listener)) == 0
        assert client.reply().code == 226


@pytest.mark.standard("959-3.3-PASV-AND-PORT", "959-3.2-CLOSE-3")
def test_of_port_and_pasv_the_last_one_counts(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        target = client.passive(Way.PASV)
        listener = client.active(Way.PORT)
        assert refused(client, target)
        client.ask("NLST", 150)
        assert drain(client.accept(listener)) == 0
        assert client.reply().code == 226
        data = client.connect(client.passive(Way.PASV))
        client.ask("NLST", 150)
        assert drain(data) == 0
        assert client.reply().code == 226
        assert not select.select([listener], [], [], 0.05)[0]


@pytest.mark.standard("959-3.2-CLOSE-1", "959-5.2-226-AFTER")
@pytest.mark.parametrize("line", ["RETR f", "LIST", "NLST", "RETR empty"])
def test_after_226_the_end_is_there_without_waiting(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "f").write_bytes(b"f" * 1000)
    (ftp_server.root / "empty").touch()
    with ftp_server.client() as client:
        data = client.connect(client.passive())
        client.ask(line, 150)
        assert client.reply().code == 226
        data.setblocking(False)
        while data.recv(4096):
            pass  # BlockingIOError would be an end that is not there


@pytest.mark.standard("959-5.2-226-AFTER", "959-3.4-EOF")
def test_no_226_before_all_is_sent(ftp_server: FtpServer) -> None:
    big(ftp_server)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask("RETR big", 150)
        assert not client.pending(0.3)
        assert drain(data) == BIG
        assert client.reply().code == 226


@pytest.mark.standard("959-5.2-PEER-CLOSE")
def test_the_server_closes_when_the_client_has_closed(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask("STOR f", 150)
        data.sendall(b"x" * 100_000)
        data.shutdown(socket.SHUT_WR)
        assert drain(data) == 0
        assert client.reply().code == 226
    assert (ftp_server.root / "f").stat().st_size == 100_000


@pytest.mark.standard("959-3.2-CLOSE-2", "959-4.2.1-225", "959-4.1.3-ABOR-IDLE")
def test_abor_closes_a_data_connection_without_a_transfer(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        target = client.passive()
        data = client.connect(target)
        if client.ask("ABOR", 225, 226).code == 226:
            assert ended(data)
            assert refused(client, target)
        client.ask("NOOP", 200)


@pytest.mark.standard("959-3.2-CLOSE-3", "959-4.1.2-PASV-TWICE")
@pytest.mark.parametrize("first", [Way.PASV, Way.EPSV])
@pytest.mark.parametrize("second", [Way.PASV, Way.EPSV])
def test_a_second_pasv_takes_the_place_of_the_first(ftp_server: FtpServer, first: Way, second: Way) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        early = client.connect(client.passive(first))
        late = client.connect(client.passive(second))
        client.ask("RETR f", 150)
        assert late.recv(2) == b"f"
        assert client.reply().code == 226
        assert ended(early)


@pytest.mark.standard("959-3.2-CLOSE-4")
@pytest.mark.parametrize("end", ["quit", "shut", "reset"])
def test_a_waiting_port_goes_with_the_control_connection(ftp_server: FtpServer, end: str) -> None:
    with ftp_server.client() as client, ftp_server.client() as other:
        target = client.passive()
        data = client.connect(target)
        getattr(client, end)()
        assert ended(data)
        assert refused(other, target)


@pytest.mark.standard("959-3.2-PASV-LISTEN", "1123-4.1.2.6-PASV-EACH")
@pytest.mark.parametrize("way", [Way.PASV, Way.EPSV])
def test_every_announced_port_is_open_and_good_for_one_transfer(ftp_server: FtpServer, way: Way) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        target = client.passive(way)
        data = client.connect(target)
        client.ask("RETR f", 150)
        assert drain(data) == 1
        assert client.reply().code == 226
        # No second transfer by the same announcement: it goes to the default port, where nobody listens.
        assert refused(client, target)
        client.ask("RETR f", 150)
        assert client.reply().code == 425


@pytest.mark.standard("959-5.2-FXP")
def test_two_servers_and_a_third_host(configured: Configured) -> None:
    """Figure 3 of §5.2: the client has the one listen and the other connect, and no octet passes it."""
    foreign = {"data": {"allow_foreign": True}}
    one = configured({"listen": {"addresses": ["127.0.0.2"]}, **foreign})
    other = configured({"listen": {"addresses": ["127.0.0.3"]}, **foreign})
    (one.root / "f").write_bytes(b"f" * 100_000)
    with one.client(source="127.0.0.1") as source, other.client(source="127.0.0.1") as sink:
        for client in (source, sink):
            client.ask("TYPE I", 200)
        source.ask(port_command(sink.passive(Way.PASV)), 200)
        sink.ask("STOR g", 150)
        source.ask("RETR f", 150)
        assert source.reply().code == 226
        assert sink.reply().code == 226
        # And the other way round.
        sink.ask(port_command(source.passive(Way.PASV)), 200)
        source.ask("RETR f", 150)
        sink.ask("STOR h", 150)
        assert source.reply().code == 226
        assert sink.reply().code == 226
    assert (other.root / "g").read_bytes() == (other.root / "h").read_bytes() == b"f" * 100_000


@pytest.mark.standard("959-5.2-FXP")
def test_a_third_host_is_refused_by_default(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        assert client.ask("PORT 127,0,0,9,200,1").code in {500, 501, 504}
        client.ask("EPRT |1|127.0.0.9|51201|", 504)


@pytest.mark.standard("959-3.2-BYTE8")
@pytest.mark.parametrize(
    ("kind", "wire"),
    [("A", b"a\r\nb\xff\r\n"), ("A T", b"a\r\nb\xff\r\n"), ("I", b"a\nb\xff\n"), ("L 8", b"a\nb\xff\n")],
)
def test_octets_on_the_wire(ftp_server: FtpServer, kind: str, wire: bytes) -> None:
    (ftp_server.root / "f").write_bytes(b"a\nb\xff\n")
    with ftp_server.client() as client:
        client.ask(f"TYPE {kind}", 200)
        assert client.retr("f").data == wire


@pytest.mark.standard("1123-4.1.2.5-PORT-EACH")
def test_a_thousand_port_and_retr_in_one_session(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        for _ in range(1000):
            assert client.retr("f", way=Way.PORT).data == b"f"


@pytest.mark.standard("959-4.1.2-PORT-STICKY", "959-4.1.2-REMEMBER")
def test_a_port_stays_in_force(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        listener = client.active(Way.PORT)
        for line in ("RETR f", "NLST", "RETR f"):
            client.ask(line, 150)
            assert drain(client.accept(listener)) > 0
            assert client.reply().code == 226
