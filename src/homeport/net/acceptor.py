"""Listener: the class of our listening sockets. It is made from the standard library's, so it is not compiled."""

from __future__ import annotations

import socket
from typing import Any

_STREAM = int(socket.SOCK_STREAM)


class Listener(socket.socket):
    """A listening socket whose `accept` costs half.

    The standard library's works out, at every connection, enum members for the family and the type of the new socket.
    Here both are known.
    """

    __slots__ = ("_family",)

    def __init__(self, family: int, descriptor: int | None = None) -> None:
        """*descriptor*: of a socket that listens already, which this is from now on."""
        super().__init__(family, socket.SOCK_STREAM, 0, descriptor)
        self._family = int(family)

    def accept(self) -> tuple[socket.socket, Any]:
        descriptor, peer = self._accept()  # type: ignore[attr-defined]  # of _socket.socket; typeshed leaves it out
        return socket.socket(self._family, _STREAM, 0, descriptor), peer
