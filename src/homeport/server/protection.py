"""Protection: from the options of [tls] to what sessions are given."""

from __future__ import annotations

from collections.abc import Iterator

from homeport.accounts.model import Encryption, Resumption
from homeport.net import kernel
from homeport.net.tls import Certificates, ClientCertificates, Contexts, NoCertificate
from homeport.session.protection import TlsPolicy

from .config import Config
from .listening import StartError

_KERNEL_OCTETS = 1024 * 1024
"""For less than this, what OpenSSL does in this process is cheaper than to set up the kernel."""


def contexts_of(config: Config, certificates: Certificates | None) -> Contexts | None:
    """What layers are made of; None where there are no certificates, and nothing needs one.

    Raises StartError where one is needed, or where clients' certificates cannot be judged.
    """
    if certificates is None:
        for option in _needing_tls(config):
            raise StartError(
                f"There is no certificate, and {option} needs one. Name one (tls.certificate), or a state directory, "
                "in which one is made (server.state)."
            )
        return None
    contexts = Contexts(
        certificates,
        client_authority=config.tls.client_ca,
        client_certificates=ClientCertificates(config.tls.client_certificates),
    )
    if contexts.available:
        try:
            contexts.check()
        except NoCertificate as error:
            raise StartError(f"TLS cannot be set up with the certificates: {error}.") from error
    return contexts


def _needing_tls(config: Config) -> Iterator[str]:
    """The options that are set and cannot hold without TLS."""
    if config.listen.implicit_tls_port:
        yield "listen.implicit_tls_port"
    if config.tls.require != "none":
        yield "tls.require"
    if config.anonymous.enabled and config.anonymous.tls not in (None, "none"):
        yield "anonymous.tls"
    for index, user in enumerate(config.users):
        if user.tls not in (None, "none"):
            yield f"users[{index}].tls"
        if user.certificate is not None:
            yield f"users[{index}].certificate"


def tls_policy_of(config: Config, *, implicit: bool) -> TlsPolicy:
    """What is asked of sessions on the control port, or on the one where TLS begins at once (*implicit*)."""
    tls = config.tls
    return TlsPolicy(
        require=Encryption(tls.implicit_require if implicit else tls.require),
        resumption=Resumption(tls.session_reuse),
        resumption_for=tuple((network, Resumption(reuse)) for network, reuse in tls.session_reuse_for.items()),
        allow_clear_control=tls.clear_control,
        handshake_seconds=config.limits.handshake,
        no_close_notify=tls.no_close_notify,
        kernel_octets=_KERNEL_OCTETS if tls.kernel == "auto" and kernel.available() else None,
        implicit=implicit,
    )
