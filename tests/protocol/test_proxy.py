"""PROXY headers: every form that is allowed, and nothing else."""

from __future__ import annotations

import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.protocol.proxy import SIGNATURE, Header, ProxyError, Reader, crc32c

FROM4, TO4 = "192.0.2.7", "198.51.100.20"
FROM6, TO6 = "2001:db8::7", "2001:db8::20"
ENDS4 = Header((FROM4, 40123), (TO4, 21))
ENDS6 = Header((FROM6, 40123), (TO6, 21))
BLOCK4 = IPv4Address(FROM4).packed + IPv4Address(TO4).packed + struct.pack("!HH", 40123, 21)
BLOCK6 = IPv6Address(FROM6).packed + IPv6Address(TO6).packed + struct.pack("!HH", 40123, 21)
LINE4 = f"PROXY TCP4 {FROM4} {TO4} 40123 21\r\n".encode()
LINE6 = f"PROXY TCP6 {FROM6} {TO6} 40123 21\r\n".encode()


def binary(block: bytes = b"", *, command: int = 0x21, kind: int = 0x11, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, kind, len(block) if length is None else length) + block


def vector(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def read(octets: bytes, *, step: int = 4096) -> tuple[Header | None, bytes]:
    """What a Reader makes of *octets*, which come *step* at a time; and what it left."""
    reader = Reader()
    at = 0
    while at < len(octets) and reader.wanted:
        taken = octets[at : at + min(reader.wanted, step)]
        at += len(taken)
        header = reader.feed(taken)
        if header is not None:
            assert reader.wanted == 0
            return header, octets[at:]
    return None, octets[at:]


def refused(octets: bytes) -> str:
    with pytest.raises(ProxyError) as error:
        read(octets)
    return str(error.value)


VALID = [
    (LINE4, ENDS4),
    (LINE6, ENDS6),
    (b"PROXY UNKNOWN\r\n", Header()),
    (b"PROXY UNKNOWN ffff::1 what ever 1 2\r\n", Header()),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.20 40123 21\r\n", ENDS4),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", Header(("0.0.0.0", 0), ("255.255.255.255", 65535))),
    (binary(BLOCK4), ENDS4),
    (binary(BLOCK6, kind=0x21), ENDS6),
    (binary(kind=0), Header()),
    (binary(command=0x20, kind=0), Header()),
]


@pytest.mark.standard(
    "PROXY-2.1-FORM", "PROXY-2.1-UNKNOWN", "PROXY-2.2-SIG", "PROXY-2.2-CMD", "PROXY-2.2-FAM", "PROXY-2-PARTIAL"
)
@pytest.mark.parametrize("step", [1, 4096])
@pytest.mark.parametrize(("octets", "header"), VALID)
def test_valid_headers_in_one_piece_and_octet_by_octet(octets: bytes, header: Header, step: int) -> None:
    assert read(octets, step=step) == (header, b"")


@pytest.mark.standard("PROXY-2.1-REST")
@pytest.mark.parametrize(("octets", "header"), VALID)
def test_what_follows_is_never_taken_in(octets: bytes, header: Header) -> None:
    assert read(octets + b"USER x\r\n") == (header, b"USER x\r\n")


@pytest.mark.standard("PROXY-2-PARTIAL", "PROXY-2.2-SHORT")
@pytest.mark.parametrize(("octets", "header"), VALID)
def test_no_beginning_of_a_header_is_one(octets: bytes, header: Header) -> None:
    for end in range(len(octets)):
        assert read(octets[:end])[0] is None


@pytest.mark.standard("PROXY-2.1-FORM", "PROXY-2.1-ABORT")
@pytest.mark.parametrize(
    "line",
    [
        f"PROXY TCP4  {FROM4} {TO4} 40123 21\r\n",
        f"PROXY TCP4\t{FROM4} {TO4} 40123 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} 40123 21 \r\n",
        f"PROXY  TCP4 {FROM4} {TO4} 40123 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} 040123 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} 40123 021\r\n",
        f"PROXY TCP4 {FROM4} {TO4} 65536 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} -1 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} +1 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} 40123\r\n",
        f"PROXY TCP4 {FROM4} 40123 21\r\n",
        f"PROXY TCP4 192.0.2.07 {TO4} 40123 21\r\n",
        f"PROXY TCP4 192.0.2.256 {TO4} 40123 21\r\n",
        f"PROXY TCP4 192.0.2 {TO4} 40123 21\r\n",
        f"PROXY TCP4 {FROM6} {TO6} 40123 21\r\n",
        f"PROXY TCP6 {FROM4} {TO4} 40123 21\r\n",
        f"PROXY TCP6 {FROM6}::1::2 {TO6} 40123 21\r\n",
        f"PROXY TCP6 {FROM6}%eth0 {TO6} 40123 21\r\n",
        f"PROXY TCP5 {FROM4} {TO4} 40123 21\r\n",
        f"PROXY UDP4 {FROM4} {TO4} 40123 21\r\n",
        f"PROXY tcp4 {FROM4} {TO4} 40123 21\r\n",
        f"proxy TCP4 {FROM4} {TO4} 40123 21\r\n",
        f"PROXY TCP4 {FROM4} {TO4} 40123 21\n",
        f"PROXY TCP4 {FROM4} {TO4} 40123 21\r \r\n",
        f"PROXY TCP4 {FROM4} {TO4} 40123 ²1\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN\n and more that could go on for long",
        "USER anonymous\r\nPASS x\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n",
        "\r\n\r\nPROXY TCP4 ...",
    ],
)
def test_lines_that_do_not_match_exactly(line: str) -> None:
    refused(line.encode())


