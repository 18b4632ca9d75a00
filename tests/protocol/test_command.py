"""A command line taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.protocol.command import Command
from homeport.protocol.grammar import GRAMMAR


def parsed(line: bytes) -> tuple[str, str | None]:
    command = Command.parse(line)
    return command.verb, command.argument


@pytest.mark.standard("959-5.3-CASE")
@pytest.mark.parametrize("line", [b"rEtR f", b"retr f", b"RETR f"])
def test_verbs_have_no_case(line: bytes) -> None:
    assert parsed(line) == ("RETR", "f")


@pytest.mark.standard("959-5.3-VERB-LEN")
def test_a_verb_ends_at_the_space() -> None:
    assert Command.parse(b"RETRx").verb not in GRAMMAR
    assert Command.parse(b"RETR\tx").verb not in GRAMMAR
    assert parsed(b"PWD") == ("PWD", None)
    assert parsed(b"CWD  x ") == ("CWD", " x ")
    assert parsed(b"CWD ") == ("CWD", "")
    assert Command.parse(b" CWD x").verb not in GRAMMAR


@pytest.mark.standard("2640-3.1-RAW", "2640-3.1-UTF8", "UTF8O-3-SHORT")
@given(argument=st.binary(max_size=40))
def test_an_argument_keeps_its_octets(argument: bytes) -> None:
    text = Command.parse(b"STOR " + argument).argument
    assert text is not None
    assert text.encode("utf-8", "surrogateescape") == argument


@pytest.mark.standard("UTF8O-3-SHORT")
def test_an_overlong_slash_is_no_slash() -> None:
    text = Command.parse(b"CWD a\xc0\xafb").argument
    assert text is not None
    assert "/" not in text


@given(line=st.binary(max_size=40))
def test_any_line_is_a_command(line: bytes) -> None:
    command = Command.parse(line)
    assert command.verb == command.verb.upper()
    assert " " not in command.verb
