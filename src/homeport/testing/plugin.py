"""The pytest plugin: `ftp_server`, a running server with a folder of its own, and `ftp_server_factory` for more.

    def test_upload(ftp_server):
        with ftp_server.client() as client:
            client.stor("a.txt", b"hello")
        assert (ftp_server.root / "a.txt").read_bytes() == b"hello"

Each server listens on a port of the system's choice and is stopped when its test is over. pytest loads this module
wherever Homeport is installed; the server itself is imported when the first fixture is used, and not before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    import homeport

    from .client import Client


@dataclass(frozen=True, slots=True)
class FtpServer:
    """A running server, and what a client needs to know of it."""

    host: str
    port: int
    user: str
    password: str
    root: Path
    """The folder that is served: what the user sees as "/"."""
    server: homeport.Server
    _clients: ExitStack = field(repr=False)

    @property
    def url(self) -> str:
        """With user and password, ready for a client program: "ftp://test:secret@127.0.0.1:12345/"."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{host}:{self.port}/"

    def client(self, *, login: bool = True, source: str | None = None, timeout: float = 10.0) -> Client:
        """A strict client, connected and (with *login*) logged in. Closed with the server, if not before."""
        from .client import Client

        client = Client(self.host, self.port, source=source, timeout=timeout)
        self._clients.callback(client.close)
        if login:
            client.login(self.user, self.password)
        return client


class FtpServerFactory(Protocol):
    """Starts a server; it is stopped when the test is over."""

    def __call__(
        self,
        *,
        root: Path | None = None,
        host: str = "127.0.0.1",
        user: str = "test",
        password: str | None = None,
        anonymous: bool = False,
        read_only: bool = False,
    ) -> FtpServer:
        """Serve *root* (a new empty folder if None) on *host* to *user*; the password is a random one if None."""


@pytest.fixture
def ftp_server_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpServerFactory]:
    """Start servers with options of your own; all are stopped when the test is over."""
    import homeport

    with ExitStack() as servers:

        def start(
            *,
            root: Path | None = None,
            host: str = "127.0.0.1",
            user: str = "test",
            password: str | None = None,
            anonymous: bool = False,
            read_only: bool = False,
        ) -> FtpServer:
            folder = root if root is not None else tmp_path_factory.mktemp("ftp")
            secret = password if password is not None else secrets.token_urlsafe(12)
            server = servers.enter_context(
                homeport.Server(
                    folder, host=host, port=0, user=user, password=secret, anonymous=anonymous, read_only=read_only
                )
            )
            clients = servers.enter_context(ExitStack())
            return FtpServer(server.host, server.port, user, secret, folder, server, clients)

        yield start


@pytest.fixture
def ftp_server(ftp_server_factory: Callable[[], FtpServer]) -> FtpServer:
    """A running server: temporary folder, one user with a random password, a free port on the loopback interface."""
    return ftp_server_factory()
