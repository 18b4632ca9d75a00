"""Pebble: a real ACME server on loopback, with a DNS server for which every name is 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from homeport.net.selfsigned import make_own_certificate, own_paths

LOOPBACK = "127.0.0.1"
_START_SECONDS = 15.0


@dataclass(frozen=True)
class Pebble:
    """A server that runs."""

    directory: str
    """Of ACME: an address."""
    trust: str
    """The file that vouches for the server itself."""
    http_port: int
    """Where it knocks for http-01."""
    tls_port: int
    """Where it knocks for tls-alpn-01."""
    management: str

    def root(self) -> str:
        """What vouches for the certificates that it issues, PEM."""
        return self.fetch(f"{self.management}/roots/0").decode()

    def fetch(self, url: str) -> bytes:
        context = ssl.create_default_context(cafile=self.trust)
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            octets: bytes = answer.read()
            return octets


def program(name: str) -> str:
    """Its path. A missing one skips the test, but fails it in CI, where all must be there."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return str(path)


@contextmanager
def pebble(directory: Path, **environment: str) -> Iterator[Pebble]:
    """Runs until the block ends."""
    directory.mkdir(exist_ok=True)
    programs = program("pebble"), program("pebble-challtestsrv")
    make_own_certificate(str(directory), ["localhost", LOOPBACK])
    for attempt in range(3):
        with ExitStack() as ending:
            found = _run(programs, directory, environment, ending)
            if found is not None:
                yield found
                return
        # Another program has taken one of the ports that were free.
        if attempt == 2:
            raise RuntimeError((directory / "pebble.log").read_text() + (directory / "names.log").read_text())


def _run(programs: tuple[str, str], directory: Path, environment: dict[str, str], ending: ExitStack) -> Pebble | None:
    listen, management, http, tls, dns, names = free_ports(6)
    certificate, key = own_paths(str(directory))
    configuration = directory / "pebble.json"
    configuration.write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"{LOOPBACK}:{listen}",
                    "managementListenAddress": f"{LOOPBACK}:{management}",
                    "certificate": certificate,
                    "privateKey": key,
                    "httpPort": http,
                    "tlsPort": tls,
                    "ocspResponderURL": "",
                    "externalAccountBindingRequired": False,
                }
            }
        )
    )
    off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
    resolver = [programs[1], *off, "-dns01", f"{LOOPBACK}:{dns}", "-management", f"{LOOPBACK}:{names}"]
    # It waits up to 15 s before each look, refuses good nonces now and then, and takes old proofs, unless it is told.
    told = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"} | environment
    server = [programs[0], "-config", str(configuration), "-dnsserver", f"{LOOPBACK}:{dns}"]
    processes = [
        ending.enter_context(_process(resolver, directory / "names.log", {})),
        ending.enter_context(_process(server, directory / "pebble.log", told)),
    ]
    running = Pebble(f"https://localhost:{listen}/dir", certificate, http, tls, f"https://localhost:{management}")
    deadline = time.monotonic() + _START_SECONDS
    pause = threading.Event()
    while all(process.poll() is None for process in processes) and time.monotonic() < deadline:
        try:
            running.fetch(running.directory)
            socket.create_connection((LOOPBACK, names), 1).close()
        except OSError:
            pause.wait(0.02)
        else:
            return running
    return None


@contextmanager
def _process(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens at this moment."""
    with ExitStack() as closing:
        held = [closing.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in held]
