"""The firewalls of Windows and macOS, and the table of a router."""

from __future__ import annotations

from .openings import Needs, Opening, comments, listed, text

_STATEFUL = (
    "Windows also reads FTP on port 21 by itself and may cut what it does not know. If control connections break, "
    "switch that off: netsh advfirewall set global StatefulFTP disable"
)
_SAME = "All of it is TCP. Passive ports must have the same numbers outside and inside: clients are told them."
_ALG = (
    "Switch the router's FTP helper (ALG) off: with the ports forwarded nobody needs it, and it breaks PASV where an "
    "external address is announced."
)
_EXTERNAL = (
    "Set data.external_address to the router's outside address, or to a name for it: clients that use PASV must be "
    "told it."
)


def netsh(needs: Needs) -> str:
    """For an administrator's command prompt."""

    def rule(one: Opening) -> str:
        source = f" localport={one.source}" if one.source else ""
        return (
            f'netsh advfirewall firewall add rule name="{_named(one)}" dir={"out" if one.outgoing else "in"} '
            f"action=allow protocol=TCP{source} {'remoteport' if one.outgoing else 'localport'}={one.ports.text()}"
        )

    return text([*comments([*needs.notes, _STATEFUL], "rem"), *listed(needs.all, rule, "rem")])


def powershell(needs: Needs) -> str:
    """For an administrator's PowerShell: the same rules as those of netsh."""

    def rule(one: Opening) -> str:
        source = f" -LocalPort {one.source}" if one.source else ""
        return (
            f"New-NetFirewallRule -DisplayName '{_named(one)}' -Direction {'Outbound' if one.outgoing else 'Inbound'} "
            f"-Action Allow -Protocol TCP{source} -{'RemotePort' if one.outgoing else 'LocalPort'} {one.ports.text()}"
        )

    return text([*comments(needs.notes), *listed(needs.all, rule)])


def _named(one: Opening) -> str:
    """Windows knows rules by their names, so that each needs its own."""
    which = f"from {one.source or 'any'}" if one.outgoing else f"on {one.ports.text()}"
    return f"Homeport {one.name} {which}"


def pf(needs: Needs) -> str:
    """An anchor for the packet filter of macOS (and of the BSDs)."""
    family = needs.family("inet ", "inet6 ")

    def rule(one: Opening) -> str:
        source = f" port {one.source}" if one.source else ""
        return (
            f"pass {'out' if one.outgoing else 'in'} quick {family}proto tcp from any{source} to any "
            f"port {one.ports.text(':')} flags S/SA keep state"
        )

    head = (
        "Try it with: pfctl -n -f FILE",
        "Load it on macOS with: pfctl -a com.apple/homeport -f FILE, and pfctl -e",
        "On a BSD, include it in /etc/pf.conf, before what blocks.",
        "macOS asks besides, for each program, whether it may accept connections: allow the python that runs it.",
    )
    return text([*comments([*head, *needs.notes]), *listed(needs.all, rule)])


def router(needs: Needs) -> str:
    """Which ports a router must forward, as a table for people."""
    inside = needs.inside or "this machine"
    rows = [("outside", "to", "inside", "why")]
    rows += [(one.ports.text(), inside, one.ports.text(), one.reason) for one in needs.incoming]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    data_port = f" {needs.active}" if needs.active else ""
    notes = [
        _SAME,
        f"Active connections go out: the data port{data_port} is not to be forwarded.",
        "Let the router always give this machine the same address (a DHCP reservation).",
        _ALG,
    ]
    if not needs.external:
        notes.append(_EXTERNAL)
    if len(needs.passive) > 1:
        notes.append(
            f'Where a router forwards few ports only, one is enough (data.passive_ports = "{needs.passive[0]}"): it '
            "serves all clients at once, and only sessions of the same client take turns."
        )
    if needs.ipv6:
        notes.append("IPv6 is not translated: there, let the same ports to this machine in at the router's firewall.")
    return text([*table, "", *comments([*notes, *needs.notes], "*")])
