"""EPRT and EPSV (RFC 2428), and how they go with PORT and PASV, over IPv4 and IPv6."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer, FtpServerFactory

HOSTS = pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
SET_UP = ("PORT 127,0,0,1,200,1", "PASV", "EPRT |1|127.0.0.1|50000|", "LPRT 4,4,127,0,0,1,2,200,1", "LPSV")
CONTENT = bytes(range(256)) * 1000


def gone(address: tuple[str, int], source: str) -> bool:
    """Whether nobody serves *source* at *address*: refused, or reset before any octet.

    The port itself may go on listening, for other clients.
    """
    try:
        with socket.create_connection(address, 10, (source, 0)) as connection:
            return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.standard("2428-2-EPRT-SYNTAX", "2428-2-EPRT-200", "2428-2-AF1")
@pytest.mark.parametrize("delimiter", [chr(one) for one in range(33, 127) if chr(one) not in "0123456789."])
def test_any_printable_delimiter_will_do(client: Client, delimiter: str) -> None:
    client.ask(delimiter.join(("EPRT ", "1", "127.0.0.1", "50000", "")), 200)


@pytest.mark.standard("2428-2-EPRT-SYNTAX", "2428-2-ERR", "2428-2-AF1", "2428-2-AF2")
@pytest.mark.parametrize(
    "argument",
    [
        "", " ", " |1|127.0.0.1|50000|", "|1|127.0.0.1|50000", "|1|127.0.0.1|50000||", "|1|127.0.0.1|50000|x",
        "|1|127.0.0.1|50000| ", "1|127.0.0.1|50000|", "|1!127.0.0.1|50000|", "||127.0.0.1|50000|", "|||50000|",
        "|1|127.0.0.1|0|", "|1|127.0.0.1|65536|", "|1|127.0.0.1|x|", "|1|127.0.0.1|-1|", "|1|127.0.0.1||",
        "|1|127.0.0.1|0x4000|", "|1|127.0.0.1|+5000|", "|1|127.0.0.1|4294967297|",
        "|1|0177.0.0.1|50000|", "|1|0x7f.0.0.1|50000|", "|1|127.1|50000|", "|1|2130706433|50000|", "|1|::1|50000|",
        "|1|localhost|50000|", "|1|127.0.0.1.|50000|", "|x|127.0.0.1|50000|", "|IPv4|127.0.0.1|50000|",
        "|2|127.0.0.1|50000|", "|2|fe80::1%lo|50000|", "|2|[::1]|50000|", "|2|::g|50000|", "|2|1:2|50000|",
    ],
)  # fmt: skip
def test_bad_eprt_is_501_and_changes_nothing(ftp_server: FtpServer, argument: str) -> None:
    (ftp_server.root / "f").write_bytes(CONTENT)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        listener = client.active(Way.EPRT)
        client.ask(f"EPRT {argument}", 501)
        client.ask("RETR f", 150)
        with client.accept(listener) as data:
            assert b"".join(iter(lambda: data.recv(1 << 20), b"")) == CONTENT
        assert client.final().code == 226


@pytest.mark.standard("2428-2-AF2", "2428-2-EPRT-200", "2428-2-CONNECT")
@pytest.mark.parametrize("text", ["::1", "0:0:0:0:0:0:0:1", "0::0.0.0.1", "0000:0000:0000:0000:0000:0000:0000:0001"])
def test_every_form_of_an_ipv6_address(ftp_server_factory: FtpServerFactory, text: str) -> None:
    server = ftp_server_factory(host="::1")
    (server.root / "f").write_bytes(b"x")
    with server.client() as client, socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        client.ask(f"EPRT |2|{text}|{listener.getsockname()[1]}|", 200)
        client.ask("RETR f", 150)
        with client.accept(listener) as data:
            assert data.recv(10) == b"x"
        assert client.final().code == 226


@pytest.mark.standard("2428-2-AF2")
@pytest.mark.parametrize("text", ["1080::8:800:200C:417A", "1080::8:800:200c:417a", "::FFFF:129.144.52.38"])
def test_an_address_in_either_case_is_understood(ftp_server_factory: FtpServerFactory, text: str) -> None:
    """It is another host's, so it is refused (RFC 2577 §3), but as such and not for its form."""
    with ftp_server_factory(host="::1").client() as client:
        client.ask(f"EPRT |2|{text}|5282|", 504)


