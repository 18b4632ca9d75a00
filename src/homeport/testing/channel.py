"""The data connection as a test sees it: how it comes about, what moved over it, how it ended."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from enum import Enum

from .replies import HeardReply

_CHUNK = 256 * 1024


class Way(Enum):
    """How a data connection comes about."""

    PASV = "PASV"
    EPSV = "EPSV"
    PORT = "PORT"
    EPRT = "EPRT"
    DEFAULT = ""
    """Neither: the server connects to the port that the control connection comes from (RFC 959 §3.2)."""

    @property
    def passive(self) -> bool:
        return self in {Way.PASV, Way.EPSV}


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of a transfer command."""

    preliminary: HeardReply | None
    """125 or 150; None when the command was refused at once."""
    final: HeardReply
    data: bytes
    """What was received, or what was to be sent."""
    reset: bool
    """Whether the data connection was reset, or closed without the close_notify of TLS, instead of properly closed."""

    @property
    def complete(self) -> bool:
        return self.final.code in {226, 250}


def connect(host: str, port: int, source: str | None, timeout: float) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        # So that a listener may share the control connection's port (RFC 959 §3.2, the default data port).
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind((source or ("::" if family == socket.AF_INET6 else "0.0.0.0"), 0))
        connection.settimeout(timeout)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def send_all(connection: socket.socket, octets: bytes, timeout: float) -> None:
    """All of *octets*; the deadline counts anew whenever some were taken."""
    connection.settimeout(timeout)
    rest = memoryview(octets)
    while rest:
        rest = rest[connection.send(rest[:_CHUNK]) :]


def send(data: socket.socket, octets: bytes, timeout: float) -> bool:
    """Send *octets*; False when the peer broke the connection off. TimeoutError when it takes nothing any more.

    With TLS the end is sent behind them, and the server's is waited for.
    """
    try:
        send_all(data, octets, timeout)
        if isinstance(data, ssl.SSLSocket):
            data.unwrap()
    except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
        return False
    return True


def receive(data: socket.socket, timeout: float) -> tuple[bytes, bool]:
    """Everything until the end, and whether that was a reset or (with TLS) came without close_notify.

    TimeoutError when nothing comes any more."""
    chunks = []
    data.settimeout(timeout)
    try:
        while chunk := data.recv(_CHUNK):
            chunks.append(chunk)
    except (ConnectionResetError, ssl.SSLEOFError):
        return b"".join(chunks), True
    return b"".join(chunks), False
