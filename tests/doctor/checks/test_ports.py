from __future__ import annotations

from dataclasses import replace

from homeport.doctor.checks import ports
from homeport.doctor.finding import Severity

from ..cases import LAN, RUNNING, MadeUp, case, one, severities


def test_a_server_that_runs() -> None:
    assert severities(ports.running(case())) == [Severity.OK]
    assert "with 1 session." in next(iter(ports.running(case(running=replace(RUNNING, sessions=1))))).seen


def test_one_that_does_not_run() -> None:
    found = one(ports.running(case(running=None)))
    assert found.severity is Severity.WARNING
    assert "no server runs with the state directory" in found.seen
    for check in (ports.control, ports.passive):
        assert list(check(case(running=None))) == []


def test_the_control_port_is_tried_by_each_address() -> None:
    machine = MadeUp()
    assert severities(ports.control(case(machine))) == [Severity.OK] * 2
    assert machine.dialled == [("127.0.0.1", 21), (LAN, 21)]


def test_a_control_port_that_is_not_reached() -> None:
    found = one(ports.control(case(MadeUp(unreached={(LAN, 21): "no answer within 3 s"}))))
    assert found.severity is Severity.ERROR
    assert found.seen == f"The control port is not reached at {LAN}:21: no answer within 3 s."


def test_a_server_that_does_not_greet() -> None:
    running = replace(RUNNING, addresses=(("127.0.0.1", 21),))
    found = one(ports.control(case(MadeUp(greeting="421 too many"), running=running)))
    assert found.severity is Severity.ERROR
    assert "421 too many" in found.seen


def test_a_port_where_tls_begins_at_once_is_not_listened_to() -> None:
    running = replace(RUNNING, addresses=(("127.0.0.1", 990),))
    options = {"listen": {"port": 21, "implicit_tls_port": 990}}
    assert severities(ports.control(case(MadeUp(greeting=""), running=running, options=options))) == [Severity.OK]


def test_a_server_behind_a_proxy_greets_nobody_else() -> None:
    options = {"proxy": {"networks": ["192.0.2.0/28"], "control": True}}
    assert severities(ports.control(case(MadeUp(greeting=""), options=options))) == [Severity.OK] * 2


def test_every_passive_port_is_tried() -> None:
    machine = MadeUp()
    assert severities(ports.passive(case(machine, options={"data": {"passive_ports": "50000-50009"}}))) == [0, 0]
    assert set(machine.dialled) == {(address, port) for address in ("127.0.0.1", LAN) for port in range(50000, 50010)}


def test_passive_ports_that_are_not_reached() -> None:
    unreached = {(LAN, 50003): "connection refused", (LAN, 50004): "connection refused", (LAN, 50009): "no answer"}
    options = {"data": {"passive_ports": "50000-50009"}}
    found = one(ports.passive(case(MadeUp(unreached=unreached), options=options)))
    assert found.severity is Severity.ERROR
    assert found.seen == (
        f"3 of 10 passive ports are not reached at {LAN} (50003-50004: connection refused; 50009: no answer)."
    )


def test_passive_ports_that_could_not_be_opened() -> None:
    found = one(ports.passive(case(options={"data": {"passive_ports": "50000-50019"}})))
    assert found.severity is Severity.WARNING
    assert found.seen.endswith("not open: 50010-50019.")


def test_a_configuration_of_another_server_is_not_held_against_this_one() -> None:
    assert severities(ports.passive(case(options={"data": {"passive_ports": "40000-40019"}}))) == [0, 0]


def test_a_range_of_which_only_a_part_is_ever_opened() -> None:
    running = replace(RUNNING, passive_ports=tuple(range(50000, 50256)))
    assert severities(ports.passive(case(running=running, options={"data": {"passive_ports": "50000-51000"}}))) == [
        0,
        0,
    ]


def test_the_active_port() -> None:
    assert severities(ports.active(case())) == [Severity.OK]
    assert severities(ports.active(case(running=replace(RUNNING, active_port=0)))) == [Severity.OK]
    found = one(ports.active(case(MadeUp(unbound="Permission denied"))))
    assert found.severity is Severity.WARNING
    assert f"{LAN}: Permission denied" in found.seen
    assert "this program is not the server" in found.seen
