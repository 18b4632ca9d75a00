"""Protection: AUTH PBSZ PROT CCC, and ADAT MIC CONF ENC of mechanisms that are not TLS (RFC 2228, RFC 4217).

Without TLS all of them answer 502 (RFC 2228 §3).
"""

from __future__ import annotations

import re

from homeport.accounts.model import Encryption
from homeport.net.tls import Contexts, NoCertificate
from homeport.protocol.command import ArgumentError
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.protection import Protection, Switch, control_protected, demanded
from homeport.session.refusal import Refusal

_MECHANISMS = {"TLS": False, "TLS-C": False, "SSL": False, "TLS-P": True}
"""By name; whether data are protected at once. TLS-C is TLS (RFC 4217 §17). SSL and TLS-P are older than that document
and never became standard: clients say SSL and mean TLS (D-13), and TLS-P is TLS with PROT P implied."""

_LARGEST_SIZE = 2**32 - 1
_NUMBER = re.compile(r"[0-9]+", re.ASCII)


def auth(context: Context, mechanism: str) -> Reply:
    """AUTH: TLS begins right behind 234; user and transfer parameters are forgotten (RFC 4217 §4.2)."""
    session, tls = context.session, _tls(context)
    wanted = mechanism.strip(" ").upper()
    if wanted not in _MECHANISMS:
        raise Refusal(Code.BAD_PARAMETER, "TLS is the only mechanism here")
    if control_protected(session):
        raise Refusal(Code.REFUSED_BY_POLICY, "The control connection is protected already")
    try:
        layer = tls.control(session.peer[0], session.host)
    except NoCertificate:
        raise Refusal(Code.RESOURCE_MISSING, "The server has no certificate that it could use") from None
    # HOST is the one thing that stays: it comes before AUTH, and chooses the certificate (RFC 7151 §4).
    host = session.host
    session.reset()
    session.host = host
    context.switch = Switch(layer, private=_MECHANISMS[wanted])
    return Reply(Code.SECURITY_ACCEPTED, "Begin the TLS handshake now")


def pbsz(context: Context, argument: str) -> Reply:
    """PBSZ: TLS needs no buffer of an agreed size, so it is 0 whatever was asked for (RFC 4217 §9)."""
    size = argument.strip(" ")
    if not _NUMBER.fullmatch(size) or int(size[:20]) > _LARGEST_SIZE:
        raise ArgumentError("PBSZ takes a number of 32 bits, and TLS wants 0")
    _changeable(context).sized = True
    return Reply(Code.OK, "PBSZ=0")


def prot(context: Context, argument: str) -> Reply:
    """PROT: C or P, for all data connections from now on (RFC 4217 §9)."""
    protection = _changeable(context)
    if not protection.sized:
        raise Refusal(Code.BAD_SEQUENCE, "Please send PBSZ 0 first")
    match argument.strip(" ").upper():
        case "P":
            protection.private = True
            return Reply(Code.OK, "Data connections will be protected")
        case "C":
            if demanded(context.services.policy.tls, context.session.user) is Encryption.BOTH:
                raise Refusal(Code.REFUSED_BY_POLICY, "Data connections must be protected here")
            protection.private = False
            return Reply(Code.OK, "Data connections will be in clear")
        case "S" | "E":
            raise Refusal(Code.LEVEL_UNSUPPORTED, "TLS has C (clear) and P (private) only")
        case _:
            raise Refusal(Code.BAD_PARAMETER, "PROT takes C (clear) or P (private)")


def ccc(context: Context, _: None) -> Reply:
    """CCC: the control connection is in clear again, for routers that must read it; data stay as they are (§5)."""
    _tls(context)
    session = context.session
    protection = session.protection
    # In this order, and with these codes: RFC 4217 §5.
    if not context.services.policy.tls.allow_clear_control:
        raise Refusal(Code.UNKNOWN_COMMAND, "CCC is not accepted here; the control connection stays as it is")
    if protection is None or protection.cleared:
        raise Refusal(Code.PROTECTION_REQUIRED, "The control connection is in clear already")
    if session.user is None:
        # Nobody who cannot log in shall have handshakes for nothing, or send a password in clear (RFC 4217 §15.3).
        raise Refusal(Code.REFUSED_BY_POLICY, "Please log in before CCC")
    protection.cleared = True
    context.switch = Switch()
    return Reply(Code.OK, "The control connection will be in clear; end TLS now")


def adat(context: Context, _: str) -> Reply:
    """ADAT: TLS has an exchange of its own (RFC 4217 §4.2)."""
    _tls(context)
    raise Refusal(Code.BAD_SEQUENCE, "TLS needs no ADAT")


def enclosed(context: Context, _: str) -> Reply:
    """MIC, CONF, ENC: commands are not enclosed in others under TLS, which protects the whole connection."""
    _tls(context)
    if not control_protected(context.session):
        raise Refusal(Code.BAD_SEQUENCE, "Please send AUTH TLS first")
    raise Refusal(Code.COMMAND_PROTECTION_UNSUPPORTED, "TLS protects the whole connection; send the command itself")


def _tls(context: Context) -> Contexts:
    tls = context.services.tls
    if tls is None:
        raise Refusal(Code.NOT_IMPLEMENTED, f"{context.verb} is not implemented here: the server has no TLS")
    return tls


def _changeable(context: Context) -> Protection:
    """The protection of this session; 503 before the handshake (RFC 4217 §9) and after CCC (§5)."""
    _tls(context)
    protection = context.session.protection
    if protection is None:
        raise Refusal(Code.BAD_SEQUENCE, "Please send AUTH TLS first")
    if protection.cleared:
        raise Refusal(Code.BAD_SEQUENCE, "After CCC the protection of data stays as it is")
    return protection


VERBS = (
    Verb("AUTH", auth, login=False),
    Verb("PBSZ", pbsz, login=False),
    Verb("PROT", prot, login=False),
    Verb("CCC", ccc, login=False),
    Verb("ADAT", adat, login=False),
    Verb("MIC", enclosed, login=False),
    Verb("CONF", enclosed, login=False),
    Verb("ENC", enclosed, login=False),
)
