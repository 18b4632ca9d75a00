"""Client: a strict raw FTP client for tests. It sends exactly the octets that it is given and believes nothing.

Every reply passes a strict parser (`replies`) and is matched to the command that it answers (`dialogue`), so
a wrong line end, a second final reply, a reply to nothing or a code that the grammar does not allow
fails the test in which it happens, whatever that test was looking for. Each wait has a deadline. The
transcript of the session is added to whatever goes wrong.

    with Client(server.host, server.port) as client:
        client.login("bob", "secret")
        assert client.ask("PWD", 257).text.startswith('"/"')
        assert client.retr("hello.txt").data == b"hello"

Three layers, each usable alone: `send`, `urgent` and `reply` move octets and replies; `ask`, `passive`, `active`
speak one command; `retr`, `stor`, `mlsd` and their like do a whole transfer.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import time
from collections import deque
from types import TracebackType
from typing import Self

from . import channel, protected
from .channel import Transfer, Way
from .dialogue import CONNECT, Dialogue
from .replies import HeardReply, ProtocolError, ReplyParser

__all__ = ["Client", "Transfer", "Way"]

_CHUNK = 64 * 1024
_TRANSCRIPT = 200
_SYNCH = b"\xff\xf4\xff"  # IAC IP IAC; the DM that follows is the urgent octet (RFC 854, RFC 959 §4.1.3 ABOR)
_DATA_MARK = b"\xf2"


class Client:
    """One control connection. Closing it closes every socket that it opened."""

    def __init__(
        self, host: str, port: int, *, source: str | None = None, timeout: float = 10.0, greeted: bool = True
    ) -> None:
        """Connect from the address *source* (any if None) and hear the greeting.

        *timeout* bounds each wait, in seconds. With *greeted* false the greeting is left unread, and is the first
        thing that `reply` returns.
        """
        self.timeout = timeout
        self.way = Way.EPSV
        """For transfers that do not say how."""
        self.resumes = True
        """Whether a protected data connection resumes the TLS session of the control connection."""
        self.private = False
        """Whether data connections are protected (PROT P)."""
        self.resumed = False
        """Whether the last protected data connection had resumed a session."""
        self._context: ssl.SSLContext | None = None
        self._name: str | None = None
        self._parser = ReplyParser()
        self._dialogue = Dialogue()
        self._refusals: list[bytes] = []
        self._said: deque[tuple[float, str, bytes]] = deque(maxlen=_TRANSCRIPT)
        self._began = time.monotonic()
        self._data_sockets: list[socket.socket] = []
        self._control = channel.connect(host, port, source, timeout)
        try:
            self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local: tuple[str, int] = self._control.getsockname()[:2]
            self.peer: tuple[str, int] = self._control.getpeername()[:2]
            self._dialogue.expect(CONNECT)
            if greeted:
                self.final()
        except BaseException:
            self.close()
            raise

    # -- octets and replies ----------------------------------------------------------------------------------

    def send(self, octets: bytes, *verbs: str) -> None:
        """Send exactly *octets*. *verbs* are those of the commands whose end is among them, in order."""
        for verb in verbs:
            self._dialogue.expect(verb)
        self._said.append((self._elapsed(), "->", octets))
        channel.send_all(self._control, octets, self.timeout)

    def urgent(self, octets: bytes, *verbs: str) -> None:
        """Send *octets* as urgent data: TCP marks the last one (as some clients send a whole ABOR)."""
        for verb in verbs:
            self._dialogue.expect(verb)
        self._said.append((self._elapsed(), "->!", octets))
        self._control.settimeout(self.timeout)
        sent = self._control.send(octets, socket.MSG_OOB)
        if sent != len(octets):
            raise ProtocolError(f"only {sent} of {len(octets)} urgent octets were taken")

    def synch(self) -> None:
        """IAC IP, and the Telnet Synch: IAC DM with the DM as urgent data (RFC 959 §4.1.3 ABOR, RFC 854)."""
        self.send(_SYNCH)
        self.urgent(_DATA_MARK)

    def command(self, line: str | bytes) -> None:
        """Send *line* as a command: the Telnet layer is put on it (FF doubled, CR NUL), and CR LF at its end."""
        octets = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        verb = octets.partition(b" ")[0].decode("ascii", "replace")
        self.send(octets.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\x00") + b"\r\n", verb)

    def reply(self) -> HeardReply:
        """The next reply, preliminary or final, checked. ProtocolError if none comes in time, or a wrong one."""
        deadline = time.monotonic() + self.timeout
        while (reply := self._next_reply()) is None:
            if not self._receive(deadline):
                raise self._failure(f"the connection was closed; awaited: {self._dialogue.awaited}")
        return reply

    def final(self) -> HeardReply:
        """The next final reply; preliminary ones before it are read, checked and passed over."""
        while (reply := self.reply()).preliminary:
            pass
        return reply

    def ask(self, line: str | bytes, *codes: int) -> HeardReply:
        """Send a command and hear its first reply. With *codes*, an AssertionError unless its code is one of them."""
        self.command(line)
        return self._of(self.reply(), codes, line)

    def refusals(self, count: int) -> tuple[bytes, ...]:
        """Wait for *count* Telnet refusals (IAC WONT x, IAC DONT x) and return all that came since the last call."""
        deadline = time.monotonic() + self.timeout
        while len(self._refusals) < count:
            reply = self._next_reply()
            if reply is not None:
                raise self._failure(f"a reply instead of a refusal: {reply}")
            if len(self._refusals) < count and not self._receive(deadline):
                raise self._failure("the connection was closed instead of a refusal")
        refusals = tuple(self._refusals)
        self._refusals.clear()
        return refusals

    def pending(self, seconds: float = 0.0) -> bool:
        """Whether octets of the server lie unread, or come within *seconds*."""
        return bool(self._parser.unfinished) or bool(select.select([self._control], [], [], seconds)[0])

    def end(self) -> None:
        """Wait for the end of the control connection; ProtocolError when anything but that comes."""
        deadline = time.monotonic() + self.timeout
        try:
            while self._receive(deadline):
                pass
        except ConnectionResetError:
            return  # The server did not wait for what we had sent. It is an end all the same.
        if self._parser.unfinished:
            raise self._failure(f"this came where the connection should have ended: {self._parser.unfinished!r}")

    def shut(self) -> None:
        """Close our direction of the control connection (FIN), and go on reading."""
        self._control.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the control connection with a reset (RST)."""
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._control.close()

    # -- TLS ---------------------------------------------------------------------------------------------------

    def protect(self, context: ssl.SSLContext | None = None, *, name: str | None = None, private: bool = True) -> None:
        """AUTH TLS and the handshake, and with *private* PBSZ 0 and PROT P. *name* is the server's, for SNI.

        Without a *context* any certificate is taken. Raises OSError if the handshake fails.
        """
        self.ask("AUTH TLS", 234)
        self.begin_tls(context, name=name)
        if private:
            self.ask("PBSZ 0", 200)
            self.ask("PROT P", 200)
            self.private = True

    def begin_tls(self, context: ssl.SSLContext | None = None, *, name: str | None = None) -> None:
        """The handshake on the control connection, and nothing else."""
        self._context = context if context is not None else protected.any_certificate()
        self._name = name
        self._control.settimeout(self.timeout)
        self._control = protected.begin(self._control, self._context, name)

    def end_tls(self) -> None:
        """close_notify both ways; the control connection is in clear then."""
        self._control.settimeout(self.timeout)
        self._control = protected.end(self._control)

    @property
    def control(self) -> socket.socket:
        """The control connection itself; an SSLSocket while it is protected."""
        return self._control

    def secure(self, data: socket.socket) -> ssl.SSLSocket:
        """The handshake on a data connection, which the client closes in the end. Raises OSError if it fails.

        *data* is spent, whatever happens.
        """
        secured = self._secure(data)
        self._data_sockets.append(secured)
        return secured

    def _secure(self, data: socket.socket) -> ssl.SSLSocket:
        if self._context is None:
            raise ProtocolError("there was no TLS on the control connection")
        data.settimeout(self.timeout)
        return protected.begin(data, self._context, self._name, self._control if self.resumes else None)

    # -- one command -----------------------------------------------------------------------------------------

    def login(self, user: str, password: str) -> HeardReply:
        """USER, and PASS where it is asked for; AssertionError unless the end is 230."""
        reply = self.ask(f"USER {user}", 230, 331)
        return reply if reply.code == 230 else self.ask(f"PASS {password}", 230)

    def quit(self) -> None:
        """QUIT, 221, and the end of the connection."""
        self.command("QUIT")
        self._of(self.final(), (221,), "QUIT")
        self.end()

    def passive(self, way: Way = Way.EPSV) -> tuple[str, int]:
        """PASV or EPSV: the address and port that the server announces."""
        reply = self.ask(way.value, 227 if way is Way.PASV else 229)
        numbers = re.findall(r"\d+", reply.text)
        if way is Way.EPSV:
            return self.peer[0], int(numbers[-1])
        return ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])

    def active(self, way: Way = Way.EPRT) -> socket.socket:
        """Listen on the control connection's own address and announce it by PORT or EPRT; with DEFAULT, listen on its
        own port and announce nothing. Returns the listening socket, which the client closes in the end.
        """
        port = self.local[1] if way is Way.DEFAULT else 0
        listener = socket.socket(self._control.family, socket.SOCK_STREAM)
        self._data_sockets.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.local[0], port))
        listener.listen()
        host, port = listener.getsockname()[:2]
        if way is Way.PORT:
            self.ask(f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}", 200)
        elif way is Way.EPRT:
            self.ask(f"EPRT |{2 if ':' in host else 1}|{host}|{port}|", 200)
        return listener

    def connect(self, target: tuple[str, int], source: str | None = None) -> socket.socket:
        """Connect to *target*, from the control connection's own address or from *source*. The client closes it."""
        connection = channel.connect(*target, source or self.local[0], self.timeout)
        self._data_sockets.append(connection)
        return connection

    def accept(self, listener: socket.socket) -> socket.socket:
        """The server's data connection to *listener*. The client closes it in the end."""
        connection = self._accept(listener)
        if connection is None:
            raise self._failure("the server did not connect")
        self._data_sockets.append(connection)
        return connection

    # -- whole transfers ------------------------------------------------------------------------------------------

    def retr(self, path: str | bytes, *, offset: int | None = None, way: Way | None = None) -> Transfer:
        return self.download(_line("RETR", path), offset=offset, way=way)

    def stor(self, path: str | bytes, data: bytes, *, offset: int | None = None, way: Way | None = None) -> Transfer:
        return self.upload(_line("STOR", path), data, offset=offset, way=way)

    def appe(self, path: str | bytes, data: bytes, *, way: Way | None = None) -> Transfer:
        return self.upload(_line("APPE", path), data, way=way)

    def stou(self, data: bytes, *, way: Way | None = None) -> Transfer:
        return self.upload(b"STOU", data, way=way)

    def list_(self, argument: str | bytes | None = None, *, way: Way | None = None) -> Transfer:
        return self.download(_line("LIST", argument), way=way)

    def nlst(self, argument: str | bytes | None = None, *, way: Way | None = None) -> Transfer:
        return self.download(_line("NLST", argument), way=way)

    def mlsd(self, path: str | bytes | None = None, *, way: Way | None = None) -> Transfer:
        return self.download(_line("MLSD", path), way=way)

    def download(self, line: str | bytes, *, offset: int | None = None, way: Way | None = None) -> Transfer:
        """A command whose data come from the server. Reads them to their end, then the final reply."""
        return self._transfer(line, None, offset, way or self.way)

    def upload(self, line: str | bytes, data: bytes, *, offset: int | None = None, way: Way | None = None) -> Transfer:
        """A command whose data go to the server: sends *data*, closes, reads the final reply."""
        return self._transfer(line, data, offset, way or self.way)

    def _transfer(self, line: str | bytes, upload: bytes | None, offset: int | None, way: Way) -> Transfer:
        # The data connection first, then REST, so that REST stands right before its command (RFC 3659 §5.3).
        end = self.connect(self.passive(way)) if way.passive else self.active(way)
        data: socket.socket | None = end
        try:
            if offset is not None:
                self.ask(f"REST {offset}", 350)
            first = self.ask(line)
            if not first.preliminary:
                return Transfer(None, first, b"", reset=False)
            if not way.passive:
                data = self._accept(end)
            moved, reset = b"", False
            if data is not None and self.private:
                data = self._secured(data)
                reset = data is None
            if data is not None:
                try:
                    if upload is None:
                        moved, reset = channel.receive(data, self.timeout)
                    else:
                        moved, reset = upload, not channel.send(data, upload, self.timeout)
                except TimeoutError:
                    raise self._failure("the data connection stood still") from None
                data.close()
            transfer = Transfer(first, self.final(), moved, reset)
            if self.private and reset and transfer.complete:
                # RFC 8446 §6.1: what ends in this way may have been cut.
                raise self._failure("a complete transfer, and the data connection ended without close_notify")
            return transfer
        finally:
            if data is not None:
                data.close()
            end.close()
            self._data_sockets.remove(end)

    def _secured(self, data: socket.socket) -> socket.socket | None:
        """*data* after the handshake; None where it fails, of which the final reply tells."""
        try:
            secured = self._secure(data)
        except TimeoutError:
            raise self._failure("the TLS handshake on the data connection stood still") from None
        except OSError:
            return None
        self.resumed = secured.session_reused is True
        return secured

    def _accept(self, listener: socket.socket) -> socket.socket | None:
        """The server's data connection, or None when a reply comes instead of it."""
        deadline = time.monotonic() + self.timeout
        while True:
            left = 0.0 if self._parser.unfinished else max(deadline - time.monotonic(), 0.0)
            ready = select.select([listener, self._control], [], [], left)[0]
            if listener in ready:
                return listener.accept()[0]
            if ready or self._parser.unfinished:
                return None
            if time.monotonic() >= deadline:
                raise self._failure("neither a data connection nor a reply in time")

    # -- the end ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close all sockets, at once."""
        for one in self._data_sockets:
            one.close()
        self._data_sockets.clear()
        self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close. Where all went well until now, first check that the server has said nothing that nobody asked for."""
        try:
            if error is None:
                self.check()
        finally:
            self.close()

    def check(self) -> None:
        """ProtocolError if replies lie unread that answer no command. Does not wait."""
        if self._control.fileno() < 0:
            return
        while not self._dialogue.awaited and self.pending():
            try:
                more = self._receive(time.monotonic() + self.timeout)
            except ConnectionResetError:
                return
            while self._next_reply() is not None:
                pass
            if not more:
                if self._parser.unfinished:
                    raise self._failure(f"the end came in the middle of a reply: {self._parser.unfinished!r}")
                return

    def transcript(self) -> str:
        """What was said, newest last."""
        lines = [f"{seconds:8.3f} {arrow:3} {octets!r}" for seconds, arrow, octets in self._said]
        return "\n".join([f"transcript of {self.local} with {self.peer}:", *lines])

    # -- inside ----------------------------------------------------------------------------------------------------

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _next_reply(self) -> HeardReply | None:
        """The next reply of what was received, checked and matched; None when there is no whole one."""
        try:
            reply = self._parser.next_reply()
            if reply is not None:
                self._dialogue.hear(reply)
        except ProtocolError as error:
            error.add_note(self.transcript())
            raise
        self._refusals += self._parser.take_refusals()
        return reply

    def _failure(self, text: str) -> ProtocolError:
        error = ProtocolError(text)
        error.add_note(self.transcript())
        return error

    def _of(self, reply: HeardReply, codes: tuple[int, ...], line: str | bytes) -> HeardReply:
        if codes and reply.code not in codes:
            error = AssertionError(f"{line!r} was answered {reply}, not {' or '.join(map(str, codes))}")
            error.add_note(self.transcript())
            raise error
        return reply

    def _receive(self, deadline: float) -> bool:
        """Take in what the server sends next. False at the end of the connection; ProtocolError when time is up."""
        self._control.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            octets = self._control.recv(_CHUNK)
        except TimeoutError:
            raise self._failure(
                f"nothing in time; awaited: {self._dialogue.awaited}, unfinished: {self._parser.unfinished!r}"
            ) from None
        self._said.append((self._elapsed(), "<-", octets))
        self._parser.feed(octets)
        return bool(octets)


def _line(verb: str, argument: str | bytes | None) -> bytes:
    if argument is None:
        return verb.encode()
    octets = argument.encode("utf-8", "surrogateescape") if isinstance(argument, str) else argument
    return verb.encode() + b" " + octets
