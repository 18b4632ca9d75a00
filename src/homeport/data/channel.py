"""The data connection in active mode: the server dials the client (RFC 959 §3.2, §5.2).

It comes from the address that the client's control connection goes to (RFC 1123 §4.1.2.12), and from the data port.
That port is used for all clients and over and over, so the socket has SO_REUSEADDR, and two things can go wrong: the
port cannot be had (a privileged one, or somebody listens there), or the very same pair of ends is still in TIME_WAIT.
Both times any other port is better than no connection; firewalls that insist on port 20 are rarer than clients that
wait.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Callable

from homeport.net.listener import SHORTAGE, Connection, endpoint, plain, text_of, tune

from .connection import Cause, DataConnectionError, attend
from .stream import reset
from .watch import Watch

__all__ = ["Cause", "Connection", "DataConnectionError", "dial"]

_NO_SUCH_SOURCE = frozenset({errno.EACCES, errno.EPERM, errno.EADDRINUSE, errno.EADDRNOTAVAIL})
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)})
_PAIR_IN_USE = frozenset({errno.EADDRNOTAVAIL, errno.EADDRINUSE})
_CAUSES = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ECONNRESET: Cause.REFUSED,
    errno.ETIMEDOUT: Cause.TIMED_OUT,
}
"""Everything else that connect reports is a matter of routes and firewalls."""

_CHOOSE_PORT_LATE: int | None = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24 if sys.platform == "linux" else None)
"""Linux: bind only the address and let connect choose the port, which then need not be unused for all targets. Python
3.12 knows the name of the option."""


def dial(
    target: tuple[str, int],
    source: tuple[str, int],
    watch: Watch,
    timeout: float,
    other_port: Callable[[str], None] | None = None,
) -> socket.socket:
    """Connect to *target* from *source* (port 0: any); the connection, non-blocking, which the caller owns.

    Waits at most *timeout* seconds, and lets *watch* attend to the control connection meanwhile. If the source port
    cannot be used, another one is, and *other_port* is told why. Raises DataConnectionError.
    """
    target = _with_scope(target, source)
    connection, why = _begin(target, source)
    try:
        if why is not None and other_port is not None:
            other_port(f"port {source[1]} of {source[0]} could not be used: {why}")
        _complete(connection, target, watch, timeout)
    except BaseException:
        reset(connection)
        raise
    return connection


def source_fault(source: tuple[str, int]) -> str | None:
    """Why no connection can come from *source*, as far as that shows without making one; None if one can."""
    try:
        with _socket(source) as connection:
            _bind(connection, *source)
    except DataConnectionError as refusal:
        return refusal.text
    except OSError as error:
        return error.strerror
    return None


def _begin(target: tuple[str, int], source: tuple[str, int]) -> tuple[socket.socket, str | None]:
    """A socket whose connect is under way, and why it does not come from the source port, if it does not."""
    why: str | None = None
    for port in dict.fromkeys((source[1], 0)):
        connection = _socket(target)
        try:
            try:
                _bind(connection, source[0], port)
            except OSError as error:
                if port == 0 or error.errno not in _NO_SUCH_SOURCE:
                    raise
                why = error.strerror
                connection.close()
                continue
            failure = connection.connect_ex(endpoint(*target))
        except OSError as error:
            connection.close()
            raise _failed(target, source, error.errno, error.strerror or str(error)) from error
        if port and failure in _PAIR_IN_USE:
            why = "the last connection between the same two ports is not forgotten yet"
            connection.close()
            continue
        if failure and failure not in _UNDER_WAY:
            connection.close()
            raise _failed(target, source, failure, os.strerror(failure))
        break
    return connection, why


def _socket(target: tuple[str, int]) -> socket.socket:
    try:
        return socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        cause = Cause.NO_DESCRIPTOR if error.errno in SHORTAGE else Cause.UNREACHABLE
        raise DataConnectionError(
            cause, f"The server cannot open a connection to {target[0]} port {target[1]}: {error.strerror}."
        ) from error


def _bind(connection: socket.socket, address: str, port: int) -> None:
    connection.setblocking(False)
    tune(connection)
    if port:
        if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # The data port is shared by all sessions and reused at once (959-5.2-SRC-PORT). On Windows that is
            # so anyway.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif _CHOOSE_PORT_LATE is not None:
        connection.setsockopt(socket.IPPROTO_IP, _CHOOSE_PORT_LATE, 1)
    connection.bind(endpoint(address, port))


def _complete(connection: socket.socket, target: tuple[str, int], watch: Watch, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    descriptor = connection.fileno()
    while True:
        control = watch.fileno()
        found = watch.ready((control,), (descriptor,), deadline - time.monotonic())
        if descriptor in found:
            break
        if control in found:
            attend(watch, f"{target[0]} to accept a connection to port {target[1]}")
        if time.monotonic() >= deadline:
            source = text_of(connection.getsockname())
            raise DataConnectionError(
                Cause.TIMED_OUT,
                f"The server connected from {source[0]} port {source[1]} to {target[0]} port {target[1]}, "
                f"as the client had asked; there was no answer within {timeout:g} seconds.",
            )
    failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    source = text_of(connection.getsockname())
    if failure:
        raise _failed(target, source, failure, os.strerror(failure))
    if source == target:
        # A closed port of this machine and our own random port were the same number: TCP connects such a socket
        # to itself.
        raise _failed(target, source, errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _failed(target: tuple[str, int], source: tuple[str, int], number: int | None, message: str) -> DataConnectionError:
    cause = _CAUSES.get(number or 0, Cause.UNREACHABLE)
    return DataConnectionError(
        cause,
        f"The server connected from {source[0]} to {target[0]} port {target[1]}, as the client had asked; "
        f"it got: {message}.",
        number=number,
    )


def _with_scope(target: tuple[str, int], source: tuple[str, int]) -> tuple[str, int]:
    """EPRT carries no scope (RFC 2428 §2), but a link-local address means nothing without one: it is the source's."""
    host, _, scope = target[0].partition("%")
    scope = scope or source[0].partition("%")[2]
    host = plain(host)
    if scope and host[:3].lower() in ("fe8", "fe9", "fea", "feb"):
        return f"{host}%{scope}", target[1]
    return host, target[1]
