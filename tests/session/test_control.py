"""What a control connection says, and how it ends."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from homeport.data.post import Unshared
from homeport.data.readiness import ready
from homeport.protocol.reply import Code, Reply
from homeport.session.control import Control
from homeport.session.lost import ControlLost

GOODBYE = Reply(Code.GOODBYE, "Goodbye")
SEGMENTS_IN = 140
"""Where tcp_info of Linux has the number of segments that came in."""


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.settimeout(10)
        yield one


@pytest.fixture
def control(client: socket.socket) -> Iterator[Control]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
    one = Control(connection, 8192, 0.1, Unshared())
    yield one
    if one.descriptor >= 0:
        one.close()


def rest(client: socket.socket) -> bytes:
    octets = b""
    while more := client.recv(1000):
        octets += more
    return octets


def segments(client: socket.socket) -> int:
    count: int = struct.unpack_from("@I", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), SEGMENTS_IN)[0]
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="MSG_MORE and the segments of tcp_info")
@pytest.mark.parametrize("reply", [GOODBYE, Reply(Code.SERVICE_CLOSING, "Too late")])
def test_the_last_words_and_the_end_come_in_one_segment(control: Control, client: socket.socket, reply: Reply) -> None:
    before = segments(client)
    control.say(reply)
    assert not ready((client.fileno(),), (), 0.0)
    control.close()
    assert rest(client) == reply.encode()
    assert segments(client) == before + 1


def test_what_was_held_back_comes_before_the_last_words(control: Control, client: socket.socket) -> None:
    control.hold(Reply(Code.DATA_OPENING, "Opening"))
    control.say(GOODBYE)
    control.close()
    assert rest(client) == b"150 Opening\r\n221 Goodbye\r\n"


@pytest.mark.standard("959-4.1.1-QUIT")
def test_unread_input_does_not_take_the_last_words_away(control: Control, client: socket.socket) -> None:
    client.sendall(b"NOOP\r\n" * 100)
    control.say(GOODBYE)
    control.close()
    assert rest(client) == GOODBYE.encode()


def test_who_does_not_read_does_not_keep_the_connection(control: Control, client: socket.socket) -> None:
    with pytest.raises(ControlLost, match="does not read"):
        control.say(Reply(Code.OK, "x" * 64 * 1024 * 1024))
    control.say(GOODBYE)
    control.close()
    assert control.descriptor == -1


def test_who_has_left_is_not_told(control: Control, client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    client.close()
    control.say(GOODBYE)
    control.close()
    assert control.descriptor == -1
