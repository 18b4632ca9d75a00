"""Replies on the wire: whatever is in them, a reader that knows only RFC 959 §4.2 and Telnet finds their end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.protocol.reply import Code, Reply
from homeport.protocol.telnet import Framer


def lines_on_the_wire(octets: bytes) -> list[bytes]:
    """The lines of one reply, read with nothing of ours: CR LF ends a line, and nothing else may look like an end."""
    assert octets.endswith(b"\r\n")
    lines = octets[:-2].split(b"\r\n")
    for line in lines:
        assert b"\n" not in line
        assert re.search(rb"\r(?!\x00)", line) is None, "a CR that is data is followed by NUL"
        assert re.search(rb"(?<!\r)\x00", line) is None, "and nothing else is"
        assert b"\xff" not in line.replace(b"\xff\xff", b""), "255 is doubled"
    return lines


def check(octets: bytes) -> None:
    """One whole reply and nothing behind it (RFC 959 §4.2)."""
    first, *rest = lines_on_the_wire(octets)
    assert re.match(rb"[1-6][0-5][0-9][ -]", first)
    if first[3:4] == b" ":
        assert not rest
        return
    last = rest[-1]
    assert last[:4] == first[:3] + b" "
    for line in rest[:-1]:
        assert re.match(rb"[0-9]{3}", line) is None, "this line could be taken for the last"


CODES = st.sampled_from(Code)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.binary(max_size=30).map(lambda octets: octets.decode("utf-8", "surrogateescape")),
    st.sampled_from(["226 done", "226-", "1", "12", "123", "\r\n200 forged", "\n", "\r", "\0", "\xff", "\udcff", ""]),
).filter(lambda text: not any("\ud800" <= letter < "\udc80" or "\udcff" < letter < "\ue000" for letter in text))


@pytest.mark.standard("959-4.2-REPLY-SHAPE", "TEL-1123-EOL-SEND", "TEL-854-CR-RULE", "1123-4.1.2.11-FORMAT")
@given(code=CODES, text=TEXTS)
def test_any_reply_of_one_line(code: int, text: str) -> None:
    check(Reply(code, text).encode())


@pytest.mark.standard("959-4.2-MULTI-FIRST", "959-4.2-MULTI-LAST", "959-4.2-MULTI-PAD", "959-4.2-MULTI-NEST")
@given(code=CODES, text=TEXTS, body=st.lists(TEXTS, max_size=4), end=st.none() | TEXTS)
def test_any_reply_of_several_lines(code: int, text: str, body: list[str], end: str | None) -> None:
    octets = Reply(code, text, tuple(body), end).encode()
    check(octets)
    multiple = bool(body) or end is not None
    assert len(lines_on_the_wire(octets)) == (len(body) + 2 if multiple else 1)


@pytest.mark.standard("959-4.2-MULTI-PAD")
def test_a_line_that_begins_with_digits_is_padded() -> None:
    reply = Reply(211, "Status", ("211 End", "226 x", "12", " fine"), "End")
    assert reply.encode() == b"211-Status\r\n 211 End\r\n 226 x\r\n 12\r\n fine\r\n211 End\r\n"


@pytest.mark.standard("959-4.2-MULTI-LAST")
def test_the_last_line_has_its_space_without_a_text() -> None:
    assert Reply(211, "x", end="").encode() == b"211-x\r\n211 \r\n"


@pytest.mark.standard("TEL-854-IAC-IAC", "TEL-854-CR-RULE", "2640-3.1-CRNUL")
@given(name=st.binary(max_size=30).filter(lambda name: b"\n" not in name and b"\x00" not in name))
def test_a_name_comes_through_telnet_as_it_is(name: bytes) -> None:
    octets = Reply(257, name.decode("utf-8", "surrogateescape")).encode()
    framer = Framer()
    framer.feed(octets)
    assert framer.next_line() == b"257 " + name
    assert framer.next_line() is None
    assert framer.take_answers() == b""


def test_kinds_of_replies() -> None:
    assert [Reply(code, "").preliminary for code in (150, 226, 331, 425, 550)] == [True, False, False, False, False]
    assert [Reply(code, "").positive for code in (150, 226, 331, 425, 550)] == [True, True, True, False, False]
