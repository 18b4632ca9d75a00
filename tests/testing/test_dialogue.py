"""Which reply may answer which command, and in which order."""

from __future__ import annotations

import pytest

from homeport.protocol.grammar import GRAMMAR
from homeport.testing.dialogue import CONNECT, Dialogue
from homeport.testing.replies import ProtocolError, ReplyParser


def hear(dialogue: Dialogue, octets: bytes) -> str:
    parser = ReplyParser()
    parser.feed(octets)
    reply = parser.next_reply()
    assert reply is not None
    parser.finish()
    return dialogue.hear(reply)


def awaiting(*verbs: str) -> Dialogue:
    dialogue = Dialogue()
    for verb in verbs:
        dialogue.expect(verb)
    return dialogue


def test_replies_come_in_the_order_of_the_commands() -> None:
    dialogue = awaiting("PWD", "SYST", "NOOP")
    assert hear(dialogue, b'257 "/"\r\n') == "PWD"
    assert hear(dialogue, b"215 UNIX Type: L8\r\n") == "SYST"
    assert dialogue.awaited == ("NOOP",)


def test_a_reply_out_of_order_is_refused() -> None:
    with pytest.raises(ProtocolError):
        hear(awaiting("PWD", "SYST"), b"215 UNIX Type: L8\r\n")


def test_one_final_reply_and_no_second() -> None:
    dialogue = awaiting("NOOP")
    hear(dialogue, b"200 ok\r\n")
    with pytest.raises(ProtocolError):
        hear(dialogue, b"200 ok\r\n")


def test_the_greeting_is_220_after_at_most_one_120() -> None:
    dialogue = awaiting(CONNECT)
    assert hear(dialogue, b"120 in 5 minutes\r\n") == CONNECT
    with pytest.raises(ProtocolError):
        hear(dialogue, b"120 in 4 minutes\r\n")
    assert hear(dialogue, b"220 ready\r\n") == CONNECT
    with pytest.raises(ProtocolError):
        hear(awaiting(CONNECT), b"230 come in\r\n")


def test_421_may_come_at_any_time_and_is_the_last() -> None:
    dialogue = awaiting()
    hear(dialogue, b"421 bye\r\n")
    assert dialogue.ended
    with pytest.raises(ProtocolError):
        hear(dialogue, b"421 bye\r\n")


def test_nothing_follows_221_to_quit() -> None:
    dialogue = awaiting("QUIT", "NOOP")
    hear(dialogue, b"221 bye\r\n")
    with pytest.raises(ProtocolError):
        hear(dialogue, b"200 ok\r\n")


def test_a_transfer_has_one_preliminary_and_one_final_reply() -> None:
    dialogue = awaiting("RETR")
    hear(dialogue, b"150 opening\r\n")
    assert dialogue.awaited == ("RETR",)
    with pytest.raises(ProtocolError):
        hear(dialogue, b"125 again\r\n")
    hear(dialogue, b"226 done\r\n")
    assert not dialogue.awaited


@pytest.mark.parametrize("code", [550, 530, 501, 500, 450, 200])
def test_what_must_be_said_at_once_may_not_follow_a_preliminary_reply(code: int) -> None:
    dialogue = awaiting("STOR")
    hear(dialogue, b"150 opening\r\n")
    with pytest.raises(ProtocolError):
        hear(dialogue, b"%d late\r\n" % code)


def test_stat_and_noop_may_be_answered_during_a_transfer() -> None:
    dialogue = awaiting("RETR", "STAT", "NOOP")
    hear(dialogue, b"150 opening\r\n")
    assert hear(dialogue, b"211 half way\r\n") == "STAT"
    assert hear(dialogue, b"200 ok\r\n") == "NOOP"
    assert hear(dialogue, b"226 done\r\n") == "RETR"


def test_other_commands_wait_for_the_end_of_the_transfer() -> None:
    dialogue = awaiting("RETR", "PWD")
    hear(dialogue, b"150 opening\r\n")
    with pytest.raises(ProtocolError):
        hear(dialogue, b'257 "/"\r\n')


def test_abor_is_answered_after_what_it_aborts() -> None:
    dialogue = awaiting("RETR", "ABOR")
    hear(dialogue, b"150 opening\r\n")
    assert hear(dialogue, b"426 aborted\r\n") == "RETR"
    assert hear(dialogue, b"226 closed\r\n") == "ABOR"


@pytest.mark.parametrize("verb", [verb for verb, row in GRAMMAR.items() if not row.preliminary])
def test_no_preliminary_reply_but_to_a_transfer(verb: str) -> None:
    with pytest.raises(ProtocolError):
        hear(awaiting(verb), b"150 opening\r\n")


@pytest.mark.parametrize("code", [200, 226, 331, 502, 530])
def test_an_unknown_verb_is_answered_by_a_syntax_error_only(code: int) -> None:
    with pytest.raises(ProtocolError):
        hear(awaiting("XYZZ"), b"%d hm\r\n" % code)
    assert hear(awaiting("xyzz"), b"500 hm\r\n") == "XYZZ"


@pytest.mark.parametrize(
    ("verb", "good", "bad"),
    [
        ("SYST", b"215 UNIX Type: L8\r\n", b"215 unix\r\n"),
        ("PASV", b"227 Entering Passive Mode (127,0,0,1,4,1)\r\n", b"227 127,0,0,1,4,1\r\n"),
        ("PASV", b"227 ok (127,0,0,1,4,1).\r\n", b"227 try 1 (127,0,0,1,4,1)\r\n"),
        ("LPSV", b"228 ok (4,4,127,0,0,1,2,4,1)\r\n", b"228 ok\r\n"),
        ("EPSV", b"229 ok (|||1025|)\r\n", b"229 ok (||127.0.0.1|1025|)\r\n"),
        ("EPSV", b"229 ok (!!!1025!)\r\n", b"229 ok (|||1025|).\r\n"),
        ("EPRT", b"522 not so, use (1,2)\r\n", b"522 not so\r\n"),
        ("PWD", b'257 "/a ""b"""\r\n', b'257 "a"\r\n'),
        ("MKD", b'257 "/a\r\x00b" made\r\n', b'257 "/a"b" made\r\n'),
        ("STOU", b"150 FILE: a b\r\n", b"150 Opening FILE: a\r\n"),
        ("SIZE", b"213 12\r\n", b"213 12 bytes\r\n"),
        ("MDTM", b"213 20020717210715.5\r\n", b"213 20020717210715.\r\n"),
        ("MLST", b"250-a\r\n type=file; /x y\r\n250 End\r\n", b"250-a\r\ntype=file; /x\r\n250 End\r\n"),
        ("MLST", b"250-a\r\n  /x\r\n250 End\r\n", b"250 /x\r\n"),
        ("FEAT", b"211-a\r\n UTF8\r\n MLST size*;\r\n211 End\r\n", b"211-a\r\n UTF8\r\n211 End.\r\n"),
        ("FEAT", b"211 none\r\n", b"211-a\r\n  UTF8\r\n211 End\r\n"),
        ("MFMT", b"213 Modify=20020717210715; a b\r\n", b"213 20020717210715 a\r\n"),
        ("MFF", b"213 Modify=20020717210715;UNIX.mode=0644; a\r\n", b"213 a\r\n"),
    ],
)
def test_texts_that_a_standard_fixes(verb: str, good: bytes, bad: bytes) -> None:
    hear(awaiting(verb), good)
    with pytest.raises(ProtocolError):
        hear(awaiting(verb), bad)
