from __future__ import annotations

from homeport.doctor.firewall.reading import read_firewall
from homeport.doctor.machine import Ran

from ..cases import NFT_OPEN, MadeUp

SAVED = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
COMPATIBLE = (
    '{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", '
    '"prio": 0, "policy": "drop"}}]}'
)


def test_both_programs_are_asked() -> None:
    found = read_firewall(MadeUp(programs={"nft": NFT_OPEN, "iptables-save": Ran(0, SAVED, "")}))
    assert found.sources == ("nft", "iptables-save")
    assert len(found.tables) == 1
    assert found.hidden is None


def test_rules_that_iptables_keeps_in_nftables_count_once() -> None:
    programs = {"nft": Ran(0, COMPATIBLE, ""), "iptables-save": Ran(0, SAVED, "")}
    assert [table.name for table in read_firewall(MadeUp(programs=programs)).tables] == ["ip filter"]


def test_an_nft_without_json_is_made_up_for() -> None:
    programs = {"nft": Ran(0, "table ip filter {\n}\n", ""), "iptables-save": Ran(0, SAVED, "")}
    found = read_firewall(MadeUp(programs=programs))
    assert found.sources == ("iptables-save",)


def test_ufw_is_asked_last() -> None:
    status = Ran(0, "Status: active\nDefault: deny (incoming)\n", "")
    found = read_firewall(MadeUp(programs={"ufw": status}))
    assert found.sources == ("ufw",)
    assert len(found.tables) == 2


def test_nobody_tells() -> None:
    assert read_firewall(MadeUp()).hidden == "none of nft, iptables-save and ufw is installed"
    denied = Ran(1, "ERROR: You need to be root to run this script\n", "")
    assert (
        read_firewall(MadeUp(programs={"ufw": denied})).hidden == "ufw: ERROR: You need to be root to run this script"
    )
