"""RFC 959 §4.1.1 and §4.1.3: ABOR, STAT, QUIT and the loss of the control connection, in every place of a transfer."""

from __future__ import annotations

import socket

import pytest
from tests.conformance.conftest import Configured
from tests.conformance.test_959_data import BIG, big, drain, ended, port_command, refused
from tests.session.harness import Harness, Troubled

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

TRANSFERS = ("RETR big", "STOR f", "APPE f", "STOU", "LIST", "NLST", "MLSD")
WAYS = [Way.PASV, Way.EPSV, Way.PORT, Way.EPRT, Way.DEFAULT]


def begin(client: Client, line: str, way: Way = Way.EPSV) -> socket.socket:
    """A transfer that is under way, has moved octets, and does not end by itself."""
    if way.passive:
        data = client.connect(client.passive(way))
        client.ask(line, 150)
    else:
        listener = client.active(way)
        client.ask(line, 150)
        data = client.accept(listener)
    if line[:4] in {"STOR", "APPE", "STOU"}:
        data.sendall(b"x" * 1000)
    else:
        data.settimeout(10)
        assert data.recv(1)
    return data


def aborted(client: Client) -> None:
    """426 for the transfer and 226 for ABOR, exactly these."""
    assert client.reply().code == 426
    assert client.reply().code == 226
    client.ask("NOOP", 200)
    assert not client.pending(0.02)


@pytest.fixture
def busy(harness: Harness, troubled: Troubled) -> Client:
    """A client for whom every transfer is endless."""
    troubled.endless = True
    troubled.put("big", b"x" * BIG)
    client = harness.client()
    client.ask("TYPE I", 200)
    return client


@pytest.mark.standard("959-4.1.3-ABOR-BUSY", "959-3.2-CLOSE-2", "959-4.1-DURING-XFER", "1123-4.1.3.3-CONC")
@pytest.mark.parametrize("line", TRANSFERS)
@pytest.mark.parametrize("way", WAYS)
def test_abor_in_a_transfer(busy: Client, line: str, way: Way) -> None:
    with busy as client:
        data = begin(client, line, way)
        client.command("ABOR")
        aborted(client)
        if line[:4] in {"STOR", "APPE", "STOU"}:
            assert ended(data)
        assert client.stor("after", b"x").complete


@pytest.mark.standard("959-4.1.3-ABOR-BUSY")
@pytest.mark.parametrize("line", TRANSFERS)
@pytest.mark.parametrize("way", [Way.PASV, Way.EPSV])
def test_abor_before_the_client_connects(busy: Client, line: str, way: Way) -> None:
    with busy as client:
        client.passive(way)
        client.ask(line, 150)
        client.command("ABOR")
        aborted(client)


@pytest.mark.standard("959-3.2-CLOSE-2")
@pytest.mark.parametrize("way", [Way.PASV, Way.EPSV])
def test_who_connects_after_abor_is_refused(ftp_server: FtpServer, way: Way) -> None:
    with ftp_server.client() as client:
        target = client.passive(way)
        client.ask("LIST", 150)
        client.command("ABOR")
        aborted(client)
        assert refused(client, target)


@pytest.mark.standard("959-4.1.3-ABOR-BUSY")
@pytest.mark.parametrize("line", TRANSFERS)
def test_abor_before_the_client_accepts(busy: Client, line: str) -> None:
    """The client's queue of connections is full, so that the server's is not answered."""
    with busy as client, socket.socket() as listener:
        listener.bind((client.local[0], 0))
        listener.listen(0)
        target = listener.getsockname()
        with socket.create_connection(target), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(target)
            client.ask(port_command(target), 200)
            client.ask(line, 150)
            assert not client.pending(0.1)
            client.command("ABOR")
            aborted(client)


@pytest.mark.standard("959-4.1.3-ABOR-BUSY", "959-4.1-DURING-XFER", "1123-4.1.2.10-READ")
@pytest.mark.parametrize("line", TRANSFERS)
@pytest.mark.parametrize("connected", [True, False])
def test_abor_in_the_same_segment_as_the_command(busy: Client, line: str, *, connected: bool) -> None:
    verb = line.partition(" ")[0]
    with busy as client:
        target = client.passive()
        if connected:
            client.connect(target)
        client.send(f"{line}\r\nABOR\r\n".encode(), verb, "ABOR")
        assert client.reply().code == 150
        aborted(client)


