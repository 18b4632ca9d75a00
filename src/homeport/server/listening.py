"""Listening: the sockets of the control connections, all of them or none, and what to say when it cannot be.

The errors are typed, because what helps differs: `homeport serve` takes another port where 21 may not be bound, a test
picks a free one, and a person wants a sentence with the cure in it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from homeport.net.listener import listen

_ANY_PORT_TRIES = 20

Kept = Mapping[tuple[str, int], socket.socket]
"""Sockets that listen already, by address and port."""
NONE_KEPT: Kept = MappingProxyType({})

_NO_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class StartError(Exception):
    """The server could not start; nothing of it is left. The text is for people and names the cure."""


class ListenError(StartError):
    """A control port could not be opened."""

    def __init__(self, address: str, port: int, text: str) -> None:
        super().__init__(text)
        self.address = address
        self.port = port


class PortInUse(ListenError):
    """Another program listens there."""


class PortForbidden(ListenError):
    """This user may not listen there: ports below 1024 are the system's."""


class AddressUnavailable(ListenError):
    """The address is none of this machine's."""


def open_listeners(addresses: Sequence[str], port: int, open_already: Kept = NONE_KEPT) -> tuple[socket.socket, ...]:
    """Listen on *port* of each of *addresses*; 0: on one number, which the system chooses, of all of them.

    "::" is left out on a machine without IPv6 if there is another address. What is *open_already* is used further.
    Raises ListenError; nothing more is open then.
    """
    if not addresses:
        raise StartError("There is no address to listen on. Name one, such as 0.0.0.0.")
    if port or len(addresses) == 1:
        return _open(addresses, port, open_already)
    for _ in range(_ANY_PORT_TRIES - 1):
        try:
            return _open(addresses, 0)
        except PortInUse:
            continue  # the number was free on the first address only
    return _open(addresses, 0)


def _open(addresses: Sequence[str], port: int, open_already: Kept = NONE_KEPT) -> tuple[socket.socket, ...]:
    listeners: list[socket.socket] = []
    try:
        for address in dict.fromkeys(addresses):
            try:
                listener: socket.socket = open_already.get((address, port)) or listen(address, port)
            except OSError as error:
                if address == "::" and error.errno in _NO_FAMILY and any(one != "::" for one in addresses):
                    continue  # all of IPv6 is nothing here
                raise _explained(address, port, error) from error
            listeners.append(listener)
            port = port or listener.getsockname()[1]
    except BaseException:
        for listener in listeners:
            if listener not in open_already.values():
                listener.close()
        raise
    return tuple(listeners)


def _explained(address: str, port: int, error: OSError) -> ListenError:
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return PortInUse(
                address, port, f"{place} is in use by another program. Stop that program, or choose another port."
            )
        case errno.EACCES | errno.EPERM:
            return PortForbidden(
                address, port,
                f"{place} may not be opened by this user: ports below 1024 are kept for the system. Choose a port from "
                "1024 up, or start the server as root, or allow it (the capability CAP_NET_BIND_SERVICE, or on Linux "
                f"the setting net.ipv4.ip_unprivileged_port_start={port}).",
            )  # fmt: skip
        case errno.EADDRNOTAVAIL:
            return AddressUnavailable(
                address, port,
                f"{address} is not an address of this machine. Use one that is, or 0.0.0.0 and :: for all.",
            )  # fmt: skip
        case errno.EAFNOSUPPORT:
            return AddressUnavailable(address, port, f"This machine has no IPv6, so it cannot listen on {place}.")
        case errno.EMFILE | errno.ENFILE:
            return ListenError(
                address, port, f"{place} cannot be opened: {error.strerror}. Raise the limit of open files (ulimit -n)."
            )
    return ListenError(address, port, f"{place} cannot be opened: {error.strerror or error}.")
