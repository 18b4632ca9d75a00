from __future__ import annotations

import pytest

from homeport.doctor.checks import filters
from homeport.doctor.finding import Severity
from homeport.doctor.machine import Ran

from ..cases import NFT_OPEN, MadeUp, case, one, severities

ONLY_21 = """*filter
:INPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 21 -j ACCEPT
COMMIT
"""
ONLY_SOME = ONLY_21 + "*filter\n-A INPUT -s 192.0.2.0/24 -p tcp --dport 50000:50009 -j ACCEPT\nCOMMIT\n"


def test_an_open_machine() -> None:
    (found,) = filters.firewall(case())
    assert found.severity is Severity.OK
    assert found.seen == "This machine's firewall (nft; 0 rules) lets all ports in."


def test_a_firewall_that_drops_the_range() -> None:
    found = one(filters.firewall(case(MadeUp(programs={"iptables-save": Ran(0, ONLY_21, "")}))))
    assert found.severity is Severity.ERROR
    assert "does not let IPv4 connections to passive ports 50000-50009 in: the policy of iptables INPUT" in found.seen
    assert "hang at the first listing" in found.meaning


def test_one_that_depends() -> None:
    found = one(filters.firewall(case(MadeUp(programs={"iptables-save": Ran(0, ONLY_SOME, "")}))))
    assert found.severity is Severity.NOTE
    assert "from some addresses only" in found.seen


def test_a_firewall_that_drops_all() -> None:
    closed = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n"
    found = list(filters.firewall(case(MadeUp(programs={"iptables-save": Ran(0, closed, "")}))))
    assert severities(found) == [Severity.ERROR] * 2
    assert found[0].meaning == "Clients cannot connect."
    assert "-j REJECT" in found[0].seen


@pytest.mark.parametrize("root", [True, False])
def test_rules_that_cannot_be_read(root: bool) -> None:
    denied = Ran(1, "", "Operation not permitted (you must be root)\nmore")
    found = one(filters.firewall(case(MadeUp(root=root, programs={"nft": denied}))))
    assert found.severity is Severity.NOTE
    assert "nft: Operation not permitted" in found.seen
    assert ("Only root may look." in found.seen) is not root
    assert bool(found.cures) is not root


def test_another_system() -> None:
    found = one(filters.firewall(case(MadeUp(platform="win32"))))
    assert found.severity is Severity.NOTE
    assert "win32" in found.seen


MODULES = "nf_nat_ftp 16384 0 - Live 0x0\nnf_conntrack_ftp 20480 1 nf_nat_ftp, Live 0x0\nxt_tcpudp 16384 2 - Live 0x0\n"
HELPER = Ran(0, '{"nftables": [{"ct helper": {"family": "ip", "table": "raw", "name": "f", "type": "ftp"}}]}', "")
EXTERNAL = {"data": {"external_address": "198.51.100.20"}}


@pytest.mark.parametrize(
    ("files", "program", "options", "severity"),
    [
        ({}, NFT_OPEN, {}, Severity.OK),
        ({"/proc/modules": MODULES}, NFT_OPEN, {}, Severity.OK),
        ({"/proc/modules": MODULES}, HELPER, {}, Severity.NOTE),
        # With an external address set, such a helper opens nothing (row 19 of the truth table).
        ({"/proc/modules": MODULES}, HELPER, EXTERNAL, Severity.WARNING),
        ({"/proc/modules": MODULES, filters._AUTOMATIC: "1\n"}, NFT_OPEN, EXTERNAL, Severity.WARNING),
        ({"/proc/modules": MODULES, filters._AUTOMATIC: "0\n"}, NFT_OPEN, EXTERNAL, Severity.OK),
        ({filters._AUTOMATIC: "1\n"}, NFT_OPEN, EXTERNAL, Severity.OK),
    ],
)
def test_helpers(files: dict[str, str], program: Ran, options: dict[str, object], severity: Severity) -> None:
    (found,) = filters.gateway(case(MadeUp(files=files, programs={"nft": program}), options=options))
    assert found.severity is severity


def test_a_helper_given_by_iptables() -> None:
    raw = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp\nCOMMIT\n"
    (found,) = filters.gateway(case(MadeUp(programs={"iptables-save": Ran(0, raw, "")})))
    assert found.severity is Severity.NOTE
