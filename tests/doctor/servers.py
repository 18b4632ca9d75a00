"""Small servers that do one thing wrong, on loopback: what a probe must make sense of."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LISTING = b"-rw-r--r-- 1 ftp ftp 5 Jan 01 00:00 a.txt\r\n"
PATIENCE = 10.0

Say = Callable[["Talk", str], object]
"""Answers one command: with a text that is sent, or with None if it has done all by itself."""


class Hush(Exception):
    """Say nothing any more, and wait for the client to leave."""


class Cut(Exception):
    """Reset the control connection."""


@dataclass
class Talk:
    """One control connection, and what was agreed on."""

    connection: socket.socket
    server: Faulty
    data: socket.socket | None = None
    """What PASV listens on."""
    target: tuple[str, int] | None = None
    """What PORT named."""
    protected: bool = False
    buffer: bytes = b""

    def say(self, text: str) -> None:
        self.connection.sendall(text.encode("latin-1") + b"\r\n")

    def line(self) -> str | None:
        while b"\n" not in self.buffer:
            octets = self.connection.recv(4096)
            if not octets:
                return None
            self.buffer += octets
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode("latin-1").strip()

    def listen(self) -> int:
        self.forget()
        self.data = socket.create_server((self.connection.getsockname()[0], 0), family=self.connection.family)
        self.data.settimeout(PATIENCE)
        port: int = self.data.getsockname()[1]
        return port

    def open(self) -> socket.socket:
        """The data connection, in whichever mode."""
        if self.data is not None:
            return self.data.accept()[0]
        assert self.target is not None
        return socket.create_connection(self.target, PATIENCE)

    def forget(self) -> None:
        if self.data is not None:
            self.data.close()
            self.data = None
        self.target = None


@dataclass
class Faulty:
    """Answers as a server does, but for what *answers* has: a verb (or verb and argument) to its own answer."""

    answers: dict[str, str | Say] = field(default_factory=dict)
    greeting: str = "220 ready"
    address: str = "127.0.0.1"
    context: ssl.SSLContext | None = None
    implicit: bool = False
    heard: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, talk: Talk, line: str) -> str | None:
        verb, _, argument = line.partition(" ")
        own = self.answers.get(verb.upper())
        if own is not None:
            result = own if isinstance(own, str) else own(talk, argument)
            return result if isinstance(result, str) else None
        return self.usual(talk, verb.upper(), argument)

    def usual(self, talk: Talk, verb: str, argument: str) -> str | None:
        match verb:
            case "USER":
                return "331 password?"
            case "PASS":
                return "230 hello"
            case "PASV":
                port = talk.listen()
                return f"227 ok ({self.address.replace('.', ',')},{port >> 8},{port & 255})"
            case "EPSV":
                return f"229 ok (|||{talk.listen()}|)"
            case "PORT":
                numbers = argument.split(",")
                talk.forget()
                talk.target = (".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5]))
                return "200 ok"
            case "EPRT":
                _, _, host, port_text, _ = argument.split(argument[0])
                talk.forget()
                talk.target = (host, int(port_text))
                return "200 ok"
            case "LIST":
                talk.say("150 here it comes")
                with talk.open() as data:
                    data.settimeout(PATIENCE)
                    data.sendall(LISTING)
                talk.forget()
                return "226 done"
            case "QUIT":
                return "221 bye"
            case _:
                return "500 what?"

    def serve(self, connection: socket.socket) -> None:
        talk = Talk(connection, self)
        connection.settimeout(PATIENCE)
        try:
            if self.implicit and self.context is not None:
                talk.connection = self.context.wrap_socket(connection, server_side=True)
            if self.greeting:
                talk.say(self.greeting)
            while (line := talk.line()) is not None:
                self.heard.append(line)
                text = self.answer(talk, line)
                if text is not None:
                    talk.say(text)
        except Hush:
            talk.connection.recv(4096)
        except Cut:
            talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        except OSError:
            pass  # the client left, or did not like us: both are what some tests are about
        finally:
            talk.forget()
            talk.connection.close()
            connection.close()


@contextmanager
def running(server: Faulty) -> Iterator[Faulty]:
    """Serve each connection in a thread of its own."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    with socket.create_server((server.address, 0), family=family) as listener:
        server.port = listener.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                threads.append(threading.Thread(target=server.serve, args=(connection,)))
                threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for connection in connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            for thread in threads:
                thread.join()