@pytest.mark.standard("2428-2-522", "2428-3-ARG-522")
@HOSTS
@pytest.mark.parametrize(
    "line", ["EPRT |3|x|1|", "EPRT |0|127.0.0.1|50000|", "EPRT |99|::1|50000|", "EPSV 3", "EPSV 0"]
)
def test_an_unknown_family_is_522_with_the_list(ftp_server_factory: FtpServerFactory, host: str, line: str) -> None:
    with ftp_server_factory(host=host).client() as client:
        reply = client.ask(line, 522)
        assert re.fullmatch(rb"522 [^()]*\(1,2\)\r\n", reply.raw)


@pytest.mark.standard("2428-2-522-V4ONLY", "2428-2-522", "2428-3-ARG-522")
@pytest.mark.parametrize(("host", "other", "own"), [("127.0.0.1", 2, b"(1)"), ("::1", 1, b"(2)")])
def test_the_other_family_is_522_and_the_list_says_what_can_be(
    ftp_server_factory: FtpServerFactory, host: str, other: int, own: bytes
) -> None:
    address = "::1" if other == 2 else "127.0.0.1"
    with ftp_server_factory(host=host).client() as client:
        for line in (f"EPRT |{other}|{address}|50000|", f"EPSV {other}"):
            assert client.ask(line, 522).raw.rstrip().endswith(own)


@pytest.mark.standard("2428-2-CONNECT", "2428-3-229", "2428-4-PREFER", "6384-6-EPSV2")
@pytest.mark.parametrize(
    ("host", "way"),
    # PASV and PORT can name IPv4 addresses only.
    [*(("127.0.0.1", way) for way in Way), *(("::1", way) for way in (Way.EPSV, Way.EPRT, Way.DEFAULT))],
)
def test_every_way_moves_the_same_octets(ftp_server_factory: FtpServerFactory, host: str, way: Way) -> None:
    server = ftp_server_factory(host=host)
    with server.client() as client:
        client.ask("TYPE I", 200)
        stored = client.stor("f", CONTENT, way=way)
        assert stored.complete
        assert (server.root / "f").read_bytes() == CONTENT
        fetched = client.retr("f", way=way)
        assert (fetched.complete, fetched.reset, fetched.data) == (True, False, CONTENT)


@pytest.mark.standard("2428-3-229", "2428-3-EXACT", "2428-3-ARG-AF", "D-18")
@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", 1), ("::1", 2)])
def test_the_text_of_229(ftp_server_factory: FtpServerFactory, host: str, family: int) -> None:
    server = ftp_server_factory(host=host)
    (server.root / "f").write_bytes(b"x")
    with server.client() as client:
        for line in ("EPSV", f"EPSV {family}", f"epsv {family}"):
            match = re.fullmatch(rb"229 [^()\d]*\(([\x21-\x7e])\1\1(\d+)\1\)\r\n", client.ask(line, 229).raw)
            assert match is not None
            data = client.connect((host, int(match[2])))
            client.ask("RETR f", 150)
            assert data.recv(10) == b"x"
            assert client.final().code == 226


@pytest.mark.standard("2428-3-SAME-ADDR")
def test_the_port_is_on_the_address_of_the_control_connection(ftp_server_factory: FtpServerFactory) -> None:
    server = ftp_server_factory(host="127.0.0.3")
    with server.client(source="127.0.0.1") as client:
        _, port = client.passive(Way.EPSV)
        assert gone(("127.0.0.1", port), "127.0.0.1")
        data = client.connect(("127.0.0.3", port), "127.0.0.1")
        client.ask("NLST", 150)
        assert data.recv(10) == b""
        assert client.final().code == 226


