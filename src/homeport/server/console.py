"""Console: the door for programs of the same machine and user who want to see or do something (`homeport sessions`).

A UNIX-domain socket in the state directory, with mode 0600. Each line that comes in is a JSON object, and so is each
line that goes out:

    {"ask": "status"}                 {"ok": true, "status": {...}}
    {"ask": "sessions"}               {"ok": true, "sessions": [{...}, ...]}
    {"ask": "kick", "session": 7}     {"ok": true, "ended": true}
    {"ask": "reload-logs"}            {"ok": true}
    anything else                     {"ok": false, "error": "..."}

It costs nothing while nobody asks: the lobby waits for connections together with all else, and a pooled thread
answers. Windows' Python has no such sockets; there is no console then, as there is none without a state directory.

The socket is bound under a name of its own, closed to others, and only then given its real name: at no moment can
anybody else connect, and a server that died leaves a name behind which the next one simply takes.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial

from homeport.net.listener import SHORTAGE

from .door import Watcher

_log = logging.getLogger("homeport.server")

NAME = "homeport.sock"
SECONDS = 2.0
"""How long one is waited for who connected and says or reads nothing. They are programs of our own."""
LONGEST_LINE = 4096
_BACKLOG = 8
_PAUSE = 1.0
"""Seconds until the next look, when there was no descriptor for who connected."""
_PATH_OCTETS = 103
"""What fits into an address of this family everywhere (macOS 104, Linux 108), with its NUL."""

Answer = Callable[[Mapping[str, object]], Mapping[str, object]]
"""From a request to the rest of its answer. ValueError with a sentence for what cannot be."""


class ConsoleUnavailable(Exception):
    """There can be no console. The text says why, in a sentence."""


def socket_path(state: str) -> str:
    """Where the console of a server with the state directory *state* is."""
    return os.path.join(state, NAME)


class ConsoleSocket:
    """The listening socket and its name."""

    def __init__(self, state: str) -> None:
        """Raises ConsoleUnavailable, and has left nothing then."""
        if not hasattr(socket, "AF_UNIX"):
            raise ConsoleUnavailable("this system has no sockets for that (AF_UNIX)")
        self.path = socket_path(state)
        if len(os.fsencode(self.path)) > _PATH_OCTETS:
            raise ConsoleUnavailable(f"the path of the state directory is too long for a socket: {self.path}")
        if _answers(self.path):
            raise ConsoleUnavailable(f"another server runs with the same state directory ({self.path} answers)")
        # Shorter than the real name, so that it fits wherever that does.
        new = os.path.join(state, f".{os.getpid():x}")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _remove(new)
            self.listener.bind(new)
            os.chmod(new, 0o600)
            self.listener.listen(_BACKLOG)
            self.listener.setblocking(False)
            os.replace(new, self.path)
            self._inode = os.stat(self.path).st_ino
        except OSError as error:
            self.listener.close()
            _remove(new)
            raise ConsoleUnavailable(f"{self.path} cannot be opened: {error.strerror or error}") from error

    def close(self) -> None:
        """Close it and take its name away, if another server has not taken it meanwhile."""
        self.listener.close()
        try:
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        except OSError:
            pass  # somebody has removed it before, or the directory


class Console:
    """Answers who connects. Owns the socket from now on."""

    def __init__(
        self,
        door: ConsoleSocket,
        lobby: Watcher,
        submit: Callable[[Callable[[], None]], None],
        answer: Answer,
        clock: Callable[[], float],
    ) -> None:
        """*submit* has something carried out in a thread that may wait; *answer* is called there."""
        self._door = door
        self._lobby = lobby
        self._submit = submit
        self._answer = answer
        self._lock = threading.Lock()
        self._clock = clock
        self._open: set[socket.socket] = set()
        self._watching = False
        self._closed = False

    def open(self) -> None:
        """Take connections from now on. Before the lobby starts, or in its thread."""
        if not self._closed and not self._watching:
            self._watching = True
            self._lobby.watch(self._door.listener.fileno(), self._accept)

    def close(self) -> None:
        """Take none any more, and cut those that are there. In the lobby's thread, or when it never started."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            connections = list(self._open)
        self._pause()
        self._door.close()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def _accept(self) -> None:
        try:
            connection, _ = self._door.listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            self._pause()
            if error.errno in SHORTAGE:  # it stays readable, so look again when a descriptor may be free
                self._lobby.at(self._clock() + _PAUSE, self.open)
            else:
                _log.warning("the console broke, and answers nobody any more: %s", error.strerror)
            return
        connection.settimeout(SECONDS)
        with self._lock:
            self._open.add(connection)
        try:
            self._submit(partial(self._serve, connection))
        except RuntimeError:  # the server stops
            self._leave(connection)

    def _pause(self) -> None:
        if self._watching:
            self._watching = False
            self._lobby.forget(self._door.listener.fileno())

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as lines:
                while line := lines.readline(LONGEST_LINE):
                    connection.sendall(json.dumps(self._reply(line), ensure_ascii=True).encode() + b"\n")
        except OSError as error:
            _log.debug("who asked at the console is gone: %s", error)
        finally:
            self._leave(connection)

    def _reply(self, line: bytes) -> Mapping[str, object]:
        try:
            request = json.loads(line)
            return {"ok": True, **self._answer(request if isinstance(request, dict) else {})}
        except (ValueError, RecursionError) as error:
            return {"ok": False, "error": str(error)}

    def _leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(SECONDS)
        try:
            one.connect(path)
        except BlockingIOError:
            return True  # its backlog is full, so there is somebody
        except OSError:
            return False  # nothing there, or what a server left that died
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
