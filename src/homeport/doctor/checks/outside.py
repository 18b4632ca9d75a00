"""What do clients on the internet meet? The external address, the router and what it forwards, the provider's NAT."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from homeport.advice.address import Kind, kind, same
from homeport.events.text import ranges
from homeport.net.router import RouterState, Trouble

from ..case import Case
from ..finding import Finding, Severity

_CARRIER_CURES = (
    "Use IPv6, and open the ports in the router's IPv6 firewall.",
    "Ask the provider for a public IPv4 address.",
    "Or go through a machine that has a public address (a tunnel or relay).",
)


def external(case: Case) -> Iterator[Finding]:
    """What clients from outside are told, who says so, and whether it can be right."""
    address, origin = _external(case)
    configured = case.config.data.external_address
    if configured not in ("auto", "none") and not _is_address(configured):
        found = case.machine.lookup(configured, case.timeout)
        if isinstance(found, str):
            yield Finding(
                "external",
                Severity.ERROR,
                f"The external address {configured} cannot be looked up: {found}.",
                "Clients from outside are told this machine's own address instead.",
                ("Correct the name (data.external_address), or the name server.",),
            )
            return
        four = [one for one in found if ":" not in one]
        if not four:
            yield Finding(
                "external",
                Severity.WARNING,
                f"The name {configured} has no IPv4 address.",
                "227 can name none but an IPv4 address (RFC 959); clients that use EPSV are not concerned.",
                ("Give the name an address record of IPv4, if this server is reached by IPv4.",),
            )
            return
        if address is not None and address not in found:
            yield Finding(
                "external",
                Severity.WARNING,
                f"Clients are told {address}, and the name {configured} is {four[0]} by now.",
                "The address has changed, and the server has not noticed yet.",
                ("Wait for the server's next look at the name, or start it anew.",),
            )
        address, origin = four[0], f"the name {configured}"
    if address is not None:
        yield from _judged(case, address, origin)
        return
    yield from _unknown(case)


def _external(case: Case) -> tuple[str | None, str]:
    if case.running is not None and case.running.external is not None:
        return case.running.external, case.running.external_origin or "the server"
    configured = case.config.data.external_address
    return (configured, "configured") if _is_address(configured) else (None, "")


def _judged(case: Case, address: str, origin: str) -> Iterator[Finding]:
    told = kind(address)
    if told is Kind.CARRIER:
        yield Finding(
            "external",
            Severity.ERROR,
            f"The external address is {address} ({origin}), {told.value}.",
            "The provider translates for many customers (RFC 6598): nobody outside can connect to it.",
            _CARRIER_CURES,
        )
    elif not told.outside:
        yield Finding(
            "external",
            Severity.ERROR,
            f"The external address is {address} ({origin}), which is {told.value}.",
            "No client on the internet can connect to it.",
            ('Set data.external_address to the router\'s outside address or name, or to "none".',),
        )
    else:
        yield Finding("external", Severity.OK, f"Clients from the internet are told {address} ({origin}).")
    for state in case.running.routers if case.running is not None else ():
        if (
            state.external is not None
            and ":" not in address
            and state.family == 4
            and not same(state.external, address)
        ):
            yield Finding(
                "external",
                Severity.WARNING,
                f"Clients are told {address} ({origin}), and the router says that its address is {state.external}.",
                "Either the configured address is old, or there is another router behind this one.",
                (f'Set data.external_address = "{state.external}", or "auto".',),
            )


def _unknown(case: Case) -> Iterator[Finding]:
    lan = case.lan_address
    if lan is not None and kind(lan).outside:
        yield Finding("external", Severity.OK, f"This machine has a public address: {lan}.")
    elif lan is None:
        yield Finding("external", Severity.NOTE, "This machine has no IPv4 address but loopback.")
    elif case.config.data.external_address == "none":
        yield Finding(
            "external",
            Severity.NOTE,
            f"Clients are told this machine's own address {lan}, as configured.",
            'data.external_address is "none": right for a server that only its own network uses, or behind a router '
            "with an FTP helper (ALG).",
        )
    else:
        yield Finding(
            "external",
            Severity.WARNING,
            f"The external address is not known; this machine's own is {lan}, {kind(lan).value}.",
            "PASV tells clients on the internet that address, and old ones hang. Those that use EPSV are not "
            "concerned, nor are clients in the same network.",
            ("Set data.external_address to the router's outside address, or to a name that follows it.",),
        )


def router(case: Case) -> Iterator[Finding]:
    """Whether the router forwards exactly what it should."""
    if case.running is None:
        return
    if not case.running.routers:
        yield from _unasked(case)
    for state in case.running.routers:
        yield _forwarded(case, state)
        if state.wan is not None and state.family == 4:
            yield from _double(state)


def _unasked(case: Case) -> Iterator[Finding]:
    if case.lan_address is None or kind(case.lan_address).outside:
        return
    if case.config.router.map != "off":
        yield Finding(
            "router",
            Severity.NOTE,
            "Nothing is known of the router yet.",
            f'It is to be asked (router.map is "{case.config.router.map}"), which takes a few seconds after the start.',
        )
        return
    ports = ranges([*case.control_ports, *case.passive_ports])
    same_number = "each port to the same number"
    if case.config.data.passive_ports_external:
        same_number = "the passive ports from the numbers in data.passive_ports_external"
    yield Finding(
        "router",
        Severity.NOTE,
        "The server does not ask the router for anything.",
        f"For clients from the internet somebody has to forward TCP {ports} to {case.lan_address}, {same_number}. "
        "Whether that is so shows from outside only: homeport probe.",
        ('Or let the server ask the router itself: router.map = "auto".',),
    )


def _forwarded(case: Case, state: RouterState) -> Finding:
    wanted = set(case.control_ports) | set(case.passive_ports)
    granted = {grant.inside for grant in state.grants}
    who = f"{state.protocol or 'no protocol'} at {state.gateway or 'an unknown address'}"
    missing = sorted(wanted - granted)
    if state.problem and not granted:
        severity = Severity.NOTE if state.trouble in (Trouble.SILENT, Trouble.UNSUPPORTED) else Severity.WARNING
        return Finding(
            "router",
            severity,
            f"The router forwards nothing of its own accord: {state.problem}",
            "Without that, somebody has to forward the ports by hand.",
            (
                "Switch on UPnP, NAT-PMP or PCP in the router.",
                "Or forward the ports there: `homeport firewall` prints them.",
            ),
        )
    if missing:
        return Finding(
            "router",
            Severity.WARNING,
            f"The router ({who}) does not forward {ranges(missing)}: {state.problem or 'no reason is known'}",
            "Clients that are sent to one of these ports hang.",
            ("Take fewer ports, or others (data.passive_ports).", "Or forward them in the router by hand."),
        )
    moved = [f"{grant.outside} to {grant.inside}" for grant in state.grants if grant.outside != grant.inside]
    note = f", some under other numbers ({', '.join(moved)})" if moved else ""
    return Finding("router", Severity.OK, f"The router ({who}) forwards {ranges(granted)}{note}.")


def _double(state: RouterState) -> Iterator[Finding]:
    wan = state.wan or ""
    found = kind(wan)
    if found is Kind.CARRIER:
        yield Finding(
            "double-nat",
            Severity.ERROR,
            f"The router's own outside address is {wan}: the provider's translator (CGNAT).",
            "What this router forwards, nobody outside can reach.",
            _CARRIER_CURES,
        )
    elif not found.outside:
        yield Finding(
            "double-nat",
            Severity.ERROR,
            f"The router's own outside address is {wan}, {found.value}: there is another "
            "router behind it (double NAT).",
            "What this router forwards, the other one does not.",
            ("Forward the same ports in the other router to this one.", "Or let one of them be a bridge (modem) only."),
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
