"""What the tests with real clients share: a job against a fresh server, and what happens when a program is missing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .clients import Job, Way, found
from .tree import Entry

if TYPE_CHECKING:
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
