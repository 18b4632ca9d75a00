"""Descriptors: how many open files the system allows one process, and how many sessions that carries.

A session has one, a passive port has one on each address, and a transfer two more: its connection and its file. The
system knows two limits. The soft one holds, and is often a mere 1024 for the sake of programs that use `select`; up to
the hard one each program may raise it by itself. `homeport serve` does. A server in somebody else's process leaves the
limit alone.
"""

from __future__ import annotations

from dataclasses import dataclass

_OWN = 64
"""For logs, the database, threads' wakers and the like."""
_OF_TRANSFER = 2
"""Beside that of its session."""
_SESSIONS_OF_TRANSFER = 5
"""Where thousands are connected, about every fifth one transfers something at the same time."""
_SURELY_ALLOWED = 10240
"""macOS has no hard limit, and allows no more than this where it is asked for "no limit"."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What *limit* descriptors are enough for, where *ports* passive ports are open."""

    limit: int
    ports: int
    """On all addresses together."""

    @property
    def sessions(self) -> int:
        """So many, as long as none of them transfers anything."""
        return max(self.limit - _OWN - self.ports, 0)

    @property
    def transfers(self) -> int:
        """So many at the same time, and no other sessions."""
        return self.sessions // (1 + _OF_TRANSFER)

    def carry(self, sessions: int) -> bool:
        """Whether they are enough for *sessions*, some of which transfer."""
        transfers = -(-sessions // _SESSIONS_OF_TRANSFER)
        return sessions + transfers * _OF_TRANSFER <= self.sessions


def needed(sessions: int, ports: int) -> int:
    """How many are enough whatever *sessions* do, with *ports* passive ports on all addresses together."""
    return _OWN + ports + sessions * (1 + _OF_TRANSFER)


def raise_limit() -> int | None:
    """Let this process, and those that it starts, have as many as it may; how many. None: there is no limit here."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    for wanted in (hard, _SURELY_ALLOWED):
        if wanted != resource.RLIM_INFINITY and wanted <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # the system has another bound, which it does not tell
            continue
        return None if wanted == resource.RLIM_INFINITY else wanted
    return soft


def shortage(limit: int | None, sessions: int, ports: int, workers: int = 1) -> str | None:
    """A sentence where *limit* descriptors of each of *workers* do not carry their *sessions*; None where they do.

    *ports*: passive ones on all addresses together, of all workers.
    """
    if limit is None:
        return None
    each = Descriptors(limit, -(-ports // workers))
    if each.carry(-(-sessions // workers)):
        return None
    return (
        f"limits.sessions is {sessions}, but the {limit} open files that are allowed are enough for "
        f"{each.sessions * workers} sessions, or {each.transfers * workers} transfers. Allow more (LimitNOFILE= of the "
        "service, ulimit -Hn), or let limits.sessions be smaller."
    )
