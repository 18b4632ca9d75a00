"""The tolerant client: what it takes, and where it gives up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from homeport.doctor.client import LONGEST_REPLY, Control, Gone, Heard, NoAnswer, NotFtp, connect


class Ends:
    """Both ends of a control connection; the server's is written to by the test."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.control = Control(connect(listener.getsockname(), 5), timeout=0.2)
            self.server, _ = listener.accept()
        self.server.settimeout(5)

    def close(self) -> None:
        self.control.close()
        self.server.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("octets", "code", "lines"),
    [
        (b"220 ready\r\n", 220, ("ready",)),
        (b"220 ready\n", 220, ("ready",)),
        (b"220\r\n", 220, ("",)),
        (b"\r\n\r\n220 ready\r\n", 220, ("ready",)),
        (b"211-Features\r\n EPSV\r\n211 End\r\n", 211, ("Features", " EPSV", "End")),
        # The code at the beginning of each line, as pyftpdlib and others have it.
        (b"220-one\r\n220-two\r\n220 three\r\n", 220, ("one", "two", "three")),
        # A line within a reply that begins with another code.
        (b"220-one\r\n221 not the end\r\n220 two\r\n", 220, ("one", "221 not the end", "two")),
        (b"230 caf\xe9\r\n", 230, ("caf�",)),
    ],
)
def test_replies(ends: Ends, octets: bytes, code: int, lines: tuple[str, ...]) -> None:
    ends.server.sendall(octets)
    heard = ends.control.hear()
    assert (heard.code, heard.lines) == (code, lines)


def test_replies_that_come_together_are_told_apart(ends: Ends) -> None:
    ends.server.sendall(b"150 go\r\n226 done\r\n")
    assert ends.control.hear().preliminary
    assert ends.control.hear().code == 226


def test_the_final_reply(ends: Ends) -> None:
    ends.server.sendall(b"120 wait\r\n220 ready\r\n")
    assert ends.control.final().code == 220


@pytest.mark.parametrize("octets", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 No\r\n", b"9 x\r\n", b"720 x\r\n"])
def test_what_is_no_reply(ends: Ends, octets: bytes) -> None:
    ends.server.sendall(octets)
    with pytest.raises(NotFtp, match="no reply of FTP"):
        ends.control.hear()


@pytest.mark.parametrize("octets", [b"", b"220", b"220-one\r\ntwo\r\n"])
def test_silence_ends_at_the_time_out(ends: Ends, octets: bytes) -> None:
    ends.server.sendall(octets)
    with pytest.raises(NoAnswer, match=r"no answer within 0\.2 s"):
        ends.control.hear()


def test_a_server_that_trickles_does_not_hold_it_longer(ends: Ends) -> None:
    # The time-out is for the whole reply, not for each octet.
    ends.server.sendall(b"2")
    with pytest.raises(NoAnswer):
        ends.control.hear(timeout=0.05)
    ends.server.sendall(b"20 ready\r\n")
    assert ends.control.hear().code == 220


def test_a_line_without_end(ends: Ends) -> None:
    def write() -> None:
        try:
            ends.server.sendall(b"x" * (LONGEST_REPLY + 65536))
        except OSError:
            pass  # the client has heard enough

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(NotFtp, match="does not end"):
        ends.control.hear(timeout=5)
    ends.control.close()
    ends.server.close()
    writer.join()


def test_the_server_closes(ends: Ends) -> None:
    ends.server.close()
    with pytest.raises(Gone) as gone:
        ends.control.hear()
    assert not gone.value.reset


def test_the_server_resets(ends: Ends) -> None:
    ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    ends.server.close()
    with pytest.raises(Gone) as gone:
        ends.control.hear()
    assert gone.value.reset


def test_a_command_is_one_line(ends: Ends) -> None:
    ends.control.say("USER bob")
    assert ends.server.recv(100) == b"USER bob\r\n"
    assert ends.control.sent == 1


def test_waiting_for_a_reply_or_a_connection(ends: Ends) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert ends.control.waits(listener, 0.01) == (False, False)
        ends.server.sendall(b"150 go\r\n425 no\r\n")
        assert ends.control.waits(listener, 5) == (False, True)
        ends.control.hear()
        # The second reply lies in the buffer, where no select would see it.
        assert ends.control.waits(listener, 5) == (False, True)
        ends.control.hear()
        with connect(listener.getsockname(), 5):
            assert ends.control.waits(listener, 5) == (True, False)


def test_what_a_reply_says_of_itself() -> None:
    assert Heard(502, ("no",), 0).unknown_command
    assert not Heard(501, ("no",), 0).unknown_command
    assert str(Heard(211, ("Features", " EPSV", "End"), 0)) == "211 Features EPSV End"
