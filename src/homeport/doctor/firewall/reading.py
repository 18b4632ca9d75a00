"""Reading: the rules of this machine's firewall, by whichever program can tell them. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from ..machine import Machine
from . import iptables, nftables, ufw
from .rules import Table


@dataclass(frozen=True, slots=True)
class Firewall:
    """What could be read."""

    tables: tuple[Table, ...] = ()
    sources: tuple[str, ...] = ()
    """The programs that told it."""
    helper: bool = False
    """Whether some rule gives an FTP helper (ALG) to connections."""
    hidden: str | None = None
    """Why nothing, or not everything, could be read."""


def read_firewall(machine: Machine) -> Firewall:
    """By nft, and iptables-save, which tell different rules on the same machine; else by ufw."""
    if not machine.platform.startswith("linux"):
        return Firewall(hidden=f"the firewall of this system ({machine.platform}) cannot be read")
    tables: list[Table] = []
    sources: list[str] = []
    complaints: list[str] = []
    helper = False
    ran = machine.run("nft", "--json", "list", "ruleset")
    if ran is not None and ran.code:
        complaints.append(f"nft: {_first_line(ran.complaint)}")
    elif ran is not None:
        try:
            found, helper = nftables.parse(ran.output)
        except nftables.Unreadable as error:
            complaints.append(f"nft: {error}")
        else:
            tables += found
            sources.append("nft")
    for name, family in (("iptables-save", 4), ("ip6tables-save", 6)):
        ran = machine.run(name)
        if ran is None:
            continue
        if ran.code:
            complaints.append(f"{name}: {_first_line(ran.complaint)}")
            continue
        table, helps = iptables.parse(ran.output, family)
        helper = helper or helps
        sources.append(name)
        # iptables of today keeps its rules in nftables, from where nft has told them already.
        told = any(one.name == f"ip{'6' if family == 6 else ''} filter" for one in tables)
        if table.chains and not told:
            tables.append(table)
    if not sources:
        ran = machine.run("ufw", "status", "verbose")
        if ran is not None and ran.code == 0:
            tables += ufw.parse(ran.output)
            sources.append("ufw")
        elif ran is not None:
            complaints.append(f"ufw: {_first_line(ran.complaint or ran.output)}")
    hidden = None if sources else "; ".join(complaints) or "none of nft, iptables-save and ufw is installed"
    return Firewall(tuple(tables), tuple(sources), helper, hidden)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason was given")
