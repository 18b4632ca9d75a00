"""Lab: a client, a server and the routers between them, each in a network namespace of its own.

    client -- client_router -- [client_carrier] -- internet -- [server_carrier] -- server_router -- server
                                                                                        \\-- [neighbour]

The routers are the Linux kernel's own, with nftables for address translation, packet filters and the kernel's FTP
helper (the application-level gateway, ALG, that home routers run). Nothing is connected to the machine's own network:
no packet can leave it, and any number of labs run side by side under names of their own.

    with Lab(Layout(client="nat", server="nat_21")) as lab:
        lab.run("client", ["curl", f"ftp://{lab.outside}/"])

Needs root, `ip` and `nft`.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .layout import CONTROL, Layout, Side
from .rules import CARRIER, host_firewall, router

_CLONE_NEWNET = 0x40000000
_NAMED = "/run/netns"
_PREFIX = re.compile(r"hplab(\d+)-")
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class _Interface:
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


class Lab:
    """All of it, from `with` on until its end, however that comes about. Addresses of the documentation (RFC 5737, RFC
    3849) stand for those of the internet, because they are nobody's."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._name = f"hplab{os.getpid()}-{next(_numbers)}-"
        self._places: list[str] = []
        here, there = layout.client_side, layout.server_side
        self._server_net = "192.168.1" if layout.same_subnet else "192.168.50"
        self.client4 = "192.168.1.10" if here.translated else "203.0.113.66"
        self.client6 = "2001:db8:1::10"
        self.inside = f"{self._server_net}.20" if there.translated else "198.51.100.66"
        """The server's own IPv4 address."""
        self.outside = "198.51.100.20" if there.translated else self.inside
        """The IPv4 address under which the internet knows the server, or its router, or its provider."""
        self.inside6 = "2001:db8:2::20"
        """The server's own IPv6 address, which is the same everywhere."""
        self.neighbour4 = _next(self.inside)
        self.client_outside = "203.0.113.10" if here.translated else self.client4
        self.port = next((outer for outer, inner in there.forwards if inner == CONTROL), CONTROL)
        """The control port, as the internet knows it."""

    # -- use ---------------------------------------------------------------------------------------------

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

    def run(self, place: str, arguments: Sequence[str], *, seconds: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        """Run a program at *place* and wait for it, whatever becomes of it."""
        with self.inside_of(place):
            return subprocess.run(arguments, capture_output=True, timeout=seconds, check=False)

    # -- up and down ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        places, self._places = self._places, []
        there = set(os.listdir(_NAMED)) if os.path.isdir(_NAMED) else set()
        _ip([f"netns del {name}" for name in (f"{self._name}{place}" for place in places) if name in there])

    def _build(self) -> None:
        layout = self.layout
        here, there = layout.client_side, layout.server_side
        self._places = ["client", "client_router", "internet", "server_router", "server"]
        self._places += ["client_carrier"] * here.carrier + ["server_carrier"] * there.carrier
        self._places += ["neighbour"] * layout.lan2
        _ip([f"netns add {self._name}{place}" for place in self._places])
        self._cable("client", "net", "client_router", "lan")
        self._cable("server", "net", "server_router", "lan0" if layout.lan2 else "lan")
        self._way_out("client", here)
        self._way_out("server", there)
        if layout.lan2:
            self._cable("neighbour", "net", "server_router", "lan1")
        for place in self._places:
            self._settle(place)
        self._hosts()
        self._routers()
        self._internet()

    def _way_out(self, end: str, side: Side) -> None:
        """Cables from the router to the internet."""
        if side.carrier:
            self._cable(f"{end}_router", "wan", f"{end}_carrier", "lan")
            self._cable(f"{end}_carrier", "wan", "internet", end)
        else:
            self._cable(f"{end}_router", "wan", "internet", end)

    def _cable(self, one: str, interface: str, other: str, its: str) -> None:
        _ip([f"link add {interface} netns {self._name}{one} type veth peer name {its} netns {self._name}{other}"])

    def _settle(self, place: str) -> None:
        with self.inside_of(place):
            for key in ("all", "default"):
                _write(f"net/ipv6/conf/{key}/accept_dad", "0")
            if place not in ("client", "server", "neighbour"):
                _write("net/ipv4/ip_forward", "1")
                _write("net/ipv6/conf/all/forwarding", "1")
            # A kernel that has this lets its rules see what a switch passes on, and a home router's switch has none.
            for key in ("iptables", "ip6tables"):
                if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{key}"):
                    _write(f"net/bridge/bridge-nf-call-{key}", "0")

    def _at(self, place: str, *parts: _Interface, more: Sequence[str] = ()) -> None:
        commands = ["link set lo up", *(line for part in parts for line in part.commands()), *more]
        _ip(commands, self._name + place)

    def _rules(self, place: str, text: str) -> None:
        with self.inside_of(place):
            done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"nft refuses at {place}: {done.stderr}\n{text}")

    def _hosts(self) -> None:
        layout = self.layout
        for place, address, length, six in (
            ("client", self.client4, 24 if layout.client_side.translated else 28, self.client6),
            ("server", self.inside, 24 if layout.server_side.translated else 28, self.inside6),
            ("neighbour", self.neighbour4, 24 if layout.server_side.translated else 28, "2001:db8:2::21"),
        ):
            if place in self._places:
                gateways = (_gateway(address, length), six[: six.index("::")] + "::1")
                self._at(place, _Interface("net", (f"{address}/{length}", f"{six}/64"), gateways))
        for place, side in (("client", layout.client_side), ("server", layout.server_side)):
            if side.lets_in is not None or not side.lets_out:
                self._rules(place, host_firewall(side, reject=layout.reject))

    def _routers(self) -> None:
        layout = self.layout
        ends = (
            ("client", layout.client_side, self.client4, 1, "203.0.113"),
            ("server", layout.server_side, self.inside, 2, "198.51.100"),
        )
        for end, side, host, number, net in ends:
            length = 24 if side.translated else 28
            outside = f"{net}.{10 * number}"
            lan = _Interface("lan", (f"{_gateway(host, length)}/{length}", f"2001:db8:{number}::1/64"))
            outer = _Interface(
                "wan", (f"{outside}/26", f"2001:db8:f{number}::2/64"), (f"{net}.1", f"2001:db8:f{number}::1")
            )
            inner = outer
            if side.carrier:
                # Between the provider and its customer: RFC 6598, and in IPv6 one hop more.
                wan4 = f"100.{63 + number}.0"
                inner = _Interface(
                    "wan", (f"{wan4}.2/26", f"2001:db8:e{number}::2/64"), (f"{wan4}.1", f"2001:db8:e{number}::1")
                )
                self._at(
                    f"{end}_carrier",
                    _Interface("lan", (f"{wan4}.1/26", f"2001:db8:e{number}::1/64")),
                    outer,
                    more=[f"route add 2001:db8:{number}::/64 via 2001:db8:e{number}::2"],
                )
                self._rules(f"{end}_carrier", CARRIER)
            bridge = end == "server" and layout.lan2
            plugs = [f"link set {port} master lan" for port in ("lan0", "lan1")] + [
                f"link set {port} up" for port in ("lan0", "lan1")
            ]
            if bridge:
                _ip(["link add lan type bridge forward_delay 0", *plugs], f"{self._name}{end}_router")
            self._at(f"{end}_router", lan, inner)
            wan = inner.addresses[0].partition("/")[0]
            self._rules(
                f"{end}_router",
                router(side, host, wan, hairpin=layout.hairpin and end == "server", stealth=layout.stealth),
            )

    def _internet(self) -> None:
        self._at(
            "internet",
            _Interface("client", ("203.0.113.1/26", "2001:db8:f1::1/64")),
            _Interface("server", ("198.51.100.1/26", "2001:db8:f2::1/64")),
            more=[
                # Nobody on the internet has these; most providers drop what goes to them.
                *(
                    f"route add blackhole {net}"
                    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
                ),
                "route add 203.0.113.64/28 via 203.0.113.10",
                "route add 198.51.100.64/28 via 198.51.100.20",
                "route add 2001:db8:1::/64 via 2001:db8:f1::2",
                "route add 2001:db8:2::/64 via 2001:db8:f2::2",
            ],
        )


# -- plumbing --------------------------------------------------------------------------------------------------


def sweep() -> None:
    """Remove what a test run left that was killed before it could."""
    names = os.listdir(_NAMED) if os.path.isdir(_NAMED) else []
    owners = ((name, found[1]) for name in names if (found := _PREFIX.match(name)))
    _ip([f"netns del {name}" for name, owner in owners if not os.path.exists(f"/proc/{owner}")])


def left() -> list[str]:
    """The namespaces of this process's labs that are still there."""
    names = os.listdir(_NAMED) if os.path.isdir(_NAMED) else []
    return sorted(name for name in names if name.startswith(f"hplab{os.getpid()}-"))


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


def _gateway(address: str, length: int) -> str:
    """The first address of the network: its router."""
    head, _, last = address.rpartition(".")
    return f"{head}.{int(last) & ~((1 << (32 - length)) - 1) | 1}"


def _next(address: str) -> str:
    head, _, last = address.rpartition(".")
    return f"{head}.{int(last) + 1}"
