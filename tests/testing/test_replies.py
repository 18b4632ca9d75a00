"""The strict parser: what it takes, what it refuses, and that it does not matter how the octets are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.protocol.reply import Reply
from homeport.testing.replies import HeardReply, ProtocolError, ReplyParser


def parse(*pieces: bytes) -> list[HeardReply]:
    parser = ReplyParser()
    replies = []
    for piece in pieces:
        parser.feed(piece)
        while (reply := parser.next_reply()) is not None:
            replies.append(reply)
    parser.finish()
    return replies


def test_a_reply_of_one_line() -> None:
    (reply,) = parse(b"200 NOOP ok\r\n")
    assert (reply.code, reply.text, reply.multi_line, reply.raw) == (200, "NOOP ok", False, b"200 NOOP ok\r\n")


def test_a_text_may_be_empty() -> None:
    (reply,) = parse(b"200 \r\n")
    assert reply.text == ""


def test_a_reply_of_several_lines() -> None:
    (reply,) = parse(b"211-Features\r\n UTF8\r\n 226 padded\r\n211 End\r\n")
    assert reply.code == 211
    assert reply.text == "Features"
    assert reply.body == (b" UTF8", b" 226 padded")
    assert reply.lines[-1] == b"End"
    assert reply.multi_line


def test_several_replies_in_one_segment() -> None:
    assert [reply.code for reply in parse(b'257 "/"\r\n215 UNIX Type: L8\r\n200 ok\r\n')] == [257, 215, 200]


def test_the_telnet_layer_is_taken_off() -> None:
    (reply,) = parse(b'257 "/\xff\xffa\r\x00b"\r\n')
    assert reply.lines == (b'"/\xffa\rb"',)


@pytest.mark.parametrize("option", range(256))
def test_refusals_stand_apart_whatever_their_option(option: int) -> None:
    parser = ReplyParser()
    refusal = bytes((0xFF, 0xFC, option))
    for octet in b"20" + refusal + b"0 ok\r\n":
        parser.feed(bytes((octet,)))
        reply = parser.next_reply()
    assert reply is not None
    assert reply.raw == b"200 ok\r\n"
    assert parser.take_refusals() == (refusal,)
    assert parser.take_refusals() == ()


@pytest.mark.parametrize(
    "octets",
    [
        b"200 ok\n",
        b"200 ok\rx\r\n",
        b"200 ok\r\r\n",
        b"200 o\x00k\r\n",
        b"200\r\n",
        b"200\tok\r\n",
        b"20 ok\r\n",
        b"2000 ok\r\n",
        b"099 ok\r\n",
        b"700 ok\r\n",
        b" 200 ok\r\n",
        b"\r\n",
        b"ok\r\n",
        b"211-a\r\n226 b\r\n211 c\r\n",
        b"211-a\r\n211-b\r\n211 c\r\n",
        b"211-a\r\n211\r\n",
        b"211-a\r\n2110 bytes\r\n211 c\r\n",
        b"200 a\xff\xfd\x06\r\n",
        b"200 a\xff\xfb\x06\r\n",
        b"200 a\xff\xf1\r\n",
        b"200 a\xff\r\n",
    ],
)
def test_what_no_server_may_say(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(octets)


@pytest.mark.parametrize("octets", [b"2", b"200 ok", b"200 ok\r", b"211-a\r\n", b"200 a\xff", b"\xff\xfc"])
def test_an_end_in_the_middle_of_a_reply(octets: bytes) -> None:
    parser = ReplyParser()
    parser.feed(octets)
    assert parser.next_reply() is None
    assert parser.unfinished == octets
    with pytest.raises(ProtocolError):
        parser.finish()


texts = st.one_of(
    st.text(st.characters(exclude_characters="\n\x00", exclude_categories=["Cs"]), max_size=40),
    st.binary(max_size=20).map(lambda raw: raw.translate(None, b"\n\x00").decode("utf-8", "surrogateescape")),
)
replies = st.builds(
    lambda code, text, body, end: Reply(code, text, tuple(body), end if body else None),
    st.integers(100, 699),
    texts,
    st.lists(texts, max_size=4),
    texts,
)


@given(st.lists(replies, max_size=4), st.data())
def test_what_the_server_encodes_is_heard_however_it_is_cut(said: list[Reply], data: st.DataObject) -> None:
    octets = b"".join(reply.encode() for reply in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    heard = parse(*pieces)
    assert [reply.raw for reply in heard] == [reply.encode() for reply in said]
    for reply, original in zip(heard, said, strict=True):
        assert reply.code == original.code
        assert reply.text == original.text
        assert reply.preliminary == original.preliminary
        assert reply.positive == original.positive
        assert len(reply.body) == len(original.body)
        for line, text in zip(reply.body, original.body, strict=True):
            assert line.decode("utf-8", "surrogateescape").removeprefix(" ") == text.removeprefix(" ")


@given(st.binary(max_size=80), st.data())
def test_any_octets_give_replies_or_a_protocol_error_and_cuts_change_nothing(
    octets: bytes, data: st.DataObject
) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[HeardReply], bool]:
        parser, heard = ReplyParser(), []
        try:
            for piece in pieces:
                parser.feed(piece)
                while (reply := parser.next_reply()) is not None:
                    heard.append(reply)
        except ProtocolError:
            return heard, True
        return heard, False

    cut = data.draw(st.integers(0, len(octets)))
    assert outcome([octets]) == outcome([octets[:cut], octets[cut:]]) == outcome([bytes((one,)) for one in octets])


@given(
    st.lists(
        st.sampled_from([b"2", b"1", b"211-", b"211 ", b" ", b"a", b"\r\n", b"\r\x00", b"\xff\xff", b"\xff\xfe\n"])
    )
)
def test_whatever_is_taken_is_well_formed(tokens: list[bytes]) -> None:
    try:
        heard = parse(b"".join(tokens))
    except ProtocolError:
        return
    for reply in heard:
        assert 100 <= reply.code <= 699
        assert reply.raw.endswith(b"\r\n")
        assert reply.raw[3:4] == (b"-" if reply.multi_line else b" ")
        assert not any(line[:3].isdigit() for line in reply.body)
