"""Verdict: what becomes of a new TCP connection from outside to a port, as far as the rules tell.

Rules are walked as the kernel does it. Where one depends on what is not known, both ways are thought of: if one lets
the connection in and the other does not, the answer is DEPENDS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .rules import Action, Table

_DEEPEST = 32
"""Jumps within jumps. The kernel allows 16 and no loops."""


class Fate(Enum):
    OPEN = "let in"
    SHUT = "not let in"
    DEPENDS = "let in from some addresses only"


@dataclass(frozen=True, slots=True)
class Verdict:
    fate: Fate
    because: str = ""
    """The rule, or the policy, that shuts it."""


_OPEN = Verdict(Fate.OPEN)


def verdict(tables: list[Table], family: int, port: int) -> Verdict:
    """Of all *tables* together: every one must let the connection in."""
    worst = _OPEN
    for table in tables:
        if family not in table.families:
            continue
        for name in table.inputs:
            found = _at_hook(table, name, port)
            if found.fate is Fate.SHUT:
                return found
            if found.fate is Fate.DEPENDS:
                worst = found
    return worst


@dataclass(slots=True)
class _Walk:
    """Where a walk through the chains has led: to an end for sure, or past doubtful rules."""

    table: Table
    port: int
    open_maybe: bool = False
    shut_maybe: str | None = None


def _at_hook(table: Table, name: str, port: int) -> Verdict:
    chain = table.chains[name]
    walk = _Walk(table, port)
    end = _through(walk, name, 0, doubtful=False)
    if end is None:
        end = (chain.policy or Action.ACCEPT, f"the policy of {table.name} {name}")
    action, because = end
    if action.bars:
        return Verdict(Fate.DEPENDS if walk.open_maybe else Fate.SHUT, because)
    if walk.shut_maybe is not None:
        return Verdict(Fate.DEPENDS, walk.shut_maybe)
    return _OPEN


def _through(walk: _Walk, name: str, depth: int, *, doubtful: bool) -> tuple[Action, str] | None:
    """Walk one chain: its certain end with the reason, or None if it leads back to where it was called.

    *doubtful*: whether it is not sure that the connection comes here; then nothing is certain, only noted.
    """
    chain = walk.table.chains.get(name)
    if chain is None or depth > _DEEPEST:
        return None
    for rule in chain.rules:
        applies = rule.applies(walk.port)
        if applies is False or rule.action is Action.NOTHING:
            continue
        unsure = doubtful or applies is None
        if rule.action is Action.RETURN:
            if unsure:
                continue
            return None
        if rule.action in (Action.JUMP, Action.GOTO):
            end = _through(walk, rule.target, depth + 1, doubtful=unsure)
            if end is not None:
                return end
            if rule.action is Action.GOTO and not unsure:
                return None
            continue
        if not unsure:
            return rule.action, rule.text
        if rule.action is Action.ACCEPT:
            walk.open_maybe = True
        else:
            walk.shut_maybe = walk.shut_maybe or rule.text
    return None