@pytest.mark.standard("PROXY-2.1-ABORT")
def test_a_wrong_beginning_is_refused_at_once() -> None:
    reader = Reader()
    assert reader.feed(b"P") is None
    with pytest.raises(ProxyError):
        reader.feed(b"A")


@pytest.mark.standard("PROXY-2.1-107")
def test_the_longest_line_has_107_octets() -> None:
    longest = b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n"
    assert read(longest) == (Header(), b"")
    assert "107" in refused(longest[:-2] + b"x\r\n")
    assert "107" in refused(b"PROXY UNKNOWN ".ljust(4096, b"x"))


@pytest.mark.standard("PROXY-2.2-SIG")
@pytest.mark.parametrize("version", [0, 1, 3, 15])
def test_other_versions_are_refused_before_the_rest_has_come(version: int) -> None:
    assert f"version {version}" in refused(binary(BLOCK4, command=version << 4 | 1)[:16])


@pytest.mark.standard("PROXY-2.2-CMD")
@pytest.mark.parametrize("command", range(2, 16))
def test_other_commands_are_refused(command: int) -> None:
    assert f"command {command}" in refused(binary(BLOCK4, command=0x20 | command))


@pytest.mark.standard("PROXY-2.2-CMD", "PROXY-2.2-LEN")
def test_the_block_of_local_is_skipped_whatever_it_is() -> None:
    assert read(binary(b"\xff" * 1000, command=0x20, kind=0x11) + b"QUIT") == (Header(), b"QUIT")


@pytest.mark.standard("PROXY-2.2-FAM")
@pytest.mark.parametrize(("kind", "size"), [(0x12, 12), (0x22, 36), (0x31, 216), (0x32, 216), (0x00, 5), (0x10, 3)])
def test_valid_kinds_that_are_not_tcp_count_as_unspecified(kind: int, size: int) -> None:
    assert read(binary(bytes(size) if kind != 0x10 else vector(4, b""), kind=kind)) == (Header(), b"")


@pytest.mark.standard("PROXY-2.2-FAM")
@pytest.mark.parametrize("kind", [0x41, 0x13, 0xF0, 0x3F])
def test_kinds_that_do_not_exist_are_refused(kind: int) -> None:
    assert "unknown family" in refused(binary(bytes(216), kind=kind))


@pytest.mark.standard("PROXY-2.2-SHORT")
@pytest.mark.parametrize(("kind", "size"), [(0x11, 12), (0x21, 36), (0x31, 216)])
def test_a_length_too_short_for_the_family(kind: int, size: int) -> None:
    assert "too short" in refused(binary(bytes(size - 1), kind=kind))


@pytest.mark.standard("PROXY-2.2-TLV", "PROXY-2.2-LEN")
def test_unknown_vectors_and_fillers_are_skipped() -> None:
    more = vector(0x04, bytes(30)) + vector(0xEE, b"anything") + vector(0x20, bytes(2000))
    assert read(binary(BLOCK4 + more) + b"USER x") == (ENDS4, b"USER x")


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_vectors_that_are_cut_short(cut: int) -> None:
    assert "vector" in refused(binary(BLOCK4 + vector(0x04, bytes(30)) + vector(0xEE, b"ab")[:cut]))


@pytest.mark.standard("PROXY-2.2.3-CRC")
def test_a_checksum_must_be_right() -> None:
    empty = binary(BLOCK4 + vector(0x03, bytes(4)) + vector(0x04, b"x"))
    right = empty.replace(vector(0x03, bytes(4)), vector(0x03, crc32c(empty).to_bytes(4, "big")))
    assert read(right) == (ENDS4, b"")
    for wrong in (empty, right.replace(IPv4Address(FROM4).packed, IPv4Address(TO4).packed)):
        assert "checksum" in refused(wrong)
    assert "checksum" in refused(binary(BLOCK4 + vector(0x03, b"abc")))


def test_crc32c_of_the_value_that_everybody_uses() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_the_authority_is_told() -> None:
    header, _ = read(binary(BLOCK6 + vector(0x02, b"ftp.example.net"), kind=0x21))
    assert header == Header(ENDS6.source, ENDS6.destination, "ftp.example.net")


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda rest: SIGNATURE + b"\x21\x11" + rest))
def test_no_octets_do_anything_but_be_read_or_refused(octets: bytes) -> None:
    with suppress(ProxyError):
        read(octets, step=7)
