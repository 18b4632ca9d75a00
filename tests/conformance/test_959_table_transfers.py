"""RFC 959 §5.4 for the commands with a data connection: each is driven into each of its outcomes, and each of the other
commands into what only a storage in trouble gives."""

from __future__ import annotations

import socket
import struct

import pytest
from tests.conformance.test_959_table import codes_of
from tests.session.harness import Harness, Troubled

from homeport.storage.base import (
    AccessDenied,
    Busy,
    InputOutputError,
    NameNotAllowed,
    NoSpace,
    QuotaExceeded,
    StorageError,
)
from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

DOWNLOADS = ("RETR f", "LIST", "NLST")
UPLOADS = ("STOR f", "STOU", "APPE f")
ALL = (*DOWNLOADS, *UPLOADS)


def row(line: str) -> str:
    return f"959-5.4-{line.partition(' ')[0]}"


def each(*lines: str) -> pytest.MarkDecorator:
    """One test a command, marked with its row."""
    return pytest.mark.parametrize(
        "line", [pytest.param(line, marks=pytest.mark.standard(row(line))) for line in lines]
    )


def transfer(client: Client, line: str, way: Way, content: bytes = b"new\r\n") -> tuple[int | None, int]:
    """The codes of the preliminary and of the final reply; both are in the row."""
    moved = client.download(line, way=way) if line in DOWNLOADS else client.upload(line, content, way=way)
    assert moved.final.code in codes_of(row(line)), moved
    if moved.preliminary is None:
        return None, moved.final.code
    assert moved.preliminary.code in codes_of(row(line))
    return moved.preliminary.code, moved.final.code


@each(*ALL)
@pytest.mark.parametrize("way", list(Way))
@pytest.mark.standard("959-4.2-ONE-1YZ", "959-4.2.1-125")
def test_success(ftp_server: FtpServer, line: str, way: Way) -> None:
    (ftp_server.root / "f").write_bytes(b"old\n")
    with ftp_server.client() as client:
        # Neither was the connection there before, nor does it stay: 150 and 226, never 125 or 250.
        assert transfer(client, line, way) == (150, 226)
        client.ask("NOOP", 200)


@each(*ALL)
@pytest.mark.standard("959-4.2.1-425", "1123-4.1.2.11-4XX")
def test_no_data_connection(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "f").write_bytes(b"old\n")
    with ftp_server.client() as client:
        listener = client.active(Way.PORT)
        listener.close()
        client.ask(line, 150)
        client.ask("NOOP")
        assert client.reply().code in {200, 425}
    assert (ftp_server.root / "f").read_bytes() == b"old\n"
    assert len(list(ftp_server.root.iterdir())) == 1


@each("RETR f", "STOR f", "APPE f", "STOU")
@pytest.mark.standard("959-4.2.1-426", "959-3.2-CLOSE-5")
def test_the_data_connection_is_reset(ftp_server: FtpServer, line: str) -> None:
    with (ftp_server.root / "f").open("wb") as file:
        file.truncate(1 << 28)
    with ftp_server.client() as client:
        data = client.connect(client.passive())
        client.ask(line, 150)
        if line in DOWNLOADS:
            assert data.recv(1)
        else:
            data.sendall(b"half a li")
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        data.close()
        assert client.reply().code == 426
        client.ask("NOOP", 200)


@each("LIST", "NLST")
@pytest.mark.standard("959-4.2.1-426")
def test_the_data_connection_is_reset_in_a_listing(harness: Harness, troubled: Troubled, line: str) -> None:
    troubled.endless = True
    with harness.client() as client:
        data = client.connect(client.passive())
        client.ask(line, 150)
        assert data.recv(1)
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        data.close()
        assert client.reply().code == 426
        client.ask("NOOP", 200)


