"""Lab: a client, a server and the routers between them, each in a network namespace of its own.

    client -- client_router -- [client_carrier] -- internet -- [server_carrier] -- server_router -- server
                                                                                        \\-- [neighbour]

The routers are the Linux kernel's own, with nftables for address translation, packet filters and the kernel's FTP
helper (the application-level gateway, ALG, that home routers run).

    with Lab(Layout(client="nat", server="nat_21")) as lab:
        lab.run("client", ["curl", f"ftp://{lab.outside}/"])
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from .layout import CONTROL, Layout, Side
from .namespaces import Interface, Namespaces
from .rules import CARRIER, host_firewall, router


class Lab:
    """All of it, from `with` on until its end, however that comes about. Addresses of the documentation (RFC 5737, RFC
    3849) stand for those of the internet, because they are nobody's."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._at = Namespaces()
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

    def inside_of(self, place: str) -> AbstractContextManager[None]:
        """This thread is at *place* meanwhile. Sockets, threads and programs that it makes there stay there."""
        return self._at.inside_of(place)

    def run(self, place: str, arguments: Sequence[str], *, seconds: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        """Run a program at *place* and wait for it, whatever becomes of it."""
        with self.inside_of(place):
            return subprocess.run(arguments, capture_output=True, timeout=seconds, check=False)

    # -- up and down ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._at.take_down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at.take_down()

    def _build(self) -> None:
        layout = self.layout
        here, there = layout.client_side, layout.server_side
        hosts = ["client", "server", *["neighbour"] * layout.lan2]
        routers = ["client_router", "internet", "server_router"]
        routers += ["client_carrier"] * here.carrier + ["server_carrier"] * there.carrier
        self._at.put_up([*hosts, *routers], routers)
        self._at.cable("client", "net", "client_router", "lan")
        self._at.cable("server", "net", "server_router", "lan0" if layout.lan2 else "lan")
        self._way_out("client", here)
        self._way_out("server", there)
        if layout.lan2:
            self._at.cable("neighbour", "net", "server_router", "lan1")
        self._hosts()
        self._routers()
        self._internet()

    def _way_out(self, end: str, side: Side) -> None:
        """Cables from the router to the internet."""
        if side.carrier:
            self._at.cable(f"{end}_router", "wan", f"{end}_carrier", "lan")
            self._at.cable(f"{end}_carrier", "wan", "internet", end)
        else:
            self._at.cable(f"{end}_router", "wan", "internet", end)

    def _hosts(self) -> None:
        layout = self.layout
        for place, address, length, six in (
            ("client", self.client4, 24 if layout.client_side.translated else 28, self.client6),
            ("server", self.inside, 24 if layout.server_side.translated else 28, self.inside6),
            ("neighbour", self.neighbour4, 24 if layout.server_side.translated else 28, "2001:db8:2::21"),
        ):
            if place in self._at.places:
                gateways = (_gateway(address, length), six[: six.index("::")] + "::1")
                self._at.configure(place, Interface("net", (f"{address}/{length}", f"{six}/64"), gateways))
        for place, side in (("client", layout.client_side), ("server", layout.server_side)):
            if side.lets_in is not None or not side.lets_out:
                self._at.rules(place, host_firewall(side, reject=layout.reject))

    def _routers(self) -> None:
        layout = self.layout
        ends = (
            ("client", layout.client_side, self.client4, 1, "203.0.113"),
            ("server", layout.server_side, self.inside, 2, "198.51.100"),
        )
        for end, side, host, number, net in ends:
            length = 24 if side.translated else 28
            outside = f"{net}.{10 * number}"
            lan = Interface("lan", (f"{_gateway(host, length)}/{length}", f"2001:db8:{number}::1/64"))
            outer = Interface(
                "wan", (f"{outside}/26", f"2001:db8:f{number}::2/64"), (f"{net}.1", f"2001:db8:f{number}::1")
            )
            inner = outer
            if side.carrier:
                # Between the provider and its customer: RFC 6598, and in IPv6 one hop more.
                wan4 = f"100.{63 + number}.0"
                inner = Interface(
                    "wan", (f"{wan4}.2/26", f"2001:db8:e{number}::2/64"), (f"{wan4}.1", f"2001:db8:e{number}::1")
                )
                self._at.configure(
                    f"{end}_carrier",
                    Interface("lan", (f"{wan4}.1/26", f"2001:db8:e{number}::1/64")),
                    outer,
                    more=[f"route add 2001:db8:{number}::/64 via 2001:db8:e{number}::2"],
                )
                self._at.rules(f"{end}_carrier", CARRIER)
            bridge = end == "server" and layout.lan2
            plugs = [f"link set {port} master lan" for port in ("lan0", "lan1")] + [
                f"link set {port} up" for port in ("lan0", "lan1")
            ]
            if bridge:
                self._at.ip(f"{end}_router", ["link add lan type bridge forward_delay 0", *plugs])
            self._at.configure(f"{end}_router", lan, inner)
            wan = inner.addresses[0].partition("/")[0]
            self._at.rules(
                f"{end}_router",
                router(side, host, wan, hairpin=layout.hairpin and end == "server", stealth=layout.stealth),
            )

    def _internet(self) -> None:
        self._at.configure(
            "internet",
            Interface("client", ("203.0.113.1/26", "2001:db8:f1::1/64")),
            Interface("server", ("198.51.100.1/26", "2001:db8:f2::1/64")),
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


def _gateway(address: str, length: int) -> str:
    """The first address of the network: its router."""
    head, _, last = address.rpartition(".")
    return f"{head}.{int(last) & ~((1 << (32 - length)) - 1) | 1}"


def _next(address: str) -> str:
    head, _, last = address.rpartition(".")
    return f"{head}.{int(last) + 1}"
