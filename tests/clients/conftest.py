"""What the tests with real clients share: a job against a fresh server, and what happens when a program is missing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from .clients import Job, Way, found
from .secure import Client, Secure, SecureJob
from .tree import Entry

if TYPE_CHECKING:
    import homeport
    from homeport.events.types import Event
    from homeport.testing.plugin import FtpServer, FtpServerFactory

HOSTS = {4: "127.0.0.1", 6: "::1"}


def missing(what: str) -> None:
    """In CI a missing program is a fault of the run; elsewhere the test is skipped."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and in CI nothing may be missing (tools/programs.txt)", pytrace=False)
    pytest.skip(f"{what} is missing")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((HOSTS[6], 0))
    except OSError:
        return False
    return True


@pytest.fixture
def prepare(ftp_server_factory: FtpServerFactory, tmp_path: Path) -> Callable[..., tuple[FtpServer, Job]]:
    """Starts a server on the way's address family and makes a job for *program* on it."""

    def prepare(program: str | None, way: Way, entries: tuple[Entry, ...] = ()) -> tuple[FtpServer, Job]:
        if program is not None and found(program) is None:
            missing(program)
        if way.family == 6 and not _has_ipv6():
            missing("IPv6 on the loopback interface")
        server = ftp_server_factory(host=HOSTS[way.family])
        scratch = tmp_path / "home"
        scratch.mkdir()
        local = os.fsencode(tmp_path / "local")
        return server, Job(server.host, server.port, server.user, server.password, way, local, entries, scratch)

    return prepare


USER, PASSWORD = "test", "secret"


@dataclass(frozen=True, slots=True)
class Secured:
    """A server with TLS, and a job for a client of it."""

    job: SecureJob
    server: homeport.Server
    home: Path
    events: list[Event]
    files: Mapping[str, bytes]

    def compare(self) -> None:
        """Asserts that all files have come and gone, octet by octet, and nothing else is there."""
        for directory in (self.job.down, self.home / "up"):
            assert {file.name: file.read_bytes() for file in Path(directory).iterdir()} == self.files

    def versions(self) -> set[str]:
        """Of the control connections so far."""
        from homeport.events.types import SessionProtected

        return {e.description.partition(",")[0] for e in self.events if isinstance(e, SessionProtected)}


class PrepareSecure(Protocol):
    """Starts a server that has a certificate of its own making and takes no data in clear."""

    def __call__(
        self, secure: Secure, files: Mapping[str, bytes], *, client: Client | None = None, **options: Any
    ) -> Secured:
        """*files* lie in the server's folder "down" and in the client's "up"; *options* are those of [tls]."""


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory: the certificate that the first server makes is that of all."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def prepare_secure(tmp_path: Path, state: Path) -> Iterator[PrepareSecure]:
    import homeport

    with ExitStack() as servers:

        def prepare(
            secure: Secure, files: Mapping[str, bytes], *, client: Client | None = None, **options: Any
        ) -> Secured:
            if client is not None:
                if client.program is not None and found(client.program) is None:
                    missing(client.program)
                if client.needs is not None and not client.needs.exists():
                    missing(f"{client.needs.name} for {client.name}")
            home, local, scratch = tmp_path / "served", tmp_path / "local", tmp_path / "home"
            for directory in (home / "down", home / "up", local / "down", local / "up", scratch):
                directory.mkdir(parents=True)
            for name, content in files.items():
                (home / "down" / name).write_bytes(content)
                (local / "up" / name).write_bytes(content)
            implicit = free_port() if secure.implicit else 0
            config = {
                "server": {"state": str(state)},
                "listen": {"addresses": [HOSTS[4]], "port": 0, "implicit_tls_port": implicit},
                "data": {"active_port": 0, "passive_ports": "any"},
                "log": {"console": False},
                "tls": {"require": "both", "implicit_require": "both", **options},
                "users": [{"name": USER, "password": f"plain:{PASSWORD}", "home": str(home), "access": "read-write"}],
            }
            server = servers.enter_context(homeport.Server(config=homeport.Config.model_validate(config)))
            events: list[Event] = []
            server.subscribe(events.append)
            way = Way("passive", 4)
            job = Job(HOSTS[4], implicit or server.port, USER, PASSWORD, way, os.fsencode(local), (), scratch)
            return Secured(SecureJob(job, secure, tuple(files)), server, home, events, files)

        yield prepare


def free_port() -> int:
    """One that nobody uses at this moment."""
    with socket.create_server((HOSTS[4], 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
