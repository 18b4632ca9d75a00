"""A server behind a real router daemon: ports opened, announced, renewed, made again, and given back."""

from __future__ import annotations

import ftplib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.lab.igd import CARRIER_WAN, NEIGHBOUR, ROUTER, SERVER, SERVER_6, WAN, RouterLab

import homeport
from homeport.events.types import Event, ExternalAddressChanged, RouterMapped, Warned
from homeport.net.background import Background, Patience
from homeport.net.leases import Leases
from homeport.net.mapping import Mapping
from homeport.net.natpmp import PORT, NatPmp
from homeport.net.pcp import Pcp
from homeport.net.router import Router
from homeport.server.config import Config

pytestmark = pytest.mark.usefixtures("lab_allowed")

CONTROL, PASSIVE = 2121, (50000, 50001)
CONTENT = b"h" * 20000
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def daemon(program: Callable[[str], str]) -> None:
    program("miniupnpd")


@pytest.fixture
def lab(tmp_path: Path, lab_allowed: None, daemon: None) -> Iterator[RouterLab]:
    (tmp_path / "router").mkdir()
    with RouterLab(tmp_path / "router") as one:
        yield one


class Serving:
    def __init__(self, server: homeport.Server) -> None:
        self.server = server
        self.events: list[Event] = []
        server.subscribe(self.events.append)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def external(self) -> str | None:
        """What is announced by now."""
        told = [event.address for event in self.events if isinstance(event, ExternalAddressChanged)]
        return told[-1] if told else None

    def protocols(self) -> dict[int, str]:
        return {event.family: event.protocol for event in self.events if isinstance(event, RouterMapped)}

    def warnings(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Warned))


@contextmanager
def serving(
    lab: RouterLab, directory: Path, how: str, *, addresses: Sequence[str] = ("0.0.0.0",), port: int = CONTROL
) -> Iterator[Serving]:
    """A server at its place, which asks the router as *how* says. It stops before the router does."""
    home = directory / "files"
    home.mkdir(exist_ok=True)
    (home / "file").write_bytes(CONTENT)
    config = Config.model_validate(
        {
            "listen": {"addresses": list(addresses), "port": port},
            "data": {"passive_ports": "50000-50001", "active_port": 0},
            "router": {"map": how},
            "users": [{"name": "bob", "password": "plain:secret", "home": str(home)}],
            "log": {"console": False},
        }
    )
    one = Serving(homeport.Server(config=config))
    with lab.inside_of("server"):
        one.server.start()
    try:
        yield one
    finally:
        assert one.server.stop(0.0)


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never became so"
        time.sleep(0.02)


def fetch(lab: RouterLab, host: str = WAN, port: int = CONTROL) -> tuple[bytes, tuple[str, int] | None]:
    """What a strict client on the internet gets, which connects to where 227 says; and where that is."""
    where: list[tuple[str, int]] = []

    class Strict(ftplib.FTP):
        trust_server_pasv_ipv4_address = True

        def makepasv(self) -> tuple[str, int]:
            where.append(super().makepasv())
            return where[-1]

    octets: list[bytes] = []
    with lab.inside_of("outside"), Strict(timeout=10) as client:
        client.connect(host, port)
        client.login("bob", "secret")
        client.retrbinary("RETR file", octets.append)
    return b"".join(octets), where[-1] if where else None


@pytest.mark.standard("PCP-11.1-MAP", "NATPMP-3.3-MAP", "NATPMP-3-GW", "UPNP-ADD", "UPNP-EXTIP", "NATPMP-3.2-ADDR")
@pytest.mark.standard("NATPMP-3.4-DELETE")
@pytest.mark.parametrize(
    ("how", "protocol"), [("pcp", "PCP"), ("nat-pmp", "NAT-PMP"), ("upnp", "UPnP"), ("auto", "PCP")]
)
def test_each_protocol_opens_the_router_and_closes_it_again(
    lab: RouterLab, tmp_path: Path, how: str, protocol: str
) -> None:
    lab.start()
    with serving(lab, tmp_path, how) as one:
        eventually(lambda: one.external == WAN)
        assert one.protocols() == {4: protocol}
        (mapped,) = one.of(RouterMapped)
        assert isinstance(mapped, RouterMapped)
        assert mapped.ports == ((CONTROL, CONTROL), *((port, port) for port in PASSIVE))
        assert mapped.gateway == ROUTER
        content, where = fetch(lab)
        assert content == CONTENT
        assert where is not None
        assert where[0] == WAN
        assert where[1] in PASSIVE
        assert lab.mapped() == 3
        assert one.warnings() == ""
    assert lab.mapped() == 0
    assert not lab.reaches(CONTROL)


