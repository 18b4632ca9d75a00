"""Who is there: USER PASS ACCT REIN QUIT HOST (RFC 959 §4.1.1, RFC 7151)."""

from __future__ import annotations

from ipaddress import ip_address

from homeport.accounts.model import Attempt, Encryption, User
from homeport.data.throttle import Pace
from homeport.events.types import CloseReason, LoggedIn, LoginFailed
from homeport.protocol.argument import HostName
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.protection import Switch, control_protected, demanded
from homeport.session.refusal import Refusal
from homeport.session.state import Session
from homeport.storage.base import StorageError


def user(context: Context, name: str) -> Reply:
    """USER: begins a login. The same 331 for every name, so that nobody learns which exist (RFC 2577 §7).

    But where a login must be protected, USER is refused, so that the password is never sent in clear (RFC 2228 §7); and
    where the client's certificate is the login, nothing more is needed (RFC 4217 §12).
    """
    session = context.session
    session.log_out()
    known = context.services.accounts.known(name)
    if not control_protected(session):
        if demanded(context.services.policy.tls, known) is not Encryption.NONE:
            raise Refusal(Code.REFUSED_BY_POLICY, "Logins must be protected here; send AUTH TLS first")
    elif known is not None and not known.needs_password and known.certified_by(_certificate_names(session)):
        return _log_in(context, known, Code.LOGGED_IN_BY_SECURITY)
    session.name = name
    return Reply(Code.NEED_PASSWORD, "Please send your password")


def password(context: Context, secret: str) -> Reply:
    """PASS: the other half of a login; a failed one begins again with USER (RFC 959 §4.2)."""
    session, services = context.session, context.services
    name, session.name = session.name, None
    if name is None:
        raise Refusal(Code.BAD_SEQUENCE, "Please send USER first")
    address = session.peer[0]
    # Slowed for the address that fails, and for nobody else (RFC 2577 §5).
    delay = services.throttle.delay(address)
    if delay is None:
        return _turned_away(context, name)
    if delay > 0:
        services.post.give_way()
        services.stopping.wait(delay)
    names = _certificate_names(session)
    account = services.accounts.authenticate(Attempt(name, secret, address, session.host, names))
    if account is None:
        return _failed(context, name, "wrong name or password")
    return _log_in(context, account, Code.LOGGED_IN)


def _certificate_names(session: Session) -> frozenset[str]:
    """Those in the certificate that the client has shown; none over a connection that is in clear."""
    protection = session.protection
    if protection is None or protection.cleared or protection.certificate is None:
        return frozenset()
    return protection.certificate.names


def _log_in(context: Context, account: User, code: Code) -> Reply:
    session, services = context.session, context.services
    try:
        session.storage = services.storage_for(account)
    except StorageError:
        return _failed(context, account.name, f"the home directory {account.home} cannot be opened")
    services.throttle.succeeded(session.peer[0], account.name)
    session.user = account
    session.umask = account.umask
    session.throttles = services.rates.throttles(account.name, Pace(account.download, account.upload))
    if not services.events.silent:
        services.events.publish(
            LoggedIn(
                at=services.clock.time(),
                session=session.number,
                peer=session.peer,
                user=account.name,
                anonymous=account.anonymous,
            )
        )
    return Reply(code, _welcome(account))


def _failed(context: Context, name: str, reason: str) -> Reply:
    session, services = context.session, context.services
    session.failures += 1
    services.throttle.failed(session.peer[0], name)
    services.events.publish(
        LoginFailed(at=services.clock.time(), session=session.number, peer=session.peer, user=name, reason=reason)
    )
    if session.failures >= services.policy.login_tries:
        context.closing = CloseReason.FAILURES
        return Reply(Code.SERVICE_CLOSING, "Too many failed logins")
    return Reply(Code.NOT_LOGGED_IN, "Login incorrect")


def _turned_away(context: Context, name: str) -> Reply:
    """Whoever tries with many connections at once is not made to wait with all of them, but is not heard either."""
    session, services = context.session, context.services
    services.events.publish(
        LoginFailed(
            at=services.clock.time(),
            session=session.number,
            peer=session.peer,
            user=name,
            reason="too many logins at once from where logins have failed; it was not looked at",
        )
    )
    context.closing = CloseReason.FAILURES
    return Reply(Code.SERVICE_CLOSING, "Too many logins from your address at once; try again later")


def _welcome(account: User) -> str:
    return "Welcome, guest" if account.anonymous else f"Welcome, {account.name}"


def account(context: Context, _: str) -> Reply:
    """ACCT: nothing here needs an account, so it is superfluous once logged in (RFC 959 §4.2: 202)."""
    if context.session.user is None:
        raise Refusal(Code.BAD_SEQUENCE, "Please log in with USER and PASS")
    return Reply(Code.SUPERFLUOUS, "No account is needed here")


def reinitialize(context: Context, _: None) -> Reply:
    """REIN: everything as right after the connection was made; TLS ends behind the reply (RFC 4217 §13)."""
    if control_protected(context.session):
        context.switch = Switch()
    context.session.reset()
    return Reply(Code.READY, "Ready for a new user")


def leave(context: Context, _: None) -> Reply:
    """QUIT. A transfer under way was waited for: commands are carried out in order."""
    session = context.session
    context.closing = CloseReason.QUIT
    moved = f"{session.octets_in} bytes received and {session.octets_out} sent"
    return Reply(Code.GOODBYE, f"Goodbye: {moved} in {session.transfers} transfers")


def host(context: Context, name: HostName) -> Reply:
    """HOST: which of this server's names the client means; only before login (RFC 7151 §3)."""
    session, policy = context.session, context.services.policy
    if session.user is not None:
        raise Refusal(Code.BAD_SEQUENCE, "HOST must come before the login")
    if name.literal:
        own = ip_address(session.reached.partition("%")[0])
        if ip_address(name.text) != own:
            raise Refusal(Code.BAD_PARAMETER, f"{name.text} is not an address of this server")
    elif policy.host_names and name.text.lower() not in policy.host_names:
        raise Refusal(Code.BAD_PARAMETER, f"{name.text} is not served here")
    sni = session.protection.layer.server_name if session.protection is not None else None
    if sni is not None and sni != name.text.lower():
        # The certificate was for the name in the handshake (RFC 7151 §3.2.2).
        raise Refusal(Code.BAD_PARAMETER, f"TLS was begun with {sni}, which is another host")
    session.log_out()
    session.host = name.text.lower()
    return Reply(Code.READY, context.services.policy.banner.partition("\n")[0])


VERBS = (
    Verb("USER", user, login=False),
    Verb("PASS", password, login=False),
    Verb("ACCT", account, login=False),
    Verb("REIN", reinitialize, login=False),
    Verb("QUIT", leave, login=False),
    Verb("HOST", host, login=False),
)
