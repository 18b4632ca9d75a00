"""diagnose: from the facts of an Attempt to its Cause. Rules in an order, and the first that fits counts.

The order is that of certainty: what was seen for sure (a TLS record, a full range, an address that cannot be right)
before what must be concluded from silence. Nothing is more common than silence, and then the addresses tell: which
address the client was sent to, where the client is, and whether one can be reached from the other.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from .address import Kind, bridge_gateway, kind, neighbours, same
from .attempt import Attempt, Gateway, Mode, Seen
from .causes import Cause, Diagnosis
from .words.table import WORDING

_ALIKE = 3
"""So many control connections in a row must break at the same command before a filter is suspected."""
_LATEST_COMMAND = 30
"""A filter that reads FTP stumbles early, over AUTH, FEAT, EPSV or a first data connection; later it is chance."""

_PLAIN: dict[Seen, Cause] = {
    Seen.LOW_PORT: Cause.LOW_PORT_REQUESTED,
    Seen.NO_SOURCE_PORT: Cause.SOURCE_PORT,
    Seen.NO_PORT_FREE: Cause.RANGE_TOO_SMALL,
    Seen.NO_DESCRIPTOR: Cause.NO_DESCRIPTOR,
    Seen.CLOSED: Cause.CLOSING,
    Seen.RESET: Cause.DATA_LOST,
    Seen.STALLED: Cause.STALLED,
    Seen.NOT_RESUMED: Cause.TLS_NOT_RESUMED,
    Seen.PLAIN_TEXT: Cause.PLAIN_ON_TLS,
    Seen.TLS_RECORD: Cause.TLS_ON_PLAIN,
    Seen.TLS_FAILED: Cause.TLS_FAILED,
}
"""What needs no conclusion."""


def diagnose(attempt: Attempt) -> Diagnosis:
    """What went wrong with *attempt*, and how it is mended. There is an answer to every combination of facts."""
    return WORDING[cause_of(attempt)](attempt)


def cause_of(attempt: Attempt) -> Cause:
    """The cause alone."""
    cause = _PLAIN.get(attempt.seen)
    if cause is not None:
        return cause
    if attempt.seen is Seen.CONTROL_RESET:
        return Cause.CONTROL_FILTERED if _always_at_the_same(attempt.resets) else Cause.CONTROL_LOST
    if attempt.seen is Seen.FOREIGN:
        asked = attempt.requested_kind
        return Cause.FOREIGN_REQUESTED if asked is None or asked.outside else Cause.PRIVATE_REQUESTED
    rules = _PASSIVE if attempt.mode.passive else _ACTIVE
    for rule in rules:
        cause = rule(attempt)
        if cause is not None:
            return cause
    return _SILENCE[attempt.seen]


_SILENCE: dict[Seen, Cause] = {
    Seen.NOTHING: Cause.NOTHING_ARRIVED,
    Seen.STRANGERS: Cause.STRANGER,
    Seen.REFUSED: Cause.REFUSED,
    Seen.TIMED_OUT: Cause.TIMED_OUT,
    Seen.UNREACHABLE: Cause.UNREACHABLE,
}
"""What is left when no address explains it."""


def _always_at_the_same(resets: tuple[int, ...]) -> bool:
    last = resets[-_ALIKE:]
    return len(last) == _ALIKE and len(set(last)) == 1 and last[0] <= _LATEST_COMMAND


# -- passive: did the client know where to go? ---------------------------------------------------------


def _pasv_over_ipv6(attempt: Attempt) -> Cause | None:
    return Cause.PASV_IPV6 if attempt.mode is Mode.PASV and ":" in attempt.local[0] else None


def _known_stranger(attempt: Attempt) -> Cause | None:
    """Whoever comes from next to the client is the client, through a translator with several addresses."""
    near = any(neighbours(stranger, attempt.peer[0]) for stranger in attempt.strangers)
    return Cause.STRANGER if attempt.seen is Seen.STRANGERS and near else None


def _gateway(attempt: Attempt) -> Cause | None:
    if attempt.gateway is Gateway.MEDDLED:
        return Cause.REWRITTEN
    if attempt.announced is not None and attempt.received is not None and attempt.received != attempt.announced:
        return Cause.REWRITTEN
    # A gateway on the server's router opens the port for a 227 that names the server's inside address, and no other.
    blind = attempt.control_protected or not attempt.mode.names_address
    if attempt.gateway is Gateway.SUSPECTED and not blind and _masqueraded(attempt):
        return Cause.REWRITTEN
    return None


def _masqueraded(attempt: Attempt) -> bool:
    return attempt.announced is not None and not same(attempt.announced, attempt.local[0])


def _inside_announced(attempt: Attempt) -> Cause | None:
    told = attempt.announced_kind
    if told is None or told.outside:
        return None
    if told is Kind.BRIDGE and (attempt.beyond or bridge_gateway(attempt.peer[0])):
        return Cause.BRIDGE_ANNOUNCED
    if told is Kind.CARRIER and attempt.peer_kind.outside:
        return Cause.CARRIER_NAT
    if told is not Kind.CARRIER and attempt.beyond:
        return Cause.PRIVATE_ANNOUNCED
    return None


def _hairpin(attempt: Attempt) -> Cause | None:
    told = attempt.announced_kind
    if attempt.announced is None or told is None or not told.outside or not _masqueraded(attempt):
        return None
    # Either the client's own address shows that it is inside, or the router has put its outside address in its place.
    inside = not attempt.beyond and not attempt.local_kind.outside
    return Cause.HAIRPIN if inside or same(attempt.announced, attempt.peer[0]) else None


def _wrong_announced(attempt: Attempt) -> Cause | None:
    if attempt.announced is None or attempt.outside is None or same(attempt.announced, attempt.outside):
        return None
    return Cause.WRONG_ANNOUNCED


def _behind_carrier(attempt: Attempt) -> Cause | None:
    """The address that the router was given is the provider's: what it forwards, nobody can dial."""
    if attempt.outside is None or not attempt.peer_kind.outside:
        return None
    return Cause.CARRIER_NAT if kind(attempt.outside) is Kind.CARRIER else None


