"""What nft prints is judged as the kernel does it: made-up rules, and real ones in a namespace of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.advice.namespaces import Pair, available, pair

from homeport.advice.firewall import Format, Needs, rules_for
from homeport.doctor.firewall.nftables import Unreadable, parse
from homeport.doctor.firewall.verdict import Fate, verdict


def text_of(*expressions: list[object], policy: str = "drop", others: tuple[object, ...] = ()) -> str:
    """A table `inet filter` with one chain at the hook input."""
    place = {"family": "inet", "table": "filter"}
    chain = {**place, "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": policy}
    rules = [{"rule": {**place, "chain": "input", "expr": list(one)}} for one in expressions]
    return json.dumps({"nftables": [{"metainfo": {}}, {"table": place}, {"chain": chain}, *others, *rules]})


def fate(text: str, port: int) -> Fate:
    return verdict(parse(text)[0], 4, port).fate


def match(left: object, right: object, operator: str = "==") -> dict[str, object]:
    return {"match": {"op": operator, "left": left, "right": right}}


DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
ACCEPT: dict[str, object] = {"accept": None}
DROP: dict[str, object] = {"drop": None}


@pytest.mark.parametrize(
    ("rule", "port", "expected"),
    [
        ([match(DPORT, 21), ACCEPT], 21, Fate.OPEN),
        ([match(DPORT, 21), ACCEPT], 22, Fate.SHUT),
        ([match(DPORT, {"range": [50000, 50019]}), ACCEPT], 50019, Fate.OPEN),
        ([match(DPORT, {"set": [20, 21, {"range": [50000, 50019]}]}), ACCEPT], 50000, Fate.OPEN),
        ([match(DPORT, 21, "!="), ACCEPT], 21, Fate.SHUT),
        ([match(DPORT, "ftp"), ACCEPT], 21, Fate.DEPENDS),
        ([match({"payload": {"protocol": "udp", "field": "dport"}}, 21), ACCEPT], 21, Fate.SHUT),
        ([match({"payload": {"protocol": "th", "field": "dport"}}, 21), ACCEPT], 21, Fate.OPEN),
        ([match({"meta": {"key": "l4proto"}}, "tcp"), ACCEPT], 21, Fate.OPEN),
        ([match({"meta": {"key": "l4proto"}}, {"set": ["icmp", "ipv6-icmp"]}), ACCEPT], 21, Fate.SHUT),
        ([match({"meta": {"key": "iifname"}}, "lo"), ACCEPT], 21, Fate.SHUT),
        ([match({"meta": {"key": "iifname"}}, "eth0"), ACCEPT], 21, Fate.DEPENDS),
        ([match({"ct": {"key": "state"}}, ["established", "related"], "in"), ACCEPT], 21, Fate.SHUT),
        ([match({"ct": {"key": "state"}}, "new"), match(DPORT, 21), {"counter": {}}, ACCEPT], 21, Fate.OPEN),
        ([match({"payload": {"protocol": "ip", "field": "saddr"}}, "192.0.2.1"), ACCEPT], 21, Fate.DEPENDS),
        ([{"limit": {"rate": 3, "per": "minute"}}, ACCEPT], 21, Fate.DEPENDS),
        ([{"log": None}], 21, Fate.SHUT),
        ([{"xt": None}, ACCEPT], 21, Fate.DEPENDS),
        ([{"vmap": {"key": DPORT, "data": {"set": [[21, ACCEPT], [22, DROP]]}}}], 21, Fate.OPEN),
        ([{"vmap": {"key": DPORT, "data": {"set": [[21, ACCEPT], [22, DROP]]}}}], 22, Fate.SHUT),
        ([{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["new", ACCEPT]]}}}], 22, Fate.OPEN),
    ],
)
def test_one_rule_before_a_policy_of_drop(rule: list[object], port: int, expected: Fate) -> None:
    assert fate(text_of(rule), port) is expected


@pytest.mark.parametrize(
    ("rule", "because"),
    [
        ([match(DPORT, {"set": [{"range": [50000, 50019]}, 7]}), DROP], "tcp dport { 50000-50019, 7 } drop"),
        ([match(DPORT, 21, "!="), {"reject": {"type": "tcp reset"}}], "tcp dport != 21 reject"),
    ],
)
def test_the_rule_that_shuts_it_is_told(rule: list[object], because: str) -> None:
    found = verdict(parse(text_of(rule, policy="accept"))[0], 4, 50003)
    assert found.fate is Fate.SHUT
    assert because in found.because


def test_a_named_set() -> None:
    named = {"set": {"family": "inet", "table": "filter", "name": "ftp", "elem": [21, {"range": [50000, 50019]}]}}
    text = text_of([match(DPORT, "@ftp"), ACCEPT], others=(named,))
    assert fate(text, 50003) is Fate.OPEN
    assert fate(text, 22) is Fate.SHUT
    assert fate(text_of([match(DPORT, "@unknown"), ACCEPT]), 21) is Fate.DEPENDS


def test_every_table_must_let_it_in() -> None:
    first, second = (
        json.loads(text_of([match(DPORT, 21), ACCEPT], policy=policy))["nftables"] for policy in ("drop", "accept")
    )
    for item in second:
        for value in item.values():
            value["table"] = value["name"] = "other" if "hook" not in value else value["name"]
            value["table"] = "other"
    text = json.dumps({"nftables": first + second})
    assert fate(text, 21) is Fate.OPEN
    assert fate(text, 22) is Fate.SHUT


def test_a_helper_is_seen() -> None:
    helper = {"ct helper": {"family": "inet", "table": "filter", "name": "f", "type": "ftp", "protocol": "tcp"}}
    assert parse(text_of(others=(helper,)))[1]
    assert not parse(text_of())[1]


@pytest.mark.parametrize(
    "text", ["", "table ip filter {}", "[]", "{}", '{"nftables": [{"chain": {}}]}', '{"nftables": 3}']
)
def test_what_is_something_else(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


# -- the kernel's own answer ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    if not available():
        pytest.skip("network namespaces cannot be made here")
    with pair() as made:
        yield made


NEEDS = Needs(control=(21,), passive=tuple(range(50000, 50020)), active=20, addresses=("0.0.0.0", "::"))


def test_rules_of_our_own_as_the_kernel_has_them(both: Pair) -> None:
    shut = "table inet strict {\n chain input {\n  type filter hook input priority 0; policy drop;\n }\n}\n"
    both.run("nft", "flush", "ruleset")
    both.run("nft", "-f", "-", given=shut)
    tables, _ = parse(both.run("nft", "--json", "list", "ruleset"))
    assert verdict(tables, 4, 21).fate is Fate.SHUT
    both.run("nft", "flush", "ruleset")
    both.run("nft", "-f", "-", given=rules_for(NEEDS, Format.NFTABLES))
    tables, _ = parse(both.run("nft", "--json", "list", "ruleset"))
    for family in (4, 6):
        for port in (21, 50000, 50019):
            assert verdict(tables, family, port).fate is Fate.OPEN, (family, port)


def test_a_home_made_firewall_as_the_kernel_has_it(both: Pair) -> None:
    both.run("nft", "flush", "ruleset")
    both.run(
        "nft", "-f", "-",
        given="""
table inet filter {
    set allowed { type inet_service; flags interval; elements = { 21, 50000-50009 } }
    chain services {
        tcp dport @allowed accept
        tcp dport 22 ip saddr 192.0.2.0/24 accept
    }
    chain input {
        type filter hook input priority filter; policy accept;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iif lo accept
        meta l4proto { icmp, ipv6-icmp } accept
        jump services
        reject with icmpx type admin-prohibited
    }
}
""",
    )  # fmt: skip
    tables, _ = parse(both.run("nft", "--json", "list", "ruleset"))
    fates = {port: verdict(tables, 4, port).fate for port in (21, 22, 23, 50003, 50010)}
    assert fates == {21: Fate.OPEN, 22: Fate.DEPENDS, 23: Fate.SHUT, 50003: Fate.OPEN, 50010: Fate.SHUT}
