"""How protected transfers end: a client that cuts the stream at every place, and what is published then."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable

import pytest

from homeport.events.types import Event, TransferEnded
from homeport.session.quirks import NO_CLOSE_NOTIFY
from homeport.testing.plugin import FtpServer
from homeport.testing.protected import plain

from .conftest import Tls, protected, read_all, shake_hands, trusting

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
CONTENT = b"0123456789" * 10_000


def _fin(data: ssl.SSLSocket) -> None:
    """A FIN, and nothing of TLS before it: what a client that knows no better does, and who cuts the line."""
    plain(data).close()


def _rst(data: ssl.SSLSocket) -> None:
    left = plain(data)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left.close()


def _half_a_record(data: ssl.SSLSocket) -> None:
    left = plain(data)
    left.sendall(b"\x17\x03\x03\x01\x00half of it")
    left.close()


def _forged_record(data: ssl.SSLSocket) -> None:
    left = plain(data)
    left.sendall(b"\x17\x03\x03\x00\x30" + b"x" * 48)
    left.close()


def _forged_close_notify(data: ssl.SSLSocket) -> None:
    """In clear, as somebody on the way could send it."""
    left = plain(data)
    left.sendall(b"\x15\x03\x03\x00\x02\x01\x00")
    left.close()


Cut = Callable[[ssl.SSLSocket], None]
CUTS = [_fin, _rst, _half_a_record, _forged_record, _forged_close_notify]


@pytest.mark.standard("TLS-CLOSE-RECV")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("sent", [b"", CONTENT])
@pytest.mark.parametrize("verb", ["STOR", "APPE"])
def test_an_upload_that_is_cut_is_not_complete(
    server: FtpServer, events: list[Event], version: ssl.TLSVersion, cut: Cut, sent: bytes, verb: str
) -> None:
    (server.root / "file").write_bytes(b"as it was")
    with protected(server, trusting(version)) as client:
        data = client.connect(client.passive())
        client.ask(f"{verb} file", 150)
        tls = client.secure(data)
        tls.sendall(sent)
        cut(tls)
        assert client.reply().code == 426
        client.ask("NOOP", 200)
    left = (server.root / "file").read_bytes()
    if verb == "STOR":
        assert left == b"as it was"
    else:
        # What was to be put behind a file is kept behind it (storage.base.Writer.abort), but nothing else is there.
        assert (b"as it was" + sent).startswith(left)
    (ended,) = (event for event in events if isinstance(event, TransferEnded))
    assert ended.error is not None
    if cut is _fin:
        assert "close_notify" in ended.error
        assert ended.octets == len(sent)  # all that came in was taken before the end was judged


@pytest.mark.parametrize("cut", [_fin, _rst])
def test_a_new_file_does_not_appear(server: FtpServer, cut: Cut) -> None:
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask("STOR file", 150)
        tls = client.secure(data)
        tls.sendall(CONTENT)
        cut(tls)
        client.reply()
        assert b"file" not in client.nlst().data
    assert not (server.root / "file").exists()


def test_what_had_come_is_kept_to_be_resumed(server: FtpServer) -> None:
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask("STOR file", 150)
        tls = client.secure(data)
        tls.sendall(CONTENT[:70_000])
        _fin(tls)
        assert "close_notify" in client.reply().text
        assert client.stor("file", CONTENT[70_000:], offset=70_000).complete
    assert (server.root / "file").read_bytes() == CONTENT


@pytest.mark.standard("TLS-CLOSE-REPLY")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_close_notify_of_an_upload_is_answered(server: FtpServer, version: ssl.TLSVersion) -> None:
    with protected(server, trusting(version)) as client:
        data = client.connect(client.passive())
        client.ask("STOR file", 150)
        tls = client.secure(data)
        tls.sendall(CONTENT)
        left = tls.unwrap()  # returns when the server's has come
        left.settimeout(10)
        assert left.recv(100) == b""
        assert client.reply().code == 226


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [0, 1, 5000, 3_000_000])
def test_a_client_that_reads_nothing(server: FtpServer, version: ssl.TLSVersion, size: int) -> None:
    """It sends its data and close_notify and closes. Unread tickets would make a reset of that, and lose the end."""
    content = b"x" * size
    with protected(server, trusting(version)) as client:
        for _ in range(5):
            data = client.connect(client.passive())
            client.ask("STOR file", 150)
            _upload_and_go(data, trusting(version), content)
            assert client.reply().code == 226
    assert (server.root / "file").read_bytes() == content


def _upload_and_go(data: socket.socket, context: ssl.SSLContext, content: bytes) -> None:
    """Handshake, content, close_notify, FIN; and nothing is read but what the handshake needs."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    shake_hands(data, tls, incoming, outgoing)
    for at in range(0, len(content), 1000):
        tls.write(content[at : at + 1000])
    with pytest.raises(ssl.SSLWantReadError):
        tls.unwrap()
    data.sendall(outgoing.read())
    data.close()


