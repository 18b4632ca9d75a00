"""Responder: answers a certificate authority that knocks to see who serves a name (RFC 8555 §8.3, RFC 8737).

It listens only while a challenge is under way. Anybody may connect then, so every connection has a deadline, few are
served at once, and nothing is answered but what was put there for the authority.
"""

from __future__ import annotations

import contextlib
import logging
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from .listener import listen
from .snapshot import Snapshot

_log = logging.getLogger("homeport.net")

CONNECTION_SECONDS = 5.0
"""For one connection, from its beginning to its end."""
_AT_ONCE = 32
"""Authorities look from several places at the same time."""
_MOST_OCTETS = 8192
_ACME_ALPN = "acme-tls/1"
_GET = re.compile(rb"(?:GET|HEAD) (\S+) HTTP/1\.[01]\r?\n")

Answer = Callable[[socket.socket], None]
"""Serves one connection, which has a time-out; OSError where it breaks."""


class Responder:
    """Listens from `with` to the end of the block."""

    def __init__(self, addresses: Sequence[str], port: int, answer: Answer) -> None:
        """Open the sockets; those of *addresses* that this machine does not have are left out. Raises OSError."""
        self._answer = answer
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, float] = {}  # and when each has to be over
        self._listeners: list[socket.socket] = []
        error = OSError("there is no address to listen on")
        for address in addresses:
            try:
                self._listeners.append(listen(address, port or self.port))
            except OSError as refused:
                error = refused
        if not self._listeners:
            raise error
        self._thread = threading.Thread(target=self._serve, name="homeport-challenge", daemon=True)

    @property
    def port(self) -> int:
        """Of the first listening socket; 0 where there is none yet."""
        return int(self._listeners[0].getsockname()[1]) if self._listeners else 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            for listener in self._listeners:
                undo.callback(listener.close)
            self._reading, self._writing = socket.socketpair()
            undo.callback(self._reading.close)
            undo.callback(self._writing.close)
            self._thread.start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writing.close()
        self._thread.join()
        self._cut(float("inf"))

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as closing:
            for listener in self._listeners:
                closing.callback(listener.close)
                listener.setblocking(False)
                selector.register(listener, selectors.EVENT_READ)
            closing.callback(self._reading.close)
            selector.register(self._reading, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(1.0 if self._connections else None):
                    if key.fileobj is self._reading:
                        return
                    if isinstance(key.fileobj, socket.socket):
                        self._accept(key.fileobj)
                self._cut(time.monotonic())

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # it has gone again
        with self._lock:
            crowded = len(self._connections) >= _AT_ONCE
            if not crowded:
                self._connections[connection] = time.monotonic() + CONNECTION_SECONDS
        if crowded:
            connection.close()
            return
        threading.Thread(target=self._talk, args=(connection,), name="homeport-challenge", daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(CONNECTION_SECONDS)
            self._answer(connection)
        except OSError as error:
            _log.debug("a connection for a challenge broke: %s", error)
        finally:
            with self._lock:
                del self._connections[connection]
                connection.close()

    def _cut(self, now: float) -> None:
        """End what has to be over: a time-out of the socket would count anew from every octet."""
        with self._lock:
            for connection, until in self._connections.items():
                if until <= now:
                    try:
                        connection.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass  # it is over already


# -- http-01 ---------------------------------------------------------------------------------------------------


def http_answer(contents: Mapping[str, bytes]) -> Answer:
    """Serves *contents*, by their paths, and 404 for anything else."""

    def answer(connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and len(request) < _MOST_OCTETS:
            octets = connection.recv(_MOST_OCTETS - len(request))
            if not octets:
                return
            request += octets
        found = _GET.match(request)
        content = contents.get(found[1].decode("ascii", "replace")) if found else None
        status, body = ("200 OK", content) if content is not None else ("404 Not Found", b"not here\n")
        # RFC 8555 §8.3: the type does not matter to the authority.
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode() + (b"" if request.startswith(b"HEAD") else body))
        _end(connection)

    return answer


# -- tls-alpn-01 -------------------------------------------------------------------------------------------------


def tls_answer(certificates: Mapping[str, bytes]) -> Answer:
    """Shows, by the name that the client gives (SNI), the certificates with their keys (PEM) of a challenge."""
    contexts: dict[str, ssl.SSLContext] = {}
    for name, pem in certificates.items():
        context = _context()
        with Snapshot(pem) as snapshot:
            context.load_cert_chain(snapshot.path)
        contexts[name] = context

    def choose(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        chosen = contexts.get((name or "").lower())
        if chosen is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        tls.context = chosen
        return None

    first = _context()
    first.sni_callback = choose

    def answer(connection: socket.socket) -> None:
        # RFC 8737 §3: the authority looks at the certificate, and nothing is said within. The connection stays ours,
        # as whoever ends it in time must still find it.
        with first.wrap_socket(connection.dup(), server_side=True) as tls:
            tls.settimeout(CONNECTION_SECONDS)
            tls.recv(1)

    return answer


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([_ACME_ALPN])
    return context


def _end(connection: socket.socket) -> None:
    """End what we say and wait for the peer: a close with unread octets would be a reset, and take the answer along."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(_MOST_OCTETS):
        pass
