"""The strict client against a scripted peer: what it hears, what it sends, and that no wait is endless."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from homeport.testing.client import Client, Way
from homeport.testing.replies import ProtocolError

GREETING = b"220 ready\r\n"
Script = Callable[["Peer"], None]


class Peer:
    """The server's end of one control connection, as a script drives it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = b""

    def say(self, octets: bytes) -> None:
        self.connection.sendall(octets)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            octets = self.connection.recv(4096)
            if not octets:
                return b""
            self.buffer += octets
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line


@contextmanager
def playing(script: Script, host: str = "127.0.0.1") -> Iterator[int]:
    """A peer on *host* that greets and then follows *script* with the first who connects."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.settimeout(5)
        failures: list[BaseException] = []

        def play() -> None:
            try:
                connection = listener.accept()[0]
                with connection:
                    connection.settimeout(5)
                    script(Peer(connection))
            except (AssertionError, OSError, pytest.fail.Exception) as error:
                failures.append(error)

        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10)
        if failures:
            raise failures[0]


def answering(*answers: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.say(GREETING)
        for answer in answers:
            assert peer.line()
            peer.say(answer)
        peer.line()

    return script


def test_login_asks_for_a_password_only_if_the_server_does() -> None:
    with playing(answering(b"331 password\r\n", b"230 in\r\n")) as port, Client("127.0.0.1", port) as client:
        assert client.login("bob", "secret").code == 230
    with playing(answering(b"230 in\r\n")) as port, Client("127.0.0.1", port) as client:
        assert client.login("bob", "secret").code == 230


def test_ask_fails_for_another_code_and_shows_the_transcript() -> None:
    with playing(answering(b"550 no\r\n")) as port, Client("127.0.0.1", port) as client:
        with pytest.raises(AssertionError, match="550 no") as failure:
            client.ask("CWD x", 250)
        assert "b'CWD x\\r\\n'" in failure.value.__notes__[0]


def test_a_command_gets_the_telnet_layer_and_raw_octets_do_not() -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.say(GREETING)
        for _ in range(2):
            heard.append(peer.line())
            peer.say(b"250 ok\r\n")

    with playing(script) as port, Client("127.0.0.1", port) as client:
        client.ask(b"CWD a\xffb\rc", 250)
        client.send(b"CWD \xff\xf1x\r\n", "CWD")
        assert client.final().code == 250
    assert heard == [b"CWD a\xff\xffb\r\x00c", b"CWD \xff\xf1x"]


def test_pipelined_commands_are_answered_in_order() -> None:
    script = answering(b'257 "/"\r\n', b"215 UNIX Type: L8\r\n", b"200 ok\r\n")
    with playing(script) as port, Client("127.0.0.1", port) as client:
        client.send(b"PWD\r\nSYST\r\nNOOP\r\n", "PWD", "SYST", "NOOP")
        assert [client.final().code for _ in range(3)] == [257, 215, 200]


@pytest.mark.parametrize("answer", [b"200 ok\n", b"226 ok\r\n", b"200 ok\r\n200 ok\r\n", b"200 ok\r\n2"])
def test_a_wrong_answer_fails_the_test_at_the_latest_when_the_client_closes(answer: bytes) -> None:
    def session(port: int) -> None:
        with Client("127.0.0.1", port) as client:
            client.ask("NOOP", 200)
            client.shut()
            assert client.pending(5)

    with playing(answering(answer)) as port, pytest.raises(ProtocolError):
        session(port)


def test_no_wait_is_endless() -> None:
    with playing(answering(b"")) as port, Client("127.0.0.1", port, timeout=0.05) as client:
        with pytest.raises(ProtocolError, match="nothing in time"):
            client.ask("NOOP", 200)
        client.close()


def test_a_connection_that_ends_instead_of_an_answer() -> None:
    def script(peer: Peer) -> None:
        peer.say(GREETING)
        peer.line()

    with playing(script) as port, Client("127.0.0.1", port) as client, pytest.raises(ProtocolError, match="closed"):
        client.ask("NOOP", 200)


def test_quit_is_followed_by_the_end() -> None:
    def script(peer: Peer) -> None:
        peer.say(GREETING)
        peer.line()
        peer.say(b"221 bye\r\n")

    with playing(script) as port, Client("127.0.0.1", port) as client:
        client.quit()


def test_refusals_are_awaited_and_no_replies() -> None:
    def script(peer: Peer) -> None:
        peer.say(GREETING)
        assert peer.connection.recv(3) == b"\xff\xfd\x06"
        peer.say(b"\xff\xfc\x06")
        peer.line()
        peer.say(b"200 ok\r\n")

    with playing(script) as port, Client("127.0.0.1", port) as client:
        client.send(b"\xff\xfd\x06")
        assert client.refusals(1) == (b"\xff\xfc\x06",)
        client.ask("NOOP", 200)
        assert client.refusals(0) == ()


def test_synch_marks_the_data_mark_as_urgent() -> None:
    def script(peer: Peer) -> None:
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        peer.say(GREETING)
        urgent = b""
        while len(urgent) < 4:
            urgent += peer.connection.recv(4 - len(urgent))
        assert urgent == b"\xff\xf4\xff\xf2"
        peer.line()
        peer.say(b"226 nothing to abort\r\n")

    with playing(script) as port, Client("127.0.0.1", port) as client:
        client.synch()
        client.ask("ABOR", 225, 226)


@pytest.mark.parametrize(
    ("way", "host"),
    [(way, "127.0.0.1") for way in Way] + [(way, "::1") for way in (Way.EPSV, Way.EPRT, Way.DEFAULT)],
)
def test_both_directions_over_every_way(way: Way, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    stored: list[bytes] = []

    def data_connection(peer: Peer) -> tuple[bytes, Callable[[], socket.socket]]:
        if way is Way.DEFAULT:
            target = peer.connection.getpeername()[:2]
            return peer.line(), lambda: socket.create_connection(target)
        line = peer.line().decode()
        if way.passive:
            listener = socket.create_server((host, 0), family=family)
            port = listener.getsockname()[1]
            peer.say(
                b"227 ok (%s,%d,%d)\r\n" % (host.replace(".", ",").encode(), port >> 8, port & 255)
                if way is Way.PASV
                else b"229 ok (|||%d|)\r\n" % port
            )

            def accept() -> socket.socket:
                with listener:
                    return listener.accept()[0]

            return peer.line(), accept
        if way is Way.PORT:
            numbers = line.partition(" ")[2].split(",")
            target = (".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5]))
        else:
            _, _, address, number, _ = line.split("|")
            target = (address, int(number))
        peer.say(b"200 ok\r\n")
        return peer.line(), lambda: socket.create_connection(target)

    def script(peer: Peer) -> None:
        peer.say(GREETING)
        command, opened = data_connection(peer)
        assert command == b"RETR a"
        peer.say(b"150 opening\r\n")
        with opened() as data:
            data.sendall(b"x" * 100_000)
        peer.say(b"226 done\r\n")
        command, opened = data_connection(peer)
        assert command == b"STOR b"
        peer.say(b"150 opening\r\n")
        with opened() as data:
            while octets := data.recv(65536):
                stored.append(octets)
        peer.say(b"226 done\r\n")
        peer.line()

    with playing(script, host) as port, Client(host, port) as client:
        client.way = way
        got = client.retr("a")
        assert got.complete
        assert got.data == b"x" * 100_000
        assert not got.reset
        assert client.stor("b", b"y" * 100_000).complete
    assert b"".join(stored) == b"y" * 100_000


def test_a_refused_transfer_opens_nothing() -> None:
    with playing(answering(b"200 ok\r\n", b"550 no\r\n")) as port, Client("127.0.0.1", port) as client:
        transfer = client.retr("a", way=Way.EPRT)
    assert transfer.preliminary is None
    assert transfer.final.code == 550
    assert not transfer.complete


def test_an_active_transfer_whose_data_connection_fails() -> None:
    script = answering(b"200 ok\r\n", b"150 opening\r\n425 cannot connect\r\n")
    with playing(script) as port, Client("127.0.0.1", port) as client:
        transfer = client.retr("a", way=Way.PORT)
    assert transfer.preliminary is not None
    assert transfer.final.code == 425


def test_rest_stands_right_before_the_transfer() -> None:
    lines: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.say(GREETING)
        for answer in (b"200 ok\r\n", b"350 ok\r\n", b"550 no\r\n"):
            lines.append(peer.line().split(b" ")[0])
            peer.say(answer)
        peer.line()

    with playing(script) as port, Client("127.0.0.1", port) as client:
        client.retr("a", offset=5, way=Way.EPRT)
    assert lines == [b"EPRT", b"REST", b"RETR"]


def test_the_source_address_can_be_chosen() -> None:
    peers: list[str] = []

    def script(peer: Peer) -> None:
        peers.append(peer.connection.getpeername()[0])
        peer.say(GREETING)
        peer.line()

    with playing(script) as port, Client("127.0.0.1", port, source="127.0.0.2") as client:
        assert client.local[0] == "127.0.0.2"
    assert peers == ["127.0.0.2"]


def test_a_reset_reaches_the_server() -> None:
    def script(peer: Peer) -> None:
        peer.say(GREETING)
        with pytest.raises(ConnectionResetError):
            peer.line()

    with playing(script) as port:
        client = Client("127.0.0.1", port)
        client.reset()
        client.close()
