"""The grammar: one row per verb, with its argument and the replies that may follow it (RFC 959 §5.4).

The server asks this table before it says anything, and the strict client of `homeport.testing` asks
it about everything that it hears; so what stands here is what Homeport may say, and nothing else.
`preliminary` are the 1yz codes that may come first; `replies` are the final ones, those that follow
a 1yz and those that come at once. 500, 501 and 421 may answer any command (§5.4: syntax errors and
shutdown are listed for every row), so they stand in `ANYWHERE` and not in each row.

Codes that RFC 959 has not in the row but a later standard adds, or that RFC 1123 §4.1.2.11 allows
because they keep the meaning of their digits, stand behind `plus` with their reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .argument import Argument

ANYWHERE: Final = frozenset({421, 500, 501})
"""Syntax errors and the closing service may answer every command; 451 is added for local errors (§4.2)."""

LOCAL_ERROR: Final = 451
GREETING = frozenset({220, 421})
GREETING_PRELIMINARY = frozenset({120})


@dataclass(frozen=True, slots=True)
class Row:
    """One verb. `syntax` is what HELP prints, `standard` the document that defines the verb."""

    verb: str
    argument: Argument
    replies: frozenset[int]
    preliminary: frozenset[int]
    syntax: str
    standard: str

    def allows(self, code: int) -> bool:
        """Whether a reply with *code*, preliminary or final, may answer this verb."""
        return code in self.replies or code in self.preliminary or code in ANYWHERE or code == LOCAL_ERROR


def _row(
    verb: str,
    argument: Argument,
    syntax: str,
    standard: str,
    replies: str,
    *,
    first: str = "",
    plus: str = "",
) -> tuple[str, Row]:
    codes = frozenset(int(code) for code in f"{replies} {plus}".split())
    preliminary = frozenset(int(code) for code in first.split())
    return verb, Row(verb, argument, codes, preliminary, f"{verb} {syntax}".strip(), standard)


# After a 1yz: 226/250 or 425, 426, 451; 551 and 552 when storing (§5.4). 522: the TLS handshake on the data
# connection failed (RFC 4217 §10.2). 521, 534, 535: refused for its protection (RFC 4217, RFC 2228 §6).
_DATA_END = "226 250 425 426 451"
_PROTECTION = "521 522 534 535"
_A = Argument

# One verb, one row.
# fmt: off
GRAMMAR: Final[dict[str, Row]] = dict(
    (
        # -- access control, RFC 959 §4.1.1 -------------------------------------------------------
        _row("USER", _A.TEXT, "<SP> username", "RFC 959 §4.1.1", "230 331 332 530", plus="232 336 503 533 534"),
        _row("PASS", _A.PASSWORD, "<SP> password", "RFC 959 §4.1.1", "230 202 332 503 530", plus="533 534"),
        _row("ACCT", _A.TEXT, "<SP> account", "RFC 959 §4.1.1", "230 202 503 530"),
        _row("CWD", _A.PATH, "<SP> pathname", "RFC 959 §4.1.1", "250 502 530 550", plus="450 553"),
        # 250 is what §4.1.1 and Appendix II say twice; the 200 of the table is a slip.
        _row("CDUP", _A.NONE, "", "RFC 959 §4.1.1", "200 250 502 530 550", plus="450"),
        _row("SMNT", _A.PATH, "<SP> pathname", "RFC 959 §4.1.1", "202 250 502 530 550", plus="553"),
        _row("REIN", _A.NONE, "", "RFC 959 §4.1.1", "220 502", first="120"),
        _row("QUIT", _A.NONE, "", "RFC 959 §4.1.1", "221"),
        # -- transfer parameters, RFC 959 §4.1.2 -----------------------------------------------------
        # 504: a port below 1024 or a foreign host (RFC 2577 §3). 503: after EPSV ALL (RFC 2428 §3).
        _row("PORT", _A.HOST_PORT, "<SP> h1,h2,h3,h4,p1,p2", "RFC 959 §4.1.2", "200 530", plus="502 503 504 522"),
        # 425: no port could be offered; 522: PASV cannot express IPv6 (RFC 2428).
        _row("PASV", _A.NONE, "", "RFC 959 §4.1.2", "227 502 530", plus="425 503 522"),
        _row("TYPE", _A.TYPE, "<SP> A [<SP> N|T] | I | L <SP> 8", "RFC 959 §4.1.2", "200 504 530"),
        _row("STRU", _A.STRUCTURE, "<SP> F", "RFC 959 §4.1.2", "200 504 530"),
        _row("MODE", _A.MODE, "<SP> S", "RFC 959 §4.1.2", "200 504 530"),
        # -- services, RFC 959 §4.1.3 ---------------------------------------------------------------
        _row("RETR", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", f"{_DATA_END} 450 550 530",
             first="125 150", plus=f"{_PROTECTION} 503 553 554 555"),
        _row("STOR", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", f"{_DATA_END} 551 552 532 450 452 553 530",
             first="125 150", plus=f"{_PROTECTION} 503 550 554 555"),
        _row("STOU", _A.OPTIONAL_PATH, "[<SP> pathname]", "RFC 959 §4.1.3", f"{_DATA_END} 551 552 532 450 452 553 530",
             first="125 150", plus=f"{_PROTECTION} 503 550 554 555"),
        _row("APPE", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", f"{_DATA_END} 551 552 532 450 550 452 553 502 530",
             first="125 150", plus=f"{_PROTECTION} 503 554 555"),
        _row("ALLO", _A.ALLOCATION, "<SP> decimal [<SP> R <SP> decimal]", "RFC 959 §4.1.3", "200 202 504 530",
             plus="452 550 552"),
        _row("REST", _A.MARKER, "<SP> offset", "RFC 959 §4.1.3, RFC 3659 §5", "350 502 530", plus="503"),
        _row("RNFR", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", "350 450 550 502 530", plus="553"),
        _row("RNTO", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", "250 532 553 502 503 530", plus="450 452 550 552"),
        _row("ABOR", _A.NONE, "", "RFC 959 §4.1.3", "225 226 502"),
        _row("DELE", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", "250 450 550 502 530", plus="553"),
        _row("RMD", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", "250 502 530 550", plus="450 553"),
        _row("MKD", _A.PATH, "<SP> pathname", "RFC 959 §4.1.3", "257 502 530 550", plus="450 452 552 553"),
        _row("PWD", _A.NONE, "", "RFC 959 §4.1.3", "257 502 550", plus="530"),
        _row("LIST", _A.LISTING, "[<SP> -options] [<SP> pathname]", "RFC 959 §4.1.3", f"{_DATA_END} 450 502 530",
             first="125 150", plus=f"{_PROTECTION} 503 550 553"),
        _row("NLST", _A.LISTING, "[<SP> -options] [<SP> pathname]", "RFC 959 §4.1.3", f"{_DATA_END} 450 502 530",
             first="125 150", plus=f"{_PROTECTION} 503 550 553"),
        _row("SITE", _A.TEXT_PATH, "<SP> HELP|CHMOD|UTIME|UMASK|IDLE ...", "RFC 959 §4.1.3", "200 202 530",
             plus="214 211 502 503 504 550 553"),
        _row("SYST", _A.NONE, "", "RFC 959 §4.1.3", "215 502"),
        _row("STAT", _A.LISTING, "[<SP> pathname]", "RFC 959 §4.1.3", "211 212 213 450 502 530", plus="550 553"),
        _row("HELP", _A.OPTIONAL_TEXT, "[<SP> verb]", "RFC 959 §4.1.3", "211 214 502"),
        _row("NOOP", _A.OPTIONAL_TEXT, "", "RFC 959 §4.1.3", "200"),
        # -- twins, RFC 775 and RFC 1123 §4.1.3.1 ------------------------------------------------------
        _row("XCWD", _A.PATH, "<SP> pathname", "RFC 775", "250 502 530 550", plus="450 553"),
        _row("XCUP", _A.NONE, "", "RFC 775", "200 250 502 530 550", plus="450"),
        _row("XMKD", _A.PATH, "<SP> pathname", "RFC 775", "257 502 530 550", plus="450 452 552 553"),
        _row("XRMD", _A.PATH, "<SP> pathname", "RFC 775", "250 502 530 550", plus="450 553"),
        _row("XPWD", _A.NONE, "", "RFC 775", "257 502 550", plus="530"),
        # -- security, RFC 2228 and RFC 4217 -----------------------------------------------------------
        _row("AUTH", _A.TEXT, "<SP> TLS", "RFC 2228 §3", "234 334 502 503 504 534 431"),
        _row("ADAT", _A.TEXT, "<SP> base64", "RFC 2228 §3", "235 335 502 503 535"),
        _row("PBSZ", _A.TEXT, "<SP> 0", "RFC 2228 §3", "200 502 503 530"),
        _row("PROT", _A.TEXT, "<SP> C|P", "RFC 2228 §3", "200 431 502 503 504 530 534 536"),
        _row("CCC", _A.NONE, "", "RFC 2228 §3", "200 502 533 534"),
        _row("MIC", _A.TEXT, "<SP> base64", "RFC 2228 §3", "502 503 533 535 537"),
        _row("CONF", _A.TEXT, "<SP> base64", "RFC 2228 §3", "502 503 533 535 537"),
        _row("ENC", _A.TEXT, "<SP> base64", "RFC 2228 §3", "502 503 533 535 537"),
        # -- negotiation ---------------------------------------------------------------------------------
        _row("FEAT", _A.NONE, "", "RFC 2389 §3", "211 502"),
        _row("OPTS", _A.TEXT, "<SP> verb [<SP> options]", "RFC 2389 §4", "200 451 502", plus="504 530"),
        _row("LANG", _A.LANGUAGE, "[<SP> language-tag]", "RFC 2640 §4", "200 504", plus="502"),
        _row("HOST", _A.HOST, "<SP> hostname", "RFC 7151 §3", "220 503 504 502"),
        # -- data connections, RFC 2428 and RFC 1639 ---------------------------------------------------
        _row("EPRT", _A.EXTENDED_HOST_PORT, "<SP> |family|address|port|", "RFC 2428 §2", "200 522 530",
             plus="502 503 504"),
        _row("EPSV", _A.FAMILY, "[<SP> family | ALL]", "RFC 2428 §3", "229 200 522 530", plus="425 502 503"),
        _row("LPRT", _A.LONG_HOST_PORT, "<SP> af,hal,h1,..,pal,p1,..", "RFC 1639 §3", "200 521 530",
             plus="502 503 504"),
        _row("LPSV", _A.NONE, "", "RFC 1639 §3", "228 521 530", plus="425 502 503"),
        # -- metadata, RFC 3659 -----------------------------------------------------------------------
        _row("MDTM", _A.PATH, "<SP> pathname", "RFC 3659 §3", "213 550 530", plus="450 553"),
        _row("SIZE", _A.PATH, "<SP> pathname", "RFC 3659 §4", "213 550 530", plus="450 553"),
        _row("MLST", _A.OPTIONAL_PATH, "[<SP> pathname]", "RFC 3659 §7", "250 550 530 553 503 504", plus="450"),
        # Opened by 150 and closed by 226, nothing else (RFC 3659 §7.2); 501 for what is no directory.
        _row("MLSD", _A.OPTIONAL_PATH, "[<SP> pathname]", "RFC 3659 §7", "226 425 426 451 550 530 553 503 504",
             first="150", plus=f"450 {_PROTECTION}"),
        # -- the drafts, and what clients expect -----------------------------------------------------
        _row("MFMT", _A.TIME_PATH, "<SP> time <SP> pathname", "draft-somers-ftp-mfxx §3", "213 550 530",
             plus="450 553 504"),
        _row("MFCT", _A.TIME_PATH, "<SP> time <SP> pathname", "draft-somers-ftp-mfxx §4", "213 550 530 502",
             plus="450 553 504"),
        _row("MFF", _A.FACTS_PATH, "<SP> fact=value; <SP> pathname", "draft-somers-ftp-mfxx §5", "213 504 550 530",
             plus="450 553"),
        _row("CLNT", _A.TEXT, "<SP> name", "common practice", "200"),
        _row("CSID", _A.OPTIONAL_TEXT, "<SP> Name=..; Version=..;", "draft-peterson-streamlined §6", "200 530"),
        _row("HASH", _A.PATH, "<SP> pathname", "draft-bryan-ftpext-hash", "213 450 502 530 550 551 552 553 556"),
        _row("RANG", _A.TEXT, "<SP> start <SP> end", "draft-bryan-ftp-range", "350 502 530 551 552"),
        _row("RMDA", _A.PATH, "<SP> pathname", "draft-peterson-streamlined §2", "250 450 502 530 550"),
        _row("DSIZ", _A.OPTIONAL_PATH, "[<SP> pathname]", "draft-peterson-streamlined §3", "213 502 530 550"),
        _row("AVBL", _A.OPTIONAL_PATH, "[<SP> pathname]", "draft-peterson-streamlined §4", "213 502 530 550"),
        _row("THMB", _A.TEXT_PATH, "<SP> format <SP> width <SP> height <SP> pathname", "draft-peterson-streamlined §5",
             "226 425 426 502 530 550", first="150"),
        _row("ALGS", _A.OPTIONAL_TEXT, "", "RFC 6384 §11", "202 502"),
    )
)
# fmt: on
"""Every verb that the server knows, implemented or not: one that no `@command` implements answers 502."""
