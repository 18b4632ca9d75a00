"""Rules of a packet filter, in the one form that all dialects are read into.

Only what matters for the question is kept: a new TCP connection, from outside, to one port. A condition is True or
False of that, or None where it depends on what is not known here (the client's address, a set, a mark).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

Condition = Callable[[int], bool | None]
"""Whether a new connection from outside to this port fulfils it; None: that depends."""


class Action(Enum):
    ACCEPT = auto()
    DROP = auto()
    REJECT = auto()
    JUMP = auto()
    """Go on in another chain, and come back after its end."""
    GOTO = auto()
    """Go on in another chain, and do not come back."""
    RETURN = auto()
    NOTHING = auto()
    """It counts, logs, marks."""

    @property
    def bars(self) -> bool:
        return self in (Action.DROP, Action.REJECT)


@dataclass(frozen=True, slots=True)
class Rule:
    action: Action
    conditions: tuple[Condition, ...] = ()
    target: str = ""
    """The chain of JUMP and GOTO."""
    text: str = ""
    """As the program prints it."""

    def applies(self, port: int) -> bool | None:
        """None: that depends."""
        results = [condition(port) for condition in self.conditions]
        if False in results:
            return False
        return None if None in results else True


@dataclass(slots=True)
class Chain:
    rules: list[Rule] = field(default_factory=list)
    policy: Action | None = None
    """What becomes of what comes to the end of a chain at a hook; None: it is called by others only."""


@dataclass(slots=True)
class Table:
    """Chains that may call each other, by name."""

    name: str
    families: frozenset[int]
    """4, 6."""
    chains: dict[str, Chain] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    """The chains through which every connection to this machine goes, in order."""


def always(value: bool | None) -> Condition:
    """A condition that does not look at the port."""
    return lambda _: value


def port_within(ranges: tuple[tuple[int, int], ...], *, negated: bool = False) -> Condition:
    """The destination port is in one of *ranges*, both ends included."""
    return lambda port: any(low <= port <= high for low, high in ranges) is not negated
