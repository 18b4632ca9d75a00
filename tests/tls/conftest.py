"""Servers with a certificate, and clients that are protected. All traffic is on the loopback interface."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

import homeport
from homeport.events.types import Event
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

from .authority import Authority

USER, PASSWORD = "test", "secret"


class Tls(Protocol):
    """Starts a server with TLS for the user "test"; it is stopped when the test is over."""

    def __call__(self, sections: Mapping[str, Any] | None = None, **user: Any) -> FtpServer:
        """*sections* are those of a configuration file, beyond what every one here has; *user*, options of the user."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> str:
    """The server's: ECDSA, for ftp.test."""
    return authority.issue("ftp.test", "ftp.test", "localhost")


@pytest.fixture
def tls(tmp_path_factory: pytest.TempPathFactory, certificate: str) -> Iterator[Tls]:
    """Start servers that are configured like by a file; all are stopped when the test is over."""
    with ExitStack() as servers:

        def start(sections: Mapping[str, Any] | None = None, **user: Any) -> FtpServer:
            home = tmp_path_factory.mktemp("ftp")
            options: dict[str, Any] = {
                "listen": {"addresses": ["127.0.0.1"], "port": 0},
                "data": {"active_port": 0, "passive_ports": "any"},
                "log": {"console": False},
                "tls": {"certificate": certificate},
                "users": [{"name": USER, "password": f"plain:{PASSWORD}", "home": str(home), **user}],
            }
            for name, section in (sections or {}).items():
                former = options.get(name)
                options[name] = {**former, **section} if isinstance(former, dict) else section
            server = servers.enter_context(homeport.Server(config=homeport.Config.model_validate(options)))
            clients = servers.enter_context(ExitStack())
            return FtpServer(server.host, server.port, USER, PASSWORD, home, server, clients)

        yield start


@pytest.fixture
def unused_port() -> int:
    """One that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def server(tls: Tls) -> FtpServer:
    """With TLS for those who want it."""
    return tls()


@pytest.fixture
def client(server: FtpServer) -> Client:
    """Protected, logged in, PROT P, TYPE I."""
    return protected(server)


@pytest.fixture
def events(server: FtpServer) -> list[Event]:
    """What happens on `server` from now on."""
    found: list[Event] = []
    server.server.subscribe(found.append)
    return found


def protected(
    server: FtpServer, context: ssl.SSLContext | None = None, *, name: str | None = None, login: bool = True
) -> Client:
    """A client of *server* with TLS on both connections."""
    client = server.client(login=False)
    client.protect(context, name=name)
    if login:
        client.login(USER, PASSWORD)
        client.ask("TYPE I", 200)
    return client


def read_all(data: ssl.SSLSocket) -> bytes:
    """Everything until the close_notify. OSError at any other end."""
    parts = []
    while part := data.recv(65536):
        parts.append(part)
    return b"".join(parts)


def shake_hands(
    connection: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
) -> None:
    """The handshake, and not an octet more is read than it needs."""
    connection.settimeout(10)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
    connection.sendall(outgoing.read())


def trusting(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A context that takes every certificate, and speaks no newer TLS than *version*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.maximum_version = version
    return context