@pytest.mark.standard("959-4.1.3-ABOR-BUSY", "TEL-959-IP-ONE-CMD")
def test_abor_overtakes_what_was_sent_before_it(busy: Client) -> None:
    with busy as client:
        begin(client, "RETR big")
        client.send(b"PWD\r\nSYST\r\nABOR\r\nPWD\r\n", "ABOR", "PWD", "SYST", "PWD")
        assert [client.reply().code for _ in range(5)] == [426, 226, 257, 215, 257]


@pytest.mark.standard("959-4.1-IP-SYNCH", "TEL-854-SYNCH")
@pytest.mark.parametrize("how", ["synch", "in-line", "urgent", "urgent, no Telnet", "lower case"])
@pytest.mark.parametrize("line", ["", "RETR big", "STOR f", "LIST"])
def test_abor_behind_telnet_signals(busy: Client, how: str, line: str) -> None:
    with busy as client:
        if line:
            begin(client, line)
        match how:
            case "synch":
                client.synch()
                client.command("ABOR")
            case "in-line":
                client.send(b"\xff\xf4\xff\xf2ABOR\r\n", "ABOR")
            case "urgent":
                client.urgent(b"\xff\xf4\xff\xf2")
                client.command("ABOR")
            case "urgent, no Telnet":
                client.urgent(b"ABOR\r\n", "ABOR")
            case _:
                client.command("abor")
        if line:
            aborted(client)
        else:
            assert client.reply().code in {225, 226}


@pytest.mark.standard("959-4.1.3-ABOR-BUSY", "959-4.1.3-ABOR-DONE")
def test_abor_twice(busy: Client) -> None:
    with busy as client:
        begin(client, "RETR big")
        client.send(b"ABOR\r\nABOR\r\n", "ABOR", "ABOR")
        assert client.reply().code == 426
        assert client.reply().code == 226
        assert client.reply().code == 226
        client.ask("NOOP", 200)