@pytest.mark.standard("NATPMP-3.3-USE-MAPPED", "UPNP-718")
@pytest.mark.parametrize("how", ["pcp", "nat-pmp", "upnp"])
def test_where_another_machine_has_a_port_another_one_is_taken_and_announced(
    lab: RouterLab, tmp_path: Path, how: str
) -> None:
    lab.start()
    with lab.inside_of("server"):
        patience = RealPatience()
        holder = Pcp((ROUTER, PORT), patience, source=NEIGHBOUR)
        for port in PASSIVE:
            assert holder.map(port, port, 600).outside == port
    with serving(lab, tmp_path, how) as one:
        eventually(lambda: one.external == WAN)
        (mapped,) = one.of(RouterMapped)
        assert isinstance(mapped, RouterMapped)
        others = [outside for inside, outside in mapped.ports if inside in PASSIVE]
        assert not set(others) & set(PASSIVE)
        content, where = fetch(lab)
        assert content == CONTENT
        assert where is not None
        assert where[1] in others
        assert "did not give port 50000" in one.warnings()
        if how == "upnp":
            assert f"it is forwarded to {NEIGHBOUR} port 50000" in one.warnings()


@pytest.mark.parametrize(("upnp", "pmp", "protocol"), [(True, False, "UPnP"), (False, True, "PCP")])
def test_auto_finds_what_the_router_speaks(
    lab: RouterLab, tmp_path: Path, upnp: bool, pmp: bool, protocol: str
) -> None:
    lab.start(upnp=upnp, pmp=pmp)
    with serving(lab, tmp_path, "auto") as one:
        eventually(lambda: one.external == WAN)
        assert one.protocols() == {4: protocol}
        assert fetch(lab)[0] == CONTENT


@pytest.mark.standard("NATPMP-3.8-NOT-FATAL")
def test_a_router_that_speaks_nothing_is_told_of_and_the_server_serves(lab: RouterLab, tmp_path: Path) -> None:
    with serving(lab, tmp_path, "auto") as one:
        eventually(one.warnings)
        assert "No router could be asked to forward the ports: PCP: " in one.warnings()
        assert "UPnP: no router answers" in one.warnings()
        with lab.inside_of("server"), ftplib.FTP(timeout=10) as client:
            client.connect(SERVER, CONTROL)
            client.login("bob", "secret")


def test_low_ports_that_the_router_keeps_leave_the_others(lab: RouterLab, tmp_path: Path) -> None:
    lab.start(lowest=1024)
    with serving(lab, tmp_path, "upnp", port=21) as one:
        eventually(lambda: one.external == WAN)
        (mapped,) = one.of(RouterMapped)
        assert isinstance(mapped, RouterMapped)
        assert [inside for inside, _ in mapped.ports] == list(PASSIVE)
        assert "does not forward port 21: it does not allow this machine to open the port" in one.warnings()


def test_where_only_some_passive_ports_are_granted_clients_outside_get_those(lab: RouterLab, tmp_path: Path) -> None:
    lab.start(lowest=PASSIVE[1])
    with serving(lab, tmp_path, "upnp", port=50005) as one:
        eventually(lambda: one.external == WAN)
        for _ in range(4):
            assert fetch(lab, port=50005) == (CONTENT, (WAN, PASSIVE[1]))


def test_port_21_too(lab: RouterLab, tmp_path: Path) -> None:
    lab.start()
    with serving(lab, tmp_path, "auto", port=21) as one:
        eventually(lambda: one.external == WAN)
        assert fetch(lab, port=21)[0] == CONTENT


