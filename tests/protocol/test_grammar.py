"""The grammar against the catalogue's own table of RFC 959 §5.4."""

from __future__ import annotations

from collections import Counter

import pytest

from homeport.protocol.grammar import ANYWHERE, GRAMMAR
from homeport.protocol.reply import Code

# Copied from the standard by hand and not from the grammar: the final replies that §5.4 allows.
SECTION_5_4 = {
    "USER": "230 530 500 501 421 331 332",
    "PASS": "230 202 530 500 501 503 421 332",
    "ACCT": "230 202 530 500 501 503 421",
    "CWD": "250 500 501 502 421 530 550",
    "CDUP": "200 500 501 502 421 530 550",
    "SMNT": "202 250 500 501 502 421 530 550",
    "REIN": "220 421 500 502",
    "QUIT": "221 500",
    "PORT": "200 500 501 421 530",
    "PASV": "227 500 501 502 421 530",
    "MODE": "200 500 501 504 421 530",
    "TYPE": "200 500 501 504 421 530",
    "STRU": "200 500 501 504 421 530",
    "ALLO": "200 202 500 501 504 421 530",
    "REST": "500 501 502 421 530 350",
    "STOR": "226 250 425 426 451 551 552 532 450 452 553 500 501 421 530",
    "STOU": "226 250 425 426 451 551 552 532 450 452 553 500 501 421 530",
    "RETR": "226 250 425 426 451 450 550 500 501 421 530",
    "LIST": "226 250 425 426 451 450 500 501 502 421 530",
    "NLST": "226 250 425 426 451 450 500 501 502 421 530",
    "APPE": "226 250 425 426 451 551 552 532 450 550 452 553 500 501 502 421 530",
    "RNFR": "450 550 500 501 502 421 530 350",
    "RNTO": "250 532 553 500 501 502 503 421 530",
    "DELE": "250 450 550 500 501 502 421 530",
    "RMD": "250 500 501 502 421 530 550",
    "MKD": "257 500 501 502 421 530 550",
    "PWD": "257 500 501 502 421 550",
    "ABOR": "225 226 500 501 502 421",
    "SYST": "215 500 501 502 421",
    "STAT": "211 212 213 450 500 501 502 421 530",
    "HELP": "211 214 500 501 502 421",
    "SITE": "200 202 500 501 530",
    "NOOP": "200 500 421",
}
TRANSFERS = {"STOR", "STOU", "RETR", "LIST", "NLST", "APPE"}


@pytest.mark.parametrize("verb", SECTION_5_4)
def test_every_reply_of_the_standard_is_allowed(verb: str) -> None:
    row = GRAMMAR[verb]
    assert all(row.allows(int(code)) for code in SECTION_5_4[verb].split())


@pytest.mark.standard("959-4.2-ONE-1YZ", "959-4.2-1YZ-ONLY-DATA")
@pytest.mark.parametrize("verb", sorted(GRAMMAR))
def test_preliminary_replies_only_before_data(verb: str) -> None:
    row = GRAMMAR[verb]
    assert all(200 <= code < 600 for code in row.replies)
    if verb in TRANSFERS:
        assert row.preliminary == {125, 150}
    elif verb in ("MLSD", "THMB"):
        assert row.preliminary == {150}
    elif verb == "REIN":
        assert row.preliminary == {120}
    else:
        assert not row.preliminary


@pytest.mark.standard("959-4.2-CODES-STRICT", "1123-4.1.2.11-CODES")
@pytest.mark.parametrize("verb", sorted(GRAMMAR))
def test_codes_stay_within_the_digits_of_the_standard(verb: str) -> None:
    row = GRAMMAR[verb]
    for code in row.replies | row.preliminary:
        assert 1 <= code // 100 <= 5
        assert 0 <= code // 10 % 10 <= 5


def test_a_code_of_another_verb_is_not_allowed() -> None:
    assert not GRAMMAR["NOOP"].allows(226)
    assert not GRAMMAR["QUIT"].allows(200)
    assert not GRAMMAR["PASV"].allows(229)
    assert not GRAMMAR["MLSD"].allows(125)


def test_rows_are_found_by_their_verb() -> None:
    for verb, row in GRAMMAR.items():
        assert row.verb == verb
        assert row.syntax.split()[0] == verb
        assert verb.isalpha()
        assert verb.isupper()
        assert 3 <= len(verb) <= 4
    assert frozenset({421, 500, 501}) == ANYWHERE


def test_codes_have_one_meaning_each_but_522() -> None:
    """RFC 2428 and RFC 4217 each gave 522 a meaning of its own; no other code has two."""
    names = Counter(int(code) for code in Code.__members__.values())
    assert {code for code, count in names.items() if count > 1} == {522}
