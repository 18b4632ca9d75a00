"""Pictures of the lab: from a scenario, a mode and its cell to who connects to whom, and where that stops.

Nothing is drawn by hand: places and addresses are those of the scenario's own layout, and the end is that of its cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.clients import NO_CONTROL, Mode
from tests.lab.layout import RANGE, Layout, Side
from tests.lab.scenarios import SCENARIOS, Cell, Scenario
from tests.lab.topology import Lab

from sequence import Line, Picture, Place, Step

_CLIENT_PORT = 61000
"""One that the system may have given to a client for PORT."""
_WRONG = "203.0.113.199"

SHOWN: dict[str, tuple[str, Mode, str]] = {
    "active": ("01", Mode.PORT, "Active mode: the server dials"),
    "active-behind-router": ("02", Mode.PORT, "Active mode, client behind a router"),
    "active-gateway": ("03", Mode.PORT, "Active mode, and the client's router reads FTP"),
    "active-forwarded": ("48", Mode.PORT, "Active mode, and the client's router forwards"),
    "passive": ("01", Mode.PASV, "Passive mode: the client dials"),
    "passive-behind-router": ("02", Mode.PASV, "Passive mode, client behind a router"),
    "firewall": ("05", Mode.EPSV, "A firewall lets in port 21 only"),
    "not-forwarded": ("10", Mode.EPSV, "The router forwards port 21 only"),
    "private-announced": ("14", Mode.PASV, "The server announces its private address"),
    "wrong-announced": ("16", Mode.PASV, "The server announces a wrong address"),
    "forwarded": ("15", Mode.PASV, "Ports forwarded and the right address announced"),
    "gateway": ("18", Mode.PASV, "The server's router reads FTP"),
    "gateway-misled": ("19", Mode.PASV, "It reads FTP, and finds the outside address already there"),
    "encrypted": ("28", Mode.EPSV, "It reads FTP, and cannot read what is encrypted"),
    "carrier": ("24", Mode.EPSV, "The server behind its provider's NAT"),
    "neighbour": ("32", Mode.PASV, "A client in the server's own network"),
    "hairpin": ("35", Mode.PASV, "The same client by way of the router"),
    "one-port": ("43", Mode.EPSV, "Ports 20 and 21 forwarded"),
    "ipv6-passive": ("40", Mode.EPSV, "IPv6, firewalls of homes"),
    "ipv6-active": ("37", Mode.EPRT, "IPv6 in active mode"),
}
"""Name of the file, scenario, mode, and what stands above."""


def pictures() -> dict[str, Picture]:
    """All that are shown, by name."""
    scenarios = {scenario.number: scenario for scenario in SCENARIOS}
    return {name: picture(scenarios[number], mode, title) for name, (number, mode, title) in SHOWN.items()}


def picture(scenario: Scenario, mode: Mode, title: str) -> Picture:
    """Who connects to whom in *scenario*, in *mode*."""
    cell = scenario.cells[list(Mode).index(mode)]
    road = _Road.of(scenario)
    return Picture(f"{title} ({scenario.number})", road.places, _Script(scenario, mode, cell, road).steps())


@dataclass(frozen=True, slots=True)
class _Road:
    """The places from the client to the server, in their order; the names are those of the lab."""

    names: tuple[str, ...]
    places: tuple[Place, ...]
    lab: Lab

    @classmethod
    def of(cls, scenario: Scenario) -> _Road:
        layout = scenario.layout
        lab = Lab(layout)  # not built: only its addresses are asked for
        six = scenario.family == 6
        named: dict[str, Place] = {}
        here, there = layout.client_side, layout.server_side
        if scenario.origin == "neighbour":
            named["client"] = Place("Client", (lab.neighbour4,))
            if not scenario.inside:
                named["server_router"] = Place("Router", ("192.168.50.1", lab.outside))
        else:
            firewall = ("firewall of its own",) if here.lets_in else ()
            named["client"] = Place("Client", (lab.client6 if six else lab.client4, *firewall))
            if here.translated:
                named["client_router"] = _router("Client's router", lab.client_outside, layout, "client", six=six)
            if here.carrier:
                named["client_carrier"] = Place("Its provider's NAT", (lab.client_outside,))
            if there.carrier and not six:
                named["server_carrier"] = Place("The provider's NAT", (lab.outside,))
            if there.translated:
                named["server_router"] = _router("Server's router", lab.outside, layout, "server", six=six)
        firewall = ("firewall of its own",) if there.lets_in or not there.lets_out else ()
        named["server"] = Place("Server", (lab.inside6 if six else lab.inside, *firewall))
        if scenario.origin == "client":
            names = list(named)
            middle = names.index("server_carrier" if "server_carrier" in named else
                                 "server_router" if "server_router" in named else "server")  # fmt: skip
            names.insert(middle, "internet")
            named["internet"] = Place("Internet")
        else:
            names = list(named)
        return cls(tuple(names), tuple(named[name] for name in names), lab)

    def at(self, name: str) -> int:
        return self.names.index(name)


def _router(name: str, outside: str, layout: Layout, end: str, *, six: bool) -> Place:
    side = layout.client_side if end == "client" else layout.server_side
    lines = [] if six or side.carrier else [outside]
    if side.forwards:
        ports = [inner if six else outer for outer, inner in side.forwards]
        told = f"{ports[0]}, {ports[1]}-{ports[-1]}" if len(ports) > 3 else ", ".join(map(str, ports))
        if len(ports) == len(RANGE):
            told = f"{ports[0]}-{ports[-1]}"
        lines.append(f"{'lets in' if six else 'forwards'} {told}")
    else:
        lines.append("lets nothing in")
    if side.gateway:
        lines.append("reads FTP (ALG)")
    return Place(name, tuple(lines))


@dataclass(frozen=True, slots=True)
class _Script:
    """What happens, in order."""

    scenario: Scenario
    mode: Mode
    cell: Cell
    road: _Road

    def steps(self) -> tuple[Step, ...]:
        end = self.road.at("server")
        host, port = self._target(), self._control_port()
        if self.cell.word == NO_CONTROL:
            stop = self.road.at("server_carrier" if "server_carrier" in self.road.names else "server_router")
            return (Step(0, stop, f"connects to {host} port {port}: refused", Line.FAIL),)
        first = Step(0, end, f"connects to {host} port {port}: the control connection")
        begin = (
            [first, Step(0, end, "AUTH TLS: nobody on the way can read what follows")] if self.scenario.tls else [first]
        )
        return (*begin, *(self._passive(host) if self.mode.passive else self._active()))

    def _reads(self, side: Side) -> bool:
        """Whether the router of *side* reads what is said on the control connection."""
        return side.gateway and not self.scenario.tls

    def _target(self) -> str:
        lab = self.road.lab
        if self.scenario.family == 6:
            return lab.inside6
        return lab.inside if self.scenario.inside else lab.outside

    def _control_port(self) -> int:
        return self.road.lab.port if self.scenario.family == 4 and not self.scenario.inside else 21

    # -- passive -------------------------------------------------------------------------------------------------

    def _passive(self, host: str) -> tuple[Step, ...]:
        end, port = self.road.at("server"), self._passive_port()
        if self.mode is Mode.EPSV:
            return (
                Step(0, end, "EPSV"),
                Step(end, 0, f"229 (|||{port}|)"),
                self._dial(host, port),
            )
        told = self._announced()
        answer = [Step(end, 0, f"227 ({_numbers(told, port)})")]
        if self._reads(self.scenario.layout.server_side) and told == self.road.lab.inside:
            router = self.road.at("server_router")
            told = self.road.lab.outside
            answer = [
                Step(end, router, f"227 ({_numbers(self.road.lab.inside, port)})"),
                Step(router, 0, f"227 ({_numbers(told, port)}), and opens {port}"),
            ]
        return (Step(0, end, "PASV"), *answer, self._dial(told if self.mode is Mode.PASV else host, port))

    def _passive_port(self) -> int:
        ports = self.scenario.data.get("passive_ports")
        return int(ports[0]) if isinstance(ports, list) else RANGE[0]

    def _announced(self) -> str:
        lab = self.road.lab
        if self.scenario.origin == "neighbour":
            return lab.inside
        return {"right": lab.outside, "wrong": _WRONG, "none": lab.inside}[self.scenario.external]

    def _dial(self, host: str, port: int) -> Step:
        goal = f"connects to {host} port {port}"
        if self.cell.word == "ok":
            return Step(0, self.road.at("server"), f"{goal}: the data connection", Line.DATA)
        stop, why = self._stop(host, port)
        return Step(0, self.road.at(stop), f"{goal}: {why}", Line.FAIL)

    def _stop(self, host: str, port: int) -> tuple[str, str]:
        """Where the client's connection ends, and why."""
        if self.cell.cause == "stranger":
            return "server", "comes from another address than the control connection"
        if host not in (self.road.lab.outside, self.road.lab.inside6):
            return "internet", "nobody has that address here"
        if "server_router" in self.road.names:
            return "server_router", f"{port} is not {'let in' if self.scenario.family == 6 else 'forwarded'}"
        return "server", f"the firewall does not let {port} in"

    # -- active --------------------------------------------------------------------------------------------------

    def _active(self) -> tuple[Step, ...]:
        end, lab = self.road.at("server"), self.road.lab
        port = RANGE[0] if self.scenario.layout.client_side.forwards else _CLIENT_PORT
        own = lab.client6 if self.scenario.family == 6 else lab.client4
        asks = [Step(0, end, self._request(own, port))]
        if self._reads(self.scenario.layout.client_side) and self.scenario.family == 4:
            router = self.road.at("client_router")
            asks = [
                Step(0, router, self._request(own, port)),
                Step(router, end, f"{self._request(lab.client_outside, port)}, and opens {port}"),
            ]
        goal = own if self.scenario.family == 6 else lab.client_outside
        text = f"connects from port 20 to {goal} port {port}"
        return (*asks, Step(end, 0, "200"), Step(0, end, "RETR"), self._dialled(end, text))

    def _request(self, host: str, port: int) -> str:
        if self.mode is Mode.PORT:
            return f"PORT {_numbers(host, port)}"
        return f"EPRT |{2 if ':' in host else 1}|{host}|{port}|"

    def _dialled(self, end: int, text: str) -> Step:
        if self.cell.word == "ok":
            return Step(end, 0, f"{text}: the data connection", Line.DATA)
        stop = self.road.at("client_router") if "client_router" in self.road.names else 0
        return Step(end, stop, f"{text}: {'not let in' if self.scenario.family == 6 else 'not forwarded'}", Line.FAIL)


def _numbers(host: str, port: int) -> str:
    return f"{host.replace('.', ',')},{port >> 8},{port & 255}"
