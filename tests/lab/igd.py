"""A home router with miniupnpd, which speaks UPnP IGD, NAT-PMP and PCP as millions of routers do.

    server --(192.168.50.0/24, 2001:db8:2::/64)-- router --(11.0.50.0/24, 2001:db8:f2::/64)-- outside

It translates IPv4, and lets nothing of IPv6 in but what it was asked for. Its outer address is a real one, because
miniupnpd refuses addresses of documentation and private networks; in a namespace it is nobody's.
"""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from .namespaces import Interface, Namespaces

SERVER, ROUTER, NEIGHBOUR = "192.168.50.20", "192.168.50.1", "192.168.50.77"
SERVER_6, ROUTER_6 = "2001:db8:2::20", "2001:db8:2::1"
WAN, OUTSIDE = "11.0.50.20", "11.0.50.1"
CARRIER_WAN = "100.65.0.2"
"""The router's outer address where the provider translates once more (RFC 6598)."""

_RULES = """
table inet miniupnpd {
 chain miniupnpd { }
 chain prerouting_miniupnpd { }
 chain postrouting_miniupnpd { }
 chain c_forward { type filter hook forward priority 5; policy drop;
  ct state established,related accept
  iifname "lan" accept
  ct status dnat accept
  meta l4proto ipv6-icmp accept
  jump miniupnpd
 }
 chain c_prerouting { type nat hook prerouting priority -105; jump prerouting_miniupnpd; }
 chain c_postrouting { type nat hook postrouting priority 95; jump postrouting_miniupnpd; }
}
table ip masquerading { chain c_out { type nat hook postrouting priority 100; oifname "wan" masquerade; }
}
"""
_CONFIG = """
ext_ifname=wan
listening_ip=lan
http_port=5000
enable_upnp={upnp}
enable_natpmp={pmp}
secure_mode=yes
system_uptime=no
notify_interval=60
min_lifetime=5
max_lifetime=86400
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
lease_file={directory}/leases
uuid=00000000-1111-2222-3333-444444444444
serial=1
model_number=1
allow {lowest}-65535 192.168.50.0/24 {lowest}-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
_READY = 10.0
"""Seconds for the daemon to come up, on a busy machine."""


class RouterLab:
    """The three places, from `with` on; the daemon runs from `start` to `stop`."""

    def __init__(self, directory: Path, *, carrier: bool = False) -> None:
        """*carrier*: the router's own outer address is the provider's, and not public."""
        self._directory = directory
        self._wan = CARRIER_WAN if carrier else WAN
        self._at = Namespaces()
        self._daemon: subprocess.Popen[bytes] | None = None

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
        try:
            self.stop()
        finally:
            self._at.take_down()

    def inside_of(self, place: str) -> AbstractContextManager[None]:
        """This thread is at *place* meanwhile, and stays there what it makes."""
        return self._at.inside_of(place)

    def run(self, place: str, *arguments: str, given: str = "") -> str:
        """What a program prints there. AssertionError with its complaint if it fails."""
        with self.inside_of(place):
            done = subprocess.run(arguments, input=given, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def reaches(self, port: int, host: str = WAN, seconds: float = 1.0) -> bool:
        """Whether somebody on the internet can connect there."""
        with self.inside_of("outside"):
            try:
                socket.create_connection((host, port), seconds).close()
            except OSError:
                return False
        return True

    # -- the daemon ----------------------------------------------------------------------------------

    def start(self, *, upnp: bool = True, pmp: bool = True, lowest: int = 0) -> None:
        """Run miniupnpd. *lowest*: no port below it is forwarded."""
        config = self._directory / "miniupnpd.conf"
        config.write_text(
            _CONFIG.format(
                directory=self._directory, upnp="yes" if upnp else "no", pmp="yes" if pmp else "no", lowest=lowest
            )
        )
        (self._directory / "leases").write_text("")
        with self.inside_of("router"), (self._directory / "log").open("ab") as log:
            # -d: in the foreground. It logs megabytes, so to a file.
            self._daemon = subprocess.Popen(
                ["miniupnpd", "-d", "-f", str(config), "-P", str(self._directory / "pid")], stdout=log, stderr=log
            )
        until = time.monotonic() + _READY
        while (upnp and not self._answers()) or (pmp and not self._answers_natpmp()):
            assert self._daemon.poll() is None, (self._directory / "log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < until, "miniupnpd did not come up"
            time.sleep(0.02)

    def stop(self, *, forget: bool = False) -> None:
        """End it. *forget*: and what it had opened, as a router that is switched off does."""
        if self._daemon is not None:
            self._daemon.terminate()
            try:
                self._daemon.wait(3)
            except subprocess.TimeoutExpired:  # it searches for a free port, and hears nothing meanwhile
                self._daemon.kill()
                self._daemon.wait()
            self._daemon = None
        if forget:
            for chain in ("miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"):
                self.run("router", "nft", "flush", "chain", "inet", "miniupnpd", chain)

    def mapped(self) -> int:
        """How many ports are forwarded, as the kernel has it."""
        return self.run("router", "nft", "list", "chain", "inet", "miniupnpd", "prerouting_miniupnpd").count("dnat")

    def move(self, wan: str) -> None:
        """Give the router another outer address, as providers do at night."""
        commands = (
            f"addr del {self._wan}/24 dev wan",
            f"addr add {wan}/24 dev wan",
            f"route add default via {OUTSIDE}",
        )
        self._at.ip("router", commands)
        self._wan = wan

    def _answers(self) -> bool:
        """Whether its HTTP server is there."""
        with self.inside_of("server"):
            try:
                socket.create_connection((ROUTER, 5000), 1).close()
            except OSError:
                return False
        return True

    def _answers_natpmp(self) -> bool:
        with self.inside_of("server"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.1)
            try:
                asking.connect((ROUTER, 5351))
                asking.send(b"\0\0")
                return bool(asking.recv(100))
            except OSError:
                return False

    # -- up and down -----------------------------------------------------------------------------------

    def _build(self) -> None:
        at = self._at
        at.put_up(("server", "router", "outside"), ("router",))
        at.cable("server", "net", "router", "lan")
        at.cable("router", "wan", "outside", "net")
        beyond = "100.65.0.1" if self._wan == CARRIER_WAN else OUTSIDE
        at.configure(
            "server",
            Interface("net", (f"{SERVER}/24", f"{SERVER_6}/64", f"{NEIGHBOUR}/24"), (ROUTER, ROUTER_6)),
        )
        at.configure(
            "router",
            Interface("lan", (f"{ROUTER}/24", f"{ROUTER_6}/64")),
            Interface("wan", (f"{self._wan}/24", "2001:db8:f2::2/64"), (beyond, "2001:db8:f2::1")),
        )
        at.configure(
            "outside",
            Interface("net", (f"{beyond}/24", "2001:db8:f2::1/64")),
            more=["route add 2001:db8:2::/64 via 2001:db8:f2::2"],
        )
        at.rules("router", _RULES)
