"""A protected data connection: the handshake, and whether it is one of this session's client (RFC 4217 §10.2).

Everything here happens after 150, and before the first octet: a data connection that is refused here has moved
nothing, and whatever was opened for it is given up by the verb.
"""

from __future__ import annotations

import ssl

from homeport.accounts.model import Resumption
from homeport.data.channel import Connection
from homeport.data.connection import Cause, DataConnectionError
from homeport.data.kernelstream import KernelTlsStream, secure_socket, twin_of
from homeport.data.plan import Plan
from homeport.data.stream import Stream, reset
from homeport.data.tlsstream import Boundary, TlsStream, secure
from homeport.net.listener import plain, text_of
from homeport.net.tls import Contexts
from homeport.protocol.reply import Code

from .commands import Context
from .failure import not_secured
from .protection import Protection
from .refusal import Refusal


def protect(context: Context, plan: Plan, connection: Connection) -> Stream:
    """*connection* with TLS over it. Raises Refusal (522, or 426 if the client aborts it); it is closed then."""
    try:
        return _protect(context, plan, connection)
    except BaseException:
        reset(connection)
        raise


def _protect(context: Context, plan: Plan, connection: Connection) -> Stream:
    session, services = context.session, context.services
    protection, tls = session.protection, services.tls
    if protection is None or tls is None:
        raise Refusal(Code.HANDSHAKE_FAILED, "There is no TLS on the control connection")
    policy = services.policy.tls
    resumption = policy.resumption_of(context.user, session.peer[0])
    try:
        client = text_of(connection.getpeername()) if not services.events.silent else session.peer
    except OSError:
        client = session.peer  # gone already, as the handshake will find
    octets = plan.expected
    if (
        policy.kernel_octets is not None
        and octets is not None
        and octets >= policy.kernel_octets
        and resumption is Resumption.PREFER
    ):
        return _by_kernel(context, protection, tls, connection, client)
    come = services.post.make_way(connection.fileno())  # a handshake takes some hundred microseconds
    layer = tls.data(protection.layer, session.peer[0], resumable=resumption is not Resumption.OFF)
    # Only of an upload does the client tell the end.
    tolerant = plan.writer is not None and policy.tolerates_bare_end(session.client)
    boundary = Boundary()
    try:
        secure(connection, layer, context.watch, policy.handshake_seconds, boundary, come=come)
    except DataConnectionError as error:
        raise not_secured(context, error, client) from None
    try:
        _examine(context, protection, layer.tls, connection, resumption, client)
    except Refusal:
        layer.forgo()
        raise
    return TlsStream(connection, layer, boundary, tolerant=tolerant, expected=octets)


def _by_kernel(
    context: Context, protection: Protection, tls: Contexts, connection: Connection, client: tuple[str, int]
) -> Stream:
    """A download that is worth it. Only where resumption is not required: a session that is broken off is forgotten."""
    try:
        secured = tls.data_socket(protection.layer, context.session.peer[0], twin_of(connection))
    except OSError as failure:
        raise not_secured(context, DataConnectionError(Cause.TLS_FAILED, str(failure)), client) from None
    try:
        secure_socket(secured, context.watch, context.services.policy.tls.handshake_seconds)
        _examine(context, protection, secured, connection, Resumption.PREFER, client)
    except DataConnectionError as error:
        secured.close()
        raise not_secured(context, error, client) from None
    except BaseException:
        secured.close()
        raise
    return KernelTlsStream(secured, connection)


def _examine(
    context: Context,
    protection: Protection,
    data: ssl.SSLObject | ssl.SSLSocket,
    connection: Connection,
    resumption: Resumption,
    client: tuple[str, int],
) -> None:
    """Raise a Refusal unless the client on *connection* is the one of the session."""
    if protection.certificate is not None and data.getpeercert(binary_form=True) != protection.certificate.der:
        # RFC 4217 §15.1.2: the same client on both connections.
        raise Refusal(
            Code.HANDSHAKE_FAILED, "The data connection must show the client certificate of the control connection"
        )
    if data.session_reused:
        return
    if resumption is Resumption.REQUIRE and not protection.expired(context.services.clock.monotonic()):
        # Nobody is locked out for a session that is so old that its ticket cannot be used any more.
        raise not_secured(context, DataConnectionError(Cause.NOT_RESUMED, "The TLS session is a new one."), client)
    if context.services.policy.allow_foreign and not _from_peer(context, connection):
        # A port that anybody may connect to: what is not resumed proves nothing (RFC 2228 §11).
        raise not_secured(context, DataConnectionError(Cause.NOT_RESUMED, "It is a third host's."), client)


def _from_peer(context: Context, connection: Connection) -> bool:
    try:
        return plain(text_of(connection.getpeername())[0]) == plain(context.session.peer[0])
    except OSError:
        return False  # it has gone
