from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.data.address import PRIVATE, Decision, Rule, Rules, decide

RULES = Rules(explicit=(Rule(ip_network("10.8.0.0/16"), "10.8.0.1"),), external="203.0.113.5")


@pytest.mark.parametrize(
    ("rules", "client", "local", "address", "reason"),
    [
        (RULES, "10.8.3.4", "192.168.1.10", "10.8.0.1", "a rule names it for clients in 10.8.0.0/16"),
        (RULES, "192.168.1.20", "192.168.1.10", "192.168.1.10", "the client is on the local network 192.168.0.0/16"),
        (RULES, "127.0.0.1", "127.0.0.1", "127.0.0.1", "the client is on the local network 127.0.0.0/8"),
        (RULES, "8.8.8.8", "192.168.1.10", "203.0.113.5", "it is the external address (configured)"),
        (RULES, "100.64.3.4", "192.168.1.10", "203.0.113.5", "it is the external address"),
        (Rules(), "8.8.8.8", "192.168.1.10", "192.168.1.10", "no external address is known; it is private"),
        (Rules(), "8.8.8.8", "9.9.9.9", "9.9.9.9", "the client is connected to it"),
        (Rules(), "::ffff:8.8.8.8", "::ffff:9.9.9.9", "9.9.9.9", "the client is connected to it"),
        # A router's IPv4 address is no use to a client that came over IPv6.
        (RULES, "2606:4700::1", "2600::1", "2600::1", "the client is connected to it"),
        (RULES, "fe80::2%eth0", "fe80::1%eth0", "fe80::1", "the client is on the local network fe80::/10"),
        (
            Rules(local_networks=(*PRIVATE, ip_network("198.18.0.0/24")), external="203.0.113.5"),
            "198.18.0.7",
            "198.18.0.1",
            "198.18.0.1",
            "the client is on the local network 198.18.0.0/24",
        ),
        (
            Rules(external="203.0.113.5", external_origin="told by the router (UPnP)"),
            "8.8.8.8",
            "192.168.1.10",
            "203.0.113.5",
            "it is the external address (told by the router (UPnP))",
        ),
    ],
)
def test_the_order_of_the_rules(rules: Rules, client: str, local: str, address: str, reason: str) -> None:
    decision = decide(rules, client, local)
    assert decision.address == address
    assert decision.reason.startswith(reason)


HOME = Rules(external="203.0.113.5", gateway=IPv4Address("192.168.1.1"))


def test_who_comes_from_the_router_was_turned_round() -> None:
    decision = decide(HOME, "192.168.1.1", "192.168.1.10")
    assert decision == Decision(
        "203.0.113.5", "the client comes from this server's router, 192.168.1.1, which has turned it round (hairpin)",
        outside=True, turned=True,
    )  # fmt: skip
    assert decide(HOME, "::ffff:192.168.1.1", "::ffff:192.168.1.10") == decision
    # Where the router has other numbers for our ports, those lead back in.
    assert replace(HOME, ports={50000: 61000}).port(decision, 50000) == 61000


@pytest.mark.parametrize(
    ("rules", "client", "local"),
    [
        (HOME, "192.168.1.20", "192.168.1.10"),
        (replace(HOME, external=None), "192.168.1.1", "192.168.1.10"),
        # An address that neighbours cannot be sent to by way of the router.
        (replace(HOME, external="192.168.1.10"), "192.168.1.1", "192.168.1.10"),
        (replace(HOME, external="100.64.3.4"), "192.168.1.1", "192.168.1.10"),
        (replace(HOME, external="2600::5"), "192.168.1.1", "192.168.1.10"),
        # A container, which this machine itself, or its proxy, connects to.
        (replace(HOME, gateway=IPv4Address("172.17.0.1")), "172.17.0.1", "172.17.0.2"),
        # Nothing translates before a public address.
        (replace(HOME, gateway=IPv4Address("9.9.9.1"), local_networks=()), "9.9.9.1", "9.9.9.9"),
    ],
)
def test_who_is_not_taken_for_one_that_was_turned_round(rules: Rules, client: str, local: str) -> None:
    assert not decide(rules, client, local).turned


