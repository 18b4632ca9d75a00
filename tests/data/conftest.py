"""Fixtures for the data side. All traffic is on loopback; 127.0.0.2, 127.0.0.3, ... play other clients."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from .ends import Control


@pytest.fixture
def control() -> Iterator[Control]:
    one = Control()
    yield one
    one.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., socket.socket]]:
    """`connect(port, "127.0.0.2")`: a connection of the client with that address to the server."""
    made: list[socket.socket] = []

    def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
        server = "::1" if ":" in source else "127.0.0.1"
        one = socket.create_connection((server, port), timeout=5, source_address=(source, 0))
        made.append(one)
        return one

    yield connect
    for one in made:
        one.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of one TCP connection: the server's, non-blocking, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        server, _ = listener.accept()
    server.setblocking(False)
    yield server, client
    server.close()
    client.close()
