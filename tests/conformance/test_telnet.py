"""Telnet beneath the control connection (RFC 854, RFC 855, RFC 1123 §3.2 and §4.1.2.12), octet by octet.

Urgent data is read in-line and nothing is thrown away while a DM is waited for: clients exist that send
urgent data and never a DM (D-02). So a Synch means no more than the octets it consists of, wherever they stand.
"""

from __future__ import annotations

import os
import socket
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.protocol.telnet import Framer
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer

IAC, SE, NOP, DM, IP, AYT, SB = b"\xff", b"\xf0", b"\xf1", b"\xf2", b"\xf4", b"\xf6", b"\xfa"
WILL, WONT, DO, DONT = b"\xfb", b"\xfc", b"\xfd", b"\xfe"
NO_NEGOTIATION = [bytes([code]) for code in (*range(0xF0, 0xFA), 0x01, 0x41, 0x7F, 0xEF)]
"""The two-octet commands (F0 to F9), and some that nobody has defined."""


def negotiation(verb: bytes, option: int) -> bytes:
    return IAC + verb + bytes([option])


def silent(client: Client) -> None:
    """Nothing but the reply to a NOOP comes, and no Telnet answer before it."""
    client.ask("NOOP", 200)
    assert client.refusals(0) == ()


@pytest.mark.standard("TEL-854-IAC-IAC", "TEL-8BIT")
def test_the_octet_255_is_doubled_both_ways(ftp_server: FtpServer) -> None:
    root = os.fsencode(ftp_server.root)
    with ftp_server.client() as client:
        client.send(b"MKD a\xff\xffb\r\n", "MKD")
        assert client.reply().raw.startswith(b'257 "/a\xff\xffb"')
        assert os.listdir(root) == [b"a\xffb"]
        client.send(b"MLST a\xff\xffb\r\n", "MLST")
        assert client.reply().raw.split(b"\r\n")[1].endswith(b" /a\xff\xffb")
        client.send(b"CWD a\xff\xffb\r\n", "CWD")
        client.reply()
        assert client.ask("PWD", 257).raw.startswith(b'257 "/a\xff\xffb"')
        # Four are two, also where they arrive one by one.
        for octet in b"MKD \xff\xff\xff\xff\r\n":
            client.send(bytes([octet]), *(["MKD"] if octet == 10 else []))
        assert client.reply().code == 257
        assert os.listdir(root + b"/a\xffb") == [b"\xff\xff"]
        # On the data connection it stands as it is.
        assert client.nlst().data == b"\xff\xff\r\n"


@pytest.mark.standard("TEL-854-CMD-STRIP", "TEL-1123-AYT")
@pytest.mark.parametrize("code", NO_NEGOTIATION, ids=lambda code: code.hex())
def test_two_octet_commands_vanish_wherever_they_stand(ftp_server: FtpServer, code: bytes) -> None:
    line = b"NOOP\r\n"
    with ftp_server.client() as client:
        for at in range(len(line) + 1):
            client.send(line[:at] + IAC + code + line[at:], "NOOP")
            assert client.reply().code == 200
        silent(client)


@pytest.mark.standard("TEL-854-NEG-3", "TEL-1123-4.1.2.12-REFUSE")
@pytest.mark.parametrize("option", [0, 1, 6, 10, 13, 31, 32, 240, 253, 255])
def test_negotiations_are_refused_and_the_option_is_an_octet_like_any(ftp_server: FtpServer, option: int) -> None:
    x = bytes([option])
    with ftp_server.client(login=False) as client:
        client.send(IAC + DO + x)
        assert client.refusals(1) == (IAC + WONT + x,)
        client.send(IAC + WILL + x)
        assert client.refusals(1) == (IAC + DONT + x,)
        client.send(b"NO" + IAC + DO + x + b"OP" + IAC + WILL + x + b"\r\n", "NOOP")
        assert client.reply().code == 200
        assert client.refusals(0) == (IAC + WONT + x, IAC + DONT + x)
        client.login(ftp_server.user, ftp_server.password)
        client.send(IAC + DO + x + b"PWD\r\n", "PWD")
        assert client.reply().code == 257
        assert client.refusals(0) == (IAC + WONT + x,)