# -- clients that cannot do better -----------------------------------------------------------------------------------


@pytest.mark.standard("D-15")
@pytest.mark.parametrize("introduction", ["CLNT FluentFTP 19.1", "CSID Name=FluentFTP; Version=33;", "CLNT starksoft"])
def test_clients_that_are_known_never_to_send_close_notify(server: FtpServer, introduction: str) -> None:
    with protected(server) as client:
        client.ask(introduction, 200)
        data = client.connect(client.passive())
        client.ask("STOR file", 150)
        tls = client.secure(data)
        tls.sendall(CONTENT)
        _fin(tls)
        assert client.reply().code == 226
    assert (server.root / "file").read_bytes() == CONTENT


@pytest.mark.standard("D-15")
@pytest.mark.parametrize("cut", [_rst, _half_a_record, _forged_record])
def test_but_even_they_must_end_between_two_records_and_without_a_reset(server: FtpServer, cut: Cut) -> None:
    with protected(server) as client:
        client.ask("CLNT FluentFTP", 200)
        data = client.connect(client.passive())
        client.ask("STOR file", 150)
        tls = client.secure(data)
        tls.sendall(CONTENT)
        cut(tls)
        assert client.reply().code == 426
    assert not (server.root / "file").exists()


def test_which_clients_is_an_option(tls: Tls) -> None:
    assert NO_CLOSE_NOTIFY
    for patterns, code in (((), 426), (("other*",), 426), (("*",), 226)):
        server = tls({"tls": {"no_close_notify": list(patterns)}})
        with protected(server) as client:
            client.ask("CLNT FluentFTP", 200)
            data = client.connect(client.passive())
            client.ask("STOR file", 150)
            _fin(client.secure(data))
            assert client.reply().code == code


# -- downloads ----------------------------------------------------------------------------------------------------


@pytest.mark.standard("TLS-CLOSE-SEND", "959-5.2-226-AFTER")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [0, 1, 1024, 16384, 16385, 40_000, 700_000])
def test_every_download_ends_with_close_notify(server: FtpServer, version: ssl.TLSVersion, size: int) -> None:
    content = bytes(size)
    (server.root / "file").write_bytes(content)
    with protected(server, trusting(version)) as client:
        data = client.connect(client.passive())
        client.ask("RETR file", 150)
        tls = client.secure(data)
        assert read_all(tls) == content
        assert client.reply().code == 226


@pytest.mark.parametrize("cut", [_fin, _rst])
def test_a_client_that_leaves_a_download(server: FtpServer, cut: Cut) -> None:
    (server.root / "file").write_bytes(bytes(30_000_000))
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask("RETR file", 150)
        tls = client.secure(data)
        tls.recv(100)
        cut(tls)
        assert client.reply().code == 426
        client.ask("NOOP", 200)


def test_a_download_that_the_server_breaks_off_has_no_end(server: FtpServer) -> None:
    (server.root / "file").write_bytes(bytes(30_000_000))
    with protected(server) as client:
        data = client.connect(client.passive())
        client.ask("RETR file", 150)
        tls = client.secure(data)
        tls.recv(100)
        client.command("ABOR")
        client.reply()
        client.reply()
        with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
            read_all(tls)