@pytest.mark.standard("959-4.1.3-ABOR-DONE", "959-4.1.3-ABOR-IDLE")
def test_abor_after_the_end(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        for _ in range(3):
            assert client.retr("f").complete
            client.ask("ABOR", 225, 226)
        assert client.stor("g", b"g").complete
        client.ask("ABOR", 225, 226)
        assert client.retr("g").data == b"g"


@pytest.mark.standard("959-4.1.3-ABOR-DONE")
def test_abor_races_with_the_end(ftp_server: FtpServer) -> None:
    """Whoever wins, there are two replies, and a 426 is never behind a 226."""
    (ftp_server.root / "f").write_bytes(b"f")
    with ftp_server.client() as client:
        for _ in range(200):
            data = client.connect(client.passive())
            client.command("RETR f")
            client.command("ABOR")
            assert client.reply().code == 150
            assert (client.reply().code, client.reply().code) in {(226, 225), (226, 226), (426, 226)}
            data.close()


@pytest.mark.standard("959-4.1.3-STAT-XFER", "1123-4.1.3.3-CONC", "959-4.1-DURING-XFER", "959-4.2-QUEUE")
@pytest.mark.parametrize("line", TRANSFERS)
def test_stat_and_noop_in_a_transfer(busy: Client, line: str) -> None:
    with busy as client:
        begin(client, line)
        first = client.ask("STAT", 211)
        assert any(b"In progress" in one for one in first.body)
        client.ask("NOOP", 200)
        client.ask("STAT", 211)
        client.command("ABOR")
        aborted(client)


@pytest.mark.standard("959-4.1.3-STAT-XFER")
def test_stat_does_not_disturb(ftp_server: FtpServer) -> None:
    big(ftp_server)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = begin(client, "RETR big")
        client.send(b"STAT\r\n" * 50, *["STAT"] * 50)
        assert all(client.reply().code == 211 for _ in range(50))
        assert drain(data) == BIG - 1
        assert client.reply().code == 226


@pytest.mark.standard("959-4.2-QUEUE", "959-4.2-REPLY-ONE")
def test_thousands_of_commands_behind_a_transfer(ftp_server: FtpServer) -> None:
    big(ftp_server)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.send(b"RETR big\r\n" + b"PWD\r\n" * 5000, "RETR", *["PWD"] * 5000)
        assert client.reply().code == 150
        assert drain(data) == BIG
        assert client.reply().code == 226
        assert all(client.reply().code == 257 for _ in range(5000))


@pytest.mark.standard("959-4.1.1-QUIT-XFER", "959-5.2-CLOSE-BY-QUIT", "959-4.1-DURING-XFER")
@pytest.mark.parametrize("half_closed", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_quit_in_a_transfer_waits_for_its_end(ftp_server: FtpServer, *, half_closed: bool, together: bool) -> None:
    big(ftp_server)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        if together:
            client.send(b"RETR big\r\nQUIT\r\n", "RETR", "QUIT")
        else:
            client.ask("RETR big", 150)
            client.command("QUIT")
        if half_closed:
            client.shut()
        assert drain(data) == BIG
        assert client.final().code == 226
        assert client.reply().code == 221
        client.end()


@pytest.mark.standard("959-4.1.1-QUIT-XFER")
def test_quit_in_an_upload_waits_for_its_end(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        data = begin(client, "STOR f")
        client.command("QUIT")
        assert not client.pending(0.1)
        data.sendall(b"y" * 1000)
        data.close()
        assert client.reply().code == 226
        assert client.reply().code == 221
        client.end()
    assert (ftp_server.root / "f").stat().st_size == 2000


@pytest.mark.standard("959-2.3-CTRL-OPEN", "959-3.2-CLOSE-4", "959-4.1.1-UNEXP-CLOSE")
@pytest.mark.parametrize("line", TRANSFERS)
@pytest.mark.parametrize("end", ["reset", "close the connection"])
@pytest.mark.parametrize("way", [Way.EPSV, Way.EPRT])
def test_the_loss_of_the_control_connection_ends_a_transfer(busy: Client, line: str, end: str, way: Way) -> None:
    data = begin(busy, line, way)
    if end == "reset":
        busy.reset()
    else:
        busy.shut()
    if line[:4] in {"STOR", "APPE", "STOU"}:
        assert ended(data)
    else:
        try:
            drain(data)
        except ConnectionResetError:
            pass  # an end, too
    busy.close()


@pytest.mark.standard("959-4.1.1-UNEXP-CLOSE", "959-2.3-CTRL-OPEN")
@pytest.mark.parametrize("line", ["RETR big", "STOR big", "LIST"])
def test_the_loss_frees_the_place_and_leaves_the_old_file(configured: Configured, line: str) -> None:
    server = configured({"limits": {"sessions": 1}})
    big(server)
    client = server.client()
    target = client.passive()
    client.ask(line, 150)
    if line == "STOR big":
        client.connect(target).sendall(b"new")
    client.reset()
    # 421 for as long as the first is still being cleared away.
    while (second := Client(server.host, server.port, greeted=False)).reply().code == 421:
        second.close()
    with second:
        second.login(server.user, server.password)
    assert (server.root / "big").stat().st_size == BIG


@pytest.mark.standard("959-4.1.1-REIN", "959-4.1.1-USER-FLUSH")
@pytest.mark.parametrize(("command", "code"), [("REIN", 220), ("USER test", 331)])
def test_a_transfer_ends_under_the_old_login(ftp_server: FtpServer, command: str, code: int) -> None:
    with ftp_server.client() as client:
        data = begin(client, "STOR f")
        client.command(command)
        assert not client.pending(0.1)
        data.close()
        assert client.reply().code == 226
        assert client.reply().code == code
        client.ask("PWD", 530)
    assert (ftp_server.root / "f").stat().st_size == 1000


@pytest.mark.standard("959-4.1.1-REIN", "959-3.2-CLOSE-3")
def test_rein_closes_a_waiting_port(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        target = client.passive(Way.PASV)
        early = client.connect(target)
        client.ask("REIN", 220)
        assert ended(early)
        assert refused(client, target)
        client.login(ftp_server.user, ftp_server.password)
        client.ask("LIST", 150)
        assert client.reply().code == 425


@pytest.mark.standard("959-2.3-CTRL-OPEN", "959-4.1.1-UNEXP-CLOSE")
def test_what_was_sent_before_a_half_close_is_answered(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.send(b"PWD\r\nSYST\r\nNOOP\r\nhalf a comm", "PWD", "SYST", "NOOP")
        client.shut()
        assert [client.reply().code for _ in range(3)] == [257, 215, 200]
        client.end()
