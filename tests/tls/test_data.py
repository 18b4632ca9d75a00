"""Protected data connections: when the handshake comes, what it protects, and how it is refused."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

import pytest

import homeport
from homeport.events.types import DataConnectionFailed, Event, TransferEnded
from homeport.server.listening import StartError
from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

from .conftest import PASSWORD, USER, Tls, protected, read_all, trusting

CONTENT = bytes(range(256)) * 2000
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.standard("4217-7-ROLE", "4217-9-P-FIRST", "4217-9-PROT-STICK", "TLS-CLOSE-SEND", "959-4.1.1-REIN")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", [Way.EPSV, Way.PASV, Way.EPRT, Way.PORT])
def test_every_way_and_direction(server: FtpServer, version: ssl.TLSVersion, way: Way) -> None:
    """The strict client takes nothing for an end but close_notify."""
    (server.root / "file").write_bytes(CONTENT)
    (server.root / "empty").touch()
    with protected(server, trusting(version)) as client:
        client.way = way
        assert client.retr("file").data == CONTENT
        assert client.retr("file", offset=len(CONTENT) - 5).data == CONTENT[-5:]
        assert client.retr("empty").data == b""
        assert client.stor("new", CONTENT).complete
        assert client.stor("nothing", b"").complete
        assert client.appe("new", b"more").complete
        stored = client.stou(b"unique")
        assert stored.preliminary is not None
        assert b"new" in client.list_().data
        assert client.nlst().complete
        assert client.mlsd().complete
    assert (server.root / "new").read_bytes() == CONTENT + b"more"
    assert (server.root / "nothing").read_bytes() == b""
    assert (server.root / stored.preliminary.text.removeprefix("FILE: ")).read_bytes() == b"unique"


@pytest.mark.standard("3659-7.2-TLS")
def test_mlsd_is_protected_like_list(server: FtpServer, client: Client) -> None:
    (server.root / "file").touch()
    data = client.connect(client.passive())
    client.ask("MLSD", 150)
    assert client.secure(data).recv(100) != b""
    assert client.reply().code == 226


@pytest.mark.standard("959-3.1.1.1-A-RECV", "2228-6-ORDER")
def test_lines_are_converted_inside(server: FtpServer) -> None:
    with protected(server) as client:
        client.ask("TYPE A", 200)
        data = client.connect(client.passive())
        client.ask("STOR text", 150)
        tls = client.secure(data)
        tls.send(b"a\r")  # and its LF in another record
        tls.send(b"\nb\r\n")
        tls.unwrap().close()
        assert client.reply().code == 226
        assert (server.root / "text").read_bytes() == b"a\nb\n"
        assert client.retr("text").data == b"a\r\nb\r\n"


@pytest.mark.standard("2228-3-PROT-DEFAULT", "4217-9-INITIAL")
def test_data_are_in_clear_until_prot_p(server: FtpServer) -> None:
    (server.root / "file").write_bytes(b"0123")
    with server.client(login=False) as client:
        client.protect(private=False)
        client.login(USER, PASSWORD)
        assert client.retr("file").data == b"0123"


@pytest.mark.standard("4217-8-ANYTIME", "4217-10.2-VIEWS")
def test_the_level_at_the_transfer_counts(server: FtpServer) -> None:
    (server.root / "file").write_bytes(b"0123")
    with protected(server) as client:
        target = client.passive()
        client.ask("PROT C", 200)
        data = client.connect(target)
        client.ask("RETR file", 150)
        assert data.recv(100) == b"0123"
        client.final()
        target = client.passive()
        client.ask("PROT P", 200)
        data = client.connect(target)
        client.ask("RETR file", 150)
        assert client.secure(data).recv(100) == b"0123"
        client.final()


@pytest.mark.standard("4217-9-PROT-STICK")
def test_once_for_ten_transfers(server: FtpServer) -> None:
    (server.root / "file").write_bytes(b"0123")
    with protected(server) as client:
        for _ in range(10):
            assert client.retr("file").data == b"0123"


@pytest.mark.standard("4217-12-ORDER")
def test_226_comes_behind_the_end_of_tls(server: FtpServer) -> None:
    (server.root / "file").write_bytes(CONTENT * 40)
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask("RETR file", 150)
        tls = client.secure(data)
        assert not client.pending(0.1)  # nobody has read anything, so nothing is over
        moved = 0
        while part := tls.recv(65536):
            moved += len(part)
        assert moved == 40 * len(CONTENT)
        assert client.reply().code == 226
        assert data.fileno() < 0


def test_commands_during_the_handshake_and_the_transfer(server: FtpServer) -> None:
    (server.root / "file").write_bytes(CONTENT * 40)
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask("RETR file", 150)
        client.ask("NOOP", 200)
        client.ask("STAT", 211)
        tls = client.secure(data)
        tls.recv(10)
        client.ask("NOOP", 200)
        client.command("ABOR")
        assert client.reply().code == 426
        assert client.reply().code == 226
        with pytest.raises(OSError, match=r"reset|EOF|closed"):
            read_all(tls)


def test_abort_in_the_handshake(server: FtpServer) -> None:
    with protected(server) as client:
        client.connect(client.passive())
        client.ask("STOR file", 150)
        client.command("ABOR")
        assert client.reply().code == 426
        assert client.reply().code == 226
        client.ask("NOOP", 200)
    assert list(server.root.iterdir()) == []


# -- refused handshakes -------------------------------------------------------------------------------------------


def _plain_text(client: Client, data: socket.socket) -> None:
    data.sendall(b"these are data\r\n")


def _gone(client: Client, data: socket.socket) -> None:
    data.close()


def _half_a_hello(client: Client, data: socket.socket) -> None:
    data.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
    data.close()


def _old_version(client: Client, data: socket.socket) -> None:
    context = trusting(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA")  # neither forward secrecy nor AEAD
    with pytest.raises(ssl.SSLError, match=r"ALERT|alert"):
        context.wrap_socket(data)


def _bad_record(client: Client, data: socket.socket) -> None:
    data.sendall(b"\x16\x03\x01\x00\x05hello")


@pytest.mark.standard("4217-10.2-522", "2228-6-535")
@pytest.mark.parametrize("misdeed", [_plain_text, _gone, _half_a_hello, _old_version, _bad_record])
@pytest.mark.parametrize("command", ["RETR old", "STOR new", "STOR old", "APPE old", "STOU", "LIST"])
def test_a_refused_handshake_leaves_no_trace(
    server: FtpServer, events: list[Event], misdeed: Any, command: str
) -> None:
    (server.root / "old").write_bytes(b"as it was")
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask(command, 150)
        misdeed(client, data)
        reply = client.reply()
        assert reply.code == 522
        assert [path.name for path in server.root.iterdir()] == ["old"]
        assert (server.root / "old").read_bytes() == b"as it was"
        assert client.list_().complete  # the session is as good as before
    (failed,) = (event for event in events if isinstance(event, DataConnectionFailed))
    assert failed.diagnosis == ("plain-on-tls" if misdeed is _plain_text else "tls-failed")
    assert len([event for event in events if isinstance(event, TransferEnded)]) == 1


def test_a_handshake_for_data_has_a_deadline(tls: Tls) -> None:
    server = tls({"limits": {"handshake": 0.3}})
    with protected(server) as client:
        client.connect(client.passive())
        client.ask("STOR new", 150)
        assert client.reply().code == 522
    assert list(server.root.iterdir()) == []


@pytest.mark.standard("2228-11-FXP", "4217-7-NO-FXP")
def test_another_server_as_the_other_end(server: FtpServer, tls: Tls) -> None:
    """Both are TLS servers, so each waits for the other's ClientHello until the deadline: never in clear."""
    allowing = tls({"data": {"allow_foreign": True}, "limits": {"handshake": 0.3}})
    (allowing.root / "file").write_bytes(b"secret")
    with protected(allowing) as client, socket.create_server(("127.0.0.2", 0)) as third:
        host, port = third.getsockname()
        client.ask(f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}", 200)
        client.command("RETR file")
        client.reply()
        data, _ = third.accept()
        with data:
            assert client.reply().code == 522
            data.settimeout(10)
            with pytest.raises(ConnectionResetError):
                data.recv(100)
    with protected(server) as client:
        refused = client.ask(f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}")
        assert refused.code == 504


