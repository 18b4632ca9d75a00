"""A machine that is made up, and cases on it: everything is well unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network

from homeport.doctor.case import Case, Running
from homeport.doctor.finding import Finding, Severity
from homeport.doctor.machine import Machine, Ran, Reached
from homeport.net.interfaces import Interface, Interfaces
from homeport.net.router import RouterState
from homeport.server.config import Config

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LAN, PUBLIC = "192.168.50.10", "198.51.100.20"


@dataclass
class MadeUp:
    """A Machine."""

    platform: str = "linux"
    root: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    programs: dict[str, Ran] = field(default_factory=dict)
    unreached: dict[tuple[str, int], str] = field(default_factory=dict)
    greeting: str = "220 ready"
    unbound: str | None = None
    disks: dict[str, tuple[int, int]] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files_limit: tuple[int, int] | None = (100_000, 100_000)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files

    def mode(self, path: str) -> int | None:
        return self.modes.get(path)

    def run(self, *command: str) -> Ran | None:
        return self.programs.get(command[0])

    def reach(self, address: tuple[str, int], timeout: float, *, listen: bool = False) -> Reached:
        self.dialled.append(address)
        fault = self.unreached.get(address)
        return Reached(0.001, fault, self.greeting if listen and fault is None else None)

    def bind_fault(self, address: tuple[str, int]) -> str | None:
        return self.unbound

    def space(self, path: str) -> tuple[int, int] | None:
        return self.disks.get(path, (10**12, 2 * 10**12))

    def lookup(self, name: str, timeout: float) -> tuple[str, ...] | str:
        return self.names.get(name, "Name or service not known")

    def open_files(self) -> tuple[int, int] | None:
        return self.files_limit


NFT_OPEN = Ran(0, '{"nftables": []}', "")

RUNNING = Running(
    pid=4711,
    addresses=(("0.0.0.0", 21),),
    passive_ports=tuple(range(50000, 50010)),
    active_port=20,
    external=PUBLIC,
    external_origin="configured",
    sessions=3,
    sessions_limit=100,
)


def interfaces(lan: str | None = LAN) -> Interfaces:
    loopback = Interface("lo", "127.0.0.1", ip_network("127.0.0.0/8"))
    if lan is None:
        return Interfaces((loopback,))
    return Interfaces((loopback, Interface("eth0", lan, ip_network(f"{lan}/24", strict=False))))


def case(
    machine: Machine | None = None,
    *,
    running: Running | None = RUNNING,
    options: Mapping[str, object] | None = None,
    lan: str | None = LAN,
    state: str = "/var/lib/homeport",
) -> Case:
    """*options*: tables of a configuration."""
    return Case(
        config=Config.model_validate({"listen": {"addresses": ["0.0.0.0"]}, **(options or {})}),
        state=state,
        running=running,
        not_running="no server runs with the state directory /var/lib/homeport",
        interfaces=interfaces(lan),
        machine=machine if machine is not None else MadeUp(programs={"nft": NFT_OPEN}),
        now=NOW,
    )


def with_router(state: RouterState, external: str | None = PUBLIC) -> Running:
    return Running(
        pid=RUNNING.pid,
        addresses=RUNNING.addresses,
        passive_ports=RUNNING.passive_ports,
        active_port=RUNNING.active_port,
        external=external,
        external_origin="told by the router" if external is not None else None,
        sessions=3,
        sessions_limit=100,
        routers=(state,),
    )


def one(findings: Iterable[Finding]) -> Finding:
    """The only one of them that is not OK."""
    (found,) = [finding for finding in findings if finding.severity is not Severity.OK]
    return found


def severities(findings: Iterable[Finding]) -> list[Severity]:
    return [finding.severity for finding in findings]
