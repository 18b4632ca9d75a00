"""ufw: what `ufw status verbose` prints, as a Table. Only asked where neither nft nor iptables-save can be."""

from __future__ import annotations

import re

from .rules import Action, Chain, Rule, Table, always, port_within

_RULE = re.compile(
    r"^(?P<to>\S+)(?P<six>\s+\(v6\))?\s+(?P<action>ALLOW|DENY|REJECT|LIMIT)(?:\s+IN)?\s+(?P<source>.*\S)\s*$"
)
_ACTIONS = {"ALLOW": Action.ACCEPT, "LIMIT": Action.ACCEPT, "DENY": Action.DROP, "REJECT": Action.REJECT}


def parse(text: str) -> list[Table]:
    """One table for each family; none where it is not active."""
    if not re.search(r"^Status: active", text, re.MULTILINE):
        return []
    default = re.search(r"^Default: (\w+) \(incoming\)", text, re.MULTILINE)
    policy = _ACTIONS.get(default.group(1).upper(), Action.DROP) if default is not None else Action.DROP
    tables = []
    for family in (4, 6):
        chain = Chain(policy=policy)
        for line in text.splitlines():
            found = _RULE.match(line)
            if found is not None and bool(found["six"]) is (family == 6):
                rule = _rule(found, line)
                if rule is not None:
                    chain.rules.append(rule)
        tables.append(Table("ufw", frozenset({family}), {"incoming": chain}, ["incoming"]))
    return tables


def _rule(found: re.Match[str], line: str) -> Rule | None:
    ports, slash, protocol = found["to"].partition("/")
    if slash and protocol != "tcp":
        return None
    anywhere = found["source"].startswith("Anywhere")
    source = always(True if anywhere else None)
    action = _ACTIONS[found["action"]]
    if ports == "Anywhere":
        return Rule(action, (source,), text=line.strip())
    ranges = []
    for part in ports.split(","):
        low, colon, high = part.partition(":")
        if not low.isdigit() or (colon and not high.isdigit()):
            return Rule(action, (source, always(None)), text=line.strip())  # an address, or the name of an application
        ranges.append((int(low), int(high or low)))
    return Rule(action, (source, port_within(tuple(ranges))), text=line.strip())
