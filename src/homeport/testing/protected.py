"""The client's end of TLS, as strict as the rest: an end without close_notify is an error, and ours is always sent."""

from __future__ import annotations

import socket
import ssl


def any_certificate() -> ssl.SSLContext:
    """A context that takes whatever certificate the server shows: tests make their own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def begin(
    connection: socket.socket,
    context: ssl.SSLContext,
    name: str | None = None,
    resuming: socket.socket | None = None,
) -> ssl.SSLSocket:
    """The handshake; *name* is sent as the server's (SNI), the session of *resuming* is resumed. Raises OSError.

    *connection* is spent afterwards, whatever happens.
    """
    session = resuming.session if isinstance(resuming, ssl.SSLSocket) else None
    return context.wrap_socket(connection, server_hostname=name, session=session, suppress_ragged_eofs=False)


def end(connection: socket.socket) -> socket.socket:
    """Close the TLS of *connection* in both directions; the plain connection that is left."""
    if not isinstance(connection, ssl.SSLSocket):
        return connection
    return plain(connection.unwrap())


def plain(connection: socket.socket) -> socket.socket:
    """What is left of *connection* without TLS, whatever its state was."""
    timeout = connection.gettimeout()
    left = socket.socket(fileno=connection.detach())
    left.settimeout(timeout)
    return left
