"""KernelTlsStream: a protected download that the kernel encrypts, where it can (`net.kernel`).

OpenSSL needs the socket itself for that, so the connection is an SSLSocket here. It is for large downloads only: what
`TlsStream` does better, holding back tickets and joining the last data with the end, matters where little is sent.
If the kernel turned out not to take part, octets go through OpenSSL as ever, and only `zero_copy` is false.
"""

from __future__ import annotations

import os
import socket
import ssl
import time

from homeport.net.kernel import sends
from homeport.net.layer import reason
from homeport.net.listener import Connection

from .connection import Cause, DataConnectionError, attend
from .stream import Stream, WantRead, WantWrite, reset, room
from .truncated import Truncated
from .watch import Watch

_NOT_TLS = frozenset({"HTTP_REQUEST", "WRONG_VERSION_NUMBER", "HTTPS_PROXY_REQUEST"})
"""What OpenSSL calls plain text."""


def twin_of(connection: Connection) -> socket.socket:
    """Another descriptor of *connection*, non-blocking as well, of the class that OpenSSL's wrapper wants. OSError."""
    twin = socket.fromfd(connection.fileno(), connection.family, connection.type)
    twin.setblocking(False)
    return twin


def secure_socket(connection: ssl.SSLSocket, watch: Watch, seconds: float) -> None:
    """The handshake on *connection*, which is non-blocking. As `tlsstream.secure`, of which it is the twin."""
    deadline = time.monotonic() + seconds
    descriptor = connection.fileno()
    while True:
        try:
            return connection.do_handshake()
        except ssl.SSLWantReadError:
            wants_write = False
        except ssl.SSLWantWriteError:
            wants_write = True
        except OSError as error:
            plain = isinstance(error, ssl.SSLError) and error.reason in _NOT_TLS
            raise DataConnectionError(
                Cause.PLAIN_TEXT if plain else Cause.TLS_FAILED,
                f"The TLS handshake on the data connection failed: {reason(error)}.",
            ) from None
        left, control = deadline - time.monotonic(), watch.fileno()
        reading, writing = ((control,), (descriptor,)) if wants_write else ((descriptor, control), ())
        found = watch.ready(reading, writing, left) if left > 0 else []
        if not found:
            raise DataConnectionError(
                Cause.TLS_FAILED, f"The TLS handshake on the data connection took more than {seconds:g} seconds."
            )
        if control in found:
            attend(watch, "the TLS handshake")


class KernelTlsStream(Stream):
    """A Stream over *connection*, whose handshake is done. It owns the connection from now on."""

    __slots__ = ("_connection", "_twin", "_zero_copy")

    def __init__(self, connection: ssl.SSLSocket, twin: Connection) -> None:
        """*twin* is another descriptor of the same connection, which is closed together with it."""
        self._connection = connection
        self._twin = twin
        self._zero_copy = hasattr(os, "sendfile") and sends(connection)

    @property
    def zero_copy(self) -> bool:
        """Whether the kernel encrypts."""
        return self._zero_copy

    def fileno(self) -> int:
        return self._connection.fileno()

    def pending(self) -> int:
        return self._connection.pending()

    def read_into(self, buffer: memoryview) -> int:
        try:
            return self._connection.recv_into(buffer)
        except ssl.SSLWantReadError:
            raise WantRead from None
        except ssl.SSLEOFError:
            raise Truncated("the client closed the data connection without a TLS close_notify") from None

    def room(self) -> int:
        return room(self._connection)

    def write(self, data: memoryview) -> int:
        try:
            return self._connection.send(data)
        except ssl.SSLWantWriteError:
            raise WantWrite from None

    def send_file(self, file: int, offset: int, count: int) -> int:
        try:
            return os.sendfile(self._connection.fileno(), file, offset, count)
        except BlockingIOError:
            raise WantWrite from None

    def finish(self) -> None:
        try:
            self._connection.unwrap()
        except ssl.SSLWantWriteError:
            raise WantWrite from None
        except ssl.SSLWantReadError:
            pass  # ours is sent, and the client's own is not waited for
        self._connection.close()
        self._twin.close()

    def abort(self) -> None:
        # The first close does nothing but count, the second one resets.
        reset(self._connection)
        reset(self._twin)
