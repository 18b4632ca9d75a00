"""Is there enough of what a server uses up: descriptors, and room on the disks?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from homeport.events.text import size, visible
from homeport.server.descriptors import Descriptors, needed

from ..case import Case
from ..finding import Finding, Severity

_FEW = 200
"""Fewer transfers than that are worth a warning."""
_UNLIMITED = 1 << 62
"""What systems say for "no limit" is negative or larger."""
_LITTLE = 100 * 1000 * 1000
_LITTLE_PART = 0.01


def descriptors(case: Case) -> Iterator[Finding]:
    """Whether as many sessions as are allowed can have what each needs."""
    limit = _limit(case)
    if limit is None:
        return
    sessions = case.running.sessions_limit if case.running is not None else case.config.limits.sessions
    ports = len(case.passive_ports) * max(len(case.addresses), 1)
    there = Descriptors(limit, ports)
    if there.carry(sessions):
        yield Finding("descriptors", Severity.OK, f"{limit} open files are allowed: enough for {sessions} sessions.")
        return
    yield Finding(
        "descriptors",
        Severity.WARNING if there.transfers < _FEW else Severity.NOTE,
        f"{limit} open files are allowed, and limits.sessions is {sessions}.",
        f"That is enough for {there.sessions} idle sessions, or {there.transfers} transfers at the same time; "
        "whoever comes then is told to try again later.",
        (
            f"Allow more: LimitNOFILE={needed(sessions, ports)} for a service of systemd, or ulimit -Hn.",
            "Or let limits.sessions be smaller.",
        ),
    )


def _limit(case: Case) -> int | None:
    """Of the running server, else of what this user would start: `homeport serve` raises its limit to the hard one."""
    if case.running is not None:
        text = case.machine.read(f"/proc/{case.running.pid}/limits") or ""
        found = re.search(r"^Max open files\s+(\d+)", text, re.MULTILINE)
        if found is not None:
            return int(found.group(1))
    limits = case.machine.open_files()
    return limits[1] if limits is not None and 0 <= limits[1] < _UNLIMITED else None


def disks(case: Case) -> Iterator[Finding]:
    """Room where files, state and logs are written."""
    config = case.config
    places = {"the state directory": case.state}
    for user in config.users:
        places[f"the home of {visible(user.name)}"] = user.home
    if config.anonymous.enabled and config.anonymous.home is not None:
        places["the home of anonymous"] = config.anonymous.home
    for log in (config.log.json_file, config.log.xferlog_file):
        if log is not None:
            places[f"the log {visible(os.path.basename(log))}"] = os.path.dirname(log) or "."
    short = False
    for name, path in places.items():
        space = case.machine.space(path)
        if space is None:
            if name != "the state directory":
                short = True
                yield Finding(
                    "disks",
                    Severity.ERROR,
                    f"{name[0].upper()}{name[1:]}, {visible(path)}, is not there.",
                    "The server does not start without it.",
                    ("Make it, or name another.",),
                )
            continue
        free, whole = space
        if free < min(_LITTLE, whole * _LITTLE_PART) or free == 0:
            severity, how = Severity.ERROR, "next to nothing"
        elif free < max(_LITTLE, whole * _LITTLE_PART):
            severity, how = Severity.WARNING, "little"
        else:
            continue
        short = True
        yield Finding(
            "disks",
            severity,
            f"There is {how} left on the disk of {name} ({visible(path)}): {size(free)} of {size(whole)}.",
            "Uploads are refused with 452 when it is full.",
            ("Make room.",),
        )
    if not short:
        yield Finding("disks", Severity.OK, "There is room on the disks of homes, state and logs.")
