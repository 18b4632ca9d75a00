from __future__ import annotations

import os
import random
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from tests.tls.authority import Authority
from tests.tls.conftest import shake_hands

from homeport.data.buffers import Buffers
from homeport.data.connection import Cause, DataConnectionError
from homeport.data.plan import Outcome, Plan, Progress
from homeport.data.readiness import ready
from homeport.data.stream import Stream, WantRead, WantWrite
from homeport.data.tlsstream import Boundary, TlsStream, secure
from homeport.data.transfer import Transfer
from homeport.data.truncated import Truncated
from homeport.net.tls import Chain, Contexts, FileCertificates

from .blocking import run
from .ends import Control, Meanwhile
from .files import Collected, Octets

Pair = tuple[socket.socket, socket.socket]
Secured = Callable[..., tuple[TlsStream, ssl.SSLSocket]]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    certificate = Authority(tmp_path_factory.mktemp("certificates")).issue("ftp.test")
    return Contexts(FileCertificates((Chain(certificate),)))


def client_context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    return context


@pytest.fixture
def secured(contexts: Contexts, pair: Pair, control: Control) -> Iterator[Secured]:
    """`secured(...)`: both ends after the handshake."""
    made: list[ssl.SSLSocket] = []

    def begin(
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, *, bare_end: bool = False, expected: int | None = None
    ) -> tuple[TlsStream, ssl.SSLSocket]:
        server, client = pair
        layer = contexts.control("127.0.0.1", None)
        boundary = Boundary()
        shaking = Meanwhile(lambda: client_context(version).wrap_socket(client, suppress_ragged_eofs=False))
        secure(server, layer, control, 10.0, boundary)
        if version is ssl.TLSVersion.TLSv1_3:
            assert layer.outgoing.pending  # the tickets wait
        theirs = shaking.result()
        made.append(theirs)
        return TlsStream(server, layer, boundary, tolerant=bare_end, expected=expected), theirs

    yield begin
    for one in made:
        one.close()


