"""RFC 959 §4.1.1 and §4.1.2: login, REIN, CWD, and the parameters that stay (also REST, §3.5)."""

from __future__ import annotations

import re
import socket

import pytest
from tests.conformance.test_959_types import value

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer


def place(client: Client) -> str:
    found = re.match('"(.*)"', client.ask("PWD", 257).text)
    assert found is not None
    return found[1]


@pytest.mark.standard("959-4.1.1-USER-FLUSH", "959-4.1.2-REMEMBER")
def test_user_begins_a_new_login_and_keeps_the_parameters(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        client.ask(f"USER {ftp_server.user}", 331)
        for line in ("PWD", "CWD /", "LIST", "RETR f", "STOR f", "DELE f", "MKD d", "PASV"):
            client.ask(line, 530)
        client.ask(f"PASS {ftp_server.password}", 230)
        assert value(client, "TYPE") == "I"


@pytest.mark.standard("959-4.1.1-USER-FLUSH")
@pytest.mark.parametrize("line", ["USER", "USER "])
def test_a_user_without_a_name_changes_nothing(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        client.ask(line, 501)
        client.ask("PWD", 257)


@pytest.mark.standard("959-4.1.1-USER-FIRST", "959-4.1.1-PASS-SEQ")
def test_the_order_of_the_login(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("PWD", 530)
        client.ask(f"PASS {ftp_server.password}", 503)
        client.ask("ACCT a", 503)
        client.ask(f"USER {ftp_server.user}", 331)
        client.ask("NOOP", 200)
        if client.ask(f"PASS {ftp_server.password}", 230, 503).code == 503:
            client.login(ftp_server.user, ftp_server.password)
        client.ask(f"PASS {ftp_server.password}", 503)
        client.ask("PWD", 257)


@pytest.mark.standard("959-4.1.1-CWD-KEEP", "959-4.1.2-REMEMBER")
def test_cwd_changes_nothing_else(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        client.ask("CWD d", 250)
        assert (value(client, "TYPE"), place(client)) == ("I", "/d")
        for line in ("CWD none", "CWD /f", "CWD /none/../d/none"):
            client.ask(line, 550)
            assert place(client) == "/d"
        assert client.list_().complete
        client.ask("RETR none", 550)
        assert value(client, "TYPE") == "I"


@pytest.mark.standard("959-4.1.1-CDUP")
def test_cdup_stays_within_the_tree(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d" / "e").mkdir(parents=True)
    with ftp_server.client() as client:
        client.ask("CWD d/e", 250)
        for expected in ("/d", "/", "/", "/"):
            client.ask("CDUP", 200, 250, 550)
            assert place(client) == expected
        client.ask("CWD ../../..", 250, 550)
        assert place(client) == "/"


@pytest.mark.standard("959-4.1.1-SMNT")
def test_smnt_changes_nothing(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        client.ask("SMNT /d", 202, 250, 502)
        assert (value(client, "TYPE"), place(client)) == ("I", "/")


@pytest.mark.standard("959-4.1.1-REIN")
def test_rein_is_as_right_after_connecting(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    (ftp_server.root / "f").write_bytes(b"a\nb\n")
    with ftp_server.client() as client:
        facts = client.ask("FEAT", 211).body
        for line, code in (
            ("TYPE I", 200), ("CWD d", 250), ("OPTS MLST Size;", 200), ("LANG EN", 200), ("EPSV ALL", 200),
            ("REST 2", 350),
        ):  # fmt: skip
            client.ask(line, code)
        client.ask("RNFR /f", 350)
        client.ask("REIN", 220)
        for line in ("PWD", "LIST", "RNTO g"):
            client.ask(line, 530)
        client.ask(f"PASS {ftp_server.password}", 503)
        assert client.ask("FEAT", 211).body == facts
        client.ask("HOST example.com", 220, 504)
        client.login(ftp_server.user, ftp_server.password)
        assert (value(client, "TYPE"), place(client)) == ("A N", "/")
        client.ask("RNTO g", 503)
        assert client.retr("f", way=Way.PASV).data == b"a\r\nb\r\n"  # no REST, no EPSV ALL
        client.quit()
    assert (ftp_server.root / "f").exists()


@pytest.mark.standard("959-4.1.1-REIN")
def test_rein_between_user_and_pass(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask(f"USER {ftp_server.user}", 331)
        client.ask("REIN", 220)
        client.ask(f"PASS {ftp_server.password}", 503)


@pytest.mark.standard("959-4.1.2-REMEMBER")
def test_parameters_survive_a_transfer_that_fails(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"a\n")
    with ftp_server.client() as client:
        for line in ("MODE S", "TYPE I", "STRU F"):
            client.ask(line, 200)
        client.active(Way.PORT).close()
        client.ask("RETR f", 150)
        assert client.reply().code == 425
        assert value(client, "TYPE") == "I"
        assert client.retr("f").data == b"a\n"
        assert client.list_().complete
        assert client.retr("f").data == b"a\n"


@pytest.mark.standard("959-4.1.2-PORT-SYNTAX")
@pytest.mark.parametrize(
    "argument",
    [
        "127,0,0,1,200", "127,0,0,1,200,1,1", "127,0,0,1,256,1", "256,0,0,1,200,1", "127,0,0,1,-1,1", "127,0,0,1,,1",
        "127,0,0,1,a,1", "127, 0,0,1,200,1", "127 ,0,0,1,200,1", "127.0.0.1.200.1", "127,0,0,1,200,01",
        "127,0,0,1,0x80,1", "127,0,0,1,200,1,", ",127,0,0,1,200,1", "127,0,0,1,0,0", "١٢٧,0,0,1,200,1", "1e2,0,0,1,2,2",
        "127,0,0,1,200,+1", "127,0,0,1,51201", "localhost,200,1", ",,,,,",
    ],
)  # fmt: skip
def test_port_with_a_wrong_argument(ftp_server: FtpServer, argument: str) -> None:
    with ftp_server.client() as client:
        client.ask(f"PORT {argument}", 501)
        client.ask("NOOP", 200)


@pytest.mark.standard("959-4.1.2-PORT-SYNTAX")
@pytest.mark.parametrize("argument", ["127,0,0,1,4,0", "127,0,0,1,255,255", "127,0,0,1,200,0", " 127,0,0,1,200,1 "])
def test_port_with_a_right_argument(ftp_server: FtpServer, argument: str) -> None:
    with ftp_server.client() as client:
        client.ask(f"PORT {argument}", 200)


@pytest.mark.standard("959-4.1.2-PASV", "1123-4.1.2.6-PASV")
def test_pasv_waits_and_does_not_connect(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client, socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(client.local)
        own.listen()
        own.settimeout(0.1)
        target = client.passive(Way.PASV)
        client.ask("NLST", 150)
        with pytest.raises(TimeoutError):
            own.accept()
        client.connect(target)
        assert client.reply().code == 226


@pytest.mark.standard("959-4.1.3-REST-NEXT")
@pytest.mark.parametrize("offset", [0, 1, 3, 5])
def test_rest_is_for_the_command_that_follows(ftp_server: FtpServer, offset: int) -> None:
    (ftp_server.root / "f").write_bytes(b"12345")
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask(f"REST {offset}", 350)
        assert not client.pending(0.02)
        client.ask("RETR f", 150)
        assert data.makefile("rb").read() == b"12345"[offset:]
        assert client.reply().code == 226
        assert client.retr("f").data == b"12345"


@pytest.mark.standard("959-4.1.3-REST-LIST")
@pytest.mark.parametrize("line", ["LIST", "NLST", "MLSD"])
def test_rest_before_a_listing_is_gone_afterwards(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "f").write_bytes(b"12345")
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        assert client.download(line, offset=2).complete
        assert client.retr("f").data == b"12345"