_Rule = Callable[[Attempt], Cause | None]

_PASSIVE: tuple[_Rule, ...] = (
    _pasv_over_ipv6,
    _known_stranger,
    _gateway,
    _behind_carrier,
    _inside_announced,
    _hairpin,
    _wrong_announced,
)

# -- active: may the server go there? ------------------------------------------------------------------


def _nothing_set_up(attempt: Attempt) -> Cause | None:
    return Cause.NO_PORT_COMMAND if attempt.mode is Mode.DEFAULT else None


def _meddled(attempt: Attempt) -> Cause | None:
    return Cause.REWRITTEN if attempt.gateway is Gateway.MEDDLED else None


def _private_requested(attempt: Attempt) -> Cause | None:
    """PORT named an inside address. Either the server dialled the client's outside one, or could not know better."""
    asked = attempt.requested_kind
    if attempt.requested is None or asked is None or asked.outside:
        return None
    if same(attempt.requested[0], attempt.peer[0]) and not attempt.across:
        return None
    return Cause.PRIVATE_REQUESTED


def _forbidden(attempt: Attempt) -> Cause | None:
    return Cause.LOCAL_FIREWALL if attempt.error in (errno.EPERM, errno.EACCES) else None


def _other_source_port(attempt: Attempt) -> Cause | None:
    """A firewall that waits for port 20 drops what comes from another; one that refuses has been reached."""
    silent = attempt.seen in (Seen.TIMED_OUT, Seen.UNREACHABLE, Seen.NOTHING)
    return Cause.SOURCE_PORT if attempt.source_failure is not None and silent else None


_ACTIVE: tuple[_Rule, ...] = (_meddled, _forbidden, _nothing_set_up, _private_requested, _other_source_port)
