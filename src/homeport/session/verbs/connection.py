"""Where data goes: PORT EPRT LPRT, PASV EPSV LPSV (RFC 959 §4.1.2, RFC 2428, RFC 1639, RFC 2577)."""

from __future__ import annotations

from ipaddress import ip_address

from homeport.advice.attempt import Seen
from homeport.data.connection import DataConnectionError
from homeport.data.destination import PrivatePort, destination
from homeport.data.offer import Offer
from homeport.data.ports import ANYBODY
from homeport.protocol.hostport import EPSV_ALL, FamilyRequest, HostPort
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.exchange import LOWEST_PORT
from homeport.session.failure import decision_for, never_came, no_port, not_allowed, session_over
from homeport.session.refusal import Refusal


def port(context: Context, target: HostPort) -> Reply:
    """PORT, EPRT, LPRT: remember where to dial. The connection is made when a transfer asks for it (§3.2)."""
    session, policy = context.session, context.services.policy
    _set_up_allowed(context)
    if target.family != (6 if ":" in session.peer[0] else 4):
        if context.verb == "LPRT":
            # RFC 1639 §4 has a code of its own, and numbers families by the version of IP.
            version = 6 if ":" in session.peer[0] else 4
            raise Refusal(Code.PROTECTION_TOO_LOW, f"Supported address families are ({version})")
        family = 2 if ":" in session.peer[0] else 1
        raise Refusal(Code.UNSUPPORTED_FAMILY, f"Network protocol not supported on this connection, use ({family})")
    if target.port < LOWEST_PORT:
        raise not_allowed(context, target, Seen.LOW_PORT)
    private = PrivatePort.REFUSE if session.unforwarded else policy.private_port
    where = destination(target.host, session.peer[0], private, foreign=policy.allow_foreign)
    if where is None:
        raise not_allowed(context, target, Seen.FOREIGN)
    session.release_data()
    session.data_verb = context.verb
    _observe(context)
    if not where.replaced:
        session.data = target
        return Reply(Code.OK, f"The data connection will go to {target.host} port {target.port}")
    session.data = HostPort(target.family, where.host, target.port)
    session.requested = target
    session.inside = target.host
    return Reply(Code.OK, f"The data connection will go to {where.host} port {target.port}, because {where.reason}")


def pasv(context: Context, _: None) -> Reply:
    """PASV: a port is listening when 227 is read, and 227 names the address that this client can reach."""
    _set_up_allowed(context)
    session = context.session
    if ":" in session.reached:
        # 227 has room for IPv4 only; a malformed one would confuse clients and be swallowed by firewalls (RFC 2428 §1).
        raise Refusal(Code.UNSUPPORTED_FAMILY, "PASV cannot name an IPv6 address; use EPSV (2)")
    # What becomes of the port before may show that another address is right.
    session.release_data()
    rules = context.services.announce()
    announced = decision_for(session, rules)
    offer = _offer(context, rules.among(announced))
    offer.address = announced.address
    number = offer.announced = rules.port(announced, offer.port)
    numbers = f"{announced.address.replace('.', ',')},{number >> 8},{number & 255}"
    return Reply(Code.PASSIVE, f"Entering Passive Mode ({numbers})")


def epsv(context: Context, family: FamilyRequest) -> Reply:
    """EPSV: only the port is told; address and protocol are those of the control connection (RFC 2428 §3)."""
    session = context.session
    if family is EPSV_ALL:
        session.extended_only = True
        return Reply(Code.OK, "Only EPSV sets up data connections from now on")
    own = 6 if ":" in session.reached else 4
    if family is not None and family != own:
        raise Refusal(Code.UNSUPPORTED_FAMILY, f"Network protocol not supported, use ({2 if own == 6 else 1})")
    session.release_data()
    rules = context.services.announce()
    if rules.ports or rules.granted:
        announced = decision_for(session, rules)
        offer = _offer(context, rules.among(announced))
        offer.announced = rules.port(announced, offer.port)
    else:
        offer = _offer(context)
    return Reply(Code.EXTENDED_PASSIVE, f"Entering Extended Passive Mode (|||{offer.announced}|)")


def lpsv(context: Context, _: None) -> Reply:
    """LPSV: the long form of PASV (RFC 1639; historic)."""
    _set_up_allowed(context)
    session = context.session
    session.release_data()
    rules = context.services.announce()
    announced = decision_for(session, rules)
    local = ip_address(session.reached.partition("%")[0])
    if local.version == 4:
        local = ip_address(announced.address)
    octets = local.packed
    offer = _offer(context, rules.among(announced))
    number = offer.announced = rules.port(announced, offer.port)
    fields = [local.version, len(octets), *octets, 2, number >> 8, number & 255]
    return Reply(Code.LONG_PASSIVE, f"Entering Long Passive Mode ({','.join(map(str, fields))})")


def _set_up_allowed(context: Context) -> None:
    if context.session.extended_only:
        raise Refusal(Code.BAD_SEQUENCE, "After EPSV ALL only EPSV is allowed")


def _offer(context: Context, among: frozenset[int] | None = None) -> Offer:
    """A passive port for this client, one of *among* if that can be; none is offered to it at the moment."""
    session, services = context.session, context.services
    # Between two servers it is the other one that connects (RFC 959 §5.2), and its address is not known beforehand.
    peer = ANYBODY if services.policy.allow_foreign else session.data_peer or session.peer[0]
    try:
        offer = services.ports.offer(peer, session.local[0], services.policy.data_seconds, context.watch, among)
    except DataConnectionError as error:
        raise no_port(context, error) from None
    session.data = offer
    session.data_verb = context.verb
    _observe(context)
    return offer


def _observe(context: Context) -> None:
    """From now on a client that gives up without a word is noticed."""
    session = context.session
    if session.context is None:
        session.context = context
        session.when_unused = never_came
        session.when_over = session_over


VERBS = (
    Verb("PORT", port),
    Verb("EPRT", port),
    Verb("LPRT", port),
    Verb("PASV", pasv),
    Verb("EPSV", epsv),
    Verb("LPSV", lpsv),
)
