"""Listening sockets, and how a connection is taken from one.

What every connection must have is set on the listening socket once, and on Linux the sockets that it accepts
inherit it (tests/net/test_listener.py holds that): TCP_NODELAY, because Nagle's algorithm and delayed
acknowledgements together cost 40 ms a small TLS transfer, and keepalive, which notices a peer that vanished and keeps
the entry of a control connection in a router's NAT table alive while a long transfer runs beside it.

IPv4 and IPv6 have listening sockets of their own (V6ONLY), so no address ever comes in the mapped form
::ffff:192.0.2.1.
"""

from __future__ import annotations

import _socket
import errno
import socket
import sys
from typing import Any, Final

from .acceptor import Listener

__all__ = [
    "BACKLOG", "SHORTAGE", "Connection", "Listener", "accept", "endpoint", "listen", "plain", "take", "text_of", "tune",
]  # fmt: skip

BACKLOG: Final = 1024
"""Connections the system keeps ready for us; it lowers the number to its own limit."""

_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_PROBES = 60, 15, 5
"""Seconds until the first probe, between two, and how many fail until the connection is given up."""

_INHERITED: Final = sys.platform == "linux"

_ONE_CONNECTION_ONLY = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED",
        "EPROTO",
        "ENETDOWN",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EHOSTUNREACH",
        "EOPNOTSUPP",
        "ENETUNREACH",
        "EPERM",
    )
    if hasattr(errno, name)
)
"""What accept reports of a connection that broke while it waited; it has left the backlog (Linux: accept(2))."""

SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What accept reports when this process or the system has no room for another connection. It stays in the backlog."""


Connection = _socket.socket
"""A connected socket as C has it. `socket.socket`, which is one too, adds in Python what makes files of sockets. A data
connection lives for some microseconds, and neither needs that nor is worth its price."""

NOW: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)
"""For one call on a blocking connection: do not wait. 0 where there is no such flag, and the socket itself must not."""
MORE: Final[int] = getattr(socket, "MSG_MORE", 0)
"""What is sent may wait for what comes behind it: here, always the end. 0 where there is no such flag."""

_STREAM: Final = int(socket.SOCK_STREAM)
_FOUR: Final = int(socket.AF_INET)
_SIX: Final = int(socket.AF_INET6)


def listen(address: str, port: int, backlog: int = BACKLOG) -> Listener:
    """A socket that listens on *address*, non-blocking. Port 0: the system chooses. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = Listener(family)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # Windows' SO_REUSEADDR would let another program take the port away.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tune(listener)
        listener.bind(endpoint(address, port))
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def accept(listener: socket.socket, *, blocking: bool = False) -> tuple[socket.socket, tuple[str, int]]:
    """The next connection and its peer; an IPv6 address has its scope behind a "%" if it has one. Does not wait.

    The connection is non-blocking unless *blocking* is wanted, which is what the system gives and costs a call less.

    Raises BlockingIOError when none waits, and OSError: one of SHORTAGE, or the listening socket is broken or closed.
    """
    while True:
        try:
            connection, peer = listener.accept()
            break
        except OSError as error:
            if error.errno not in _ONE_CONNECTION_ONLY:
                raise
    if not blocking:
        connection.setblocking(False)
    elif connection.gettimeout() is not None:
        connection.setblocking(True)
    if not _INHERITED:
        tune(connection)
    return connection, text_of(peer)


def take(listener: Listener) -> tuple[Connection, tuple[str, int]]:
    """What `accept` does, for a data connection: as it comes, and whoever uses it says each time not to wait."""
    while True:
        try:
            accepted: tuple[int, Any] = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - as in Listener.accept
            break
        except OSError as error:
            if error.errno not in _ONE_CONNECTION_ONLY:
                raise
    descriptor, peer = accepted
    connection = Connection(_SIX if len(peer) == 4 else _FOUR, _STREAM, 0, descriptor)
    if not _INHERITED:
        tune(connection)
    return connection, text_of(peer)


def tune(connection: Connection) -> None:
    """Set TCP_NODELAY and keepalive."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
    if hasattr(socket, "TCP_KEEPINTVL") and hasattr(socket, "TCP_KEEPCNT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)


def text_of(endpoint: tuple[str, int] | tuple[str, int, int, int]) -> tuple[str, int]:
    """Address and port of what accept, getsockname and getpeername return; a scope is written behind "%"."""
    if len(endpoint) == 4 and endpoint[3]:
        return f"{endpoint[0].partition('%')[0]}%{endpoint[3]}", endpoint[1]
    return endpoint[0], endpoint[1]


def endpoint(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """What bind and connect take for *address*, which is a number and never a name: nothing is asked of DNS."""
    if "%" not in address:
        return address, port
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    numbers: tuple[str, int, int, int] = found[0][4]  # type: ignore[assignment]  # an address with a scope is IPv6
    return numbers


def plain(address: str) -> str:
    """*address* in the one form in which two of a kind compare equal: no scope, IPv4 never mapped into IPv6."""
    if ":" not in address:
        return address
    octets = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if octets.startswith(b"\0\0\0\0\0\0\0\0\0\0\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, octets[12:])
    return socket.inet_ntop(socket.AF_INET6, octets)
