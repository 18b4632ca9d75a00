from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import NoReturn

import pytest

import homeport.data.stream as stream_module
from homeport.data.readiness import ready
from homeport.data.stream import PlainStream, WantRead, WantWrite, reset

Pair = tuple[socket.socket, socket.socket]


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def repeat(call: Callable[[], int]) -> NoReturn:
    while True:
        call()


def test_octets_both_ways(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    assert stream.fileno() == server.fileno()
    buffer = memoryview(bytearray(10))
    with pytest.raises(WantRead):
        stream.read_into(buffer)
    assert stream.pending() == 0
    client.sendall(b"hello")
    ready((server.fileno(),), (), 5)
    assert stream.read_into(buffer) == 5
    assert bytes(buffer[:5]) == b"hello"
    assert stream.write(memoryview(b"world")) == 5
    stream.finish()
    assert read_all(client) == b"world"


timeouts = pytest.mark.parametrize("timeout", [None, 0.0, 5.0])


@timeouts
def test_nothing_is_waited_for_whatever_the_socket_would_do(pair: Pair, timeout: float | None) -> None:
    server, client = pair
    server.settimeout(timeout)
    stream = PlainStream(server)
    with pytest.raises(WantRead):
        stream.read_into(memoryview(bytearray(1)))
    client.sendall(b"nobody asked for this")
    ready((server.fileno(),), (), 5)
    with pytest.raises(WantRead):
        stream.finish()


@timeouts
def test_a_full_socket_wants_to_write(pair: Pair, timeout: float | None) -> None:
    server, _ = pair
    server.settimeout(timeout)
    stream = PlainStream(server)
    chunk = memoryview(bytes(1 << 20))
    with pytest.raises(WantWrite):
        repeat(lambda: stream.write(chunk))


def test_what_fits_into_the_room_is_taken_at_once(pair: Pair) -> None:
    server, _ = pair
    stream = PlainStream(server)
    for _ in range(1000):
        try:
            room = stream.room()
        except WantWrite:
            break
        assert room > 0
        assert stream.write(memoryview(bytes(room))) == room
    else:
        pytest.fail("there was always room")


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="no sendfile")
def test_send_file(pair: Pair, tmp_path: object) -> None:
    server, client = pair
    stream = PlainStream(server)
    path = f"{tmp_path}/file"
    with open(path, "wb") as file:
        file.write(b"0123456789")
    with open(path, "rb") as file:
        assert stream.send_file(file.fileno(), 2, 5) == 5
        assert stream.send_file(file.fileno(), 10, 5) == 0
        assert file.tell() == 0
    stream.finish()
    assert read_all(client) == b"23456"


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="no sendfile")
def test_what_comes_in_just_before_the_close_takes_nothing_away(
    pair: Pair, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close upon unread input is a reset, and drops what the system still holds back."""
    server, client = pair

    def looks_too_early(_: int) -> bool:
        client.send(b"x")
        return False

    monkeypatch.setattr(stream_module, "stirs", looks_too_early)
    stream = PlainStream(server, 10)
    with open(f"{tmp_path}/file", "w+b") as file:
        file.write(b"0123456789")
        file.flush()
        assert stream.send_file(file.fileno(), 0, 10) == 10
    stream.finish()
    assert client.recv(100) == b"0123456789"


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="no sendfile")
@timeouts
def test_send_file_into_a_full_socket(pair: Pair, tmp_path: object, timeout: float | None) -> None:
    pair[0].settimeout(timeout)
    stream = PlainStream(pair[0])
    with open(f"{tmp_path}/file", "w+b") as file:
        file.truncate(64 << 20)
        with pytest.raises(WantWrite):
            repeat(lambda: stream.send_file(file.fileno(), 0, 64 << 20))


def received(client: socket.socket) -> bytes:
    """What has come until now."""
    client.setblocking(False)
    try:
        return client.recv(65536)
    except BlockingIOError:
        return b""
    finally:
        client.settimeout(10)


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="no sendfile")
@pytest.mark.skipif(not hasattr(socket, "MSG_MORE"), reason="nothing can be held back")
def test_the_last_of_a_file_leaves_with_the_end(pair: Pair, tmp_path: object) -> None:
    server, client = pair
    stream = PlainStream(server, expected=10)
    with open(f"{tmp_path}/file", "w+b") as file:
        file.write(b"0123456789")
        file.flush()
        assert stream.send_file(file.fileno(), 0, 4) == 4
        assert received(client) == b"0123"
        assert stream.send_file(file.fileno(), 4, 6) == 6
    assert received(client) == b""
    stream.finish()
    assert received(client) == b"456789"
    assert read_all(client) == b""


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="no sendfile")
def test_the_last_of_a_file_into_a_full_socket(pair: Pair, tmp_path: object) -> None:
    stream, chunk = PlainStream(pair[0]), memoryview(bytes(1 << 20))
    with pytest.raises(WantWrite):
        repeat(lambda: stream.write(chunk))
    with open(f"{tmp_path}/file", "w+b") as file:
        file.write(b"0123456789")
        file.flush()
        with pytest.raises(WantWrite):
            PlainStream(pair[0], expected=10).send_file(file.fileno(), 0, 10)


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="no sendfile")
@pytest.mark.parametrize("how", ["reset", "half closed", "has sent"])
def test_the_last_of_a_file_to_one_that_has_gone_or_says_something(pair: Pair, tmp_path: object, how: str) -> None:
    server, client = pair
    stream = PlainStream(server, expected=10)
    if how == "has sent":
        client.sendall(b"nobody asked for this")
    elif how == "half closed":
        client.shutdown(socket.SHUT_WR)
    else:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    ready((server.fileno(),), (), 5)
    with open(f"{tmp_path}/file", "w+b") as file:
        file.write(b"0123456789")
        file.flush()
        if how == "reset":
            with pytest.raises(ConnectionResetError):
                stream.send_file(file.fileno(), 0, 10)
            return
        assert stream.send_file(file.fileno(), 0, 10) == 10
    if how == "has sent":
        with pytest.raises(WantRead):
            stream.finish()
        assert read_all(client) == b"0123456789"
    else:
        stream.finish()
        assert read_all(client) == b"0123456789"
    stream.abort()


def test_the_end_of_the_peer_is_told(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    client.shutdown(socket.SHUT_WR)
    ready((server.fileno(),), (), 5)
    assert stream.read_into(memoryview(bytearray(1))) == 0
    stream.finish()
    assert client.recv(1) == b""


@pytest.mark.standard("959-3.2-CLOSE-1")
def test_finish_ends_in_order(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    stream.write(memoryview(b"data"))
    stream.finish()
    assert read_all(client) == b"data"
    stream.abort()  # nothing is left to abort


def test_finish_after_the_peer_has_closed_its_half(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    client.shutdown(socket.SHUT_WR)
    ready((server.fileno(),), (), 5)
    stream.write(memoryview(b"data"))
    stream.finish()
    assert read_all(client) == b"data"


def test_unread_input_does_not_turn_the_end_into_a_reset(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    client.sendall(b"nobody asked for this" * 10000)
    ready((server.fileno(),), (), 5)
    stream.write(memoryview(b"data"))
    with pytest.raises(WantRead):
        stream.finish()
    # A close would have been a reset here, and with it the data could be gone.
    assert read_all(client) == b"data"
    client.sendall(b"and more")
    ready((server.fileno(),), (), 5)
    with pytest.raises(WantRead):
        stream.finish()
    client.close()
    ready((server.fileno(),), (), 5)
    stream.finish()
    assert server.fileno() == -1


def test_finish_tells_that_the_peer_was_gone(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    stream.write(memoryview(b"data"))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    ready((server.fileno(),), (), 5)
    with pytest.raises(ConnectionResetError):
        stream.finish()
    stream.abort()
    assert server.fileno() == -1


def test_abort_is_a_reset(pair: Pair) -> None:
    server, client = pair
    stream = PlainStream(server)
    stream.write(memoryview(b"half a file"))
    stream.abort()
    stream.abort()
    with pytest.raises(ConnectionResetError):
        read_all(client)


def test_reset_of_a_dead_connection_raises_nothing(pair: Pair) -> None:
    server, client = pair
    reset(client)
    reset(server)
    reset(server)
    assert server.fileno() == -1


def test_a_descriptor_is_not_left_open(pair: Pair) -> None:
    server, _ = pair
    number = server.fileno()
    PlainStream(server).abort()
    with pytest.raises(OSError):
        os.fstat(number)
