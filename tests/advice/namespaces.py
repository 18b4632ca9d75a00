"""Two network namespaces with a cable between them, for rules that are to be loaded into a real kernel.

Everything is inside the namespaces: the machine's own rules and interfaces stay as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SERVER = "192.0.2.1"
CLIENT = "192.0.2.2"
SERVER_6 = "2001:db8::1"
CLIENT_6 = "2001:db8::2"

_PROBE = """
import socket, sys
source, host, port, own, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
    one.settimeout(seconds)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((source, own))
    try:
        one.connect((host, port))
        one.sendall(b"x")
        print(one.recv(1).decode())
    except OSError as error:
        print(type(error).__name__)
"""
_LISTEN = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for port in map(int, sys.argv[2:]):
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    waiting.register(socket.create_server((sys.argv[1], port), family=family), selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _ in waiting.select():
        connection, peer = key.fileobj.accept()
        with connection:
            connection.settimeout(2)
            connection.sendall(connection.recv(1))
"""


def available() -> bool:
    """Whether namespaces can be made here: as root, and where the kernel and the container allow it."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"hp-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return False
    subprocess.run(["ip", "netns", "del", name], check=True)
    return True


@dataclass(frozen=True)
class Pair:
    """The names of the server's and the client's namespace."""

    server: str
    client: str

    def run(self, *arguments: str, given: str = "", namespace: str = "") -> str:
        """What the program prints; it runs in the server's namespace. AssertionError with its complaint if it fails."""
        done = subprocess.run(
            ["ip", "netns", "exec", namespace or self.server, *arguments],
            input=given, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def listening(self, namespace: str, address: str, *ports: int) -> Iterator[None]:
        """Echo one octet at each of the ports."""
        with subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-S", "-c", _LISTEN, address, *map(str, ports)],
            stdout=subprocess.PIPE,
            text=True,
        ) as program:
            try:
                assert program.stdout is not None
                assert program.stdout.readline() == "listening\n"
                yield
            finally:
                program.terminate()

    def reaches(self, namespace: str, source: str, host: str, port: int, source_port: int = 0) -> bool:
        """Whether an octet goes there and comes back, within time enough for a busy machine."""
        return self._probe(namespace, source, host, port, source_port, 10.0) == "x"

    def is_dropped(self, namespace: str, source: str, host: str, port: int, source_port: int = 0) -> bool:
        """Whether there is no answer at all. Over the cable one would come within a millisecond."""
        return self._probe(namespace, source, host, port, source_port, 0.5) == "TimeoutError"

    def _probe(self, namespace: str, source: str, host: str, port: int, source_port: int, seconds: float) -> str:
        arguments = (source, host, str(port), str(source_port), str(seconds))
        return self.run(sys.executable, "-S", "-c", _PROBE, *arguments, namespace=namespace).strip()


@contextmanager
def pair() -> Iterator[Pair]:
    """Made for the test, and taken down with all that is in them."""
    both = Pair(f"hp-s-{os.getpid()}", f"hp-c-{os.getpid()}")

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    made = []
    try:
        for name in (both.server, both.client):
            ip("netns", "add", name)
            made.append(name)
        ip("-n", both.server, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", both.client)
        for name, four, six in ((both.server, SERVER, SERVER_6), (both.client, CLIENT, CLIENT_6)):
            ip("-n", name, "addr", "add", f"{four}/24", "dev", "cable")
            # nodad: usable at once, without asking whether somebody has it.
            ip("-n", name, "addr", "add", f"{six}/64", "dev", "cable", "nodad")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "cable", "up")
        yield both
    finally:
        for name in made:
            ip("netns", "del", name)
