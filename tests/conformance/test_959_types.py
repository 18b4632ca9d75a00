"""RFC 959 §3.1 and §3.4: types, structures and modes."""

from __future__ import annotations

import secrets

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

BINARY = b"a\r\nb\n\r\xff\x00\x80\r\r\n" + secrets.token_bytes(1 << 20)
KINDS = ("A", "A N", "A T", "I", "L 8")


def value(client: Client, name: str) -> str:
    """A transfer parameter as STAT shows it."""
    text = b" ".join(client.ask("STAT", 211).body).decode()
    return text.partition(f"{name} ")[2].partition(";")[0]


@pytest.mark.standard("959-3.1.1.1-A", "959-3.1.1.1-A-SEND")
@pytest.mark.parametrize(
    ("stored", "wire"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\r\nb\nc", b"a\r\nb\r\nc"),
        (b"\n\n", b"\r\n\r\n"),
        (b"", b""),
    ],
)
def test_ascii_is_the_default_and_sends_crlf(ftp_server: FtpServer, stored: bytes, wire: bytes) -> None:
    (ftp_server.root / "f").write_bytes(stored)
    with ftp_server.client() as client:
        assert value(client, "TYPE") == "A N"
        assert client.retr("f").data == wire
        client.ask("TYPE I", 200)
        client.ask("TYPE A", 200)
        assert client.retr("f").data == wire


@pytest.mark.standard("959-3.1.1.1-A-RECV")
def test_ascii_receives_lines(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        assert client.stor("f", b"a\r\nb\r\n\r\nc").complete
    assert (ftp_server.root / "f").read_bytes() == b"a\nb\n\nc"


@pytest.mark.standard("959-3.1.1.1-A-RECV")
def test_ascii_receives_line_ends_in_two_segments(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        data = client.connect(client.passive())
        client.ask("STOR f", 150)
        for octets in (b"a\r", b"\nb", b"\r", b"\n", b"c\r\n"):
            data.sendall(octets)
            client.ask("STAT", 211)  # a round trip, so that the octets are not read together
        data.close()
        assert client.reply().code == 226
    assert (ftp_server.root / "f").read_bytes() == b"a\nb\nc\n"


@pytest.mark.standard("959-3.1.1.1-A-8BIT")
def test_high_octets_survive_in_ascii(ftp_server: FtpServer) -> None:
    octets = bytes(range(0x80, 0x100))
    with ftp_server.client() as client:
        assert client.stor("f", octets).complete
        assert (ftp_server.root / "f").read_bytes() == octets
        assert client.retr("f").data == octets


@pytest.mark.standard("959-3.1.1.3-I", "959-3.1.1.3-PAD", "1123-4.1.2.1-I")
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 65535, 1 << 20])
def test_image_is_unchanged(ftp_server: FtpServer, size: int) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        assert client.stor("f", BINARY[:size]).complete
        assert (ftp_server.root / "f").read_bytes() == BINARY[:size]
        assert client.retr("f").data == BINARY[:size]


