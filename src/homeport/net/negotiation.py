"""Negotiation: a TLS connection as OpenSSL has it, with what the choice of its certificate needs and finds.

Two things are here because the compiler cannot do them (docs/decisions/mypyc.md), or not for less than Python does:
to extend classes of the standard library's, and to make calls that end in an exception every time.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

INTERNAL_ERROR = int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)


class NoCertificate(Exception):
    """There is no certificate that could be used (RFC 2228 §3: 431)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One set of certificates, ready to be shown."""

    control: ssl.SSLContext
    data: ssl.SSLContext


class Negotiation(ssl.SSLObject):
    """One that works on buffers in memory."""

    choose: Callable[[str | None], Identity] | None = None
    """By the name that the client gives; None: it is chosen."""
    identity: Identity | None
    data: bool
    server_name: str | None = None

    def proceed(self) -> bool:
        """Go on with the handshake, as far as what has come in reaches; whether it is complete. OSError if it fails."""
        try:
            self.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def end(self) -> None:
        """Say close_notify, if the handshake has come so far. The peer's own is not waited for."""
        try:
            self.unwrap()
        except OSError:
            pass  # it is not there, as a rule


class NegotiationSocket(ssl.SSLSocket):
    """One that OpenSSL has the socket of."""

    choose: Callable[[str | None], Identity] | None = None
    identity: Identity | None
    data: bool
    server_name: str | None = None


_KINDS = (Negotiation, NegotiationSocket)


def choose(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
    """Called in every handshake, with or without a name from the client; an alert, or None to go on."""
    if not isinstance(tls, _KINDS):
        return INTERNAL_ERROR
    tls.server_name = name
    if tls.choose is not None:
        try:
            tls.identity = tls.choose(name)
        except NoCertificate:
            return INTERNAL_ERROR
    identity = tls.identity
    if identity is None:
        return INTERNAL_ERROR
    tls.context = identity.data if tls.data else identity.control
    return None
