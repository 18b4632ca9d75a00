"""What is known of the outside: who says it, what is announced then, and who is asked at all."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests.session import harness as harness_module
from tests.session.harness import Harness

from homeport.data.address import Announcement, Rules, decide
from homeport.events.bus import Bus
from homeport.events.types import Event, ExternalAddressChanged, RouterMapped, Warned
from homeport.net import external
from homeport.net.background import Patience
from homeport.net.external import External
from homeport.net.router import Grant, Router, RouterState, Trouble, halved
from homeport.server import outside as outside_module
from homeport.server.announcing import Announcing
from homeport.server.build import build
from homeport.server.config import Config
from homeport.server.listening import StartError
from homeport.server.outside import Adapters, Outside, open_outside
from homeport.session.conversation import Conversation
from homeport.session.services import Clock, Policy, Services

CLIENT, LOCAL = "8.8.8.8", "192.168.50.20"
CLOCK = Clock(monotonic=lambda: 1000.0, time=lambda: 1.0e9)
GRANTS = (Grant(21, 21, 7200), Grant(50000, 61000, 7200), Grant(50001, 50001, 7200))


def state(
    *, family: int = 4, wan: str | None = "11.0.50.20", grants: tuple[Grant, ...] = GRANTS, problem: str = "",
    trouble: Trouble | None = None,
) -> RouterState:  # fmt: skip
    return RouterState(family, "PCP", "192.168.50.1", wan, grants, trouble, problem)


class World:
    """An Announcing and what comes of it."""

    def __init__(
        self, rules: Rules | None = None, *, discover: bool = True, router: bool = True, ports: Sequence[int] = ()
    ) -> None:
        self.events: list[Event] = []
        bus = Bus()
        bus.subscribe(self.events.append)
        self.announcement = Announcement(rules if rules is not None else Rules())
        self.announcing = Announcing(self.announcement, bus, CLOCK, discover=discover, router=router, ports=ports)

    def told(self) -> tuple[str, int]:
        """What a client on the internet is told, for port 50000."""
        rules = self.announcement.rules
        decision = decide(rules, CLIENT, LOCAL)
        return decision.address, rules.port(decision, 50000)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


# -- announcing -----------------------------------------------------------------------------------------------------


@pytest.mark.standard("NATPMP-3.3-USE-MAPPED", "UPNP-EXTIP", "NATPMP-3.2-ADDR")
def test_the_routers_address_and_ports_are_told_to_clients_outside_only() -> None:
    world = World()
    assert world.told() == (LOCAL, 50000)
    world.announcing.router_told((state(),))
    assert world.told() == ("11.0.50.20", 61000)
    rules = world.announcement.rules
    inside = decide(rules, "192.168.50.3", LOCAL)
    assert (inside.address, rules.port(inside, 50000)) == (LOCAL, 50000)
    assert decide(rules, CLIENT, LOCAL).reason == "it is the external address (told by the router, by PCP)"


def test_where_the_router_grants_a_part_only_that_part_is_offered_outside() -> None:
    world = World(ports=(21, 50000, 50001))
    world.announcing.router_told((state(grants=GRANTS),))
    assert world.announcement.rules.granted == {}
    six = state(family=6, wan="2001:db8::1", grants=(Grant(21, 21, 60),))
    world.announcing.router_told((state(grants=GRANTS[:2]), six))
    assert world.announcement.rules.granted == {4: {21, 50000}, 6: {21}}
    # Nothing at all may mean that somebody has forwarded them by hand.
    world.announcing.router_told((state(grants=(), trouble=Trouble.REFUSED),))
    assert world.announcement.rules.granted == {}


def test_the_router_of_the_moment_is_known_with_all_news(network: Callable[[str | None], None]) -> None:
    assert Opened({}).announcement.rules.gateway == IPv4Address("192.168.50.1")
    assert Opened({}, listen=["127.0.0.1", "::1"]).announcement.rules.gateway is None
    assert Opened({"router": {"gateway": "192.168.50.7"}}).announcement.rules.gateway == IPv4Address("192.168.50.7")
    opened = Opened({"router": {"gateway": "fe80::1"}})
    assert opened.announcement.rules.gateway == IPv4Address("192.168.50.1")
    network(None)
    opened.outside.announcing.others_told(None)
    assert opened.announcement.rules.gateway is None


def test_a_change_is_published_once() -> None:
    world = World()
    for wan in ("11.0.50.20", "11.0.50.20", "11.0.50.30", None):
        world.announcing.router_told((state(wan=wan),))
    assert [(event.before, event.address) for event in world.events if isinstance(event, ExternalAddressChanged)] == [
        (None, "11.0.50.20"),
        ("11.0.50.20", "11.0.50.30"),
        ("11.0.50.30", None),
    ]
    (mapped,) = world.of(RouterMapped)
    assert mapped == RouterMapped(
        at=1.0e9, protocol="PCP", gateway="192.168.50.1", family=4,
        ports=((21, 21), (50000, 61000), (50001, 50001)),
    )  # fmt: skip


def test_a_problem_is_told_once_until_it_is_another() -> None:
    world = World()
    for problem in ("one", "one", "", "one", "two"):
        world.announcing.router_told((state(problem=problem),))
    assert [event.text for event in world.events if isinstance(event, Warned)] == ["one", "one", "two"]


def test_an_ipv6_firewall_that_cannot_be_asked_is_no_news() -> None:
    world = World()
    six = state(family=6, wan=None, grants=(), problem="nobody", trouble=Trouble.SILENT)
    refused = state(family=6, wan=None, grants=(), problem="it may not be", trouble=Trouble.REFUSED)
    world.announcing.router_told((state(), six))
    assert world.of(Warned) == []
    world.announcing.router_told((state(), refused))
    assert len(world.of(Warned)) == 1


def test_the_pinholes_of_ipv6_change_no_port() -> None:
    world = World()
    world.announcing.router_told((state(), state(family=6, wan="2001:db8::1", grants=(Grant(50001, 50009, 60),))))
    assert 50001 not in world.announcement.rules.ports


@pytest.mark.parametrize("wan", ["100.65.0.2", "192.168.178.20", None])
def test_others_are_asked_where_the_router_does_not_know(wan: str | None) -> None:
    world = World()
    asked: list[bool] = []
    world.announcing.wanted_changed = lambda: asked.append(world.announcing.others_wanted())
    assert not world.announcing.others_wanted(), "the router comes first"
    world.announcing.router_told((state(wan=wan),))
    assert asked == [True]
    world.announcing.others_told(External("11.0.50.9", "told by a STUN server"))
    assert world.told()[0] == "11.0.50.9"
    world.announcing.router_told((state(),))
    assert asked == [True, False]
    assert world.told()[0] == "11.0.50.20"


def test_a_configured_address_stays_and_the_routers_ports_count() -> None:
    world = World(Rules(external="203.0.113.5"), discover=False)
    world.announcing.router_told((state(),))
    assert world.told() == ("203.0.113.5", 61000)
    assert world.of(ExternalAddressChanged) == []


def test_a_name_that_changes_is_announced_anew() -> None:
    world = World(discover=False, router=False)
    assert world.announcing.others_wanted()
    for address in ("203.0.113.5", "203.0.113.6"):
        world.announcing.others_told(External(address, "the name ftp.example.net"))
    assert world.told() == ("203.0.113.6", 50000)
    assert len(world.of(ExternalAddressChanged)) == 2


# -- from the configuration -----------------------------------------------------------------------------------------


class Granting:
    """A Router that grants all, one port further up."""

    protocol, gateway = "PCP", "192.168.50.1"

    def __init__(self) -> None:
        self.given_back: list[int] = []

    def map(self, inside: int, outside: int, seconds: float, *, renewal: bool = False) -> Grant:
        return Grant(inside, outside + 1, seconds)

    def unmap(self, grant: Grant) -> None:
        self.given_back.append(grant.inside)

    def address(self) -> str | None:
        return "11.0.50.20"

    def heard(self, octets: bytes) -> bool:
        return False

    def take_restart(self) -> bool:
        return False

    def renewal(self, seconds: float, attempt: int) -> float:
        return halved(seconds, attempt)


class Opened:
    """What *sections* of a configuration make, with a router that a test plays."""

    def __init__(
        self, sections: dict[str, object], *, listen: Sequence[str] = ("0.0.0.0",), router: Router | None = None
    ) -> None:
        self.config = Config.model_validate(sections)
        self.warned: list[str] = []
        self.events: list[Event] = []
        self.made: list[tuple[str, object]] = []
        bus = Bus()
        bus.subscribe(self.events.append)
        self.announcement = Announcement()

        def pcp(gateway: tuple[str, int], patience: Patience, tries: int | None, source: str | None) -> Router:
            self.made.append(("pcp", (gateway, tries, source)))
            if router is None:
                raise AssertionError
            return router

        def upnp(own: str | None) -> Router | None:
            self.made.append(("upnp", own))
            return router

        self.outside: Outside = open_outside(
            self.config, listen, [21, 50000], self.announcement, Adapters(pcp, upnp), bus, Clock(), self.warned.append
        )

    @property
    def threads(self) -> int:
        return len(self.outside._threads)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Which address this machine has, as seen from the default route."""

    def has(address: str | None) -> None:
        monkeypatch.setattr(outside_module, "routed_address", lambda family: address if family == 4 else None)
        monkeypatch.setattr(outside_module, "_OWN", external.OwnInterface(lambda: address))
        monkeypatch.setattr(
            outside_module, "default_gateway", lambda family: "192.168.50.1" if family == 4 and address else None
        )
        monkeypatch.setattr(outside_module, "listen_for_announcements", lambda own: [])

    has("192.168.50.20")
    return has


