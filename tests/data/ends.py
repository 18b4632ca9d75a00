"""The other ends that the tests of the data side talk to: a client, and a control connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from homeport.data.readiness import ready
from homeport.data.watch import ControlGone

T = TypeVar("T")


class Control:
    """A Watch over a pair of sockets. `say` is what the client does; what comes in is answered as `verdicts` has it."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.heard: list[tuple[bytes, int]] = []
        """What came in, and how many octets had moved by then."""

    def fileno(self) -> int:
        return self.ours.fileno()

    def attend(self, octets: int) -> bool:
        said = self.ours.recv(4096)
        self.heard.append((said, octets))
        if not said:
            raise ControlGone
        return b"ABOR" not in said

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        return ready(reading, writing, seconds)

    def say(self, text: bytes) -> None:
        self.theirs.sendall(text)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class Meanwhile(Generic[T]):
    """A call in a thread of its own; `result` waits for it and gives what it returned or raised."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asks for the result
            self._error = error

    def result(self, timeout: float = 10.0) -> T:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the call did not end"
        if self._error is not None:
            raise self._error
        return self._value[0]

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


def is_refused(connection: socket.socket) -> bool:
    """Whether the other side ended *connection* with nothing said. Waits for the end."""
    connection.settimeout(5)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
