"""What this server is and how it stands: FEAT OPTS HELP STAT SYST NOOP LANG CLNT CSID ALGS."""

from __future__ import annotations

import re
from itertools import islice

from homeport import __version__
from homeport.protocol.argument import ListingRequest
from homeport.protocol.command import ArgumentError
from homeport.protocol.grammar import GRAMMAR
from homeport.protocol.listing import feature_text, options_text, select_facts
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.refusal import Refusal
from homeport.session.selection import select

from .listing import long_lines
from .security import VERBS as PROTECTION
from .site import help_lines
from .transfer import describe

_LANGUAGE = "EN"
"""The only language of this server's texts (RFC 2640 §4.3)."""

_STAT_LINES = 10_000
"""The most lines that STAT sends over the control connection; a longer directory says where it was cut."""

_HELP_COLUMNS = 10

_PROTECTION = frozenset(verb.name for verb in PROTECTION)
"""Verbs that are there only where TLS is."""

_FACT = re.compile(r"([^=;]+)=([^;]*)(?:;|$)")


def feat(context: Context, _: None) -> Reply:
    """FEAT: every extension beyond RFC 959, in the form that its own document gives (RFC 2389 §3.2)."""
    lines = [
        "CLNT",
        "CSID",
        "EPRT",
        "EPSV",
        "HOST",
        f"LANG {_LANGUAGE}*",
        "LPRT",
        "LPSV",
        "MDTM",
        "MFF Modify;UNIX.mode;",
        "MFMT",
        feature_text(context.session.facts),
        "REST STREAM",
        "SIZE",
        "TVFS",
        "UTF8",
    ]
    tls = context.services.tls
    if tls is not None and tls.available:
        # RFC 4217 §6: TLS is named, its synonyms are not.
        lines += ["AUTH TLS", "PBSZ", "PROT"]
        if context.services.policy.tls.allow_clear_control:
            lines.append("CCC")
        lines.sort()
    return Reply(Code.SYSTEM_STATUS, "Extensions supported", tuple(f" {line}" for line in lines), "End")


def opts(context: Context, text: str) -> Reply:
    """OPTS: MLST chooses facts (RFC 3659 §7.9); UTF8 is always on, and clients like to hear so."""
    verb, space, options = text.partition(" ")
    match verb.upper():
        case "MLST":
            context.session.facts = select_facts(options if space else None)
            return Reply(Code.OK, options_text(context.session.facts))
        case "UTF8" | "UTF-8":
            return _utf8(options)
        case _:
            raise ArgumentError(f"There are no options for {verb.upper()}")


def _utf8(options: str) -> Reply:
    """`OPTS UTF8 ON` as clients send it (D-09), and `OPTS UTF-8 [NLST]` of draft-ietf-ftpext-utf-8-option."""
    wanted = options.upper()
    # Exactly one space stands before NLST (§2 there). NLST sends names as octets in every TYPE.
    if wanted.strip(" ") in ("", "ON") or wanted == "NLST":
        return Reply(Code.OK, "UTF-8 is always on")
    if wanted.strip(" ") == "OFF":
        raise ArgumentError("UTF-8 cannot be switched off")
    raise ArgumentError("OPTS UTF8 takes ON")


def help_(context: Context, topic: str | None) -> Reply:
    """HELP: all verbs that are implemented, or the syntax of one; usable before login."""
    wanted = (topic or "").strip(" ").upper()
    if not wanted:
        names = sorted(_offered(context))
        rows = tuple(
            " " + " ".join(f"{name:<4}" for name in names[at : at + _HELP_COLUMNS]).rstrip()
            for at in range(0, len(names), _HELP_COLUMNS)
        )
        return Reply(Code.HELP_MESSAGE, "These commands are known here", rows, "HELP with a command tells its syntax")
    if wanted == "SITE":
        return Reply(Code.HELP_MESSAGE, "The services of SITE", help_lines(), "End of HELP SITE")
    row = GRAMMAR.get(wanted)
    if row is None or wanted not in _offered(context):
        raise Refusal(Code.NOT_IMPLEMENTED, f"{wanted} is not known here")
    return Reply(Code.HELP_MESSAGE, f"Syntax: {row.syntax} ({row.standard})")


def _offered(context: Context) -> frozenset[str]:
    """The verbs that this server does not answer 502."""
    return frozenset(context.verbs) - (_PROTECTION if context.services.tls is None else frozenset())


