from __future__ import annotations

from dataclasses import replace

import pytest

from homeport.doctor.checks import outside
from homeport.doctor.finding import Severity
from homeport.net.router import Grant, RouterState, Trouble

from ..cases import LAN, PUBLIC, RUNNING, MadeUp, case, one, severities, with_router

UNKNOWN = replace(RUNNING, external=None, external_origin=None)
ALL = tuple(Grant(port, port, 3600.0) for port in (21, *range(50000, 50010)))
ROUTER = RouterState(4, "PCP", "192.168.50.1", PUBLIC, ALL)


def test_a_good_address() -> None:
    (found,) = outside.external(case())
    assert found.severity is Severity.OK
    assert found.seen == f"Clients from the internet are told {PUBLIC} (configured)."


@pytest.mark.parametrize(
    ("address", "words"),
    [("192.168.1.1", "private (RFC 1918)"), ("127.0.0.1", "the loopback address"), ("100.64.1.1", "carrier-grade NAT")],
)
def test_addresses_that_nobody_outside_can_dial(address: str, words: str) -> None:
    found = one(outside.external(case(running=replace(RUNNING, external=address))))
    assert found.severity is Severity.ERROR
    assert words in found.seen
    assert found.cures


def test_a_configured_address_where_no_server_runs() -> None:
    (found,) = outside.external(case(running=None, options={"data": {"external_address": PUBLIC}}))
    assert found.severity is Severity.OK


def test_a_name() -> None:
    options = {"data": {"external_address": "ftp.example.net"}}
    machine = MadeUp(names={"ftp.example.net": ("198.51.100.20", "2001:db8::20")})
    (found,) = outside.external(case(machine, options=options))
    assert found.severity is Severity.OK
    assert "the name ftp.example.net" in found.seen


@pytest.mark.parametrize(
    ("addresses", "severity", "words"),
    [
        (None, Severity.ERROR, "cannot be looked up: Name or service not known"),
        (("2001:db8::20",), Severity.WARNING, "has no IPv4 address"),
        (
            ("198.51.100.99",),
            Severity.WARNING,
            f"Clients are told {PUBLIC}, and the name ftp.example.net is 198.51.100.99",
        ),
        (("10.0.0.1",), Severity.ERROR, "which is private"),
    ],
)
def test_names_that_are_wrong(addresses: tuple[str, ...] | None, severity: Severity, words: str) -> None:
    machine = MadeUp(names={} if addresses is None else {"ftp.example.net": addresses})
    found = list(outside.external(case(machine, options={"data": {"external_address": "ftp.example.net"}})))
    assert max(severities(found)) is severity
    assert any(words in finding.seen for finding in found)


@pytest.mark.parametrize(
    ("lan", "external", "severity", "words"),
    [
        (PUBLIC, "auto", Severity.OK, "has a public address"),
        (LAN, "auto", Severity.WARNING, "not known"),
        (LAN, "none", Severity.NOTE, "as configured"),
        (None, "auto", Severity.NOTE, "no IPv4 address but loopback"),
    ],
)
def test_nothing_is_known(lan: str | None, external: str, severity: Severity, words: str) -> None:
    (found,) = outside.external(case(running=UNKNOWN, lan=lan, options={"data": {"external_address": external}}))
    assert found.severity is severity
    assert words in found.seen


def test_the_router_says_something_else() -> None:
    state = replace(ROUTER, wan="11.0.50.20")
    found = one(outside.external(case(running=with_router(state))))
    assert found.severity is Severity.WARNING
    assert "the router says that its address is 11.0.50.20" in found.seen


def test_nobody_asks_the_router() -> None:
    found = one(outside.router(case()))
    assert found.severity is Severity.NOTE
    assert f"forward TCP 21, 50000-50009 to {LAN}" in found.meaning
    assert found.cures
    assert list(outside.router(case(lan=PUBLIC))) == []
    assert list(outside.router(case(running=None))) == []


def test_other_numbers_outside_are_no_same_numbers() -> None:
    options = {"data": {"passive_ports": "50000-50009", "passive_ports_external": "60000-60009"}}
    assert "data.passive_ports_external" in one(outside.router(case(options=options))).meaning


def test_the_router_has_not_answered_yet() -> None:
    found = one(outside.router(case(options={"router": {"map": "upnp"}})))
    assert found.severity is Severity.NOTE
    assert found.seen == "Nothing is known of the router yet."


def test_a_router_that_forwards_all() -> None:
    (found,) = outside.router(case(running=with_router(ROUTER)))
    assert found.severity is Severity.OK
    assert found.seen == "The router (PCP at 192.168.50.1) forwards 21, 50000-50009."


def test_other_numbers_outside_are_told() -> None:
    state = replace(ROUTER, grants=(Grant(21, 2121, 3600.0), *ALL[1:]))
    (found,) = outside.router(case(running=with_router(state)))
    assert found.severity is Severity.OK
    assert "2121 to 21" in found.seen


def test_a_router_that_forwards_not_all() -> None:
    state = replace(ROUTER, grants=ALL[:-1], trouble=Trouble.CONFLICT, problem="port 50009 is somebody else's.")
    found = one(outside.router(case(running=with_router(state))))
    assert found.severity is Severity.WARNING
    assert "does not forward 50009: port 50009 is somebody else's." in found.seen


@pytest.mark.parametrize(
    ("trouble", "severity"), [(Trouble.SILENT, Severity.NOTE), (Trouble.REFUSED, Severity.WARNING)]
)
def test_a_router_that_forwards_nothing(trouble: Trouble, severity: Severity) -> None:
    state = RouterState(4, trouble=trouble, problem="no router answers.")
    assert one(outside.router(case(running=with_router(state)))).severity is severity


@pytest.mark.parametrize(
    ("wan", "words"), [("100.64.3.4", "the provider's translator (CGNAT)"), ("192.168.178.2", "(double NAT)")]
)
def test_a_router_behind_another(wan: str, words: str) -> None:
    found = one(outside.router(case(running=with_router(replace(ROUTER, wan=wan)))))
    assert found.check == "double-nat"
    assert found.severity is Severity.ERROR
    assert words in found.seen