@pytest.mark.parametrize(
    ("sections", "threads"),
    [
        ({}, 0),
        ({"data": {"external_address": "203.0.113.5"}}, 0),
        ({"data": {"external_address": "none", "stun_server": "stun.example.net"}}, 0),
        ({"data": {"external_address": "ftp.example.net"}}, 1),
        ({"data": {"stun_server": "stun.example.net"}}, 1),
        ({"router": {"map": "auto"}}, 2),
        ({"router": {"map": "pcp"}, "data": {"external_address": "203.0.113.5"}}, 1),
    ],
)
def test_nobody_is_asked_who_is_not_wanted(
    network: Callable[[str | None], None], sections: dict[str, object], threads: int
) -> None:
    assert Opened(sections).threads == threads
    assert Opened(sections, listen=["127.0.0.1", "::1"]).threads == 0, "only this machine can connect"


def test_a_public_address_of_an_interface_is_found_without_asking_anybody(
    network: Callable[[str | None], None],
) -> None:
    network("11.0.50.20")
    opened = Opened({})
    assert opened.announcement.rules.external == "11.0.50.20"
    assert opened.announcement.rules.external_origin == "of this machine's network interface"
    assert opened.threads == 0


def test_the_router_opens_the_ports_and_is_given_them_back(network: Callable[[str | None], None]) -> None:
    router = Granting()
    opened = Opened({"router": {"map": "pcp"}}, router=router)
    opened.outside.start()
    try:
        eventually(lambda: opened.announcement.rules.external == "11.0.50.20")
    finally:
        opened.outside.close()
    assert opened.announcement.rules.ports == {21: 22, 50000: 50001}
    assert opened.made == [("pcp", (("192.168.50.1", 5351), None, None))]
    assert sorted(router.given_back) == [21, 50000]