@each(*ALL)
@pytest.mark.standard("959-3.2-CLOSE-5")
def test_trouble_in_the_middle_is_451(harness: Harness, troubled: Troubled, line: str) -> None:
    """Reading or writing fails after 1yz: 451, the data connection is closed, and what was there before stays."""
    troubled.put("f", b"old" * 400_000)  # more than is read at once
    troubled.quiet = 1
    troubled.troubles = dict.fromkeys(("read", "write", "next"), InputOutputError())
    if line == "RETR f":
        troubled.quiet = 100_000
    with harness.client() as client:
        client.ask("TYPE I", 200)
        assert transfer(client, line, Way.EPSV) == (150, 451)
        client.ask("NOOP", 200)
    assert troubled.get("f") == b"old" * 400_000


@each(*UPLOADS)
@pytest.mark.parametrize(
    ("method", "trouble", "codes"),
    [
        ("write", QuotaExceeded(), (150, 552)),
        ("write", NoSpace(), (150, 451)),
        ("commit", InputOutputError(), (150, 451)),
        ("commit", QuotaExceeded(), (150, 552)),
        ("open_write", NoSpace(), (None, 452)),
        ("open_write", Busy(), (None, 450)),
        ("open_write", NameNotAllowed(), (None, 553)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, StorageError) else None,
)
def test_uploads_that_the_storage_refuses(
    harness: Harness, troubled: Troubled, line: str, method: str, trouble: StorageError, codes: tuple[int | None, int]
) -> None:
    troubled.put("f", b"old")
    troubled.troubles[method] = trouble
    with harness.client() as client:
        assert transfer(client, line, Way.EPSV) == codes
        troubled.troubles.clear()
        assert client.nlst().data == b"f\r\n"
        content = client.retr("f").data
        # What APPE had brought may stay for a resume; what it was to be added to is untouched.
        assert content.startswith(b"old") if line == "APPE f" else content == b"old"


@pytest.mark.standard("959-5.4-STOR", "959-4.2-4YZ", "1123-4.1.2.11-4XX")
def test_a_full_disk_may_have_room_later() -> None:
    storage = Troubled(capacity=1000)
    storage.put("old", b"x" * 900)
    with Harness(storage) as harness, harness.client() as client:
        client.ask("TYPE I", 200)
        assert client.stor("new", b"y" * 500).final.code in {451, 452}
        client.ask("DELE old", 250)
        assert client.stor("new", b"y" * 500).complete
        client.ask("ALLO 400", 200)
        client.ask("ALLO 501", 452)


@each("RETR none", "APPE none/f", "RETR d")
def test_550(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask(line, 550)
        client.ask("NOOP", 200)
        assert 550 in codes_of(row(line))


@each("STOR d", "APPE d", f"STOR {'n' * 300}")
def test_553(ftp_server: FtpServer, line: str) -> None:
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask(line, 553)
        client.ask("NOOP", 200)
        assert 553 in codes_of(row(line))


@each("RETR", "STOR", "APPE")
def test_501(ftp_server: FtpServer, line: str) -> None:
    with ftp_server.client() as client:
        client.ask(line, 501)
        client.ask("NOOP", 200)


@pytest.mark.parametrize("verb", ["LIST", "NLST"])
@pytest.mark.standard("959-5.4-LIST", "959-5.4-NLST")
def test_listing_what_is_not_there(ftp_server: FtpServer, verb: str) -> None:
    with ftp_server.client() as client:
        client.ask(f"{verb} none", 450, 550)
        client.ask("NOOP", 200)


@pytest.mark.parametrize(
    ("line", "method", "trouble", "code"),
    [
        ("MKD n", "make_directory", AccessDenied(), 550),
        ("RMD d", "remove_directory", AccessDenied(), 550),
        ("DELE f", "remove_file", AccessDenied(), 550),
        ("CWD d", "stat", AccessDenied(), 550),
        ("LIST d", "scan", AccessDenied(), 550),
        ("RETR f", "open_read", AccessDenied(), 550),
    ],
)
@pytest.mark.standard("959-4.2-4YZ")
def test_what_is_forbidden_stays_so(
    harness: Harness, troubled: Troubled, line: str, method: str, trouble: StorageError, code: int
) -> None:
    """5yz, since to repeat the same command would be pointless."""
    troubled.put("f", b"f")
    with harness.client() as client:
        client.ask("MKD d", 257)
        troubled.troubles[method] = trouble
        client.ask(line, code)
        client.ask("NOOP", 200)
