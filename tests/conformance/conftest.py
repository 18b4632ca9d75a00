"""What the tests that prove the catalogue share: clients that are logged in, and servers that are set up otherwise.

`configured` is a server with a configuration of its own, `client_with` a client with rights of its own,
`ordinary_home` a folder for a server without root's rights, `harness` a server whose storage `troubled` fails when
it is told to.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from tests.session.harness import Harness, Troubled

import homeport
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

Section = Mapping[str, object]
Rights = str | Sequence[str]
ClientWith = Callable[..., Client]

_NOBODY = 65534


class Configured(Protocol):
    """Starts a server for the user "test"; it is stopped when the test is over."""

    def __call__(self, sections: Mapping[str, Section]) -> FtpServer:
        """*sections* are those of a configuration file, beyond a free port of the loopback interface and the user."""


@pytest.fixture
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    """Start servers that are configured like by a file; all are stopped when the test is over."""
    with ExitStack() as servers:

        def start(sections: Mapping[str, Section]) -> FtpServer:
            home = tmp_path_factory.mktemp("ftp")
            options: dict[str, object] = {
                "listen": {"addresses": ["127.0.0.1"], "port": 0},
                "data": {"active_port": 0, "passive_ports": "any"},
                "log": {"console": False},
                "users": [{"name": "test", "password": "plain:secret", "home": str(home)}],
            }
            for name, section in sections.items():
                former = options.get(name)
                options[name] = {**former, **section} if isinstance(former, dict) else section
            server = servers.enter_context(homeport.Server(config=homeport.Config.model_validate(options)))
            clients = servers.enter_context(ExitStack())
            return FtpServer(server.host, server.port, "test", "secret", home, server, clients)

        yield start


@pytest.fixture
def troubled() -> Troubled:
    """The storage of `harness`: in memory, and it fails when it is told to."""
    return Troubled()


@pytest.fixture
def harness(troubled: Troubled) -> Iterator[Harness]:
    """Conversations over the storage `troubled`, with a clock that stands still."""
    with Harness(troubled) as harness:
        yield harness


@pytest.fixture
def client(ftp_server: FtpServer) -> Iterator[Client]:
    """A client of `ftp_server`, logged in, in TYPE A as every session begins."""
    with ftp_server.client() as client:
        yield client


@pytest.fixture
def root(ftp_server: FtpServer) -> Path:
    """The folder that `client` sees as "/"."""
    return ftp_server.root


@pytest.fixture
def client_with() -> Iterator[ClientWith]:
    """`client_with(root, access, paths)`: a client whose user has these rights, on a server of its own."""
    with ExitStack() as opened:

        def start(root: Path, access: Rights, paths: Mapping[str, Rights] | None = None) -> Client:
            user = {"name": "test", "password": "secret", "home": root, "access": access, "paths": paths or {}}
            server = opened.enter_context(homeport.Server(users=[user]))
            client = opened.enter_context(Client(server.host, server.port))
            client.login("test", "secret")
            return client

        yield start


@pytest.fixture
def ordinary_home() -> Iterator[Path]:
    """A folder for a server that runs without root's rights, so that permission bits mean something.

    For as long as the test lasts, the whole process is that ordinary user.
    """
    if os.geteuid() != 0:
        with tempfile.TemporaryDirectory() as home:
            yield Path(home)
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        home = tempfile.mkdtemp()
    except BaseException:
        _be_root(groups)
        raise
    try:
        yield Path(home)
    finally:
        _be_root(groups)
        shutil.rmtree(home)


def _be_root(groups: list[int]) -> None:
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)
