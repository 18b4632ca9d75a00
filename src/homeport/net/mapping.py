"""Mapping: the work of one thread that keeps our ports open at the router, from start to stop.

It sleeps until a lease is to be renewed, or until a router announces itself (RFC 6886 §3.2.1, RFC 6887 §14.1.3).
At the end all mappings are removed, as far as the router answers in the short time that there is.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from .background import Patience
from .leases import Leases
from .listener import text_of
from .router import RouterState

Told = Callable[[tuple[RouterState, ...]], None]

ANNOUNCEMENTS = (("224.0.0.1", 5350), ("ff02::1", 5350))
"""Where routers tell all their network that they were restarted or have another address."""

_OCTETS = 2048

_log = logging.getLogger("homeport.net")


class Mapping:
    """See the head of this module; it is a `background.Work`."""

    def __init__(self, leases: Sequence[Leases], told: Told, listen: Callable[[], Sequence[socket.socket]]) -> None:
        """*told* is called, in the thread, with the state of each of *leases* whenever one has changed.

        *listen* opens the sockets at which announcements come in.
        """
        self._leases = leases
        self._told = told
        self._listen = listen
        self._last: tuple[RouterState, ...] | None = None

    def run(self, patience: Patience) -> None:
        with ExitStack() as closing:
            listening = {one.fileno(): closing.enter_context(one) for one in self._listen()}
            while True:
                for one in self._leases:
                    if one.due <= patience.now():
                        one.attend(patience)
                        self._tell()
                due = min((one.due for one in self._leases), default=float("inf"))
                left = None if due == float("inf") else max(0.0, due - patience.now())
                for descriptor in patience.wait(tuple(listening), left):
                    self._hear(listening[descriptor], patience)

    def end(self, patience: Patience) -> None:
        """Give back what the routers granted."""
        for one in self._leases:
            one.give_back(patience)

    def _tell(self) -> None:
        states = tuple(one.state for one in self._leases)
        if states != self._last:
            self._last = states
            self._told(states)

    def _hear(self, listening: socket.socket, patience: Patience) -> None:
        try:
            octets, sender = listening.recvfrom(_OCTETS)
        except OSError as error:
            _log.debug("an announcement could not be read: %s", error)
            return
        for one in self._leases:
            one.heard(octets, text_of(sender)[0], patience)


def listen_for_announcements(own: Sequence[str], families: Sequence[int] = (4, 6)) -> list[socket.socket]:
    """Sockets for the announcements of routers in the networks of our IPv4 addresses *own*. What cannot be, is not."""
    found: list[socket.socket] = []
    for family, (group, port) in zip((4, 6), ANNOUNCEMENTS, strict=True):
        if family not in families:
            continue
        try:
            found.append(_listen(family, group, port, own))
        except OSError as error:
            # Without it a restart is noticed at the next renewal.
            _log.debug("announcements to %s cannot be heard: %s", group, error)
    return found


def _listen(family: int, group: str, port: int, own: Sequence[str]) -> socket.socket:
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    listening = socket.socket(kind, socket.SOCK_DGRAM)
    try:
        # Other programs on this machine listen for the same announcements.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setblocking(False)
        if family == 4:
            listening.bind(("", port))
            for address in own:
                member = struct.pack("=4s4s", socket.inet_aton(group), socket.inet_aton(address))
                _join(listening, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        else:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(("::", port))
            for index, _ in socket.if_nameindex():
                member = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, group), index)
                _join(listening, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    except BaseException:
        listening.close()
        raise
    return listening


def _join(listening: socket.socket, level: int, option: int, member: bytes) -> None:
    try:
        listening.setsockopt(level, option, member)
    except OSError as error:
        _log.debug("a network interface takes no part in multicast: %s", error)