def test_upnp_is_not_asked_by_who_has_a_public_address(network: Callable[[str | None], None]) -> None:
    network("11.0.50.20")
    opened = Opened({"router": {"map": "upnp"}}, router=Granting())
    opened.outside.start()
    try:
        eventually(lambda: any(isinstance(event, Warned) for event in opened.events))
    finally:
        opened.outside.close()
    assert opened.made == []


def test_a_name_is_looked_up_before_the_first_client(
    network: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::7", 0, 0, 0))
    four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.7", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [six, four])
    opened = Opened({"data": {"external_address": "ftp.example.net"}})
    opened.outside.start()
    try:
        assert opened.announcement.rules.external == "203.0.113.7"
    finally:
        opened.outside.close()


def test_a_name_that_is_not_known_does_not_stop_the_start(
    network: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    opened = Opened({"data": {"external_address": "ftp.example.net"}})
    opened.outside.start()
    opened.outside.close()
    assert opened.announcement.rules.external is None
    assert "ftp.example.net could not be looked up (Name or service not known)" in opened.warned[0]


def test_upnp_without_its_library_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.server.build.find_spec", lambda name: None)
    config = Config.model_validate({
        "listen": {"addresses": ["127.0.0.1"], "port": 0}, "data": {"passive_ports": "any"},
        "router": {"map": "upnp"}, "log": {"console": False},
    })  # fmt: skip
    with pytest.raises(StartError, match=r"homeport\[upnp\]"):
        build(config, Bus())


# -- what a client hears --------------------------------------------------------------------------------------------


@pytest.mark.standard("NATPMP-3.3-USE-MAPPED")
def test_227_and_229_name_what_the_router_has_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def public(
        connection: socket.socket, number: int, peer: tuple[str, int], local: tuple[str, int], services: Services
    ) -> Conversation:
        return Conversation(connection, number, (CLIENT, peer[1]), local, services)

    monkeypatch.setattr(harness_module, "Conversation", public)
    announcement = Announcement()
    with Harness(policy=Policy()) as harness:
        harness.services = replace(harness.services, announcement=announcement)
        ours = harness.services.ports.ports
        outside = {port: number for number, port in enumerate(ours, 61000)}
        client = harness.client()
        for external_address, ports, expected in (
            (None, {}, ours),
            ("11.0.50.20", outside, tuple(outside.values())),
            ("11.0.50.21", {}, ours),
        ):
            announcement.rules = Rules(external=external_address, ports=ports)
            numbers = re.findall(r"\d+", client.ask("PASV", 227).text)
            assert ".".join(numbers[:4]) == (external_address or "127.0.0.1")
            assert int(numbers[4]) * 256 + int(numbers[5]) in expected
            assert int(client.ask("EPSV", 229).text.split("|")[3]) in expected
            long = re.findall(r"\d+", client.ask("LPSV", 228).text)
            assert int(long[-2]) * 256 + int(long[-1]) in expected


def test_227_229_and_228_name_only_ports_that_the_router_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def public(
        connection: socket.socket, number: int, peer: tuple[str, int], local: tuple[str, int], services: Services
    ) -> Conversation:
        return Conversation(connection, number, (CLIENT, peer[1]), local, services)

    monkeypatch.setattr(harness_module, "Conversation", public)
    with Harness(policy=Policy()) as harness:
        good = harness.services.ports.ports[1]
        rules = Rules(external="11.0.50.20", granted={4: frozenset({21, good})})
        harness.services = replace(harness.services, announcement=Announcement(rules))
        client = harness.client()
        for _ in range(4):
            high, low = re.findall(r"\d+", client.ask("PASV", 227).text)[-2:]
            assert int(high) * 256 + int(low) == good
            assert int(client.ask("EPSV", 229).text.split("|")[3]) == good
            high, low = re.findall(r"\d+", client.ask("LPSV", 228).text)[-2:]
            assert int(high) * 256 + int(low) == good


@pytest.mark.standard("NATPMP-3.3-USE-MAPPED")
def test_a_client_at_home_is_told_our_own_ports() -> None:
    with Harness(policy=Policy()) as harness:
        ours = harness.services.ports.ports
        rules = Rules(external="11.0.50.20", ports=dict.fromkeys(ours, 61000))
        harness.services = replace(harness.services, announcement=Announcement(rules))
        client = harness.client()
        assert int(client.ask("EPSV", 229).text.split("|")[3]) in ours
        assert client.ask("PASV", 227).text.startswith("Entering Passive Mode (127,0,0,1,")


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it never became so"
        time.sleep(0.005)
