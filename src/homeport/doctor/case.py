"""Case: all that the doctor's checks look at. They ask nobody else, so a test can make up any case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from homeport.net.interfaces import Interfaces
from homeport.net.router import Grant, RouterState, Trouble
from homeport.server.config import Config

from .firewall.reading import Firewall, read_firewall
from .machine import Machine

_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a running server says of itself."""

    pid: int
    addresses: tuple[tuple[str, int], ...]
    passive_ports: tuple[int, ...]
    active_port: int
    external: str | None
    external_origin: str | None
    sessions: int
    sessions_limit: int
    routers: tuple[RouterState, ...] = ()
    """What the server knows of the router, for each address family. Empty: it asks none, or has no answer yet."""

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Running:
        """From the answer of its console."""
        return cls(
            pid=status["pid"],
            addresses=tuple((str(address), int(port)) for address, port in status["addresses"]),
            passive_ports=tuple(status["passive_ports"]),
            active_port=status["active_port"],
            external=status["external"],
            external_origin=status["external_origin"],
            sessions=status["sessions"],
            sessions_limit=status["sessions_limit"],
            routers=tuple(_router(one) for one in status.get("router", ())),
        )


def _router(told: Mapping[str, Any]) -> RouterState:
    trouble = told.get("trouble")
    return RouterState(
        family=told["family"],
        protocol=told.get("protocol"),
        gateway=told.get("gateway"),
        wan=told.get("wan"),
        grants=tuple(Grant(one["inside"], one["outside"], one["seconds"]) for one in told.get("grants", ())),
        trouble=Trouble(trouble) if trouble is not None else None,
        problem=told.get("problem", ""),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A server, or only its configuration, on a machine."""

    config: Config
    state: str
    """The state directory."""
    running: Running | None
    not_running: str = ""
    """Why it is believed that no server runs, where none answers."""
    interfaces: Interfaces
    machine: Machine
    now: datetime
    timeout: float = 3.0
    """Seconds for a connection within this machine: much, but an overloaded one must not look like a firewall."""

    @property
    def control_ports(self) -> tuple[int, ...]:
        """Where clients connect."""
        if self.running is not None:
            return tuple(dict.fromkeys(port for _, port in self.running.addresses))
        listen = self.config.listen
        return tuple(port for port in (listen.port, listen.implicit_tls_port) if port)

    @property
    def passive_ports(self) -> tuple[int, ...]:
        """Those that are open, or that are configured; empty where the system will choose them."""
        return self.running.passive_ports if self.running is not None else self.config.data.passive_ports or ()

    @property
    def active_port(self) -> int:
        """Where connections come from in active mode; 0 is any."""
        if self.running is not None:
            return self.running.active_port
        return self.config.data.source_port(self.config.listen.port)

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Where the server is to be reached from this machine and from its network: numbers, none of them "any"."""
        listening = self.config.listen.addresses
        if self.running is not None:
            listening = tuple(dict.fromkeys(address for address, _ in self.running.addresses))
        found: list[str] = []
        for address in listening:
            if address in _HERE:
                found.append(_HERE[address])
                lan = self.interfaces.lan_address(6 if ":" in address else 4)
                if lan is not None:
                    found.append(lan)
            else:
                found.append(address)
        return tuple(dict.fromkeys(found))

    @cached_property
    def firewall(self) -> Firewall:
        """The rules of this machine's firewall."""
        return read_firewall(self.machine)

    @property
    def lan_address(self) -> str | None:
        """This machine's IPv4 address in its network."""
        return self.interfaces.lan_address(4)
