"""Protection: how a session's connections are encrypted, and what the server asks of it (RFC 2228, RFC 4217).

The levels that a client sets (PBSZ, PROT) belong to one handshake: another AUTH, or REIN, begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from homeport.accounts.model import Encryption, Resumption, User
from homeport.net.layer import ClientCertificate, Layer
from homeport.net.tls import TICKET_SECONDS

from .quirks import NO_CLOSE_NOTIFY

if TYPE_CHECKING:
    from .state import Session

Network = IPv4Network | IPv6Network

_TICKET_MARGIN: Final = 60.0
"""Clocks and round trips: a ticket that is about to run out counts as run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """What the server asks of TLS."""

    require: Encryption = Encryption.NONE
    resumption: Resumption = Resumption.PREFER
    resumption_for: tuple[tuple[Network, Resumption], ...] = ()
    """For clients in these networks instead; the first that fits counts."""
    allow_clear_control: bool = False
    """Whether CCC is allowed."""
    handshake_seconds: float = 15.0
    """For one handshake, of whatever connection."""
    no_close_notify: tuple[str, ...] = NO_CLOSE_NOTIFY
    """Patterns of clients whose uploads may end without close_notify."""
    kernel_octets: int | None = None
    """Downloads from this size on are encrypted by the kernel (`net.kernel`); None: none is."""
    implicit: bool = False
    """Whether sessions begin with TLS, before the greeting (port 990 by custom)."""

    def resumption_of(self, user: User, address: str) -> Resumption:
        """What holds for *user* at *address*: his own option, then the network's, then the server's."""
        if user.resumption is not None:
            return user.resumption
        if self.resumption_for:
            client = ip_address(address.partition("%")[0])
            for network, resumption in self.resumption_for:
                if client in network:
                    return resumption
        return self.resumption

    def tolerates_bare_end(self, client: str | None) -> bool:
        """Whether an upload of a client that calls itself *client* may end by a FIN alone."""
        name = (client or "").lower()
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.no_close_notify)


@dataclass(slots=True)
class Protection:
    """The TLS of one session, from its handshake on the control connection."""

    layer: Layer
    since: float
    """Monotonic seconds of the handshake."""
    certificate: ClientCertificate | None = None
    """The client's own."""
    sized: bool = False
    """Whether PBSZ was said."""
    private: bool = False
    """PROT P: data connections are protected."""
    cleared: bool = False
    """CCC was said: the control connection is in clear again, and data stay as they are (RFC 4217 §5)."""

    def expired(self, now: float) -> bool:
        """Whether a client that kept only the ticket of the control connection cannot resume any more."""
        return now - self.since >= TICKET_SECONDS - _TICKET_MARGIN


@dataclass(frozen=True, slots=True)
class Switch:
    """What is to become of the control connection once the reply is sent: `layer`, or clear text again."""

    layer: Layer | None = None
    private: bool = False
    """With a layer: whether data are protected from the beginning."""


def control_protected(session: Session) -> bool:
    """Whether the control connection is encrypted now."""
    return session.protection is not None and not session.protection.cleared


def data_protected(session: Session) -> bool:
    """Whether the next data connection will be (PROT P)."""
    return session.protection is not None and session.protection.private


def demanded(policy: TlsPolicy, user: User | None) -> Encryption:
    """What must be encrypted for *user*, or for somebody of whom nothing is known."""
    if user is not None and user.encryption is not None:
        return user.encryption
    return policy.require
