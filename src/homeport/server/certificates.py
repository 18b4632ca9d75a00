"""The certificates of a server, from its configuration: where each is, what a self-signed one is for, who renews.

Opened and closed here; `net/store.py` shows them to clients, `net/upkeep.py` looks after them.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from homeport.net.background import Background
from homeport.net.certificates import CertificateUnusable
from homeport.net.renewal import CERTIFICATE_FILE, Authority, Renewal
from homeport.net.selfsigned import own_certificate, own_paths
from homeport.net.store import CertificateStore, Pair, Source
from homeport.net.upkeep import Upkeep
from homeport.session.services import Clock

from .config import Config
from .encryption import AcmeOptions
from .listening import StartError

_STOP_SECONDS = 2.0
"""For the upkeep to end. A request to an authority that does not answer is left behind."""


class Certification:
    """The certificates of one server, and what looks after them."""

    def __init__(self, store: CertificateStore, upkeep: Upkeep, warn: Callable[[str], None]) -> None:
        self.store = store
        self._warn = warn
        self._background = Background("homeport-certificates", upkeep)

    def start(self) -> None:
        """Begin to renew and to warn. Raises OSError or RuntimeError if the system refuses a thread."""
        self._background.start()

    def close(self) -> None:
        """Leave off, within seconds, and forget all keys."""
        if not self._background.stop(_STOP_SECONDS):
            self._warn("The authority that was asked for a certificate does not answer; it is waited for no longer")
        self.store.close()


def open_certificates(
    config: Config,
    addresses: Sequence[str],
    clock: Clock,
    warn: Callable[[str], None],
    authority: Callable[[Config], Authority],
) -> Certification | None:
    """What *config* asks for; None where there is neither a certificate nor a state directory to make one in.

    *addresses*: what is listened on. *authority* makes the one of ACME. The state directory exists. Raises StartError.
    """
    renewal = renewal_of(config, authority)
    state = config.server.state
    if state is not None and not configured_pairs(config):
        try:
            own_certificate(state, own_names(config, addresses))
        except OSError as error:
            raise StartError(f"The certificate cannot be written to {state}: {error.strerror}.") from error
        except CertificateUnusable as error:
            raise StartError(str(error)) from error
    store = open_store(config, clock, warn)
    if store is None:
        return None
    upkeep = Upkeep(store, renewal, warn, clock.time)
    upkeep.warn_of_expiry()
    return Certification(store, upkeep, warn)


def open_store(config: Config, clock: Clock, warn: Callable[[str], None]) -> CertificateStore | None:
    """The certificates that there are, and nobody who looks after them; None if there is to be none.

    Raises StartError.
    """
    pairs = pairs_of(config)
    if not pairs:
        return None
    try:
        return CertificateStore(pairs, warn, monotonic=clock.monotonic)
    except (CertificateUnusable, OSError) as error:
        raise StartError(f"The certificate cannot be used: {error}.") from error


def configured_pairs(config: Config) -> list[Pair]:
    """The certificates that are named in the configuration."""
    tls = config.tls
    pairs = [Pair(tls.certificate, tls.key, Source.CONFIGURED)] if tls.certificate is not None else []
    return pairs + [Pair(one.certificate, one.key, Source.CONFIGURED) for one in tls.certificates]


def pairs_of(config: Config) -> list[Pair]:
    """All that there may be, the one for clients that name no host first."""
    pairs = configured_pairs(config)
    state = config.server.state
    if state is None:
        return pairs
    if config.acme.enabled:
        pairs.append(Pair(os.path.join(acme_directory(state, config.acme), CERTIFICATE_FILE), None, Source.ACME))
    if not configured_pairs(config):
        pairs.append(Pair(*own_paths(state), Source.SELF_SIGNED))
    return pairs


def renewal_of(config: Config, authority: Callable[[Config], Authority]) -> Renewal | None:
    """What renews by ACME; None where that is not configured. Raises StartError."""
    if not config.acme.enabled:
        return None
    if config.server.state is None:
        raise StartError("ACME needs a state directory to keep its certificate in. Name one (server.state).")
    return Renewal(authority(config), config.acme.names, acme_directory(config.server.state, config.acme))


def acme_directory(state: str, acme: AcmeOptions) -> str:
    """Where the account and the certificate of one authority are kept: another one has another account."""
    url = acme.directory
    return os.path.join(state, "acme", f"{urlsplit(url).hostname}-{hashlib.sha256(url.encode()).hexdigest()[:8]}")


def own_names(config: Config, addresses: Sequence[str]) -> list[str]:
    """What a self-signed certificate is for: all names and addresses that this machine may be reached by."""
    from homeport.net.interfaces import Interfaces

    external = config.data.external_address
    given = [external] if external not in ("auto", "none") else []
    named = [address for address in addresses if not ip_address(address.partition("%")[0]).is_unspecified]
    own = [one.address for one in Interfaces.read().all if one.up and not one.address.startswith("fe80:")]
    return [*given, *config.server.host_names, socket.gethostname(), "localhost", *named, *own]