@pytest.mark.standard("2428-3-ARG-BAD")
@pytest.mark.parametrize("argument", ["foo", "ALLES", "1 2", "-1", "1.5", "|1|", "1,2", "ａｌｌ"])
def test_a_bad_argument_of_epsv_is_501(client: Client, argument: str) -> None:
    client.ask(f"EPSV {argument}", 501)


@pytest.mark.standard("2428-3-ALL", "2428-3-ALL-CASE", "2428-3-ALL-NOOPEN", "2428-3-ALL-LIFE", "D-22")
@pytest.mark.parametrize("word", ["ALL", "all", "All"])
def test_after_epsv_all_only_epsv_sets_up_data_connections(ftp_server: FtpServer, word: str) -> None:
    def only_epsv() -> None:
        for line in SET_UP:
            client.ask(line, 501, 503)
        assert client.nlst(way=Way.EPSV).complete

    with ftp_server.client() as client:
        client.ask(f"EPSV {word}", 200)
        # Nothing was opened, and the default data port is no way round it.
        assert client.nlst(way=Way.DEFAULT).final.code == 425
        only_epsv()
        only_epsv()
        client.login(ftp_server.user, ftp_server.password)
        only_epsv()
        client.ask("REIN", 220)
        client.login(ftp_server.user, ftp_server.password)
        for way in (Way.DEFAULT, Way.PORT, Way.EPRT, Way.PASV, Way.EPSV):
            assert client.nlst(way=way).complete


@pytest.mark.standard("2428-3-ABOR", "959-3.2-CLOSE-2")
@pytest.mark.parametrize("way", [Way.EPSV, Way.PASV])
def test_abor_takes_the_offered_port_back(ftp_server: FtpServer, way: Way) -> None:
    """The pool's port goes on listening for others; for this client nobody is behind it any more."""
    with ftp_server.client() as client:
        address = client.passive(way)
        client.ask("ABOR", 225, 226)
        assert gone(address, client.local[0])
        assert client.nlst().complete


@pytest.mark.standard("2428-3-PASV-V6")
def test_pasv_over_ipv6_does_not_lie(ftp_server_factory: FtpServerFactory) -> None:
    with ftp_server_factory(host="::1").client() as client:
        client.ask("PASV", 425, 500, 501, 502, 522)
        client.ask("PORT 127,0,0,1,200,1", 501, 504, 522)
        assert client.nlst(way=Way.EPSV).complete


@pytest.mark.standard("X-12", "959-3.3-PASV-AND-PORT")
@pytest.mark.parametrize("order", ["passive last", "active last"])
def test_the_last_of_port_and_pasv_decides_who_connects(ftp_server: FtpServer, order: str) -> None:
    (ftp_server.root / "f").write_bytes(b"x")
    with ftp_server.client() as client:
        reach: Callable[[], socket.socket]
        if order == "passive last":
            client.active(Way.PORT)
            address = client.passive(Way.PASV)
            reach = lambda: client.connect(address)
        else:
            address = client.passive(Way.PASV)
            listener = client.active(Way.PORT)
            reach = lambda: client.accept(listener)
        client.ask("RETR f", 150)
        assert reach().recv(10) == b"x"
        assert client.final().code == 226


@pytest.mark.standard("X-24")
def test_the_fields_of_port_may_be_0_but_not_the_port(client: Client) -> None:
    client.ask("PORT 127,0,0,1,4,0", 200)
    client.ask("PORT 127,0,0,1,255,255", 200)
    for fields in ("0,0", "256,0", "4", "4,0,0", "4,-1", "4.0"):
        client.ask(f"PORT 127,0,0,1,{fields}", 501)