def read_all(client: ssl.SSLSocket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def wait(stream: Stream) -> None:
    ready((stream.fileno(),), (), 5)


def test_octets_both_ways(secured: Secured) -> None:
    stream, client = secured()
    assert not stream.zero_copy
    buffer = memoryview(bytearray(10))
    with pytest.raises(WantRead):
        stream.read_into(buffer)
    client.sendall(b"hello")
    wait(stream)
    assert stream.read_into(buffer) == 5
    assert bytes(buffer[:5]) == b"hello"
    assert stream.write(memoryview(b"world")) == 5
    stream.finish()
    assert read_all(client) == b"world"


def test_more_than_the_buffer_holds_is_pending(secured: Secured) -> None:
    stream, client = secured()
    client.sendall(b"0123456789" * 5)
    wait(stream)
    small = memoryview(bytearray(7))
    parts = []
    for _ in range(7):
        parts.append(bytes(small[: stream.read_into(small)]))
        assert stream.pending() == 50 - len(b"".join(parts))
    assert b"".join(parts) == (b"0123456789" * 5)[:49]
    stream.abort()


def test_an_end_without_close_notify(secured: Secured) -> None:
    stream, client = secured()
    client.sendall(b"data")
    socket.socket(fileno=client.detach()).close()
    buffer = memoryview(bytearray(10))
    wait(stream)
    assert stream.read_into(buffer) == 4
    wait(stream)
    with pytest.raises(Truncated):
        stream.read_into(buffer)
    stream.abort()


def test_one_that_may_be_so(secured: Secured) -> None:
    stream, client = secured(bare_end=True)
    client.sendall(b"data")
    socket.socket(fileno=client.detach()).close()
    buffer = memoryview(bytearray(10))
    wait(stream)
    assert stream.read_into(buffer) == 4
    wait(stream)
    assert stream.read_into(buffer) == 0
    stream.finish()


def test_a_reset_is_never_an_end(secured: Secured) -> None:
    stream, client = secured(bare_end=True)
    left = socket.socket(fileno=client.detach())
    left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left.close()
    wait(stream)
    with pytest.raises(ConnectionResetError):
        stream.read_into(memoryview(bytearray(10)))
    stream.abort()


def test_a_full_socket_wants_to_write(secured: Secured) -> None:
    stream, client = secured()
    chunk = memoryview(bytes(1 << 20))
    sent = 0
    try:
        while True:
            sent += stream.write(chunk)
    except WantWrite:
        pass
    reading = Meanwhile(lambda: read_all(client))
    while True:
        try:
            stream.finish()
            break
        except WantWrite:
            ready((), (stream.fileno(),), 5)
    assert len(reading.result()) == sent


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is a guess how much a socket takes")
def test_nothing_is_encrypted_that_waits_to_be_sent(secured: Secured) -> None:
    stream, client = secured()
    progress: list[Progress] = []
    held: list[int] = []

    class Curious(Control):
        """At the first wait it lets the client read all that has left, and tells what has not."""

        def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
            if writing and not held:
                with socket.socket(fileno=os.dup(writing[0])) as same:
                    same.shutdown(socket.SHUT_WR)
                received = 0
                try:
                    while True:
                        received += len(client.recv(65536))
                except ssl.SSLEOFError:
                    held.append(progress[0].octets - received)
            return super().ready(reading, writing, seconds)

    curious = Curious()
    result = run(Plan(reader=Octets(bytes(1 << 25))), stream, curious, show=progress.append)
    curious.close()
    assert result.outcome is Outcome.LOST  # it has been shut down
    assert held == [0]


def test_there_is_no_room_before_what_is_encrypted_has_left(secured: Secured) -> None:
    stream, client = secured()
    chunk = memoryview(bytes(1 << 20))
    sent = 0
    try:
        while True:
            sent += stream.write(chunk)
    except WantWrite:
        pass
    with pytest.raises(WantWrite):
        stream.room()

    def read() -> int:
        received = 0
        while received < sent:
            received += len(client.recv(65536))
        return received

    reading = Meanwhile(read)
    while True:
        ready((), (stream.fileno(),), 5)
        try:
            assert stream.room() > 0
            break
        except WantWrite:
            continue
    assert reading.result() == sent
    stream.abort()


@pytest.mark.parametrize("size", [7, 5000, 16384, 16400, 20_000, 40_000, 262_144])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_records_of_all_sizes_into_buffers_of_all_sizes(secured: Secured, version: ssl.TLSVersion, size: int) -> None:
    stream, client = secured(version)
    chance = random.Random(size)
    pieces = [
        chance.randbytes(chance.choice([1, 5, 100, 3000, 16384, 50_000])) for _ in range(8 if size < 5000 else 60)
    ]

    def send() -> None:
        for piece in pieces:
            client.sendall(piece)
        client.unwrap()

    sending = Meanwhile(send)
    buffer = memoryview(bytearray(size))
    parts: list[bytes] = []
    while True:
        try:
            octets = stream.read_into(buffer)
        except WantRead:
            wait(stream)
            continue
        if not octets:
            break
        parts.append(bytes(buffer[:octets]))
    assert b"".join(parts) == b"".join(pieces)
    stream.finish()
    sending.result()


def test_the_last_octets_wait_for_the_end(secured: Secured) -> None:
    """Data and close_notify in one segment, and tickets before them."""
    stream, client = secured(expected=10)
    stream.write(memoryview(b"01234"))
    assert client.recv(100) == b"01234"
    stream.write(memoryview(b"56789"))
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        client.recv(100)
    client.setblocking(True)
    stream.finish()
    assert read_all(client) == b"56789"


def test_abort_is_no_end(secured: Secured) -> None:
    stream, client = secured()
    stream.write(memoryview(b"half"))
    assert client.recv(100) == b"half"
    stream.abort()
    stream.abort()
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        client.recv(100)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 300_000, 5_000_000])
def test_whole_transfers(secured: Secured, control: Control, version: ssl.TLSVersion, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    stream, client = secured(version)
    reading = Meanwhile(lambda: read_all(client))
    result = run(Plan(reader=Octets(content)), stream, control)
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, size)
    assert reading.result() == content


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 300_000, 5_000_000])
def test_whole_uploads(secured: Secured, control: Control, version: ssl.TLSVersion, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    stream, client = secured(version)

    def send() -> None:
        client.sendall(content)
        client.unwrap()

    writing = Meanwhile(send)
    writer = Collected()
    result = run(Plan(writer=writer), stream, control)
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, size)
    assert writer.data == content
    writing.result()


