from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from homeport.doctor.case import Running
from homeport.net.router import Grant, RouterState, Trouble

from .cases import LAN, RUNNING, case, with_router


def test_the_ports_are_those_of_the_running_server() -> None:
    found = case(running=replace(RUNNING, addresses=(("0.0.0.0", 2121), ("::", 2121)), active_port=2120))
    assert found.control_ports == (2121,)
    assert found.passive_ports == RUNNING.passive_ports
    assert found.active_port == 2120


def test_without_one_they_are_the_configured_ones() -> None:
    options = {"listen": {"port": 2121, "implicit_tls_port": 990}, "data": {"passive_ports": "40000-40001"}}
    found = case(running=None, options=options)
    assert found.control_ports == (2121, 990)
    assert found.passive_ports == (40000, 40001)
    assert found.active_port == 2120
    assert case(running=None, options={"data": {"passive_ports": "any"}}).passive_ports == ()


@pytest.mark.parametrize(
    ("listening", "reached"),
    [
        (("0.0.0.0",), ("127.0.0.1", LAN)),
        (("192.0.2.7",), ("192.0.2.7",)),
        (("127.0.0.1",), ("127.0.0.1",)),
        (("0.0.0.0", LAN), ("127.0.0.1", LAN)),
    ],
)
def test_where_it_is_reached(listening: tuple[str, ...], reached: tuple[str, ...]) -> None:
    running = replace(RUNNING, addresses=tuple((address, 21) for address in listening))
    assert case(running=running).addresses == reached


def test_a_machine_without_a_network() -> None:
    assert case(lan=None).addresses == ("127.0.0.1",)


def test_what_a_running_server_says_is_understood() -> None:
    state = RouterState(
        4, "UPnP", "192.168.50.1", "198.51.100.20", (Grant(21, 2121, 3600.0),), Trouble.CONFLICT, "port 50001 is taken"
    )
    told = asdict(with_router(state))
    del told["routers"]
    told["router"] = [{**asdict(state), "trouble": Trouble.CONFLICT.value}]
    told["addresses"] = [list(address) for address in told["addresses"]]
    assert Running.of(told) == with_router(state)
    assert Running.of({**told, "router": []}).routers == ()