def test_over_ipv6_pcp_opens_the_firewall_for_these_ports_only(lab: RouterLab, tmp_path: Path) -> None:
    lab.start()
    with lab.inside_of("server"):
        other = socket.create_server((SERVER_6, 2199), family=socket.AF_INET6)
    with other, serving(lab, tmp_path, "auto", addresses=("0.0.0.0", "::")) as one:
        eventually(lambda: one.protocols() == {4: "PCP", 6: "PCP"})
        content, where = fetch(lab, SERVER_6)
        assert content == CONTENT
        assert where is not None
        assert where[0] == SERVER_6
        assert not lab.reaches(2199, SERVER_6, 0.3)
        assert one.warnings() == ""
    assert not lab.reaches(CONTROL, SERVER_6, 0.3)


@pytest.mark.standard("PCP-8.5-EPOCH", "NATPMP-3.6-EPOCH", "NATPMP-3.2.1-ANNOUNCE")
@pytest.mark.parametrize("how", ["pcp", "nat-pmp"])
def test_a_restarted_router_is_asked_again(lab: RouterLab, tmp_path: Path, how: str) -> None:
    lab.start()
    with serving(lab, tmp_path, how) as one:
        eventually(lambda: one.external == WAN)
        # Its clock must have run for a while, so that it is seen to begin anew.
        time.sleep(3.2)
        lab.stop(forget=True)
        assert lab.mapped() == 0
        lab.start()
        eventually(lambda: lab.mapped() == 3)
        assert fetch(lab)[0] == CONTENT


@pytest.mark.standard("NATPMP-3.2.1-ANNOUNCE")
@pytest.mark.parametrize("how", ["pcp", "nat-pmp"])
def test_another_outer_address_is_noticed_and_announced(lab: RouterLab, tmp_path: Path, how: str) -> None:
    lab.start()
    with serving(lab, tmp_path, how) as one:
        eventually(lambda: one.external == WAN)
        lab.move("11.0.50.30")
        eventually(lambda: one.external == "11.0.50.30")
        content, where = fetch(lab, "11.0.50.30")
        assert content == CONTENT
        assert where is not None
        assert where[0] == "11.0.50.30"


@pytest.mark.parametrize("how", ["pcp", "nat-pmp", "upnp"])
def test_behind_the_providers_own_router_it_says_so(tmp_path: Path, lab_allowed: None, how: str) -> None:
    (tmp_path / "router").mkdir()
    with RouterLab(tmp_path / "router", carrier=True) as lab:
        lab.start()
        with serving(lab, tmp_path, how) as one:
            eventually(one.warnings)
            assert one.external is None
            assert "public address" in one.warnings()
            assert CARRIER_WAN not in str(one.of(ExternalAddressChanged))


class RealPatience:
    """Waits as it is told to; for routers that answer at once."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> list[int]:
        import select

        return select.select(descriptors, [], [], seconds)[0]


@pytest.mark.standard("NATPMP-3.3-RENEW", "PCP-11.2.1-RENEW")
def test_leases_that_are_renewed_outlive_themselves(lab: RouterLab) -> None:
    lab.start()
    makers: dict[int, Callable[[Patience], Router]] = {
        2150: lambda patience: Pcp((ROUTER, PORT), patience),
        2151: lambda patience: NatPmp((ROUTER, PORT), patience),
    }
    with ExitStack() as undo:
        with lab.inside_of("server"):
            for port, make in makers.items():
                undo.enter_context(socket.create_server((SERVER, port)))
                leases = Leases(4, [make], [port], 9)
                mapping = Background(f"lease-{port}", Mapping([leases], lambda _: None, list))
                mapping.start()
                undo.callback(mapping.stop, 5)
        for port in makers:
            eventually(lambda port=port: lab.reaches(port))  # type: ignore[misc]
        time.sleep(11.5)
        assert [lab.reaches(port) for port in makers] == [True, True]
        undo.pop_all().close()
    assert lab.mapped() == 0