@pytest.mark.standard("959-3.1.1.4-L-ARG")
def test_a_local_type_needs_its_size(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        for line in ("TYPE L", "TYPE L ", "TYPE L eight", "TYPE L 0", "TYPE L -8"):
            client.ask(line, 501)
            assert value(client, "TYPE") == "I"


@pytest.mark.standard("959-3.1.1.4-L-PACK", "1123-4.1.2.1-L8")
@pytest.mark.parametrize("line", ["TYPE L 8", "type l 8", "TYPE  L  8"])
def test_local_of_8_bits_is_image(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        client.ask(line, 200)
        assert client.stor("f", BINARY).complete
        assert (ftp_server.root / "f").read_bytes() == BINARY
        assert client.retr("f").data == BINARY


@pytest.mark.standard("959-3.1.1.4-L-PACK", "959-4.2-504")
@pytest.mark.parametrize("size", [1, 7, 9, 16, 32, 36, 255])
def test_other_sizes_are_not_offered(ftp_server: FtpServer, size: int) -> None:
    with ftp_server.client() as client:
        client.ask(f"TYPE L {size}", 504)
        assert value(client, "TYPE") == "A N"


@pytest.mark.standard("959-3.1.1.5-FORM", "959-3.1.1.5.1-N", "959-3.1.1.5.2-T", "959-3.1.1.5.2-C")
def test_forms(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"a\fb\x0b\nc\n")
    with ftp_server.client() as client:
        client.ask("TYPE A N", 200)
        plain = client.retr("f").data
        assert plain == b"a\fb\x0b\r\nc\r\n"
        client.ask("TYPE A T", 200)
        assert client.retr("f").data == plain
        client.ask("TYPE A C", 200, 504)
        assert client.retr("f").data == plain


@pytest.mark.standard("959-3.1.1.2-E")
def test_ebcdic_is_refused_and_changes_nothing(ftp_server: FtpServer) -> None:
    (ftp_server.root / "f").write_bytes(b"A\n")
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        client.ask("TYPE E", 504)
        client.ask("TYPE E N", 504)
        assert client.retr("f").data == b"A\n"


@pytest.mark.standard("959-4.1.2-TYPE-RESET")
def test_without_a_form_it_is_non_print_again(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.ask("TYPE A T", 200)
        assert value(client, "TYPE") == "A T"
        client.ask("TYPE A", 200)
        assert value(client, "TYPE") == "A N"


@pytest.mark.standard("959-4.1.2-TYPE-BAD")
@pytest.mark.parametrize("line", ["TYPE Z", "TYPE AI", "TYPE I I", "TYPE A A", "TYPE", "TYPE 1", "TYPE ı"])
def test_an_unknown_type_changes_nothing(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "f").write_bytes(b"a\n")
    with ftp_server.client() as client:
        for kind, wire in (("I", b"a\n"), ("A", b"a\r\n")):
            client.ask(f"TYPE {kind}", 200)
            client.ask(line, 501, 504)
            assert client.retr("f").data == wire


@pytest.mark.standard("959-3.1.1-PARAM-ROUNDTRIP")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [b"", b"\r\n", b"a\r\n\r\nb", b"\xff\xff\r\n", b"a\rb\r\n", b"\x00\r\n" * 50_000])
def test_what_is_stored_comes_back(ftp_server: FtpServer, kind: str, text: bytes) -> None:
    with ftp_server.client() as client:
        for line in (f"TYPE {kind}", "STRU F", "MODE S"):
            client.ask(line, 200)
        assert client.stor("f", text).complete
        assert client.retr("f").data == text


@pytest.mark.standard("959-4.1.2-STRU-DEF", "959-4.1.2-MODE-DEF", "959-3.4.1-S-F")
def test_file_structure_and_stream_mode_are_the_default(ftp_server: FtpServer) -> None:
    octets = b"\xff\x01\xff\x02\xff\x03\xff\xff\xff"
    with ftp_server.client() as client:
        assert (value(client, "STRU"), value(client, "MODE")[:1]) == ("F", "S")
        client.ask("TYPE I", 200)
        for line in (None, "STRU F", "MODE S"):
            if line:
                client.ask(line, 200)
            assert client.stor("f", octets).complete
            assert (ftp_server.root / "f").read_bytes() == octets
            assert client.retr("f").data == octets


@pytest.mark.standard("959-3.4-EOF")
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_the_end_of_the_file_is_the_end_of_the_connection(ftp_server: FtpServer, size: int) -> None:
    (ftp_server.root / "f").write_bytes(b"x" * size)
    with ftp_server.client() as client:
        moved = client.retr("f")
        assert (len(moved.data), moved.reset, moved.complete) == (size, False, True)


@pytest.mark.standard("959-3.1.2-STRU-R", "959-3.1.2.3-PAGE", "959-4.1.2-STRU-BAD", "1123-4.1.2.3-P")
@pytest.mark.parametrize(("line", "code"), [("STRU R", 504), ("STRU P", 504), ("STRU X", 501), ("STRU FR", 501)])
def test_other_structures_are_refused(ftp_server: FtpServer, line: str, code: int) -> None:
    (ftp_server.root / "f").write_bytes(b"a\n")
    with ftp_server.client() as client:
        client.ask(line, code)
        assert value(client, "STRU") == "F"
        assert client.retr("f").data == b"a\r\n"


@pytest.mark.standard("959-4.1.2-MODE-BAD")
@pytest.mark.parametrize(("line", "code"), [("MODE B", 504), ("MODE C", 504), ("MODE X", 501), ("MODE SB", 501)])
def test_other_modes_are_refused(ftp_server: FtpServer, line: str, code: int) -> None:
    (ftp_server.root / "f").write_bytes(b"a\n")
    with ftp_server.client() as client:
        client.ask(line, code)
        assert value(client, "MODE")[:1] == "S"
        assert client.retr("f").data == b"a\r\n"
