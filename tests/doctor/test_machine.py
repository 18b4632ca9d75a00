"""The machine that it runs on: what it says is true, and nothing is waited for too long."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

import homeport
from homeport.doctor import machine as machine_module
from homeport.doctor.machine import ThisMachine

MACHINE = ThisMachine()


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"caf\xe9")
    os.chmod(path, 0o640)
    assert MACHINE.read(str(path)) == "caf�"
    assert MACHINE.exists(str(path))
    assert MACHINE.mode(str(path)) == 0o640
    gone = str(tmp_path / "gone")
    assert (MACHINE.read(gone), MACHINE.exists(gone), MACHINE.mode(gone)) == (None, False, None)


def test_programs() -> None:
    done = MACHINE.run(
        sys.executable, "-c", "import os, sys; print(os.environ['LC_ALL'], sys.stdin.read()); sys.exit(3)"
    )
    assert done is not None
    assert (done.code, done.output) == (3, "C \n")
    assert MACHINE.run("homeport-has-no-such-program") is None


def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "_PROGRAM_SECONDS", 0.2)
    done = MACHINE.run(sys.executable, "-c", "__import__('threading').Event().wait()")
    assert done is not None
    assert done.complaint == "no answer within 0.2 s"


def test_a_server_that_greets(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, anonymous=True) as server:
        reached = MACHINE.reach((server.host, server.port), 10, listen=True)
        assert reached.fault is None
        assert reached.greeting == "220 Homeport FTP server ready"
        assert MACHINE.reach((server.host, server.passive_ports[0]), 10).fault is None


def test_ports_that_are_not_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    assert MACHINE.reach(address, 10).fault == "connection refused"


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reached = MACHINE.reach(silent.getsockname(), 0.1, listen=True)
    assert reached.fault is None
    assert reached.greeting == "no answer within 0.1 s"


def test_source_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert MACHINE.bind_fault(taken.getsockname()) == "Address already in use"
    assert MACHINE.bind_fault(("127.0.0.1", 0)) is None


def test_disks_and_limits(tmp_path: Path) -> None:
    space = MACHINE.space(str(tmp_path))
    assert space is not None
    assert 0 <= space[0] <= space[1]
    assert MACHINE.space(str(tmp_path / "gone")) is None
    limits = MACHINE.open_files()
    assert limits is None or limits[0] > 0


def test_names() -> None:
    assert MACHINE.lookup("127.0.0.1", 5) == ("127.0.0.1",)
