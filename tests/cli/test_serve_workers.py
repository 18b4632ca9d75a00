"""`homeport serve` with several workers: what signals do to it, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import ftplib
import io
import os
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from homeport.server.asking import ask
from homeport.server.workers import POSSIBLE

from .test_serve import PATIENCE, Serving, Starter

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="several workers cannot be here")

SIZE = 16 * 1024 * 1024


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with contextlib.ExitStack() as stack:
        yield Starter(tmp_path, stack)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "homeport.toml"
    write(path, "first")
    return path


def write(path: Path, greeting: str, more: str = "", port: int = 0) -> None:
    path.write_text(
        f'{more}\n[server]\nworkers = 2\ngreeting = "{greeting}"\n[listen]\naddresses = ["127.0.0.1"]\nport = {port}\n'
    )


def processes(serving: Serving) -> list[psutil.Process]:
    assert serving.port  # it has started
    return psutil.Process(serving.process.pid).children(recursive=True)


def wait_until_gone(gone: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(gone, timeout=PATIENCE)
    assert alive == []


def download(serving: Serving, start: Starter) -> tuple[ftplib.FTP, socket.socket]:
    """A client with a transfer that has just begun."""
    (start.folder / "big").write_bytes(b"x" * SIZE)
    client = serving.login()
    return client, client.transfercmd("RETR big")


def test_a_shared_folder_its_password_and_a_drain_by_sigterm(start: Starter, file: Path) -> None:
    serving = start("--config", str(file))
    workers = processes(serving)
    assert len(workers) == 2
    client, stream = download(serving, start)
    with contextlib.closing(client), stream:
        # Who runs `homeport sessions` is told of it, and the log has it.
        (session,) = ask(str(start.state), {"ask": "sessions"})["sessions"]
        assert session["activity"] == "download of /big"
        serving.err.wait(r"home@127\.0\.0\.1 #1 ")
        # A service manager sends the signal to every process of the service.
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        serving.signal(signal.SIGTERM)
        serving.err.wait("Waiting for 1 transfer; press Ctrl-C again to stop at once")
        assert sum(map(len, iter(partial(stream.recv, 1 << 20), b""))) == SIZE
        assert client.voidresp().startswith("226")
    assert serving.ended() == 0
    wait_until_gone(workers)
    assert not [line for line in serving.err.all if "Traceback" in line or "Warning" in line]


def test_a_second_signal_ends_all_at_once(start: Starter, file: Path) -> None:
    serving = start("--config", str(file))
    workers = processes(serving)
    client, stream = download(serving, start)
    with contextlib.closing(client), stream:
        serving.signal(signal.SIGINT)
        serving.err.wait("Waiting for 1 transfer")
        serving.signal(signal.SIGINT)
        serving.err.wait("Stopping at once")
        assert serving.ended() == 0
    wait_until_gone(workers)


def test_sighup_reads_the_configuration_anew(start: Starter, file: Path) -> None:
    serving = start("--config", str(file))
    port, before = serving.port, processes(serving)
    write(file, "second")
    serving.signal(signal.SIGHUP)
    until = time.monotonic() + PATIENCE
    while (greeting := hello(port)) != "220 second":
        assert greeting == "220 first"
        assert time.monotonic() < until
    wait_until_gone(before)
    with serving.login() as ftp:  # the password of the first start, and its folder
        ftp.storbinary("STOR a.txt", io.BytesIO(b"hello"))
    assert (start.folder / "a.txt").read_bytes() == b"hello"


def hello(port: int) -> str:
    with ftplib.FTP(timeout=PATIENCE) as ftp:
        return ftp.connect("127.0.0.1", port)


def test_a_faulty_configuration_is_reported_and_not_used(start: Starter, file: Path) -> None:
    serving = start("--config", str(file))
    port, before = serving.port, processes(serving)
    write(file, "second", "[limits]\nsesions = 5")
    serving.signal(signal.SIGHUP)
    serving.err.wait(r"homeport\.toml:2: limits\.sesions: there is no such option")
    serving.err.wait("Did you mean sessions")
    serving.err.wait("The configuration stays as it was")
    assert hello(port) == "220 first"
    assert processes(serving) == before
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write(file, "second", port=taken.getsockname()[1])
        serving.signal(signal.SIGHUP)
        serving.err.wait("is in use by another program.* The configuration stays as it was")
    assert hello(port) == "220 first"


def test_workers_end_when_their_supervisor_is_killed(start: Starter, file: Path) -> None:
    serving = start("--config", str(file))
    workers = processes(serving)
    client, stream = download(serving, start)
    with contextlib.closing(client), stream:
        os.kill(serving.process.pid, signal.SIGKILL)
        wait_until_gone(workers)


def test_more_workers_than_ports_are_a_fault(start: Starter, file: Path) -> None:
    serving = start("--config", str(file), "--passive-ports", "50100")
    assert serving.ended() == 2
    assert "server.workers: 2 workers need as many passive ports, and there are 1" in "\n".join(serving.err.all)
