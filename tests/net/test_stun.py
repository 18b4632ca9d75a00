"""STUN: the examples of RFC 5769, and a server on loopback."""

from __future__ import annotations

import struct

import pytest
from tests.net.patience import world

from homeport.net.exchange import Unanswered
from homeport.net.stun import MAGIC_COOKIE, StunError, binding_request, parse_response, seen_address

IDENTITY = bytes.fromhex("b7e7a701bc34d686fa87dfae")
# RFC 5769 §2.2 and §2.3, with FINGERPRINT and MESSAGE-INTEGRITY as they stand there.
RESPONSE_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def response(*attributes: tuple[int, bytes], kind: int = 0x0101, identity: bytes = IDENTITY) -> bytes:
    body = b"".join(struct.pack("!HH", one, len(value)) + value + bytes(-len(value) % 4) for one, value in attributes)
    return struct.pack("!HHI12s", kind, len(body), MAGIC_COOKIE, identity) + body


def test_the_examples_of_the_standard() -> None:
    assert parse_response(RESPONSE_4, IDENTITY) == "192.0.2.1"
    assert parse_response(RESPONSE_6, IDENTITY) == "2001:db8:1234:5678:11:2233:4455:6677"


def test_the_request_is_a_header_and_no_more() -> None:
    assert binding_request(IDENTITY) == bytes.fromhex("0001 0000 2112a442") + IDENTITY


def test_the_old_attribute_will_do_and_the_new_one_wins() -> None:
    old = (0x0001, bytes.fromhex("0001 0050 c0000209"))
    new = (0x0020, bytes.fromhex("0001 a147 e112a643"))
    assert parse_response(response(old), IDENTITY) == "192.0.2.9"
    assert parse_response(response(old, new), IDENTITY) == "192.0.2.1"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        RESPONSE_4[:-4],
        RESPONSE_4 + bytes(4),
        RESPONSE_4[:4] + bytes(4) + RESPONSE_4[8:],
        response((0x0020, bytes(8)), identity=bytes(12)),
        response(kind=0x0001),
    ],
)
def test_what_is_no_answer_is_ignored(octets: bytes) -> None:
    assert parse_response(octets, IDENTITY) is None


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (response((0x0009, b"\0\0\x04\x14Unknown Attribute"), kind=0x0111), "error 420"),
        (response(kind=0x0111), "error 0"),
        (response(), "no address"),
        (response((0x0020, b"\0\x03\0\x15\0\0\0\0")), "no address"),
        (response((0x0020, b"\0\x01\0\x15\0\0")), "no address"),
    ],
)
def test_answers_without_an_address(octets: bytes, text: str) -> None:
    with pytest.raises(StunError, match=text):
        parse_response(octets, IDENTITY)


def test_a_server_is_asked_again_until_it_answers() -> None:
    def answer(octets: bytes) -> list[bytes]:
        identity = octets[8:20]
        forged = response((0x0001, bytes.fromhex("0001 0050 cb007142")), identity=bytes(12))
        right = response((0x0001, bytes.fromhex("0001 0050 c0000209")), identity=identity)
        return [forged, right] if len(gateway.asked) == 3 else [forged]

    with world(answer) as (gateway, patience):
        assert seen_address(gateway.address, patience) == "192.0.2.9"
        assert gateway.intervals() == [0.5, 1.0]
        assert len(set(gateway.requests)) == 1


def test_a_silent_server_is_given_up_after_39_seconds_and_a_half() -> None:
    with world(lambda _: ()) as (gateway, patience):
        with pytest.raises(Unanswered):
            seen_address(gateway.address, patience)
        assert gateway.intervals() == [0.5, 1, 2, 4, 8, 16]
        assert patience.now() == 1039.5


def test_every_question_has_an_identity_of_its_own() -> None:
    with world(lambda octets: [response((0x0001, bytes.fromhex("0001 0050 c0000209")), identity=octets[8:20])]) as (
        gateway,
        patience,
    ):
        for _ in range(2):
            seen_address(gateway.address, patience)
        identities = {octets[8:20] for octets in gateway.requests}
    assert len(identities) == 2
