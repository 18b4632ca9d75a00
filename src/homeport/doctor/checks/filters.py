"""What filters connections on this machine: its own firewall, and helpers that read FTP (ALG)."""

from __future__ import annotations

from collections.abc import Iterator

from homeport.events.text import ranges

from ..case import Case
from ..finding import Finding, Severity
from ..firewall.reading import Firewall
from ..firewall.verdict import Fate, Verdict, verdict

_MODULES = ("nf_conntrack_ftp", "nf_nat_ftp", "ip_vs_ftp")
"""The kernel's own readers of FTP."""
_AUTOMATIC = "/proc/sys/net/netfilter/nf_conntrack_helper"
"""1: every control connection to port 21 gets one without a rule. Kernels since 6.0 do not have it any more."""


def firewall(case: Case) -> Iterator[Finding]:
    """What would become of a client's connection to each port."""
    found = case.firewall
    if found.hidden is not None:
        why = "" if case.machine.root else " Only root may look."
        yield Finding(
            "firewall",
            Severity.NOTE,
            f"The rules of this machine's firewall could not be read: {found.hidden}.{why}",
            "Whether it lets clients in is not known from here; homeport probe from another machine shows it.",
            () if case.machine.root else ("Run homeport doctor as root.",),
        )
        return
    ports = {"the control port": case.control_ports, "passive ports": case.passive_ports}
    shut = False
    for family in _families(case):
        for name, numbers in ports.items():
            for problem in _problems(found, family, name, numbers):
                shut = True
                yield problem
    if not shut:
        rules = sum(len(chain.rules) for table in found.tables for chain in table.chains.values())
        yield Finding(
            "firewall",
            Severity.OK,
            f"This machine's firewall ({', '.join(found.sources)}; {rules} rules) lets all ports in.",
        )


def _problems(found: Firewall, family: int, name: str, ports: tuple[int, ...]) -> Iterator[Finding]:
    verdicts: dict[Verdict, list[int]] = {}
    for port in ports:
        verdicts.setdefault(verdict(list(found.tables), family, port), []).append(port)
    for one, numbers in verdicts.items():
        if one.fate is Fate.OPEN:
            continue
        which = f"{name} {ranges(numbers)}"
        if one.fate is Fate.SHUT:
            yield Finding(
                "firewall",
                Severity.ERROR,
                f"This machine's firewall does not let IPv{family} connections to {which} in: {one.because}",
                "Clients cannot connect."
                if name.endswith("port")
                else "Clients log in, and hang at the first listing.",
                ("Let them in: `homeport firewall` prints the rules.",),
            )
        else:
            yield Finding(
                "firewall",
                Severity.NOTE,
                f"This machine's firewall lets IPv{family} connections to {which} in from "
                f"some addresses only: {one.because}",
                "Whether that is meant, you know. Others cannot connect.",
            )


def _families(case: Case) -> tuple[int, ...]:
    return tuple(sorted({6 if ":" in address else 4 for address in case.addresses}))


def gateway(case: Case) -> Iterator[Finding]:
    """A helper on this machine that reads FTP and rewrites it."""
    modules = case.machine.read("/proc/modules")
    loaded = [one for one in _MODULES if f"\n{one} " in f"\n{modules or ''}"]
    automatic = (case.machine.read(_AUTOMATIC) or "0").strip() == "1"
    assigned = case.firewall.helper or (automatic and bool(loaded))
    external = case.config.data.external_address not in ("auto", "none")
    if assigned and external and 21 in case.control_ports:
        yield Finding(
            "gateway",
            Severity.WARNING,
            "A helper for FTP (ALG) is at work on this machine, and an external address is configured.",
            "Such a helper opens the port of a 227 only if that names this machine's own address; with another one it "
            "opens nothing. And it is blind where TLS is used.",
            (
                "Take the helper's rule away (ct helper, or -j CT --helper ftp), and let the passive range in instead.",
                'Or set data.external_address = "none", if the helper rewrites the address itself.',
            ),
        )
    elif assigned:
        yield Finding(
            "gateway",
            Severity.NOTE,
            "A helper for FTP (ALG) is at work on this machine.",
            "It opens ports that it reads in the control connection. It is blind where TLS is used, and wherever the "
            "control port is not 21.",
            ("Let the passive range in by a rule, and take the helper away.",),
        )
    elif loaded:
        yield Finding(
            "gateway", Severity.OK, f"The kernel's helper for FTP is loaded ({', '.join(loaded)}), and no rule uses it."
        )
    else:
        yield Finding("gateway", Severity.OK, "No helper on this machine reads FTP (ALG).")
