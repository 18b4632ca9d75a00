"""Namespaces: the places of one lab, each a network namespace, with the cables between them.

Nothing is connected to the machine's own network: no packet can leave it, and any number of labs run side by side
under names of their own. What a lab puts up comes down at its end, and what one left that was killed, `sweep` removes.

Needs root, `ip` and `nft`.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_CLONE_NEWNET = 0x40000000
_NAMED = "/run/netns"
_PREFIX = re.compile(r"hplab(\d+)-")
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a cable: its addresses with the length of their network, and the way out."""

    name: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...] = ()

    def commands(self) -> Iterator[str]:
        for address in self.addresses:
            # nodad: usable at once, without asking whether somebody has it.
            yield f"addr add {address} dev {self.name}{' nodad' if ':' in address else ''}"
        yield f"link set {self.name} up"
        for gateway in self.gateways:
            yield f"route add default via {gateway}"


class Namespaces:
    """From `put_up` to `take_down`. Places are named as the lab likes."""

    def __init__(self) -> None:
        self._name = f"hplab{os.getpid()}-{next(_numbers)}-"
        self.places: tuple[str, ...] = ()

    def put_up(self, places: Sequence[str], routers: Collection[str]) -> None:
        """Make the *places*; those that are *routers* too pass on what is not for them."""
        self.places = tuple(places)
        _ip([f"netns add {self._name}{place}" for place in places])
        for place in places:
            with self.inside_of(place):
                _settle(router=place in routers)

    def take_down(self) -> None:
        """Remove all that is there, also after `put_up` failed half-way."""
        places, self.places = self.places, ()
        there = set(_names())
        _ip([f"netns del {name}" for name in (f"{self._name}{place}" for place in places) if name in there])

    def cable(self, one: str, interface: str, other: str, its: str) -> None:
        """Connect *interface* of the place *one* with the interface *its* of *other*."""
        _ip([f"link add {interface} netns {self._name}{one} type veth peer name {its} netns {self._name}{other}"])

    def configure(self, place: str, *parts: Interface, more: Sequence[str] = ()) -> None:
        """Give *place* its addresses, and what else `ip` is to do there."""
        self.ip(place, ["link set lo up", *(line for part in parts for line in part.commands()), *more])

    def ip(self, place: str, commands: Sequence[str]) -> None:
        """Have `ip` do *commands* at *place*."""
        _ip(commands, self._name + place)

    def rules(self, place: str, text: str) -> None:
        """Load *text* into the packet filter of *place*."""
        with self.inside_of(place):
            done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"nft refuses at {place}: {done.stderr}\n{text}")

    @contextmanager
    def inside_of(self, place: str) -> Iterator[None]:
        """This thread is at *place* meanwhile. Sockets, threads and programs that it makes there stay there."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            there = os.open(f"{_NAMED}/{self._name}{place}", os.O_RDONLY)
            try:
                _enter(there)
                try:
                    yield
                finally:
                    _enter(own)
            finally:
                os.close(there)
        finally:
            os.close(own)


def sweep() -> None:
    """Remove what a test run left that was killed before it could."""
    owners = ((name, found[1]) for name in _names() if (found := _PREFIX.match(name)))
    _ip([f"netns del {name}" for name, owner in owners if not os.path.exists(f"/proc/{owner}")])


def left() -> list[str]:
    """The namespaces of this process's labs that are still there."""
    return sorted(name for name in _names() if name.startswith(f"hplab{os.getpid()}-"))


def _names() -> list[str]:
    return os.listdir(_NAMED) if os.path.isdir(_NAMED) else []


def _settle(*, router: bool) -> None:
    """Where this thread is."""
    for key in ("all", "default"):
        _write(f"net/ipv6/conf/{key}/accept_dad", "0")
    if router:
        _write("net/ipv4/ip_forward", "1")
        _write("net/ipv6/conf/all/forwarding", "1")
    # A kernel that has this lets its rules see what a switch passes on, and a home router's switch has none.
    for key in ("iptables", "ip6tables"):
        if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{key}"):
            _write(f"net/bridge/bridge-nf-call-{key}", "0")


def _enter(descriptor: int) -> None:
    """setns(2) for this thread; Python has it from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _ip(commands: Sequence[str], namespace: str | None = None) -> None:
    """One process for all *commands*."""
    if not commands:
        return
    within = ["-n", namespace] if namespace else []
    done = subprocess.run(
        ["ip", *within, "-batch", "-"], input="\n".join(commands) + "\n", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"ip refuses in {namespace}: {done.stderr}\n" + "\n".join(commands))


def _write(key: str, value: str) -> None:
    with open(f"/proc/sys/{key}", "w", encoding="ascii") as file:
        file.write(value)
