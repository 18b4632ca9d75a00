"""When a connection was there already, and faults that are of no mode."""

from __future__ import annotations

from ..attempt import Attempt
from ..causes import Cause, Diagnosis, Side
from .facts import dialled, wait


def data_lost(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.DATA_LOST,
        Side.NETWORK,
        f"The data connection was lost after {attempt.octets} bytes",
        f"The data connection with {attempt.peer[0]} was reset after {attempt.octets} bytes.",
        "The client closed it in the middle, or a router or firewall forgot or cut it.",
        (
            "If it was the client, its own log says why.",
            "If it always breaks after the same time or amount, look for limits in the firewalls between.",
            "The transfer can be resumed where it broke off (REST).",
        ),
    )


def stalled(attempt: Attempt) -> Diagnosis:
    small = attempt.octets < 64 * 1024
    return Diagnosis(
        Cause.STALLED,
        Side.NETWORK,
        f"No data moved for {wait(attempt)}; given up after {attempt.octets} bytes",
        f"The data connection with {attempt.peer[0]} was there, and after {attempt.octets} bytes nothing moved for "
        f"{wait(attempt)}.",
        "Where small amounts pass and large ones hang, packets of full size are dropped on the way, and the message "
        'that says so (ICMP "fragmentation needed", "packet too big") as well.'
        if small
        else "The client stopped reading or writing, or the network between broke without a word.",
        (
            "Let ICMP of these kinds pass, or let the router clamp the segment size of TCP (MSS) to the path.",
            "See whether the client is still there.",
        ),
    )


def tls_not_resumed(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.TLS_NOT_RESUMED,
        Side.CLIENT,
        "The data connection must resume the TLS session of the control connection; let your client reuse sessions",
        f"A data connection of {attempt.peer[0]} brought a TLS session of its own.",
        "By resuming the session a data connection proves that it belongs to its control connection; "
        'tls.session_reuse = "require" insists on that, and not every client can do it.',
        (
            "Let the client reuse TLS sessions (many have an option), or take a newer one.",
            'Or set tls.session_reuse = "prefer", which trusts in the client\'s address instead.',
        ),
    )


def plain_on_tls(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.PLAIN_ON_TLS,
        Side.CLIENT,
        "Plain text arrived on a data connection that PROT P has made a TLS one; begin TLS there, or send PROT C",
        f"{attempt.peer[0]} had asked for PROT P, and then did not begin TLS on its data connection.",
        "The client forgot, or whatever connected is no FTP client.",
        (
            "Let the client encrypt data connections, too: explicit FTP over TLS, in most clients.",
            "If data need not be encrypted, let it send PROT C (tls.require must allow it).",
        ),
    )


def tls_on_plain(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.TLS_ON_PLAIN,
        Side.CLIENT,
        "TLS arrived on a plain data connection; send PBSZ 0 and PROT P first",
        f"{attempt.peer[0]} began TLS on a data connection, and had not asked for PROT P.",
        "Data connections are plain until PROT P, also where the control connection is encrypted (RFC 4217 §9).",
        ("Let the client send PBSZ 0 and PROT P after AUTH TLS.",),
    )


def tls_failed(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.TLS_FAILED,
        Side.CLIENT,
        "The TLS handshake on the data connection failed",
        f"{attempt.peer[0]} connected for data, and the TLS handshake there came to no end.",
        "The client gave up or did not like the certificate (it must take the same one as on the control connection), "
        "or a firewall that wants to read along cut in.",
        (
            "The client's log says more; let it trust the certificate of the server for data connections, too.",
            "Look for a firewall that inspects TLS.",
        ),
    )


def control_filtered(attempt: Attempt) -> Diagnosis:
    count = attempt.resets[-1] if attempt.resets else 0
    return Diagnosis(
        Cause.CONTROL_FILTERED,
        Side.NETWORK,
        f"Control connections break after command {count} each time: a firewall that reads FTP cuts them. Use TLS",
        f"The control connections with {attempt.peer[0]} were reset after command {count}, "
        f"{len(attempt.resets)} times in a row.",
        "A firewall on the way follows FTP and cuts what it does not know or does not want, always at the same place.",
        (
            "Switch the FTP inspection of the firewall off, on either side (on Windows: StatefulFTP).",
            "Use explicit TLS (AUTH TLS), or implicit TLS where AUTH itself is cut: it cannot read that.",
            "Use a control port other than 21, which such filters leave alone.",
        ),
    )


def control_lost(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.CONTROL_LOST,
        Side.NETWORK,
        "The control connection was lost",
        f"The control connection with {attempt.peer[0]} was reset.",
        "The client ended without QUIT, or a router forgot the connection, on which nothing is said during a transfer.",
        (
            "If it happens after long transfers, let the router keep idle TCP connections for two hours (RFC 5382).",
            "Or let the client send NOOP meanwhile.",
        ),
    )


def no_descriptor(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.NO_DESCRIPTOR,
        Side.SERVER,
        "The server has too many connections open; try again later",
        f"A data connection with {attempt.peer[0]} could not be opened: this process has no descriptor left.",
        "Every session needs one, and two or three during a transfer.",
        (
            "Raise the limit of open files (LimitNOFILE of systemd, ulimit -n).",
            "Or allow fewer sessions (limits.sessions).",
        ),
    )


def closing(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        Cause.CLOSING,
        Side.SERVER,
        "The server took the port away; if it is not stopping, send EPSV or PASV again",
        f"{dialled(attempt)}; the port was closed meanwhile.",
        "The server is stopping, or the offer of the port was used up.",
        ("Connect again when the server is up.",),
    )
