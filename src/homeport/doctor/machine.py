"""Machine: what the doctor asks of the machine it runs on. A Protocol, so that tests bring machines of their own.

Everything here only reads. Programs that are run get no input, English words, and a few seconds.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from homeport.data.channel import source_fault

from .client import Control, TalkOver, connect
from .target import NameUnknown, addresses_of

_PROGRAM_SECONDS = 10.0
_MOST_OCTETS = 1024 * 1024
_PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"
"""A user who is not root often has no sbin in the path."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program did."""

    code: int
    output: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of a connection to a port. `fault` is None where it was made."""

    seconds: float
    fault: str | None = None
    greeting: str | None = None
    """What the other side said, where it was listened to."""


class Machine(Protocol):
    @property
    def platform(self) -> str:
        """`sys.platform`."""

    @property
    def root(self) -> bool:
        """Whether this program may see everything."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    def read(self, path: str) -> str | None:
        """The text of a file; None where it is not there or may not be read."""

    def exists(self, path: str) -> bool: ...

    def mode(self, path: str) -> int | None:
        """The permission bits of a file; None where it is not there."""

    def run(self, *command: str) -> Ran | None:
        """Run a program; None where it is not installed."""

    def reach(self, address: tuple[str, int], timeout: float, *, listen: bool = False) -> Reached:
        """Connect; with *listen*, hear the greeting, too, and take leave in the way of FTP."""

    def bind_fault(self, address: tuple[str, int]) -> str | None:
        """Why no connection can come from there; None: one can."""

    def space(self, path: str) -> tuple[int, int] | None:
        """Octets that are free and all octets of the file system of *path*; None where it is not there."""

    def lookup(self, name: str, timeout: float) -> tuple[str, ...] | str:
        """The addresses of *name*, or why there are none."""

    def open_files(self) -> tuple[int, int] | None:
        """How many files a program like this one may have open: the limit that holds, and how far it may be raised."""


class ThisMachine:
    """The one that this program runs on."""

    platform = sys.platform
    environment: Mapping[str, str] = os.environ

    @property
    def root(self) -> bool:
        return hasattr(os, "geteuid") and os.geteuid() == 0

    def read(self, path: str) -> str | None:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read(_MOST_OCTETS)
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def mode(self, path: str) -> int | None:
        try:
            return os.stat(path).st_mode & 0o777
        except OSError:
            return None

    def run(self, *command: str) -> Ran | None:
        path = f"{os.environ.get('PATH', '')}:{_PLACES}"
        try:
            done = subprocess.run(  # noqa: S603 - the commands are literals of this package
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROGRAM_SECONDS, check=False,
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
            )  # fmt: skip
        except (FileNotFoundError, PermissionError):
            return None
        except subprocess.TimeoutExpired:
            return Ran(-1, "", f"no answer within {_PROGRAM_SECONDS:g} s")
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def reach(self, address: tuple[str, int], timeout: float, *, listen: bool = False) -> Reached:
        began = time.monotonic()
        try:
            connection = connect(address, timeout)
        except TimeoutError:
            return Reached(time.monotonic() - began, f"no answer within {timeout:g} s")
        except OSError as error:
            return Reached(time.monotonic() - began, (error.strerror or str(error)).lower())
        with connection:
            seconds = time.monotonic() - began
            return Reached(seconds, greeting=_greeting(connection, timeout)) if listen else Reached(seconds)

    def bind_fault(self, address: tuple[str, int]) -> str | None:
        return source_fault(address)

    def space(self, path: str) -> tuple[int, int] | None:
        import psutil

        try:
            usage = psutil.disk_usage(path)
        except OSError:
            return None
        return usage.free, usage.total

    def lookup(self, name: str, timeout: float) -> tuple[str, ...] | str:
        try:
            return addresses_of(name, timeout)
        except NameUnknown as error:
            return str(error)

    def open_files(self) -> tuple[int, int] | None:
        try:
            import resource
        except ImportError:  # Windows has no such limit
            return None
        return resource.getrlimit(resource.RLIMIT_NOFILE)


def _greeting(connection: socket.socket, timeout: float) -> str | None:
    control = Control(connection, timeout)
    with closing(control):
        try:
            heard = control.hear()
            control.ask("QUIT")
        except TalkOver as over:
            return str(over)
        return str(heard)