def test_a_third_host_that_speaks_tls_proves_nothing(tls: Tls) -> None:
    allowing = tls({"data": {"allow_foreign": True}})
    (allowing.root / "file").write_bytes(b"secret")
    with protected(allowing) as client, socket.create_server(("127.0.0.2", 0)) as third:
        host, port = third.getsockname()
        client.resumes = False
        client.ask(f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}", 200)
        client.command("RETR file")
        client.reply()
        data, _ = third.accept()
        with pytest.raises(OSError, match=r"reset|EOF"), client.secure(data) as tls_data:
            tls_data.recv(100)
        assert client.reply().code == 522


# -- when protection is required ----------------------------------------------------------------------------------


TRANSFERS = ["RETR old", "STOR new", "STOU", "APPE old", "LIST", "NLST", "MLSD"]


@pytest.mark.standard("4217-10.2-521", "4217-10.2-CHECK-LATE", "X-06", "X-07", "2228-6-534")
@pytest.mark.parametrize("command", TRANSFERS)
def test_521_before_anything_happens(tls: Tls, command: str) -> None:
    server = tls({"tls": {"require": "both"}})
    (server.root / "old").write_bytes(b"as it was")
    with server.client(login=False) as client:
        client.protect(private=False)
        client.login(USER, PASSWORD)
        client.passive()  # not refused: what counts is the level at the transfer
        client.ask(command, 521)
        assert [path.name for path in server.root.iterdir()] == ["old"]
        client.ask("PBSZ 0", 200)
        client.ask("PROT P", 200)
        client.private = True
        assert client.list_().complete


