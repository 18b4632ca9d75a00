from __future__ import annotations

import pytest

from homeport.doctor.firewall.iptables import parse
from homeport.doctor.firewall.verdict import Fate, verdict


def fate(rules: str, port: int, policy: str = "DROP", chains: str = "") -> Fate:
    text = f"*filter\n:INPUT {policy} [0:0]\n:FORWARD DROP [0:0]\n{chains}{rules}\nCOMMIT\n"
    table, _ = parse(text, 4)
    return verdict([table], 4, port).fate


@pytest.mark.parametrize(
    ("rule", "port", "expected"),
    [
        ("-p tcp -m tcp --dport 21 -j ACCEPT", 21, Fate.OPEN),
        ("-p tcp -m tcp --dport 21 -j ACCEPT", 22, Fate.SHUT),
        ("-p tcp -m tcp --dport 50000:50019 -j ACCEPT", 50019, Fate.OPEN),
        ("-p tcp -m tcp --dport 50000: -j ACCEPT", 65535, Fate.OPEN),
        ("-p tcp -m tcp --dport :1023 -j ACCEPT", 21, Fate.OPEN),
        ("-p tcp -m multiport --dports 20,21,50000:50019 -j ACCEPT", 50003, Fate.OPEN),
        ("-p tcp -m tcp ! --dport 21 -j ACCEPT", 21, Fate.SHUT),
        ("-p tcp -m tcp ! --dport 21 -j ACCEPT", 22, Fate.OPEN),
        ("-p udp -m udp --dport 21 -j ACCEPT", 21, Fate.SHUT),
        ("-p tcp -j ACCEPT", 21, Fate.OPEN),
        ("! -p tcp -j ACCEPT", 21, Fate.SHUT),
        ("-j ACCEPT", 21, Fate.OPEN),
        ("-i lo -j ACCEPT", 21, Fate.SHUT),
        ("! -i lo -j ACCEPT", 21, Fate.OPEN),
        ("-i eth0 -p tcp --dport 21 -j ACCEPT", 21, Fate.DEPENDS),
        ("-s 192.0.2.0/24 -p tcp --dport 21 -j ACCEPT", 21, Fate.DEPENDS),
        ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", 21, Fate.SHUT),
        ("-m conntrack --ctstate NEW -p tcp --dport 21 -j ACCEPT", 21, Fate.OPEN),
        ("-m state --state NEW,ESTABLISHED -j ACCEPT", 21, Fate.OPEN),
        ("-p tcp --dport 21 --syn -j ACCEPT", 21, Fate.OPEN),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN --dport 21 -j ACCEPT", 21, Fate.OPEN),
        ("-p tcp --dport 21 -m limit --limit 3/min -j ACCEPT", 21, Fate.DEPENDS),
        ('-p tcp --dport 21 -m comment --comment "FTP -j DROP control" -j ACCEPT', 21, Fate.OPEN),
        ("-p tcp --dport 21 -m comment --comment it's -j ACCEPT", 21, Fate.OPEN),
        ("-p tcp --dport 21 -j LOG --log-prefix x", 21, Fate.SHUT),
        ("-p tcp --dport ftp -j ACCEPT", 21, Fate.DEPENDS),
    ],
)
def test_one_rule_before_a_policy_of_drop(rule: str, port: int, expected: Fate) -> None:
    assert fate(f"-A INPUT {rule}", port) is expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-p tcp --dport 21 -j DROP", Fate.SHUT),
        ("-p tcp --dport 21 -j REJECT --reject-with tcp-reset", Fate.SHUT),
        ("-s 192.0.2.66 -j DROP", Fate.DEPENDS),
        ("-p udp -j DROP", Fate.OPEN),
    ],
)
def test_one_rule_before_a_policy_of_accept(rule: str, expected: Fate) -> None:
    assert fate(f"-A INPUT {rule}", 21, "ACCEPT") is expected


def test_the_first_rule_counts() -> None:
    rules = "-A INPUT -p tcp --dport 21 -j ACCEPT\n-A INPUT -p tcp -j DROP"
    assert fate(rules, 21, "ACCEPT") is Fate.OPEN
    assert fate(rules, 22, "ACCEPT") is Fate.SHUT


def test_chains_are_gone_through_and_come_back() -> None:
    chains = ":allow - [0:0]\n:deeper - [0:0]\n"
    rules = (
        "-A INPUT -j allow\n-A INPUT -p tcp --dport 23 -j ACCEPT\n-A allow -p tcp --dport 22 -j RETURN\n"
        "-A allow -j deeper\n-A deeper -p tcp --dport 21:22 -j ACCEPT"
    )
    assert fate(rules, 21, chains=chains) is Fate.OPEN
    assert fate(rules, 22, chains=chains) is Fate.SHUT
    assert fate(rules, 23, chains=chains) is Fate.OPEN


def test_goto_does_not_come_back() -> None:
    rules = "-A INPUT -g away\n-A INPUT -j ACCEPT\n-A away -p udp -j ACCEPT"
    assert fate(rules, 21, chains=":away - [0:0]\n") is Fate.SHUT


def test_a_jump_that_depends_makes_all_behind_it_depend() -> None:
    rules = "-A INPUT -s 192.0.2.0/24 -j friends\n-A friends -j ACCEPT"
    assert fate(rules, 21, chains=":friends - [0:0]\n") is Fate.DEPENDS


def test_chains_that_call_each_other_come_to_an_end() -> None:
    assert fate("-A INPUT -j a\n-A a -j b\n-A b -j a", 21, chains=":a - [0:0]\n:b - [0:0]\n") is Fate.SHUT


def test_only_the_filter_table_counts() -> None:
    text = "*nat\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    assert verdict([parse(text, 4)[0]], 4, 21).fate is Fate.OPEN


def test_the_other_family_is_not_concerned() -> None:
    table, _ = parse("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", 6)
    assert verdict([table], 4, 21).fate is Fate.OPEN
    found = verdict([table], 6, 21)
    assert found.fate is Fate.SHUT
    assert found.because == "the policy of ip6tables INPUT"
