"""The words of every firewall are golden; what nftables and iptables are given is loaded into a real kernel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from homeport.advice.firewall import Format, Needs, rules_for
from homeport.advice.rules.openings import Range, ranges

from .namespaces import CLIENT, CLIENT_6, SERVER, SERVER_6, Pair, available, pair

GOLDEN = Path(__file__).parent / "golden"

USUAL = Needs(
    control=(21,),
    passive=tuple(range(50000, 50020)),
    active=20,
    addresses=("0.0.0.0", "::"),
    inside="192.168.50.10",
)
OTHER = Needs(
    control=(2121, 990),
    passive=(50000, 50002, 50003),
    active=0,
    addresses=("192.0.2.1",),
    external=True,
)
"""Two control ports, gaps in the range, no data port of its own, IPv4 only, and no known address in the network."""
VAGUE = Needs(control=(0,), passive=(), active=0, addresses=("::1",))
"""Nothing is fixed."""
NEEDS = {"usual": USUAL, "other": OTHER, "vague": VAGUE}


def golden(needs: Needs) -> str:
    return "\n".join(f"== {form.title}\n\n{rules_for(needs, form)}" for form in Format)


@pytest.mark.parametrize("name", list(NEEDS))
def test_the_words(name: str) -> None:
    assert golden(NEEDS[name]) == (GOLDEN / f"firewall-{name}.txt").read_text("utf-8")


@pytest.mark.parametrize(("form", "needs"), [*product(Format, (USUAL, OTHER))])
def test_every_incoming_port_is_opened_with_its_reason(form: Format, needs: Needs) -> None:
    text = rules_for(needs, form)
    unwrapped = " ".join(line.strip().removeprefix("#").removeprefix("rem").strip() for line in text.splitlines())
    for one in needs.incoming:
        low = one.ports.low
        assert any(str(port) in text for port in (low, one.ports.text(), one.ports.text(":")))
        assert one.reason in unwrapped


@pytest.mark.parametrize("form", [Format.UFW, Format.NFTABLES, Format.IPTABLES, Format.NETSH, Format.PF])
def test_the_data_port_is_named_only_where_there_is_one(form: Format) -> None:
    assert " 20 " in rules_for(USUAL, form) or "=20 " in rules_for(USUAL, form)
    assert rules_for(replace(USUAL, active=0), form) != rules_for(USUAL, form)
    assert "1024" in rules_for(replace(USUAL, active=0), form)


def test_runs_of_ports_are_drawn_together() -> None:
    assert ranges([]) == ranges([0]) == ()
    assert ranges([5, 4, 4, 2, 0]) == (Range(2, 2), Range(4, 5))
    assert Range(2, 2).text(":") == "2"
    assert Range(4, 5).text(":") == "4:5"


# -- in a real kernel --------------------------------------------------------------------------------------

in_kernel = pytest.mark.skipif(not available(), reason="network namespaces cannot be made here")


@pytest.fixture
def both() -> Iterator[Pair]:
    with pair() as made:
        yield made


DROPS_NFT = """
add table inet filter
add chain inet filter input { type filter hook input priority filter; policy drop; }
add chain inet filter output { type filter hook output priority filter; policy drop; }
add rule inet filter input meta l4proto icmpv6 accept
add rule inet filter output meta l4proto icmpv6 accept
"""
DROPS_IPTABLES = """*filter
:INPUT DROP
:OUTPUT DROP
-A INPUT -p %s -j ACCEPT
-A OUTPUT -p %s -j ACCEPT
COMMIT
"""


def load_nftables(both: Pair, needs: Needs) -> None:
    both.run("nft", "-f", "-", given=DROPS_NFT)
    rules = rules_for(needs, Format.NFTABLES)
    both.run("nft", "-c", "-f", "-", given=rules)
    both.run("nft", "-f", "-", given=rules)
    assert "policy drop" in both.run("nft", "list", "chain", "inet", "filter", "input")


def load_iptables(both: Pair, needs: Needs) -> None:
    rules = rules_for(needs, Format.IPTABLES)
    for program, own in (("iptables-restore", "icmp"), ("ip6tables-restore", "ipv6-icmp")):
        both.run(program, given=DROPS_IPTABLES % (own, own))
        if program.startswith("iptables") or needs.ipv6:
            both.run(program, "--noflush", "--test", given=rules)
            both.run(program, "--noflush", given=rules)


LOADERS = [
    pytest.param(
        load_nftables,
        id="nftables",
        marks=pytest.mark.skipif(shutil.which("nft") is None, reason="there is no nft here"),
    ),
    pytest.param(
        load_iptables,
        id="iptables",
        marks=pytest.mark.skipif(shutil.which("iptables-restore") is None, reason="there is no iptables-restore here"),
    ),
]


@in_kernel
@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(("here", "there"), [(SERVER, CLIENT), (SERVER_6, CLIENT_6)])
def test_what_is_needed_passes_and_nothing_else(both: Pair, load: object, here: str, there: str) -> None:
    """The server's machine drops all that comes in and all that goes out, but for these rules."""
    assert callable(load)
    load(both, USUAL)
    with both.listening(both.server, here, 21, 50000, 50019, 50020), both.listening(both.client, there, 40000, 1023):
        assert both.reaches(both.client, there, here, 21)
        assert both.reaches(both.client, there, here, 50000)
        assert both.reaches(both.client, there, here, 50019)
        assert both.is_dropped(both.client, there, here, 50020)
        assert both.reaches(both.server, here, there, 40000, source_port=20)
        assert both.is_dropped(both.server, here, there, 40000, source_port=22)
        assert both.is_dropped(both.server, here, there, 1023, source_port=20)


@in_kernel
@pytest.mark.parametrize("load", LOADERS)
def test_rules_without_a_data_port_and_for_one_family(both: Pair, load: object) -> None:
    assert callable(load)
    load(both, OTHER)
    with (
        both.listening(both.server, SERVER, 2121, 50002),
        both.listening(both.server, SERVER_6, 2121),
        both.listening(both.client, CLIENT, 40000),
    ):
        assert both.reaches(both.client, CLIENT, SERVER, 2121)
        assert both.reaches(both.client, CLIENT, SERVER, 50002)
        assert both.is_dropped(both.client, CLIENT_6, SERVER_6, 2121)
        assert both.reaches(both.server, SERVER, CLIENT, 40000)


@in_kernel
@pytest.mark.parametrize("load", LOADERS)
def test_rules_for_what_no_rule_can_name_load_all_the_same(both: Pair, load: object) -> None:
    assert callable(load)
    load(both, replace(VAGUE, addresses=("0.0.0.0", "::")))
