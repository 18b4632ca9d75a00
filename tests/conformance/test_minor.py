"""RFC 1579, 1635, 1639, 949: passive mode, anonymous login, long addresses, and the rights of STOU.

RFC 775 is in test_959_directories.py.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from tests.conformance.conftest import ClientWith, Configured
from tests.conformance.test_959_data import drain

from homeport.testing.client import Client, Transfer, Way
from homeport.testing.plugin import FtpServer, FtpServerFactory


def free_ports(count: int) -> list[int]:
    """Numbers that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = sorted(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return numbers


def lprt(host: bytes, port: int, family: int) -> str:
    return f"LPRT {','.join(map(str, (family, len(host), *host, 2, port >> 8, port & 255)))}"


# -- RFC 1579 ---------------------------------------------------------------------------------------------------------


@pytest.mark.standard("1579-PASV-HONOUR", "1123-4.1.2.6-PASV")
def test_pasv_is_honoured_by_a_port_that_changes(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        ports = set()
        for _ in range(20):
            target = client.passive(Way.PASV)
            ports.add(target[1])
            data = client.connect(target)
            client.ask("NLST", 150)
            assert drain(data) == 0
            assert client.reply().code == 226
        assert len(ports) > 1


@pytest.mark.standard("1579-HIGH-PORTS")
def test_passive_ports_stay_in_their_range(configured: Configured) -> None:
    ports = free_ports(3)
    server = configured({"data": {"passive_ports": ports}})
    with server.client() as client:
        for way in (Way.PASV, Way.EPSV) * 20:
            assert client.passive(way)[1] in ports
            assert client.nlst(way=way).complete


# -- RFC 1635 ---------------------------------------------------------------------------------------------------------


@pytest.mark.standard("1635-ANON-USER", "1635-ANON-PASS")
@pytest.mark.parametrize("name", ["anonymous", "ftp", "Anonymous"])
@pytest.mark.parametrize("password", ["guest", "me@example.org", "x", " ", "-x@y"])
def test_anybody_logs_in_with_any_password(ftp_server_factory: FtpServerFactory, name: str, password: str) -> None:
    server = ftp_server_factory(anonymous=True)
    (server.root / "f").write_bytes(b"public")
    with Client(server.host, server.port) as client:
        client.ask(f"USER {name}", 331)
        client.ask(f"PASS {password}", 230)
        assert client.retr("f").data == b"public"
        refused = client.stor("g", b"")
        assert refused.preliminary is None
        assert refused.final.code in {550, 553}


@pytest.mark.standard("1635-ANON-USER")
def test_nobody_is_anonymous_where_it_is_not_enabled(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("USER anonymous", 331, 530)
        client.ask("PASS guest", 503, 530)


@pytest.mark.standard("1635-ANON-DASH", "1635-README-NOTICE")
def test_with_a_dash_the_welcome_has_one_line(ftp_server_factory: FtpServerFactory) -> None:
    server = ftp_server_factory(anonymous=True)
    (server.root / "README").write_bytes(b"Read me")
    (server.root / "d").mkdir()
    (server.root / "d" / "README").write_bytes(b"Read me")
    with Client(server.host, server.port) as client:
        client.ask("USER anonymous", 331)
        reply = client.ask("PASS -me@example.org", 230)
        assert not reply.multi_line
        reply = client.ask("CWD d", 250)
        assert reply.raw.splitlines()[-1].startswith(b"250 ")
        assert not reply.multi_line


# -- RFC 949 ----------------------------------------------------------------------------------------------------------


def refused(moved: Transfer) -> bool:
    return moved.preliminary is None and moved.final.code in {530, 550, 553}


@pytest.mark.standard("949-STOU")
@pytest.mark.parametrize("argument", ["", " f", " closed/f"])
def test_stou_is_no_way_around_the_rights_of_stor(tmp_path: Path, client_with: ClientWith, argument: str) -> None:
    (tmp_path / "closed").mkdir()
    client = client_with(tmp_path, "read")
    assert refused(client.stor("f", b"x"))
    assert refused(client.upload(f"STOU{argument}", b"x"))
    assert [one.name for one in tmp_path.rglob("*")] == ["closed"]


@pytest.mark.standard("949-STOU")
def test_stou_has_the_rights_of_the_current_directory(tmp_path: Path, client_with: ClientWith) -> None:
    (tmp_path / "closed").mkdir()
    client = client_with(tmp_path, "read-write", {"/closed": "read"})
    assert client.stou(b"x").complete
    client.ask("CWD closed", 250)
    assert refused(client.stou(b"x"))
    assert list((tmp_path / "closed").iterdir()) == []


# -- RFC 1639 ---------------------------------------------------------------------------------------------------------


@pytest.mark.standard("1639-LPRT-SYNTAX", "1639-LPRT-AF")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_lprt(ftp_server_factory: FtpServerFactory, host: str) -> None:
    server = ftp_server_factory(host=host)
    (server.root / "f").write_bytes(b"f")
    family, kind = (6, socket.AF_INET6) if ":" in host else (4, socket.AF_INET)
    with server.client() as client, socket.create_server((host, 0), family=kind) as listener:
        client.ask(lprt(socket.inet_pton(kind, host), listener.getsockname()[1], family), 200)
        client.ask("RETR f", 150)
        data = client.accept(listener)
        assert drain(data) == 1
        assert client.reply().code == 226


@pytest.mark.standard("1639-LPRT-SYNTAX")
@pytest.mark.parametrize(
    "argument",
    [
        "4,3,127,0,0,1,2,200,1", "4,4,127,0,0,1,1,200,1", "4,4,127,0,0,1,3,200,1", "4,4,127,0,0,1,2,200",
        "4,4,127,0,0,1,2,200,1,1", "4,4,127,0,0,256,2,200,1", "4,4,127,0,0,1,2,0,0", "", "4", "4,4",
        "4,4,127,0,0,1,-2,1,1", "4,4,127,0,0,x,2,200,1", "6,4,127,0,0,1,2,200,1", "4, 4,127,0,0,1,2,200,1", "4,255,1",
    ],
)  # fmt: skip
def test_lprt_with_a_wrong_argument(ftp_server: FtpServer, argument: str) -> None:
    with ftp_server.client() as client:
        client.ask(f"LPRT {argument}", 501)
        client.ask("NOOP", 200)


@pytest.mark.standard("1639-LPSV-228")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_lpsv(ftp_server_factory: FtpServerFactory, host: str) -> None:
    server = ftp_server_factory(host=host)
    (server.root / "f").write_bytes(b"f")
    with server.client() as client:
        text = client.ask("LPSV", 228).text
        found = re.fullmatch(r"Entering Long Passive Mode \(([\d,]+)\)", text)
        assert found is not None
        family, length, *rest = map(int, found[1].split(","))
        octets = bytes(rest[:length])
        assert (family, length) == ((6, 16) if ":" in host else (4, 4))
        assert socket.inet_ntop(socket.AF_INET6 if family == 6 else socket.AF_INET, octets) == host
        ports, high, low = rest[length:]
        assert ports == 2
        data = client.connect((host, high << 8 | low))
        client.ask("RETR f", 150)
        assert drain(data) == 1
        assert client.reply().code == 226


@pytest.mark.standard("1639-521", "1639-LPRT-AF")
@pytest.mark.parametrize("family", [0, 1, 2, 3, 5, 16, 255])
def test_an_address_family_that_is_not_known(ftp_server: FtpServer, family: int) -> None:
    """1 and 2 are those of EPRT, and mean nothing here."""
    with ftp_server.client() as client:
        reply = client.ask(f"LPRT {family},4,127,0,0,1,2,200,1", 521)
        assert re.fullmatch(r"Supported address families are \(\d+(,\d+)*\)", reply.text)


@pytest.mark.standard("2428-3-ALL")
def test_after_epsv_all_the_long_forms_are_refused(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("EPSV ALL", 200)
        for line in ("LPSV", "LPRT 4,4,127,0,0,1,2,200,1"):
            assert client.ask(line).code // 100 == 5
