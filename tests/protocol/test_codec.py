"""TYPE A both ways, for every place where a chunk may end."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homeport.protocol.codec import AsciiDecoder, AsciiEncoder, Position, encoded_size, locate

DATA = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\r\n", b"a", b"\x00", b"\xff"]), max_size=20).map(b"".join),
)


@st.composite
def chunked(draw: st.DrawFn) -> list[bytes]:
    data = draw(DATA)
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=6)) | {0, len(data)})
    return [data[a:b] for a, b in pairwise(cuts)]


def encode(chunks: list[bytes], skip: int = 0) -> bytes:
    encoder = AsciiEncoder(skip)
    return b"".join([*(encoder.encode(chunk) for chunk in chunks), encoder.finish()])


def decode(chunks: list[bytes], *, after_cr: bool = False) -> bytes:
    decoder = AsciiDecoder(after_cr=after_cr)
    return b"".join([*(decoder.decode(chunk) for chunk in chunks), decoder.finish()])


def by_the_rule(data: bytes) -> bytes:
    """X-10, octet by octet: an LF without a CR before it gets one."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", data)


@pytest.mark.standard("959-3.1.1.1-A-SEND", "959-3.1.1.5.2-T")
@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\r\n"),
        (b"a\rb\r", b"a\rb\r"),
        (b"\r\r\n\n\n", b"\r\r\n\r\n\r\n"),
        (b"\x0c\x0b\x00", b"\x0c\x0b\x00"),
    ],
)
def test_sending(data: bytes, wire: bytes) -> None:
    assert encode([data]) == wire
    assert encode([data[at : at + 1] for at in range(len(data))]) == wire


@pytest.mark.standard("959-3.1.1.1-A-RECV")
@pytest.mark.parametrize(
    ("wire", "data"),
    [
        (b"", b""),
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\nb", b"a\nb"),
        (b"a\rb\r", b"a\rb\r"),
        (b"\r\r\n\r", b"\r\n\r"),
        (b"a\r\x00b", b"a\r\x00b"),
    ],
)
def test_receiving(wire: bytes, data: bytes) -> None:
    assert decode([wire]) == data
    assert decode([wire[at : at + 1] for at in range(len(wire))]) == data


@pytest.mark.standard("959-3.1.1.1-A-SEND", "959-3.1.1.1-A-8BIT")
@given(chunks=chunked())
def test_any_cut_sends_the_same(chunks: list[bytes]) -> None:
    assert encode(chunks) == by_the_rule(b"".join(chunks))


@pytest.mark.standard("959-3.1.1.1-A-RECV", "959-3.1.1.1-A-8BIT")
@given(chunks=chunked())
def test_any_cut_receives_the_same(chunks: list[bytes]) -> None:
    assert decode(chunks) == re.sub(rb"\r\n", b"\n", b"".join(chunks))


@pytest.mark.standard("959-3.1.1-PARAM-ROUNDTRIP")
@given(chunks=chunked())
def test_a_file_comes_back_with_its_line_ends_as_lf(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    assert decode([encode(chunks)]) == data.replace(b"\r\n", b"\n")
    if b"\r\n" not in data:
        assert decode([encode(chunks)]) == data


@given(chunks=chunked())
def test_memory_views_are_taken_too(chunks: list[bytes]) -> None:
    encoder, decoder = AsciiEncoder(), AsciiDecoder()
    wire = b"".join(encoder.encode(memoryview(bytearray(chunk))) for chunk in chunks)
    assert wire == encode(chunks)
    assert b"".join(decoder.decode(memoryview(wire)[at : at + 1]) for at in range(len(wire))) + decoder.finish() == (
        decode([wire])
    )


@given(chunks=chunked(), skip=st.integers(0, 20), takes=st.lists(st.integers(0, 5), min_size=1), step=st.integers(1, 9))
@example(chunks=[b"a\r", b"\nb"], skip=0, takes=[0, 1], step=2)
def test_what_was_not_used_comes_once_more(chunks: list[bytes], skip: int, takes: list[int], step: int) -> None:
    """As a pump does it that sends some octets, stops, and reads on where it was, in pieces of another size."""
    data = b"".join(chunks)
    encoder, sent, at, turn = AsciiEncoder(skip), b"", 0, 0
    while at < len(data):
        piece = data[at : at + (step if turn % 2 else 2 * step)]
        encoded = encoder.encode(piece)
        take = takes[turn % len(takes)] if turn < 50 else len(encoded)
        turn += 1
        if take < len(encoded):
            sent += encoded[:take]
            encoder.again(take)
        else:
            sent += encoded
            at += len(piece)
    assert sent == encode(chunks)[skip:]


@pytest.mark.standard("3659-4-SIZE", "3659-4-NOEST", "3659-4.1-REST")
@given(chunks=chunked())
@example(chunks=[b"a\r", b"\nb"])
def test_size_is_the_length_of_the_encoding(chunks: list[bytes]) -> None:
    assert encoded_size(chunks) == len(encode(chunks))
    assert encoded_size(iter(chunks)) == len(encode(chunks))


@pytest.mark.standard("3659-5.3-RETR", "3659-5.3-RETR-END")
@given(chunks=chunked(), skip=st.integers(0, 60))
def test_rest_counts_octets_of_the_wire(chunks: list[bytes], skip: int) -> None:
    whole = encode(chunks)
    encoder = AsciiEncoder(skip)
    assert b"".join(encoder.encode(chunk) for chunk in chunks) == whole[skip:]
    assert encoder.skip == max(0, skip - len(whole))


@pytest.mark.standard("3659-5.3-STOR")
@given(chunks=chunked(), octets=st.integers(0, 60))
@example(chunks=[b"a\nb"], octets=2)
@example(chunks=[b"a\r", b"\nb"], octets=2)
def test_an_upload_goes_on_where_its_octets_end(chunks: list[bytes], octets: int) -> None:
    data, whole = b"".join(chunks), encode(chunks)
    place = locate(chunks, octets)
    if octets > len(whole):
        assert place is None
        return
    assert place is not None
    # What is there already, and the rest of the same encoding sent behind it, is the same file.
    resumed = data[: place.stored] + decode([whole[octets:]], after_cr=place.after_cr)
    if b"\r\n" not in data:
        assert resumed == data
    elif b"\r\r\n" not in data:
        # Line ends of two octets before the place stay, those behind it came over the wire.
        assert resumed.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")


def test_locate() -> None:
    assert locate([], 0) == Position(0, after_cr=False)
    assert locate([], 1) is None
    assert locate([b"ab\n", b"c"], 2) == Position(2, after_cr=False)
    assert locate([b"ab\n", b"c"], 3) == Position(2, after_cr=True)
    assert locate([b"ab\n", b"c"], 4) == Position(3, after_cr=False)
    assert locate([b"ab\n", b"c"], 5) == Position(4, after_cr=False)
    assert locate([b"ab\n", b"c"], 6) is None
