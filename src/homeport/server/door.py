"""Door: where clients come in. Accepts from the listening sockets, in the lobby's thread.

What is special about it is the day on which descriptors run out (EMFILE, ENFILE). A connection that cannot be
accepted stays in the backlog, and its listening socket stays readable: a loop that only tries again spins, and
the client hears nothing. So one descriptor is held in reserve: it is closed, the connection accepted in its
place, told 421 and closed, and the reserve taken again. If somebody else was quicker to take it, the door stays
shut for a moment and then tries again. Nothing of this outlives the shortage.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from homeport.net.listener import SHORTAGE, accept
from homeport.protocol.reply import Code, Reply

_LAST = 64
"""Most connections that are taken from the backlog of a socket that is to be closed."""
_PAUSE = 0.2
"""Seconds for which the door stays shut when there is not even the reserve."""
_QUIET = 60.0
"""Seconds without a shortage after which the next one is worth a new warning."""

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})

FULL = Reply(Code.SERVICE_CLOSING, "The server has too many connections; please try again later").encode()

Admit = Callable[[socket.socket, tuple[str, int]], None]


class Watcher(Protocol):
    """What the door needs of the lobby."""

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None: ...

    def forget(self, descriptor: int) -> None: ...

    def at(self, when: float, action: Callable[[], None]) -> None: ...


class Door:
    """The listening sockets, which it owns from now on. Everything is called in the lobby's thread."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        lobby: Watcher,
        admit: Admit,
        warn: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        """*admit* gets every connection, non-blocking, and its peer; it does not raise or wait."""
        self._listeners = list(listeners)
        self._lobby = lobby
        self._admit = admit
        self._warn = warn
        self._clock = clock
        self._reserve: int | None = _reserve()
        self._shut = True
        self._closed = False
        self._short_until = float("-inf")  # a shortage was seen lately: no new warning before

    def open(self) -> None:
        """Take connections from now on."""
        if self._closed or not self._shut:
            return
        self._shut = False
        for listener in self._listeners:
            self._lobby.watch(listener.fileno(), _Bell(self, listener))

    def close(self) -> None:
        """Take a last batch from every backlog, then no more; close the listening sockets."""
        if self._closed:
            return
        if not self._shut:
            for listener in tuple(self._listeners):
                self.accept(listener, _LAST)
        self._shut_for_now()
        self._closed = True
        for listener in self._listeners:
            listener.close()
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def accept(self, listener: socket.socket, most: int = 1) -> None:
        """Take what waits at *listener*, so many at *most*.

        One is the best number where the lobby tells again of a second: to look for one that is not there costs more.
        """
        for _ in range(most):
            try:
                connection, peer = accept(listener, blocking=True)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in SHORTAGE:
                    self._drop(listener, error)
                    return
                self._warn_of_shortage(error)
                if error.errno not in _NO_DESCRIPTOR:  # memory: there is nothing that could be given up for it
                    self._pause()
                    return
                if not self._turn_away(listener):
                    return
            else:
                self._admit(connection, peer)

    def _turn_away(self, listener: socket.socket) -> bool:
        """Accept one connection in place of the reserve, say 421 and close it. False: there is none left, or no way."""
        if self._reserve is None:
            self._reserve = _reserve()
        if self._reserve is None:
            self._pause()
            return False
        os.close(self._reserve)
        self._reserve = None
        try:
            connection, _ = accept(listener)
        except BlockingIOError:
            return False
        except OSError:
            # Another thread took what the reserve was. What else there may be wrong shows in the next try.
            self._pause()
            return False
        else:
            refuse(connection, FULL)
            return True
        finally:
            self._reserve = _reserve()

    def _warn_of_shortage(self, error: OSError) -> None:
        now = self._clock()
        if now >= self._short_until:
            self._warn(
                f"A connection could not be accepted: {error.strerror}. Clients are told to try again later. "
                "Raise the limit of open files (ulimit -n, or LimitNOFILE= of the service)."
            )
        self._short_until = now + _QUIET

    def _pause(self) -> None:
        self._shut_for_now()
        self._lobby.at(self._clock() + _PAUSE, self.open)

    def _shut_for_now(self) -> None:
        if not self._shut:
            self._shut = True
            for listener in self._listeners:
                self._lobby.forget(listener.fileno())

    def _drop(self, listener: socket.socket, error: OSError) -> None:
        self._lobby.forget(listener.fileno())
        self._listeners.remove(listener)
        listener.close()
        self._warn(f"A listening socket broke and was closed: {error.strerror}")


class _Bell:
    """Calls the door for one of its listening sockets."""

    __slots__ = ("_door", "_listener")

    def __init__(self, door: Door, listener: socket.socket) -> None:
        self._door = door
        self._listener = listener

    def __call__(self) -> None:
        self._door.accept(self._listener)


def refuse(connection: socket.socket, farewell: bytes) -> None:
    """Say *farewell* on a new connection, whose buffer has room for it, and close it."""
    try:
        connection.send(farewell)
    except OSError:
        pass  # it is gone already, and would not have listened
    finally:
        connection.close()


def _reserve() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
