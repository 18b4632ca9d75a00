"""Either mode: what the one who dials is told by the network."""

from __future__ import annotations

from ..attempt import Attempt
from ..causes import Cause, Diagnosis, Side
from .facts import PASSIVE_INSTEAD, happened, wait
from .passive import cures_nothing, why_nothing


def refused(attempt: Attempt) -> Diagnosis:
    if attempt.mode.passive:
        return Diagnosis(
            Cause.REFUSED,
            Side.SERVER_ROUTER if attempt.translated else Side.SERVER,
            f"Port {attempt.port} refused the connection: the server's router does not forward it, or a firewall"
            " rejects it",
            happened(attempt),
            "Somebody answered, but nobody listens there: a router that does not forward the port, or a firewall that "
            "rejects.",
            cures_nothing(attempt),
        )
    return Diagnosis(
        Cause.REFUSED,
        Side.CLIENT,
        f"Your port {attempt.port} refused the connection: nobody listens there, or a router is before you; "
        f"{PASSIVE_INSTEAD}",
        happened(attempt),
        "Somebody answered for the client's address, but nobody listens at that port there: the client has given up "
        "already, or the answer is its router's.",
        (
            "Let the client use passive mode (EPSV or PASV).",
            "If a router is before the client, let it forward the ports that the client names.",
        ),
    )


def timed_out(attempt: Attempt) -> Diagnosis:
    if attempt.mode.passive:
        return Diagnosis(
            Cause.TIMED_OUT,
            Side.SERVER_ROUTER if attempt.translated else Side.SERVER,
            f"Port {attempt.port} did not answer within {wait(attempt)}: a firewall or router of the server drops it",
            happened(attempt),
            why_nothing(attempt),
            cures_nothing(attempt),
        )
    return Diagnosis(
        Cause.TIMED_OUT,
        Side.CLIENT_ROUTER,
        f"Your port {attempt.port} did not answer within {wait(attempt)}: a firewall before you drops it; "
        f"{PASSIVE_INSTEAD}",
        happened(attempt),
        "A firewall or router on the client's side, or one that does not let this server's connections out, dropped it."
        + (" The control connection is encrypted, so that no router can read the port and open it by itself."
           if attempt.control_protected else ""),
        (
            "Let the client use passive mode (EPSV or PASV).",
            "Or let the client's firewall pass connections from the server's data port to the ports that it names.",
            "See that the server's own network lets connections out: `homeport firewall` prints the rule.",
        ),
    )  # fmt: skip


def unreachable(attempt: Attempt) -> Diagnosis:
    if attempt.mode.passive:
        sentence = f"There is no way to port {attempt.port} of the server; a router or firewall on the way says so"
        cures = cures_nothing(attempt)
    else:
        sentence = f"There is no way from the server to your port {attempt.port}; {PASSIVE_INSTEAD}"
        cures = (
            "Let the client use passive mode (EPSV or PASV).",
            "See whether a firewall rejects outgoing connections, and whether the routes of both families are right.",
        )
    return Diagnosis(
        Cause.UNREACHABLE,
        Side.NETWORK,
        sentence,
        happened(attempt),
        "A router or a firewall on the way answered that nothing gets through: a route is missing, or a rule rejects.",
        cures,
    )
