"""Are the ports open, and reached by the addresses that clients in this machine's network use?"""

from __future__ import annotations

from collections.abc import Iterator

from homeport.data.portrange import MOST_PORTS
from homeport.events.text import endpoint, ranges

from ..case import Case
from ..finding import Finding, Severity


def running(case: Case) -> Iterator[Finding]:
    """Whether there is a server at all."""
    if case.running is None:
        yield Finding(
            "running",
            Severity.WARNING,
            f"No running server answers: {case.not_running}.",
            "Only the configuration and this machine can be checked.",
            (
                "Start it: homeport serve.",
                "If it runs, name its state directory with --state, or its file with --config.",
            ),
        )
        return
    count = case.running.sessions
    sessions = f"{count} session{'' if count == 1 else 's'}"
    yield Finding("running", Severity.OK, f"A server runs (process {case.running.pid}), with {sessions}.")


def control(case: Case) -> Iterator[Finding]:
    """Every control port, by every address: there must be a greeting."""
    if case.running is None:
        return
    implicit = case.config.listen.implicit_tls_port
    for port in case.control_ports:
        for address in case.addresses:
            # Where TLS begins at once, or a proxy must speak first, nobody greets us.
            listen = port != implicit and not case.config.proxy.control
            reached = case.machine.reach((address, port), case.timeout, listen=listen)
            where = endpoint(address, port)
            if reached.fault is not None:
                yield Finding(
                    "control",
                    Severity.ERROR,
                    f"The control port is not reached at {where}: {reached.fault}.",
                    "The server listens there, and even from this machine nothing gets through: a local firewall.",
                    ("Let the port in; `homeport firewall` prints the rule.",),
                )
            elif listen and not (reached.greeting or "").startswith("220"):
                yield Finding(
                    "control",
                    Severity.ERROR,
                    f"At {where} the server does not greet: {reached.greeting}.",
                    "It refuses clients: there are too many (limits), or it is stopping; or another program is there.",
                    ("Look at its log.",),
                )
            else:
                yield Finding("control", Severity.OK, f"The control port answers at {where}.")


def passive(case: Case) -> Iterator[Finding]:
    """Every passive port, by every address."""
    wanted = case.config.data.passive_ports
    if case.running is None:
        return
    missing = sorted(set(wanted or ()) - set(case.passive_ports))
    # Where not one is open, the configuration is another server's: its own was not named.
    if missing and len(missing) < len(wanted or ()) and len(case.passive_ports) < MOST_PORTS:
        yield Finding(
            "passive",
            Severity.WARNING,
            f"Passive ports are configured and not open: {ranges(missing)}.",
            "Another program has them.",
            ("Choose other ports (data.passive_ports).", "Ports that are not open need not be forwarded either."),
        )
    for address in case.addresses:
        faults: dict[str, list[int]] = {}
        for port in case.passive_ports:
            fault = case.machine.reach((address, port), case.timeout).fault
            if fault is not None:
                faults.setdefault(fault, []).append(port)
        bad = sum(len(ports) for ports in faults.values())
        if not bad:
            yield Finding(
                "passive",
                Severity.OK,
                f"All {len(case.passive_ports)} passive ports ({ranges(case.passive_ports)}) are reached at {address}.",
            )
            continue
        told = "; ".join(f"{ranges(ports)}: {fault}" for fault, ports in faults.items())
        yield Finding(
            "passive",
            Severity.ERROR,
            f"{bad} of {len(case.passive_ports)} passive ports are not reached at {address} ({told}).",
            "Clients in passive mode are sent there, log in, and then hang at the first listing.",
            ("Let the passive range in on this machine; `homeport firewall` prints the rules.",),
        )


def active(case: Case) -> Iterator[Finding]:
    """Whether connections can come from the data port."""
    port = case.active_port
    if not port:
        yield Finding("active", Severity.OK, "In active mode connections come from any port, as configured.")
        return
    faults = [
        f"{address}: {fault}"
        for address in case.addresses
        if (fault := case.machine.bind_fault((address, port))) is not None
    ]
    if not faults:
        yield Finding("active", Severity.OK, f"Connections in active mode can come from port {port}.")
        return
    whom = "" if case.running is None else " (this program is not the server: it may be allowed what this one is not)"
    yield Finding(
        "active",
        Severity.WARNING,
        f"Connections cannot come from port {port} ({'; '.join(faults)}){whom}.",
        "They come from another port, and firewalls before clients in active mode may wait for this one.",
        (
            f"Let the server bind port {port}: on Linux by the capability CAP_NET_BIND_SERVICE.",
            "Or set data.active_port = 0, and forget about such firewalls: nearly all clients use passive mode.",
        ),
    )
