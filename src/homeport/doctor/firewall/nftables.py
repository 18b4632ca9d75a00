"""nftables: what `nft --json list ruleset` prints (libnftables-json(5)), as Tables.

What is not understood becomes a condition that depends, never one that holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .rules import Action, Chain, Condition, Rule, Table, always, port_within

_FAMILIES = {"ip": frozenset({4}), "ip6": frozenset({6}), "inet": frozenset({4, 6})}
_VERDICTS = {"accept": Action.ACCEPT, "drop": Action.DROP, "return": Action.RETURN}
_HARMLESS = frozenset({"counter", "log", "comment", "mangle", "notrack", "ct helper", "meter"})
Ranges = tuple[tuple[int, int], ...]


class Unreadable(ValueError):
    """It is not what `nft --json` prints."""


def parse(text: str) -> tuple[list[Table], bool]:
    """The tables, and whether a helper for FTP is given to connections. Raises Unreadable."""
    try:
        items = json.loads(text)["nftables"]
        return _tables(items), _has_helper(items)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _tables(items: Iterable[Mapping[str, Any]]) -> list[Table]:
    tables: dict[tuple[str, str], Table] = {}
    sets: dict[tuple[str, str, str], Ranges | None] = {}
    inputs: list[tuple[int, Table, str]] = []
    for item in items:
        if "chain" in item:
            chain = item["chain"]
            if chain["family"] not in _FAMILIES:
                continue
            key = (chain["family"], chain["table"])
            table = tables.setdefault(key, Table(f"{key[0]} {key[1]}", _FAMILIES[key[0]]))
            made = table.chains.setdefault(chain["name"], Chain())
            # Whatever stands before the routing decision meets every connection, too.
            if chain.get("hook") in ("input", "prerouting") and chain.get("type") == "filter":
                made.policy = _VERDICTS.get(chain.get("policy", "accept"), Action.ACCEPT)
                priority = chain.get("prio", 0)
                inputs.append((priority if isinstance(priority, int) else 0, table, chain["name"]))
        elif "set" in item:
            one = item["set"]
            sets[one["family"], one["table"], one["name"]] = _ranges(one.get("elem", []))
        elif "rule" in item:
            rule = item["rule"]
            key = (rule["family"], rule["table"])
            if key in tables:
                made = tables[key].chains.setdefault(rule["chain"], Chain())
                made.rules += _rules(rule["expr"], key, sets)
    for _, table, name in sorted(inputs, key=lambda one: one[0]):
        table.inputs.append(name)
    return list(tables.values())


def _has_helper(items: Iterable[Mapping[str, Any]]) -> bool:
    return any("ct helper" in item and item["ct helper"].get("type") == "ftp" for item in items)


def _rules(
    expressions: Iterable[Mapping[str, Any]], key: tuple[str, str], sets: Mapping[tuple[str, str, str], Ranges | None]
) -> list[Rule]:
    """One rule; a verdict map becomes a jump to each of its chains, as nobody knows to which."""
    conditions: list[Condition] = []
    rules: list[Rule] = []
    text = " ".join(_shown(one) for one in expressions)
    for one in expressions:
        name = next(iter(one), "")
        if name in ("accept", "drop", "return"):
            rules.append(Rule(_VERDICTS[name], tuple(conditions), text=text))
        elif name == "reject":
            rules.append(Rule(Action.REJECT, tuple(conditions), text=text))
        elif name in ("jump", "goto"):
            action = Action.JUMP if name == "jump" else Action.GOTO
            rules.append(Rule(action, tuple(conditions), one[name]["target"], text))
        elif name == "match":
            conditions.append(_condition(one["match"], key, sets))
        elif name == "vmap":
            rules += _of_map(one["vmap"], conditions, text)
        elif name not in _HARMLESS:
            conditions.append(always(None))  # limit, fib, queue, ...
    return rules


def _of_map(value: Mapping[str, Any], conditions: list[Condition], text: str) -> list[Rule]:
    data = value.get("data")
    elements = data.get("set", []) if isinstance(data, dict) else []
    rules = []
    for element in elements:
        holds, ending = element
        match = _condition({"left": value.get("key"), "op": "==", "right": holds}, ("", ""), {})
        name = next(iter(ending))
        if name in _VERDICTS:
            rules.append(Rule(_VERDICTS[name], (*conditions, match), text=text))
        elif name in ("jump", "goto"):
            action = Action.JUMP if name == "jump" else Action.GOTO
            rules.append(Rule(action, (*conditions, match), ending[name]["target"], text))
    return rules


def _condition(
    match: Mapping[str, Any], key: tuple[str, str], sets: Mapping[tuple[str, str, str], Ranges | None]
) -> Condition:
    left, right, negated = match.get("left"), match.get("right"), match.get("op") == "!="
    if not isinstance(left, dict):
        return always(None)
    if left.get("payload") == {"protocol": "tcp", "field": "dport"} or left.get("payload") == {
        "protocol": "th", "field": "dport",
    }:  # fmt: skip
        ranges = sets.get((*key, right[1:])) if isinstance(right, str) and right.startswith("@") else _ranges(right)
        return always(None) if ranges is None else port_within(ranges, negated=negated)
    known = _known(left, _words(right))
    return always(None if known is None else known is not negated)


def _known(left: Mapping[str, Any], words: frozenset[str]) -> bool | None:
    """Whether a new TCP connection from outside has it: its state, its protocol, not from the loopback interface."""
    if left.get("ct", {}).get("key") == "state":
        return "new" in words
    payload, meta = left.get("payload", {}), left.get("meta", {})
    if payload.get("field") in ("protocol", "nexthdr") or meta.get("key") == "l4proto":
        return bool(words & {"tcp", "6"})
    if payload.get("protocol") in ("udp", "icmp", "icmpv6", "sctp"):
        return False
    if meta.get("key") in ("iif", "iifname") and words == {"lo"}:
        return False
    if meta.get("key") == "nfproto":
        return None
    return None


def _words(right: object) -> frozenset[str]:
    if isinstance(right, dict) and "set" in right:
        return frozenset().union(*(_words(one) for one in right["set"]))
    if isinstance(right, list):
        return frozenset().union(*(_words(one) for one in right))
    return frozenset({str(right)})


def _ranges(right: object) -> Ranges | None:
    """Ports as ranges; None for what is none."""
    if isinstance(right, bool):
        return None
    if isinstance(right, int):
        return ((right, right),)
    if isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        return ((low, high),) if isinstance(low, int) and isinstance(high, int) else None
    if isinstance(right, dict) and "elem" in right:
        return _ranges(right["elem"].get("val"))
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    if not isinstance(right, list):
        return None
    found: list[tuple[int, int]] = []
    for one in right:
        ranges = _ranges(one)
        if ranges is None:
            return None
        found += ranges
    return tuple(found)


def _shown(expression: Mapping[str, Any]) -> str:
    """About as nft writes it, for people who look for the rule."""
    name = next(iter(expression), "")
    if name == "match":
        match = expression["match"]
        left = match.get("left", {})
        words = " ".join(str(part) for one in left.values() for part in one.values()) if isinstance(left, dict) else ""
        operator = "!= " if match.get("op") == "!=" else ""
        return f"{words} {operator}{_value(match.get('right'))}"
    if name in ("jump", "goto"):
        return f"{name} {expression[name]['target']}"
    return str(name)


def _value(right: object) -> str:
    if isinstance(right, dict) and "range" in right:
        return "-".join(str(one) for one in right["range"])
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    if isinstance(right, list):
        return "{ " + ", ".join(_value(one) for one in right) + " }"
    return str(right)