@pytest.mark.standard("2228-3-PROT-534", "4217-10.2-VIEWS")
def test_prot_c_is_refused(tls: Tls) -> None:
    with protected(tls({"tls": {"require": "both"}})) as client:
        client.ask("PROT C", 534)
        assert client.list_().complete


@pytest.mark.standard("X-17", "2228-7-PASS", "4217-10.1-POLICY", "2577-6-ENCRYPT", "2228-3-533-ALL")
@pytest.mark.parametrize("require", ["control", "both"])
def test_logins_in_clear_are_refused_before_the_password(tls: Tls, require: str) -> None:
    server = tls({"tls": {"require": require}})
    with server.client(login=False) as client:
        client.ask(f"USER {USER}", 534)
        client.ask(f"PASS {PASSWORD}", 503)
        client.ask("FEAT", 211)
        client.protect()
        client.login(USER, PASSWORD)
        client.ask("REIN", 220)
        client.end_tls()
        client.ask(f"USER {USER}", 534)


def test_data_may_be_in_clear_where_only_logins_must_not(tls: Tls) -> None:
    server = tls({"tls": {"require": "control"}})
    with server.client(login=False) as client:
        client.protect(private=False)
        client.login(USER, PASSWORD)
        assert client.list_().complete


@pytest.mark.standard("4217-10.1-POLICY", "4217-10.2-VIEWS")
def test_each_user_has_his_own_rule(tls: Tls) -> None:
    anonymous = {"enabled": True, "home": "/tmp", "tls": "none"}
    server = tls({"tls": {"require": "control"}, "anonymous": anonymous}, tls="both")
    with server.client(login=False) as client:
        client.login("anonymous", "me@example.net")
        client.ask(f"USER {USER}", 534)
        client.ask("USER nobody", 534)
        client.protect(private=False)
        client.login(USER, PASSWORD)
        client.ask("LIST", 521)
        client.login("anonymous", "me@example.net")
        assert client.list_().complete


