"""Passive mode: the client dials (RFC 959 §3.2, RFC 2428 §3)."""

from __future__ import annotations

from ..attempt import Attempt, Gateway
from ..causes import Cause, Diagnosis, Side
from .facts import failed, happened, wait


def nothing_arrived(attempt: Attempt) -> Diagnosis:
    if not attempt.mode.passive:
        return Diagnosis(
            Cause.NOTHING_ARRIVED,
            Side.CLIENT_ROUTER,
            f"The server did not reach port {attempt.port} within {wait(attempt)}; use EPSV or PASV",
            happened(attempt),
            "A firewall or a router before the client does not let connections in.",
            (
                "Let the client use passive mode (EPSV or PASV), which needs nothing opened where the client is.",
                f"Or let connections to the client's port {attempt.port} in, and forward it if a router translates.",
            ),
        )
    return Diagnosis(
        Cause.NOTHING_ARRIVED,
        Side.SERVER_ROUTER if attempt.translated else Side.SERVER,
        f"Nothing reached port {attempt.port} within {wait(attempt)}: the server's firewall or router must let it in, "
        "or use PORT or EPRT",
        happened(attempt),
        why_nothing(attempt),
        cures_nothing(attempt),
    )


def why_nothing(attempt: Attempt) -> str:
    """What silence at a passive port means."""
    if attempt.translated:
        why = (
            f"The client comes from beyond a router, because this server's own address {attempt.local[0]} cannot be "
            f"reached from there: the router forwards port {attempt.local[1]}, and most likely not port {attempt.port}."
        )
    else:
        why = (
            f"The control connection to port {attempt.local[1]} came through, so most likely a firewall does not "
            f"let port {attempt.port} in: this machine's own, the hoster's, or that of the client's network."
        )
    if attempt.control_protected:
        why += " The control connection is encrypted, so that no router can read the port and open it by itself."
    return why


def cures_nothing(attempt: Attempt) -> tuple[str, ...]:
    """How a passive port is let in."""
    ports = "the whole passive range (data.passive_ports)"
    first = (
        f"Forward {ports} on the router to {attempt.local[0]}, each port to the same number"
        if attempt.translated
        else f"Let {ports} in"
    )
    cures = [f"{first}; `homeport firewall` prints what to set."]
    if attempt.translated:
        cures.append("Let the firewall of this machine pass the same ports.")
    if attempt.announced is not None and attempt.announced != attempt.local[0]:
        cures.append(f"Check that {attempt.announced} (data.external_address) is where this server is reached.")
    if not attempt.control_protected and attempt.gateway is Gateway.UNKNOWN and attempt.announced != attempt.local[0]:
        cures.append("If the router has an FTP helper (ALG), switch it off: it may wait for other numbers.")
    return tuple(cures)


def stranger(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.STRANGER,
        Side.CLIENT_ROUTER,
        f"Only another address reached port {attempt.port}, and was refused: come from the address you log in from",
        happened(attempt),
        "A data connection must come from the address of its control connection, or anybody could take it (RFC 2577). "
        "The client is behind a translator or proxy with several addresses, or it was a port scan and nothing more.",
        (
            "Let the client's translator keep one address for one client (paired pooling, RFC 4787 §4.1).",
            "If the other address is the client's proxy for one of both connections, let both take the same way.",
            f"If the other address has nothing to do with the client, see to it that port {attempt.port} is let in.",
        ),
    )


def private_announced(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.PRIVATE_ANNOUNCED,
        Side.SERVER,
        f"{failed(attempt)}: the server named its private address, which you cannot reach. Use EPSV",
        happened(attempt),
        f"{attempt.announced} means nothing where the client is: this server is behind a router and does not know the "
        "router's outside address.",
        (
            "Set data.external_address to the address or name under which this server is reached from outside.",
            "Forward the passive range on the router, each port to the same number; `homeport firewall` prints it.",
            "Until then clients can use EPSV, which names no address.",
        ),
    )


def bridge_announced(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.BRIDGE_ANNOUNCED,
        Side.SERVER,
        f"{failed(attempt)}: the server named the address of its container, which you cannot reach. Use EPSV",
        happened(attempt),
        f"{attempt.announced} looks like a container's own address on a bridge, or one of a cloud's inner network: "
        "outside of the host nobody can dial it.",
        (
            "Set data.external_address to the address of the host, or of its router.",
            "Publish the whole passive range with the same numbers outside and inside; `homeport firewall` prints it.",
            "Or let the container use the network of its host, which also shows the clients' real addresses.",
        ),
    )


