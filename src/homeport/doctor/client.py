"""A client that gets along with any server: what it hears wrongly it takes as well as it can, and never waits longer
than its time-out.

Lines may end in a bare LF, a reply of several lines may have lines that begin like its last one without being it, and
text may be in any encoding. Only when there is no code at all, the talk is over: then nothing can be asked any more.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Self

from homeport.net.listener import endpoint, text_of, tune

LONGEST_REPLY = 256 * 1024
"""Octets. A server that says more in one reply has lost its mind, or is none."""
_CHUNK = 16384


class TalkOver(Exception):
    """The control connection is of no use any more. The text says what was seen, as a clause."""


class NoAnswer(TalkOver):
    """Nothing came in time."""


class Gone(TalkOver):
    """The server closed the connection, or it was reset."""

    def __init__(self, text: str, *, reset: bool) -> None:
        super().__init__(text)
        self.reset = reset


class NotFtp(TalkOver):
    """What came is no reply of an FTP server."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply. `code` is what the three digits say, `lines` the text without them."""

    code: int
    lines: tuple[str, ...]
    seconds: float
    """From the command to the end of the reply."""

    @property
    def text(self) -> str:
        return " ".join(line.strip() for line in self.lines).strip()

    @property
    def preliminary(self) -> bool:
        return self.code < 200

    @property
    def good(self) -> bool:
        return 200 <= self.code < 300

    @property
    def unknown_command(self) -> bool:
        """Whether the server says that it does not have the command (RFC 959 §4.2.2: 500, 502)."""
        return self.code in (500, 502)

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Control:
    """A control connection, plain or encrypted. `sent` counts the commands."""

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._buffer = b""
        self._began = time.monotonic()
        self.sent = 0
        self.local: tuple[str, int] = text_of(connection.getsockname())
        self.peer: tuple[str, int] = text_of(connection.getpeername())

    @classmethod
    def dial(cls, address: tuple[str, int], timeout: float) -> Self:
        """Connect to *address*, a number and a port. Raises OSError."""
        return cls(connect(address, timeout), timeout)

    # -- talking ---------------------------------------------------------------------------------------

    def ask(self, line: str) -> Heard:
        """Send a command and hear its first reply. Raises TalkOver."""
        self.say(line)
        return self.hear()

    def say(self, line: str) -> None:
        """Send a command. Raises TalkOver."""
        self.sent += 1
        self._began = time.monotonic()
        self._connection.settimeout(self._timeout)
        try:
            self._connection.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")
        except OSError as error:
            raise _gone(error) from None

    def hear(self, timeout: float | None = None) -> Heard:
        """The next reply. Raises TalkOver."""
        limit = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        first = self._code_line(deadline, limit)
        code, lines = int(first[:3]), [first[4:]]
        if first[3:4] == "-":
            # Everything up to a line with the same code and a space belongs to it (RFC 959 §4.2).
            while True:
                line = self._line(deadline, limit)
                if line[:3] == first[:3] and line[3:4] in (" ", ""):
                    lines.append(line[4:])
                    break
                lines.append(line.removeprefix(f"{first[:3]}-"))
                if len(lines) * 4 > LONGEST_REPLY:
                    raise NotFtp("a reply that does not end")
        return Heard(code, tuple(lines), time.monotonic() - self._began)

    def final(self, timeout: float | None = None) -> Heard:
        """The next reply that is not preliminary. Raises TalkOver."""
        while (heard := self.hear(timeout)).preliminary:
            pass
        return heard

    def waits(self, other: socket.socket, timeout: float) -> tuple[bool, bool]:
        """Wait for *other* to be ready or something to be heard: which of them (both False: time is up)."""
        if b"\n" in self._buffer or self._pending():
            return bool(select.select([other], [], [], 0)[0]), True
        ready = select.select([other, self._connection], [], [], max(timeout, 0.0))[0]
        return other in ready, self._connection in ready

    # -- protection ------------------------------------------------------------------------------------

    def protect(self, context: ssl.SSLContext, name: str | None) -> ssl.SSLSocket:
        """Put TLS on the connection; *name* is told to the server (SNI). Raises OSError, ssl.SSLError among them."""
        self._connection.settimeout(self._timeout)
        tls = context.wrap_socket(self._connection, server_hostname=name, suppress_ragged_eofs=False)
        self._connection = tls
        # What had come in clear before is nobody's word any more (RFC 4217 §4.2 and the injections of CVE-2011-1575).
        self._buffer = b""
        return tls

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The protected connection, if it is."""
        return self._connection if isinstance(self._connection, ssl.SSLSocket) else None

    # -- the end ---------------------------------------------------------------------------------------

    def quit(self) -> None:
        """Say QUIT, do not insist on an answer, close."""
        try:
            self.ask("QUIT")
        except TalkOver:
            pass  # it is over in any case
        self.close()

    def close(self) -> None:
        self._connection.close()

    # -- inside ----------------------------------------------------------------------------------------

    def _code_line(self, deadline: float, limit: float) -> str:
        while True:
            line = self._line(deadline, limit)
            if len(line) >= 3 and line[:3].isascii() and line[:3].isdigit() and line[0] in "123456":
                return line
            if line.strip():
                raise NotFtp(f"the server said {line[:60]!r}, which is no reply of FTP")

    def _line(self, deadline: float, limit: float) -> str:
        while (at := self._buffer.find(b"\n")) < 0:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswer(f"no answer within {limit:g} s")
            if len(self._buffer) > LONGEST_REPLY:
                raise NotFtp("a line that does not end")
            self._receive(left, limit)
        line, self._buffer = self._buffer[:at], self._buffer[at + 1 :]
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def _receive(self, left: float, limit: float) -> None:
        self._connection.settimeout(left)
        try:
            octets = self._connection.recv(_CHUNK)
        except TimeoutError:
            raise NoAnswer(f"no answer within {limit:g} s") from None
        except OSError as error:
            raise _gone(error) from None
        if not octets:
            raise Gone("the server closed the control connection", reset=False)
        self._buffer += octets

    def _pending(self) -> bool:
        return isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0


def connect(address: tuple[str, int], timeout: float, source: str | None = None) -> socket.socket:
    """A connection to *address*, a number and a port, made within *timeout* seconds. Raises OSError."""
    connection = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        tune(connection)
        if source is not None:
            connection.bind(endpoint(source, 0))
        connection.settimeout(timeout)
        connection.connect(endpoint(*address))
    except BaseException:
        connection.close()
        raise
    return connection


def _gone(error: OSError) -> TalkOver:
    if isinstance(error, TimeoutError):
        return NoAnswer("the server reads nothing any more")
    reset = isinstance(error, ConnectionResetError | BrokenPipeError)
    return Gone(f"the control connection was {'reset' if reset else 'lost'} ({error.strerror or error})", reset=reset)
