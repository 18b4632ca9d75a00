"""The framer: Telnet removed, lines cut, whatever the pieces in which the octets come."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homeport.protocol.telnet import Framer, LineTooLong

IAC, SB, SE, WILL, WONT, DO, DONT = b"\xff", b"\xfa", b"\xf0", b"\xfb", b"\xfc", b"\xfd", b"\xfe"

Result = tuple[list[bytes | LineTooLong], bytes]


def read(*pieces: bytes, max_line: int = 8192) -> Result:
    framer = Framer(max_line)
    lines: list[bytes | LineTooLong] = []
    answers = b""
    for piece in pieces:
        framer.feed(piece)
        while (line := framer.next_line()) is not None:
            lines.append(line)
        answers += framer.take_answers()
    assert framer.next_line() is None
    assert framer.take_answers() == b""
    return lines, answers


def lines_of(*pieces: bytes, max_line: int = 8192) -> list[bytes | LineTooLong]:
    return read(*pieces, max_line=max_line)[0]


def octet_by_octet(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


# -- lines --------------------------------------------------------------------------------------------


@pytest.mark.standard("1123-4.1.2.10-READ")
def test_reads_and_lines_have_nothing_to_do_with_each_other() -> None:
    whole = b"USER bob\r\nPASS x\r\nPWD\r\n"
    expected: list[bytes | LineTooLong] = [b"USER bob", b"PASS x", b"PWD"]
    assert lines_of(whole) == expected
    assert lines_of(*octet_by_octet(whole)) == expected
    assert lines_of(b"USER bob\r", b"\nPASS x\r", b"\nPWD\r\n") == expected


@pytest.mark.standard("959-5.3-NO-ACTION")
def test_nothing_before_the_end_of_the_line() -> None:
    framer = Framer()
    framer.feed(b"DELE f")
    assert framer.next_line() is None
    framer.feed(b"\r")
    assert framer.next_line() is None
    framer.feed(b"\n")
    assert framer.next_line() == b"DELE f"


def test_what_a_framer_holds() -> None:
    framer = Framer()
    states = []
    for octets in (b"", b"NO", b"OP\r\n", b"PWD\r\n\xff"):
        framer.feed(octets)
        states.append((framer.next is not None, framer.begun))
    assert states == [(False, False), (False, True), (True, False), (True, True)]
    assert [framer.next_line() for _ in range(3)] == [b"NOOP", b"PWD", None]
    framer.feed(b"\xf1")
    assert (framer.next is not None, framer.begun) == (False, False)


def test_a_lone_line_feed_ends_a_line_too() -> None:
    assert lines_of(b"NOOP\nPWD\r\n\n\r\nSYST\n") == [b"NOOP", b"PWD", b"", b"", b"SYST"]


@pytest.mark.standard("TEL-854-CRNUL", "2640-3.1-CRNUL", "TEL-854-CR-RULE")
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"STOR a\r\x00b\r\n", b"STOR a\rb"),
        (b"STOR foo\r\x00\nboo.bar\r\n", b"STOR foo\r\nboo.bar"),
        (b"STOR a\r\x00\r\n", b"STOR a\r"),
        (b"STOR a\r\x00\r\x00\nb\n", b"STOR a\r\r\nb"),
        (b"STOR a\rb\r\r\n", b"STOR a\rb\r"),
        (b"STOR a\x00b\r\n", b"STOR a\x00b"),
        (b"STOR \x00\n", b"STOR \x00"),
        (b"\r\x00\n\r\n", b"\r\n"),
    ],
)
def test_cr_nul_is_a_cr_and_never_the_end(data: bytes, line: bytes) -> None:
    assert lines_of(data) == [line]
    assert lines_of(*octet_by_octet(data)) == [line]


@pytest.mark.standard("TEL-8BIT")
def test_all_octets_are_data() -> None:
    name = bytes(octet for octet in range(1, 255) if octet != 10)
    assert lines_of(b"STOR " + name + b"\r\n") == [b"STOR " + name]


# -- Telnet ----------------------------------------------------------------------------------------------


@pytest.mark.standard("TEL-854-IAC-IAC")
def test_iac_iac_is_one_octet_of_data() -> None:
    assert lines_of(b"STOR a\xff\xffb\r\n") == [b"STOR a\xffb"]
    assert lines_of(b"STOR a\xff", b"\xffb\r\n") == [b"STOR a\xffb"]
    assert lines_of(b"STOR \xff\xff\xff\xff\xff\xf1\xff\xff\r\n") == [b"STOR \xff\xff\xff"]


@pytest.mark.standard("TEL-854-CMD-STRIP", "TEL-1123-AYT", "TEL-854-DM-PLAIN")
@pytest.mark.parametrize("code", [*range(0xF0, 0xFA), 0x00, 0x41, 0xEF])
def test_two_octet_commands_vanish_at_every_place(code: int) -> None:
    line = b"NOOP\r\n"
    for at in range(len(line) + 1):
        assert read(line[:at] + IAC + bytes([code]) + line[at:] + b"PWD\r\n") == ([b"NOOP", b"PWD"], b"")


def test_a_line_end_is_never_part_of_a_command() -> None:
    assert lines_of(b"STOR a\xff\r\nNOOP\r\n") == [b"STOR a", b"NOOP"]
    assert lines_of(b"STOR a\xff\nNOOP\r\n") == [b"STOR a", b"NOOP"]


@pytest.mark.standard("TEL-1123-4.1.2.12-REFUSE", "TEL-854-NEG-3")
@pytest.mark.parametrize("option", [0x00, 0x06, 0x0A, 0x0D, 0x1F, 0xF0, 0xFF])
def test_negotiation_is_refused_in_any_place(option: int) -> None:
    line = b"NOOP\r\n"
    for at in range(len(line) + 1):
        data = line[:at] + IAC + DO + bytes([option]) + line[at:]
        assert read(data) == ([b"NOOP"], IAC + WONT + bytes([option]))
        data = line[:at] + IAC + WILL + bytes([option]) + line[at:]
        assert read(data) == ([b"NOOP"], IAC + DONT + bytes([option]))
        assert read(*octet_by_octet(data)) == ([b"NOOP"], IAC + DONT + bytes([option]))


@pytest.mark.standard("TEL-854-NO-LOOP", "TEL-1123-NO-INITIATE")
def test_wont_and_dont_get_no_answer() -> None:
    assert read(b"\xff\xfc\x01\xff\xfe\x01NOOP\r\n") == ([b"NOOP"], b"")
    assert read(b"NOOP\r\n")[1] == b""


@pytest.mark.standard("TEL-855-SB")
@pytest.mark.parametrize(
    "inside", [b"", b"\x18\x00", b"\x18\r\nDELE f\r\n", b"a\xff\xff\xf0b", b"\xff\xfa\xff\xfb\x01", b"\n" * 100]
)
def test_a_subnegotiation_is_skipped_whole(inside: bytes) -> None:
    data = b"NO" + IAC + SB + inside + IAC + SE + b"OP\r\nPWD\r\n"
    assert read(data) == ([b"NOOP", b"PWD"], b"")
    assert read(*octet_by_octet(data)) == ([b"NOOP", b"PWD"], b"")


def test_a_subnegotiation_without_end_is_a_line_too_long() -> None:
    data = b"PWD\r\nNO" + IAC + SB + b"x" * 30 + b"\r\nNOOP\r\n"
    expected: list[bytes | LineTooLong] = [b"PWD", LineTooLong(20), b"NOOP"]
    assert lines_of(data, max_line=20) == expected
    assert lines_of(*octet_by_octet(data), max_line=20) == expected


@pytest.mark.parametrize("inside", [b"x" * 18, b"\xff\xff" * 9, b"x" * 7 + b"\xff\xf1" + b"\n" * 9])
def test_the_length_of_a_subnegotiation_counts_to_its_end(inside: bytes) -> None:
    # Eighteen octets and IAC SE are the twenty that are allowed; one more octet is too much.
    for more, expected in ((b"", b"NOOP"), (b"x", LineTooLong(20))):
        data = b"NO" + IAC + SB + inside + more + IAC + SE + b"OP\r\nPWD\r\n"
        assert lines_of(data, max_line=20) == [expected, b"PWD"]
        assert lines_of(*octet_by_octet(data), max_line=20) == [expected, b"PWD"]


@pytest.mark.standard("TEL-854-SYNCH", "TEL-854-URG-BEFORE-DM")
def test_abor_with_and_without_synch() -> None:
    # The same octets in-line, whether the client marks them urgent and sends a data mark or not.
    assert lines_of(b"\xff\xf4\xff\xf2ABOR\r\n") == [b"ABOR"]
    assert lines_of(b"\xff\xf4\xff", b"\xf2ABOR\r\n") == [b"ABOR"]
    assert lines_of(b"\xff\xf4", b"\xff\xf2", b"ABOR\r\n") == [b"ABOR"]
    assert lines_of(b"ABOR\r", b"\n") == [b"ABOR"]


# -- limits -----------------------------------------------------------------------------------------------


@pytest.mark.standard("959-4.2-500-LONG")
@pytest.mark.parametrize("size", [9, 10, 11, 12, 13, 100, 65536])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_line_too_long_is_told_once_and_skipped(size: int, end: bytes) -> None:
    data = b"x" * size + end + b"NOOP\r\n"
    expected = [b"x" * size if size <= 10 else LineTooLong(10), b"NOOP"]
    assert lines_of(data, max_line=10) == expected
    assert lines_of(data[:11], data[11:], max_line=10) == expected
    assert lines_of(data[:12], data[12:], max_line=10) == expected
    if size <= 100:
        assert lines_of(*octet_by_octet(data), max_line=10) == expected


def test_a_line_too_long_is_told_before_its_end() -> None:
    framer = Framer(10)
    framer.feed(b"x" * 20)
    assert framer.next_line() == LineTooLong(10)
    framer.feed(b"x" * 20)
    assert framer.next_line() is None
    framer.feed(b"\r\x00\n still the same\r\nNOOP\r\n")
    assert framer.next_line() == b"NOOP"


def test_a_skipped_line_takes_no_memory() -> None:
    framer = Framer(10)
    for _ in range(100):
        framer.feed(b"x" * 1000)
    assert framer.next_line() == LineTooLong(10)
    assert framer.next_line() is None
    assert len(framer._pending) <= 2


def test_many_lines_in_one_read_take_linear_time() -> None:
    def seconds(count: int) -> float:
        data = b"NOOP\r\n\xff\xf1" * count
        started = time.process_time()
        assert len(lines_of(data)) == count
        return time.process_time() - started

    few, many = min(seconds(10_000) for _ in range(3)), min(seconds(100_000) for _ in range(2))
    # Ten times the lines: linear work takes about 10 times as long, quadratic work 100 times.
    assert many < 40 * few


def test_clear_drops_everything() -> None:
    half_read = (
        b"NOOP\r\nPWD\r\nSY", b"NO\xff", b"NO\xff\xfd", b"\xff\xfa\x01", b"x" * 30, b"a\r\x00", b"\xff\xfd\x01",
    )  # fmt: skip
    for begun in half_read:
        framer = Framer(20)
        framer.feed(begun)
        framer.clear()
        assert framer.next_line() is None
        assert framer.take_answers() == b""
        framer.feed(b"\nSTAT\r\n")
        assert framer.next_line() == b""
        assert framer.next_line() == b"STAT"


# -- any octets, any pieces -----------------------------------------------------------------------------------

_TOKENS = st.sampled_from([
    b"NOOP", b" ", b"a", b"xxxxxxxxxx", b"\r", b"\n", b"\r\n", b"\x00", b"\r\x00", b"\xff", b"\xff\xff", b"\xff\xf4",
    b"\xff\xfd", b"\xff\xfb\x01", b"\xff\xfa", b"\xff\xf0", b"\xff\xfe\x01", b"\xc3\xa4",
])  # fmt: skip
_OCTETS = st.one_of(st.binary(max_size=60), st.lists(_TOKENS, max_size=40).map(b"".join))


@pytest.mark.standard("1123-4.1.2.10-READ")
@given(data=_OCTETS, cuts=st.lists(st.integers(0, 200), max_size=12))
@example(data=b"x" * 12 + b"\r\x00\n\r\nNOOP\r\n", cuts=[13, 14])
@example(data=b"\xff\xfa" + b"y" * 11 + b"\xff\xf0NOOP\r\n", cuts=[14])
@example(data=b"\xff\xfa" + b"y" * 12 + b"\xff\xf0NOOP\r\n", cuts=[3, 15])
def test_any_split_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(places)]
    whole = read(data, max_line=12)
    assert read(*pieces, max_line=12) == whole
    assert read(*octet_by_octet(data), max_line=12) == whole


@given(lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8))
def test_a_line_as_a_client_writes_it_comes_out_as_it_was(lines: list[bytes]) -> None:
    wire = b"".join(line.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\x00") + b"\r\n" for line in lines)
    assert lines_of(wire) == list(lines)