def stat(context: Context, request: ListingRequest) -> Reply:
    """STAT: how this session stands; with a pathname, a listing over the control connection (RFC 959 §4.1.3)."""
    if request.raw is None:
        return _status(context, "No transfer is under way")
    if context.session.user is None:
        raise Refusal(Code.NOT_LOGGED_IN, "Please log in with USER and PASS")
    selection = select(context, request)
    items = list(islice(selection.items(context), _STAT_LINES + 1))
    line = long_lines(context, selection)
    # Every line is padded: none may look like the last one (RFC 959 §4.2).
    body = tuple(f" {line(item)}" for item in items[:_STAT_LINES])
    code = Code.FILE_STATUS if selection.single else Code.DIRECTORY_STATUS
    end = f"End of status, cut after {_STAT_LINES} lines" if len(items) > _STAT_LINES else "End of status"
    return Reply(code, f"Status of {selection.path}", body, end)


def transfer_status(context: Context, octets: int) -> Reply:
    """The answer to STAT while a transfer runs (RFC 959 §4.1.3, RFC 1123 §4.1.3.3)."""
    return _status(context, f"In progress: {context.session.activity or 'a transfer'}, {octets} bytes so far")


def _status(context: Context, state: str) -> Reply:
    session = context.session
    who = f"Logged in as {session.user.name}" if session.user is not None else "Not logged in"
    data = session.data
    protection = session.protection
    secured = "in clear" if protection is None or protection.cleared else protection.layer.description
    private = protection is not None and protection.private
    return Reply(
        Code.SYSTEM_STATUS,
        f"{context.services.policy.software} status".lstrip(" "),
        (
            f" Connected from {session.peer[0]} port {session.peer[1]}",
            f" {who}",
            f" Control connection {secured}; PROT {'P' if private else 'C'}",
            f" TYPE {describe(session.representation)}; STRU F; MODE S",
            f" Data connection: {'default port' if data is None else f'port {data.port} was agreed on'}",
            f" {state}",
        ),
        "End of status",
    )


def syst(_: Context, __: None) -> Reply:
    """SYST: clients choose by it how to read LIST (D-03)."""
    return Reply(Code.SYSTEM_NAME, "UNIX Type: L8")


def noop(_: Context, __: str | None) -> Reply:
    """NOOP: always 200; firewalls put it in the place of commands they hide (RFC 6384 §12)."""
    return Reply(Code.OK, "OK")


def lang(_: Context, tag: str | None) -> Reply:
    """LANG: English in ASCII, in every variant of it (RFC 2640 §4)."""
    if tag is not None and tag.partition("-")[0].upper() != _LANGUAGE:
        raise Refusal(Code.BAD_PARAMETER, f"Only {_LANGUAGE} is spoken here")
    return Reply(Code.OK, "Texts are in English")


def clnt(context: Context, name: str) -> Reply:
    """CLNT: who the client says it is (D-19)."""
    context.session.client = name[:200]
    return Reply(Code.OK, "Noted")


def csid(context: Context, text: str | None) -> Reply:
    """CSID: both sides introduce themselves (draft-peterson-streamlined-ftp-command-extensions §6)."""
    facts = {name.strip(" ").lower(): value for name, value in _FACT.findall(text or "")}
    name = " ".join(part for part in (facts.get("name"), facts.get("version")) if part)
    if name:
        context.session.client = name[:200]
    software = context.services.policy.software
    told = f"Name={software}; Version={__version__}; " if software else ""
    return Reply(Code.OK, f"{told}CaseSensitive=1;")


def algs(_: Context, __: str | None) -> Reply:
    """ALGS is for gateways; a server takes no action on it (RFC 6384 §11)."""
    return Reply(Code.SUPERFLUOUS, "This is a server, not a gateway")


VERBS = (
    Verb("FEAT", feat, login=False),
    Verb("OPTS", opts, login=False),
    Verb("HELP", help_, login=False),
    Verb("STAT", stat, login=False),
    Verb("SYST", syst, login=False),
    Verb("NOOP", noop, login=False, keeps_rename=True),
    Verb("LANG", lang, login=False),
    Verb("CLNT", clnt, login=False),
    Verb("CSID", csid),
    Verb("ALGS", algs, login=False),
)