@pytest.mark.parametrize(
    ("option", "sections"),
    [
        ("tls.require", {"tls": {"require": "both"}}),
        ("listen.implicit_tls_port", {"listen": {"addresses": ["127.0.0.1"], "port": 0, "implicit_tls_port": 0}}),
        ("anonymous.tls", {"anonymous": {"enabled": True, "home": "/tmp", "tls": "control"}}),
        ("users[0].tls", {"users": [{"name": "a", "password": "plain:b", "home": "/tmp", "tls": "both"}]}),
        ("users[0].certificate", {"users": [{"name": "a", "certificate": "a", "home": "/tmp"}]}),
    ],
)
def test_a_rule_without_a_certificate_is_no_start(option: str, sections: dict[str, Any], unused_port: int) -> None:
    options: dict[str, Any] = {"listen": {"addresses": ["127.0.0.1"], "port": 0}, "data": {"passive_ports": "any"}}
    options |= sections
    if "implicit" in option:
        options["listen"]["implicit_tls_port"] = unused_port
    server = homeport.Server(config=homeport.Config.model_validate(options))
    with pytest.raises(StartError, match=re.escape(option)):
        server.start()


# -- implicit TLS -------------------------------------------------------------------------------------------------


@pytest.fixture
def implicit(tls: Tls, unused_port: int) -> FtpServer:
    """A server with a port where TLS begins at once, which is its `port` here."""
    server = tls({"listen": {"implicit_tls_port": unused_port}})
    return FtpServer(server.host, unused_port, USER, PASSWORD, server.root, server.server, server._clients)


@pytest.mark.standard("D-13")
def test_implicit_tls(implicit: FtpServer) -> None:
    (implicit.root / "file").write_bytes(CONTENT)
    with Client(implicit.host, implicit.port, greeted=False) as client:
        client.begin_tls()
        assert client.reply().code == 220
        client.login(USER, PASSWORD)
        client.private = True  # without PROT P, which is in force from the beginning
        client.ask("TYPE I", 200)
        assert client.retr("file").data == CONTENT
        client.ask("PROT C", 200)  # without PBSZ
        client.private = False
        assert client.list_().complete
        client.ask("PBSZ 0", 200)
        client.ask("PROT P", 200)
        client.ask("AUTH TLS", 534)
        client.quit()
    with Client(implicit.host, implicit.server.port) as client:
        client.ask("NOOP", 200)  # the other port is as ever


def test_implicit_tls_may_demand_protected_data(tls: Tls, unused_port: int) -> None:
    server = tls({"listen": {"implicit_tls_port": unused_port}, "tls": {"implicit_require": "both"}})
    with Client(server.host, unused_port, greeted=False) as client:
        client.begin_tls()
        assert client.reply().code == 220
        client.login(USER, PASSWORD)
        client.ask("PROT C", 534)
    with server.client() as client:
        assert client.list_().complete


def test_a_client_in_clear_on_the_implicit_port(implicit: FtpServer) -> None:
    with Client(implicit.host, implicit.port, greeted=False) as client:
        client.send(b"USER x\r\n")
        assert client.reply().code == 421
        client.end()


def test_rein_and_ccc_on_the_implicit_port(tls: Tls, unused_port: int) -> None:
    server = tls({"listen": {"implicit_tls_port": unused_port}, "tls": {"clear_control": True}})
    with Client(server.host, unused_port, greeted=False) as client:
        client.begin_tls()
        client.reply()
        client.login(USER, PASSWORD)
        client.ask("CCC", 200)
        client.end_tls()
        client.private = True
        client.resumes = False
        assert client.list_().complete
        client.ask(f"USER {USER}", 534)  # a login in clear is nothing for this port
        client.private = False
        client.protect()
        client.login(USER, PASSWORD)
