"""Active mode: the server dials."""

from __future__ import annotations

from ..address import kind
from ..attempt import Attempt, Seen
from ..causes import Cause, Diagnosis, Side
from .facts import PASSIVE_INSTEAD, end, happened


def private_requested(attempt: Attempt) -> Diagnosis:
    host = attempt.requested[0] if attempt.requested is not None else attempt.dialled or attempt.peer[0]
    outside = "an address of its own" if host == attempt.peer[0] else attempt.peer[0]
    if attempt.seen is Seen.FOREIGN:
        sentence = f"{host} is not the address you come from, nor one of the internet; {PASSIVE_INSTEAD}"
        what = f"{attempt.mode.value} of {attempt.peer[0]} named {end(host, attempt.port)}; it was refused."
    else:
        tried = f"port {attempt.port} of your outside address was tried, in vain"
        sentence = f"{host} cannot be reached, so {tried}; {PASSIVE_INSTEAD}"
        what = happened(attempt)
    return Diagnosis(
        Cause.PRIVATE_REQUESTED,
        Side.CLIENT,
        sentence,
        what,
        f"{host} is {kind(host).value}, and means nothing here: the client is behind a router that translates it to "
        f"{outside} and does not let a connection from outside in."
        + (" It cannot read the address: the connection is encrypted." if attempt.control_protected else ""),
        (
            "Let the client use passive mode (EPSV or PASV).",
            "Or let it name its outside address, from a fixed range of ports that its router forwards.",
        ),
    )


def foreign_requested(attempt: Attempt) -> Diagnosis:
    host = attempt.requested[0] if attempt.requested is not None else "that address"
    return Diagnosis(
        Cause.FOREIGN_REQUESTED,
        Side.CLIENT,
        f"{host} is not the address that you come from, and no data goes to others; {PASSIVE_INSTEAD}",
        f"{attempt.mode.value} of {attempt.peer[0]} named {end(host, attempt.port)}; it was refused.",
        "A server that dials anybody for anybody can be used to attack others (RFC 2577 §3).",
        (
            "Let the client use passive mode (EPSV or PASV).",
            "If it names an outside address that it no longer has, correct that in its settings.",
            "If transfers between two servers are wanted, set data.allow_foreign.",
        ),
    )


def low_port_requested(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.LOW_PORT_REQUESTED,
        Side.CLIENT,
        f"No data connection to port {attempt.port}: ports below 1024 belong to services; {PASSIVE_INSTEAD}",
        f"{attempt.mode.value} of {attempt.peer[0]} named port {attempt.port}; it was refused.",
        "Ports below 1024 belong to services that a server must not be made to attack (RFC 2577 §3).",
        ("Let the client listen on a port above 1023, as every client does by itself.",),
    )


def source_port(attempt: Attempt) -> Diagnosis:
    port = attempt.source_port or 20
    why = attempt.source_failure or "the system refuses it"
    unused = f"The data port, {port}, could not be used: {why}."
    return Diagnosis(
        Cause.SOURCE_PORT,
        Side.SERVER,
        f"The server cannot come from its data port, which a firewall before you may want; {PASSIVE_INSTEAD}",
        unused if attempt.seen is Seen.NO_SOURCE_PORT else f"{happened(attempt)} {unused}",
        "Firewalls of clients often let in what comes from port 20 and nothing else.",
        (
            f"Let this program bind port {port} (on Linux the capability CAP_NET_BIND_SERVICE).",
            f"See to it that no other program holds port {port}.",
            "Or let the client use passive mode (EPSV or PASV).",
        ),
    )


def no_port_command(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.NO_PORT_COMMAND,
        Side.CLIENT,
        "Without PASV, EPSV, PORT or EPRT your control port is dialled, and nobody listens there; use EPSV or PASV",
        happened(attempt),
        "Where nothing was set up, the standard has the server dial the port that the control connection comes from "
        "(RFC 959 §3.2). No client of today listens there.",
        ("Let the client send EPSV or PASV (or PORT or EPRT) before each transfer.",),
    )


def local_firewall(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.LOCAL_FIREWALL,
        Side.SERVER,
        f"The server's own firewall does not let it connect to your port {attempt.port}; {PASSIVE_INSTEAD}",
        happened(attempt),
        "The system itself forbade it: a rule for outgoing connections on this machine.",
        (
            "Let TCP connections from the data port to ports above 1023 go out; `homeport firewall` prints the rule.",
            "Or let the client use passive mode (EPSV or PASV).",
        ),
    )