def wrong_announced(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.WRONG_ANNOUNCED,
        Side.SERVER,
        f"{failed(attempt)}: the server named an address that is not the one you reach it at. Use EPSV",
        happened(attempt),
        f"The server is reached at {attempt.outside}, and named {attempt.announced}: set by hand and wrong, or changed "
        "by the provider since.",
        (
            f"Set data.external_address to {attempt.outside}, or to a name that follows it.",
            "Until then clients can use EPSV, which names no address.",
        ),
    )


def carrier_nat(attempt: Attempt) -> Diagnosis:
    address = attempt.outside if attempt.outside is not None else attempt.announced
    return Diagnosis(
        Cause.CARRIER_NAT,
        Side.NETWORK,
        f"{failed(attempt)}: the server is behind its provider's translator. Use IPv6, or PORT or EPRT",
        happened(attempt),
        f"{address} is not the server's alone: its provider translates for many customers (RFC 6598), and what the "
        "router at home forwards, nobody outside can dial.",
        (
            "Use IPv6, and open the passive range in the router's IPv6 firewall.",
            "Ask the provider for a public IPv4 address, or whether its translator speaks PCP.",
            "Or go through a machine that has a public address (a tunnel or relay).",
        ),
    )


def hairpin(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.HAIRPIN,
        Side.SERVER,
        f"{failed(attempt)}: you are in the server's own network, and were sent to its outside address. Use EPSV",
        happened(attempt),
        f"{attempt.announced} is the outside of the router, and the client is inside: few routers turn such a "
        "connection back in (hairpin).",
        (
            "Let the client connect to the server's inside address, and name that one to its network (data.announce).",
            "Or switch on the router's NAT loopback (hairpin NAT).",
            "Until then the client can use EPSV, which names no address.",
        ),
    )


def rewritten(attempt: Attempt) -> Diagnosis:
    if attempt.received is not None and attempt.announced is not None and attempt.received != attempt.announced:
        seen = f"{attempt.announced} was sent, and {attempt.received} was read: a router on the way changed it."
    else:
        seen = "A router on the way reads FTP (an application-level gateway) and waits for other numbers than these."
    if attempt.mode.passive:
        side = Side.SERVER_ROUTER
        seen += (
            " On the server's side such a gateway opens the port only for the server's own, inside address; with "
            "data.external_address set it opens nothing."
        )
        cures: tuple[str, ...] = (
            "Switch the FTP helper (ALG, conntrack helper) of the router off, and forward the passive range instead.",
            'Or keep it, and set data.external_address = "none"; that works on port 21 and without TLS only.',
            "Clients can use EPSV or TLS, which such a gateway does not rewrite.",
        )
    else:
        side = Side.CLIENT_ROUTER
        cures = (
            "Let the client use passive mode (EPSV or PASV), or TLS, which such a gateway cannot read.",
            "Or switch the FTP helper (ALG, conntrack helper) of the client's router off.",
        )
    return Diagnosis(
        Cause.REWRITTEN,
        side,
        f"No data connection at port {attempt.port}: a router on the way rewrites FTP. Use TLS, or switch its FTP "
        "helper (ALG) off",
        happened(attempt),
        seen,
        cures,
    )


def pasv_ipv6(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.PASV_IPV6,
        Side.CLIENT,
        "PASV cannot name an IPv6 address; use EPSV",
        f"{attempt.peer[0]} is connected over IPv6 and asked for PASV.",
        "227 has room for four numbers of an IPv4 address, and EPSV is made for both (RFC 2428).",
        (
            "Let the client use EPSV; every client that knows IPv6 does.",
            "Or let it connect over IPv4.",
        ),
    )


def range_too_small(attempt: Attempt) -> Diagnosis:
    ports = f"all {attempt.passive_ports} passive ports" if attempt.passive_ports > 1 else "the passive port"
    return Diagnosis(
        Cause.RANGE_TOO_SMALL,
        Side.SERVER,
        "All passive ports wait for other sessions from your address; try again, or use fewer connections at once",
        f"{attempt.peer[0]} asked for a passive port, and {ports} waited for other sessions of that address for "
        f"{wait(attempt)}.",
        "Sessions of one address take turns at a port until their connection is there; others are not concerned. "
        "Many users behind one router count as one address.",
        (
            "Give more ports (data.passive_ports), and open and forward them.",
            "Look for clients that ask for ports and never connect: a range that is not let in fills up in this way.",
        ),
    )