def test_a_rule_goes_before_the_guess_and_who_does_not_want_it_gets_none() -> None:
    rules = replace(HOME, explicit=(Rule(ip_network("192.168.1.1/32"), "192.168.1.10"),))
    assert decide(rules, "192.168.1.1", "192.168.1.10").address == "192.168.1.10"
    assert decide(HOME, "192.168.1.1", "192.168.1.10", guess=False) == Decision(
        "192.168.1.10", "the client is on the local network 192.168.0.0/16 and is connected to it"
    )


def test_which_of_our_ports_a_client_is_led_to() -> None:
    rules = Rules(external="203.0.113.5", granted={4: frozenset({50001}), 6: frozenset({50002})})

    def among(client: str, local: str, rules: Rules = rules) -> frozenset[int] | None:
        return rules.among(decide(rules, client, local))

    assert among("8.8.8.8", "192.168.1.10") == frozenset({50001})
    assert among("192.168.1.20", "192.168.1.10") is None
    assert among("2606:4700::1", "2600::1") == frozenset({50002})
    assert among("fd00::2", "fd00::1") is None
    assert among("8.8.8.8", "192.168.1.10", Rules()) is None
    assert among("2606:4700::1", "2600::1", Rules(granted={4: frozenset({50001})})) is None
    assert among("8.8.8.8", "192.168.1.10", Rules(granted={6: frozenset({50001})})) is None


def test_the_first_rule_that_fits_counts() -> None:
    rules = Rules(explicit=(Rule(ip_network("10.0.0.0/8"), "10.0.0.1"), Rule(ip_network("10.8.0.0/16"), "10.8.0.1")))
    assert decide(rules, "10.8.0.9", "10.0.0.1") == Decision("10.0.0.1", "a rule names it for clients in 10.0.0.0/8")


@pytest.mark.parametrize("text", ["0.0.0.0", "::"])
def test_every_address_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be announced"):
        Rule(ip_network("10.0.0.0/8"), text)
    with pytest.raises(ValueError, match="cannot be announced"):
        Rules(external=text)
    with pytest.raises(ValueError, match="not the end of a connection"):
        decide(Rules(), "8.8.8.8", text)


@given(
    st.ip_addresses(),
    st.ip_addresses().filter(lambda one: not one.is_unspecified and getattr(one, "ipv4_mapped", None) is None),
)
def test_the_answer_is_of_the_family_of_the_connection(client: object, local: object) -> None:
    decision = decide(RULES, str(client), str(local))
    assert ip_address(decision.address).version == ip_address(str(local)).version
    assert not ip_address(decision.address).is_unspecified


OUTSIDE = Rules(
    explicit=(Rule(ip_network("9.1.0.0/16"), "203.0.113.5"), Rule(ip_network("9.2.0.0/16"), "10.8.0.1")),
    external="203.0.113.5",
    ports={50000: 61000},
)


@pytest.mark.parametrize(
    ("client", "local", "port"),
    [
        ("8.8.8.8", "192.168.1.10", 61000),
        ("9.1.0.1", "192.168.1.10", 61000),  # a rule that names the external address leads the same way
        ("9.2.0.1", "192.168.1.10", 50000),
        ("192.168.1.20", "192.168.1.10", 50000),
        ("2606:4700::1", "2600::1", 50000),  # nothing is translated there
    ],
)
def test_ports_of_the_router_are_for_clients_beyond_it(client: str, local: str, port: int) -> None:
    decision = decide(OUTSIDE, client, local)
    assert OUTSIDE.port(decision, 50000) == port
    assert OUTSIDE.port(decision, 50001) == 50001


def test_forwarded_ports_need_no_known_address() -> None:
    rules = Rules(ports={50000: 61000})
    assert rules.port(decide(rules, "8.8.8.8", "192.168.1.10"), 50000) == 61000
