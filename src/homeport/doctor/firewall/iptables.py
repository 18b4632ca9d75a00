"""iptables: what `iptables-save` and `ip6tables-save` print, as a Table.

What is not understood becomes a condition that depends, never one that holds.
"""

from __future__ import annotations

import shlex

from .rules import Action, Chain, Condition, Rule, Table, always, port_within

_ACTIONS = {
    "ACCEPT": Action.ACCEPT, "DROP": Action.DROP, "REJECT": Action.REJECT, "RETURN": Action.RETURN,
    "LOG": Action.NOTHING, "NFLOG": Action.NOTHING, "MARK": Action.NOTHING, "CONNMARK": Action.NOTHING,
    "TCPMSS": Action.NOTHING, "CT": Action.NOTHING, "TRACE": Action.NOTHING,
}  # fmt: skip
_HARMLESS = frozenset({"-m", "--match", "--comment", "--log-prefix", "--log-level", "--reject-with", "--set-mark"})


def parse(text: str, family: int) -> tuple[Table, bool]:
    """The filter table, and whether a helper for FTP is given to connections (in the table raw)."""
    name = "iptables" if family == 4 else "ip6tables"
    table = Table(name, frozenset({family}), inputs=[])
    helper = False
    section = ""
    for line in text.splitlines():
        if line.startswith("*"):
            section = line[1:].strip()
        elif "--helper ftp" in line:
            helper = True
        elif section == "filter" and line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            table.chains[chain] = Chain(policy=_ACTIONS.get(policy))
        elif section == "filter" and line.startswith("-A "):
            chain, rule = _rule(line)
            table.chains.setdefault(chain, Chain()).rules.append(rule)
    if "INPUT" in table.chains:
        table.inputs.append("INPUT")
    return table, helper


def _rule(line: str) -> tuple[str, Rule]:
    try:
        words = shlex.split(line)
    except ValueError:  # a comment with a quotation mark that is never closed
        words = line.split()
    chain, words = words[1], words[2:]
    conditions: list[Condition] = []
    action, target = Action.NOTHING, ""
    negated = False
    while words:
        word = words.pop(0)
        if word == "!":
            negated = True
            continue
        value = words.pop(0) if words and not words[0].startswith("-") and words[0] != "!" else ""
        if word == "--tcp-flags":  # it has two: which flags are looked at, and which of them must be set
            value = words.pop(0) if words else ""
        if word in ("-j", "--jump", "-g", "--goto"):
            action = _ACTIONS.get(value, Action.GOTO if word in ("-g", "--goto") else Action.JUMP)
            target = value
        elif word not in _HARMLESS:
            conditions.append(_condition(word, value, negated=negated))
        negated = False
    return chain, Rule(action, tuple(conditions), target, line)


def _condition(word: str, value: str, *, negated: bool) -> Condition:
    match word:
        case "--dport" | "--destination-port" | "--dports" | "--destination-ports":
            ranges = _ranges(value)
            return always(None) if ranges is None else port_within(ranges, negated=negated)
        case "-p" | "--protocol":
            return always((value in ("tcp", "6", "all")) is not negated)
        case "-i" | "--in-interface":
            return always(negated if value == "lo" else None)
        case "--ctstate" | "--state":
            return always(("NEW" in value.split(",")) is not negated)
        case "--tcp-flags" | "--syn":
            # A new connection begins with SYN alone, which is what rules of this kind ask for.
            return always(not negated if word == "--syn" or value == "SYN" else None)
        case "--dst-type":
            return always((value == "LOCAL") is not negated)
        case _:
            return always(None)


def _ranges(value: str) -> tuple[tuple[int, int], ...] | None:
    found = []
    for part in value.split(","):
        low, colon, high = part.partition(":")
        try:
            found.append((int(low or 0), int((high or 65535) if colon else low)))
        except ValueError:
            return None
    return tuple(found)