def test_an_upload_that_is_suspended_leaves_nothing_unseen(contexts: Contexts, pair: Pair, control: Control) -> None:
    """However records lie in segments: what can be decrypted has been written before it waits for the socket."""
    server, client = pair
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client_context().wrap_bio(incoming, outgoing)
    layer, boundary = contexts.control("127.0.0.1", None), Boundary()
    shaking = Meanwhile(lambda: shake_hands(client, theirs, incoming, outgoing))
    secure(server, layer, control, 10.0, boundary)
    shaking.result()
    stream, writer = TlsStream(server, layer, boundary), Collected()
    transfer = Transfer(Plan(writer=writer), stream, control, time.monotonic, Buffers())
    assert transfer.advance() is None
    content = random.Random(4217).randbytes(100_000)
    theirs.write(content)
    records = outgoing.read()
    for begin, end in pairwise((0, 3, 20_000, 20_001, 70_000, len(records))):
        client.sendall(records[begin:end])
        while ready((server.fileno(),), (), 0.02):
            assert transfer.advance() is None
        assert not stream.pending()
    assert transfer.octets == len(content)
    with pytest.raises(ssl.SSLWantReadError):
        theirs.unwrap()
    client.sendall(outgoing.read())
    wait(stream)
    result = transfer.advance()
    assert result is not None
    assert (result.outcome, bytes(writer.data)) == (Outcome.COMPLETE, content)


def test_a_cut_upload(secured: Secured, control: Control) -> None:
    stream, client = secured()
    client.sendall(b"0123")
    socket.socket(fileno=client.detach()).close()
    writer = Collected()
    result = run(Plan(writer=writer), stream, control)
    assert (result.outcome, result.octets) == (Outcome.LOST, 4)
    assert isinstance(result.error, Truncated)


# -- the handshake ------------------------------------------------------------------------------------------------


def attempt(contexts: Contexts, server: socket.socket, control: Control, seconds: float = 10.0) -> Cause:
    with pytest.raises(DataConnectionError) as raised:
        secure(server, contexts.control("127.0.0.1", None), control, seconds, Boundary())
    server.close()
    return raised.value.cause


def test_plain_text(contexts: Contexts, pair: Pair, control: Control) -> None:
    pair[1].sendall(b"plain text")
    assert attempt(contexts, pair[0], control) is Cause.PLAIN_TEXT


def test_a_client_that_leaves(contexts: Contexts, pair: Pair, control: Control) -> None:
    pair[1].close()
    assert attempt(contexts, pair[0], control) is Cause.TLS_FAILED


def test_a_client_that_says_nothing(contexts: Contexts, pair: Pair, control: Control) -> None:
    assert attempt(contexts, pair[0], control, 0.05) is Cause.TLS_FAILED


def test_an_alert_tells_why(contexts: Contexts, pair: Pair, control: Control) -> None:
    context = client_context(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA")
    shaking = Meanwhile(lambda: context.wrap_socket(pair[1]))
    assert attempt(contexts, pair[0], control) is Cause.TLS_FAILED
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        shaking.result()


@pytest.mark.parametrize(("said", "cause"), [(b"ABOR", Cause.ABORTED), (b"", Cause.CONTROL_LOST)])
def test_the_control_connection_is_attended_to(
    contexts: Contexts, pair: Pair, control: Control, said: bytes, cause: Cause
) -> None:
    if said:
        control.say(said)
    else:
        control.theirs.shutdown(socket.SHUT_WR)
    assert attempt(contexts, pair[0], control) is cause


def test_a_hello_in_pieces(contexts: Contexts, pair: Pair, control: Control) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    server, client = pair
    layer = contexts.control("127.0.0.1", None)
    boundary = Boundary()
    securing = Meanwhile(lambda: secure(server, layer, control, 10.0, boundary))
    pause = threading.Event()
    for at in range(0, len(hello), 100):
        client.sendall(hello[at : at + 100])
        pause.wait(0.001)
    incoming.write(client.recv(65536))
    tls.do_handshake()
    client.sendall(outgoing.read())
    securing.result()
    assert not boundary.inside
    TlsStream(server, layer, boundary).abort()


# -- boundaries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 5, 6, 100])
def test_records_and_their_boundaries(step: int) -> None:
    records = b"\x17\x03\x03\x00\x04abcd" + b"\x15\x03\x03\x00\x02\x01\x00" + b"\x17\x03\x03\x00\x00"
    boundaries = {0, 9, 16, 21}
    boundary = Boundary()
    for at in range(0, len(records), step):
        boundary.pass_over(records[at : at + step])
        assert boundary.inside is (min(at + step, len(records)) not in boundaries)
