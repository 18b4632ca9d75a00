"""Firewall: the rules that a server needs, for each firewall, router and container engine that is commonly met.

`rules_for` gives the text for one, ready to be pasted or loaded; the reason for each rule stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from .rules import containers, linux, others
from .rules.openings import Needs

__all__ = ["Format", "Needs", "rules_for"]


class Format(Enum):
    """The value is the name on the command line."""

    ROUTER = "router"
    UFW = "ufw"
    FIREWALLD = "firewalld"
    NFTABLES = "nftables"
    IPTABLES = "iptables"
    NETSH = "netsh"
    POWERSHELL = "powershell"
    PF = "pf"
    DOCKER = "docker"
    COMPOSE = "compose"
    KUBERNETES = "kubernetes"

    @property
    def title(self) -> str:
        return _TITLES[self]


_TITLES: Mapping[Format, str] = {
    Format.ROUTER: "Router: forward these ports",
    Format.UFW: "ufw (Ubuntu and others)",
    Format.FIREWALLD: "firewalld (Fedora, RHEL, openSUSE and others)",
    Format.NFTABLES: "nftables (Linux)",
    Format.IPTABLES: "iptables (Linux, the older way)",
    Format.NETSH: "Windows, command prompt",
    Format.POWERSHELL: "Windows, PowerShell",
    Format.PF: "pf (macOS, BSD)",
    Format.DOCKER: "Docker",
    Format.COMPOSE: "Docker Compose",
    Format.KUBERNETES: "Kubernetes",
}

_WRITERS: Mapping[Format, Callable[[Needs], str]] = {
    Format.ROUTER: others.router,
    Format.UFW: linux.ufw,
    Format.FIREWALLD: linux.firewalld,
    Format.NFTABLES: linux.nftables,
    Format.IPTABLES: linux.iptables,
    Format.NETSH: others.netsh,
    Format.POWERSHELL: others.powershell,
    Format.PF: others.pf,
    Format.DOCKER: containers.docker,
    Format.COMPOSE: containers.compose,
    Format.KUBERNETES: containers.kubernetes,
}


def rules_for(needs: Needs, form: Format) -> str:
    """The rules for *needs* as *form* has them: whole lines, LF at the end of each."""
    return _WRITERS[form](needs)
