"""Handshakes on the control connection that do not come to an end: they are waited for as anything else is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from homeport.events.types import HandshakeFailed
from homeport.testing.plugin import FtpServer

from .conftest import PASSWORD, USER, Tls, protected

CLIENTS = 120
RECORD = b"\x16\x03\x01\x02\x00\x01\x00"
"""The beginning of a ClientHello."""


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as undo:
        yield undo


def stalled(server: FtpServer, clients: ExitStack, *, begun: bool) -> socket.socket:
    """One that has said AUTH TLS and, if it has *begun*, a part of its ClientHello, and then nothing."""
    client = clients.enter_context(socket.create_connection((server.host, server.port), timeout=10))
    replies = client.makefile("rb")
    clients.callback(replies.close)
    assert replies.readline().startswith(b"220 ")
    client.sendall(b"AUTH TLS\r\n")
    assert replies.readline().startswith(b"234 ")
    if begun:
        client.sendall(RECORD)
    return client


def threads() -> int:
    return sum(one.name.startswith("homeport") for one in threading.enumerate())


def test_they_cost_no_thread_and_hold_up_nobody(tls: Tls, clients: ExitStack) -> None:
    server = tls({"limits": {"handshake": 60, "sessions_per_address": 0}})
    before = threads()
    for number in range(CLIENTS):
        stalled(server, clients, begun=number % 2 == 1)
    with protected(server) as client:
        assert client.list_().complete
    assert threads() < before + CLIENTS // 10


def test_each_ends_at_its_deadline(tls: Tls, clients: ExitStack) -> None:
    server = tls({"limits": {"handshake": 0.2, "sessions_per_address": 0}})
    seen: list[HandshakeFailed] = []
    server.server.subscribe(lambda event: seen.append(event) if isinstance(event, HandshakeFailed) else None)
    for client in [stalled(server, clients, begun=number % 2 == 1) for number in range(20)]:
        assert client.recv(100) == b""  # nothing in clear where TLS has begun
    assert [event.reason for event in seen] == ["it was not complete after 0.2 seconds"] * 20


def test_the_greeting_of_the_implicit_port_comes_behind_it(tls: Tls, clients: ExitStack, unused_port: int) -> None:
    server = tls({"limits": {"handshake": 60}, "listen": {"implicit_tls_port": unused_port}})
    before = threads()
    for _ in range(40):
        client = clients.enter_context(socket.create_connection((server.host, unused_port), timeout=0.01))
        client.sendall(RECORD)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert threads() < before + 10
    with server.client(login=False) as other:
        other.login(USER, PASSWORD)
