"""`homeport serve` itself behind a router: what is configured there, and what the log says when it is not enough."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .clients import FILE, OCTETS, PASSWORD, Ends, Mode, transfer
from .layout import Layout
from .topology import Lab

pytestmark = pytest.mark.usefixtures("lab_allowed")

PATIENCE = 20.0

CONFIG = """
[server]
state = "state"

[data]
passive_ports = "50000-50009"
external_address = "198.51.100.20"

[limits]
data = "1s"

[log]
console = false
json_file = "log.json"

[[users]]
name = "pasv"
password = "plain:{password}"
home = "files"
"""


@contextmanager
def serving(lab: Lab, directory: Path) -> Iterator[None]:
    """A process of its own in the server's namespace, from its start until it has stopped of its own will."""
    (directory / "files").mkdir()
    (directory / "files" / FILE).write_bytes(b"h" * OCTETS)
    config = directory / "homeport.toml"
    config.write_text(CONFIG.format(password=PASSWORD))
    config.chmod(0o600)
    with lab.inside_of("server"):
        process = subprocess.Popen(
            [sys.executable, "-m", "homeport.cli.main", "serve", "--config", str(config)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for(directory / "log.json", '"ServerStarted"', process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said


def wait_for(log: Path, word: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (log.exists() and word in log.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{word} is not in the log; the process ended with {process.poll()}")
        time.sleep(0.01)


def failures(directory: Path) -> list[dict[str, object]]:
    events = map(json.loads, (directory / "log.json").read_text().splitlines())
    return [event for event in events if "diagnosis" in event]


def test_a_configured_server_behind_a_router_works_in_passive_mode(tmp_path: Path) -> None:
    with Lab(Layout("nat", "nat_21_pasv")) as lab, serving(lab, tmp_path), lab.inside_of("client"):
        assert transfer(Ends(lab.outside, lab.port, lab.client4), Mode.PASV).word == "ok"
    assert failures(tmp_path) == []


def test_its_log_tells_what_the_router_does_not_forward(tmp_path: Path) -> None:
    with Lab(Layout("nat", "nat_21")) as lab, serving(lab, tmp_path), lab.inside_of("client"):
        assert transfer(Ends(lab.outside, lab.port, lab.client4), Mode.PASV).word == "refused"
    (failure,) = failures(tmp_path)
    assert failure["diagnosis"] == "nothing-arrived"
    assert failure["side"] == "the server's router"
    assert "203.0.113.10 was to connect to 198.51.100.20 port 500" in str(failure["cause"])
    assert "Forward the whole passive range (data.passive_ports) on the router to 192.168.50.20" in str(
        failure["advice"]
    )