@pytest.mark.standard("TEL-1123-4.1.2.12-REFUSE")
def test_a_negotiation_cut_into_octets_is_refused_once(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        for octet in IAC + DO + b"\x18":
            client.send(bytes([octet]))
        assert client.refusals(1) == (IAC + WONT + b"\x18",)
        silent(client)


@pytest.mark.standard("TEL-1123-4.1.2.12-REFUSE")
def test_a_negotiation_during_a_transfer_is_refused_and_the_file_is_whole(ftp_server: FtpServer) -> None:
    content = os.urandom(8 << 20)
    (ftp_server.root / "f").write_bytes(content)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask("RETR f", 150)
        client.send(IAC + DO + b"\x06")
        assert client.refusals(1) == (IAC + WONT + b"\x06",)
        assert b"".join(iter(lambda: data.recv(1 << 20), b"")) == content
        assert client.final().code == 226


@pytest.mark.standard("TEL-854-NO-LOOP")
@pytest.mark.parametrize("verb", [WONT, DONT], ids=["WONT", "DONT"])
def test_what_is_off_already_is_not_answered(ftp_server: FtpServer, verb: bytes) -> None:
    with ftp_server.client() as client:
        for option in (0, 1, 3, 13, 24, 255):
            client.send(IAC + verb + bytes([option]))
        silent(client)


@pytest.mark.standard("TEL-1123-NO-INITIATE", "TEL-1123-EOL-SEND")
def test_the_server_negotiates_nothing_and_ends_each_line_with_cr_lf(ftp_server: FtpServer) -> None:
    """Read without a parser: no IAC at all, every CR before an LF and every LF behind a CR."""
    login = ["USER test", f"PASS {ftp_server.password}"]
    lines = ["FEAT", "HELP", *login, "STAT", "STAT /", "SITE HELP", "PWD", "X", "QUIT"]
    (ftp_server.root / "f").touch()
    with socket.create_connection((ftp_server.host, ftp_server.port), 10) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        heard = connection.makefile("rb").read()
    assert heard.endswith(b"\r\n")
    assert b"\xff" not in heard
    assert heard.count(b"\r") == heard.count(b"\n") == heard.count(b"\r\n") > len(lines)


@pytest.mark.standard("TEL-855-SB")
@pytest.mark.parametrize(
    "inside",
    [b"\x18\x00xterm", b"", b"\r\nDELE f\r\n", b"\xff\xff\xff\xff", b"\x1f\x00\xff\xff\x00", bytes(range(255)) * 8],
)
def test_a_subnegotiation_is_skipped_whole(ftp_server: FtpServer, inside: bytes) -> None:
    (ftp_server.root / "f").touch()
    with ftp_server.client() as client:
        client.send(b"NO" + IAC + SB + inside + IAC + SE + b"OP\r\n", "NOOP")
        assert client.reply().code == 200
        silent(client)
    assert (ftp_server.root / "f").exists()


@pytest.mark.standard("TEL-854-DM-PLAIN", "6384-5-URG")
@pytest.mark.parametrize("urgent", [False, True])
def test_ip_and_dm_without_urgency_are_as_good(ftp_server: FtpServer, urgent: bool) -> None:
    """A middlebox may clear the URG bit; the octets themselves have to do."""
    with ftp_server.client() as client:
        client.send(IAC + DM + b"NOOP\r\n", "NOOP")
        assert client.reply().code == 200
        client.ask("EPSV", 229)
        if urgent:
            client.synch()
        else:
            client.send(IAC + IP + IAC + DM)
        client.ask("ABOR", 225, 226)
        silent(client)


@pytest.mark.standard("TEL-854-SYNCH", "TEL-854-URG-BEFORE-DM", "6384-5-URG", "D-02")
@pytest.mark.parametrize("way", ["synch", "plain", "urgent ABOR", "urgent, no DM"])
def test_abor_in_each_of_its_ways_ends_a_transfer(ftp_server: FtpServer, way: str) -> None:
    with (ftp_server.root / "large").open("wb") as large:
        large.truncate(1 << 30)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask("RETR large", 150)
        match way:
            case "synch":
                client.synch()
                client.command("ABOR")
            case "plain":
                client.send(IAC + IP + IAC + DM + b"ABOR\r\n", "ABOR")
            case "urgent ABOR":
                client.urgent(b"ABOR\r\n", "ABOR")  # as Python's ftplib does: the LF is the urgent octet
            case _:
                client.send(IAC)
                client.urgent(IP)
                client.command("ABOR")
        assert client.final().code == 426
        assert client.final().code == 226
        data.close()
        silent(client)


@pytest.mark.standard("TEL-959-IP-ONE-CMD")
def test_abor_after_ip_comes_before_the_commands_that_wait(ftp_server: FtpServer) -> None:
    with (ftp_server.root / "large").open("wb") as large:
        large.truncate(1 << 30)
    with ftp_server.client() as client:
        client.ask("TYPE I", 200)
        data = client.connect(client.passive())
        client.ask("RETR large", 150)
        client.send(b"PWD\r\nSYST\r\n")
        client.synch()
        # In the order in which they are to be answered: the aborted command, the ABOR, then those that waited.
        client.send(b"ABOR\r\n", "ABOR", "PWD", "SYST")
        assert [client.final().code for _ in range(4)] == [426, 226, 257, 215]
        data.close()


@pytest.mark.standard("TEL-854-CRNUL", "TEL-854-CR-RULE", "2640-3.1-CRNUL", "X-09")
def test_cr_nul_is_a_cr_within_the_name(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        client.send(b"MKD a\r\0b\r\n", "MKD")
        assert client.reply().raw.startswith(b'257 "/a\r\0b"')
        assert os.listdir(os.fsencode(ftp_server.root)) == [b"a\rb"]
        client.send(b"CWD a\r\0b\r\n", "CWD")
        assert client.reply().code == 250
        assert client.ask("PWD", 257).raw.startswith(b'257 "/a\r\0b"')
        # What follows in the name is an LF: no storage takes it, and it is no end of the command either.
        client.send(b"STOR foo\r\0\nDELE a\r\n", "STOR")
        assert client.reply().code == 553
        silent(client)


@pytest.mark.standard("TEL-8BIT", "2640-3.1-NO7BIT", "2640-A1-RAWFS")
def test_every_octet_may_stand_in_a_name(ftp_server: FtpServer) -> None:
    root = os.fsencode(ftp_server.root)
    octets = [bytes([one]) for one in range(1, 256) if one not in b"\n/"]
    with ftp_server.client() as client:
        for octet in octets:
            client.ask(b"MKD x" + octet, 257)
        assert sorted(os.listdir(root)) == sorted(b"x" + octet for octet in octets)
        for octet in octets:
            client.ask(b"RMD x" + octet, 250)
        assert os.listdir(root) == []


@pytest.mark.standard("TEL-854-CMD-STRIP", "TEL-854-NEG-3", "TEL-855-SB")
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([IAC + code for code in NO_NEGOTIATION]),
            st.builds(negotiation, st.sampled_from([WILL, WONT, DO, DONT]), st.integers(0, 255)),
            st.binary(max_size=20).map(lambda inside: IAC + SB + inside.replace(IAC, IAC + IAC) + IAC + SE),
        ),
        min_size=7,
        max_size=7,
    ),
    st.lists(st.integers(0, 60), max_size=6),
)  # fmt: skip
def test_telnet_between_the_octets_of_a_command_leaves_the_command(noise: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(b"NOOP\r\n"[at : at + 1] + telnet for at, telnet in enumerate(noise))
    framer = Framer()
    edges = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})
    for begin, end in pairwise(edges):
        framer.feed(octets[begin:end])
    assert framer.next_line() == b"NOOP"
    assert framer.next_line() is None
    assert not framer.begun
