"""REST in stream mode (RFC 3659 §5): the marker, what RETR, STOR, APPE and STOU do with it, and when it is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeport.testing.client import Client, Way
from homeport.testing.plugin import FtpServer

from .conftest import ClientWith

DATA = b"0123456789"
TEXT = b"one\ntwo\r\nthree\rfour\n\n\r\n\r\r\nend"
WIRE = re.sub(rb"\r?\n", b"\r\n", TEXT)


@pytest.fixture
def binary(client: Client, root: Path) -> Client:
    (root / "f").write_bytes(DATA)
    client.ask("TYPE I", 200)
    return client


@pytest.mark.standard("3659-5.3-SYNTAX", "3659-5.3-350", "3659-2.1-CASE")
def test_the_marker_is_digits_and_nothing_else(binary: Client) -> None:
    for marker in ("0", "5", "007", "100", "99999999999"):
        binary.ask(f"REST {marker}", 350)
    binary.ask("rEsT 100", 350)
    for marker in ("-1", "+1", "x", "1.5", "0x10", "1e3", "1 2", "1,000", "\u0664", "\u00b2", "", " "):
        binary.ask(f"REST {marker}", 501)
    binary.ask("REST", 501)


@pytest.mark.standard("3659-5.3-350", "3659-5.3-LATE", "X-29")
@pytest.mark.parametrize("marker", [str(2**31), str(2**32), str(2**32 + 3), str(2**53), str(2**63 - 1)])
def test_a_huge_marker_is_beyond_the_end_and_nothing_else(binary: Client, root: Path, marker: str) -> None:
    for type_ in ("A", "I"):
        binary.ask(f"TYPE {type_}", 200)
        for command in (b"RETR f", b"STOR f", b"APPE f"):
            binary.ask(f"REST {marker}", 350)
            binary.ask(command, 554, 550, 551)
    assert (root / "f").read_bytes() == DATA


@pytest.mark.standard("3659-5.3-350")
@pytest.mark.parametrize("marker", [str(2**63), str(2**64), str(2**64 + 3), "1" + "0" * 40, "9" * 5000])
def test_a_marker_that_no_file_reaches_does_not_wrap(binary: Client, marker: str) -> None:
    if binary.ask(f"REST {marker}", 350, 501).code == 350:
        binary.ask("RETR f", 554, 550, 551)
    assert binary.retr("f").data == DATA


@pytest.mark.standard("3659-5.3-LATE", "X-29")
@pytest.mark.parametrize("type_", ["A", "I", "L 8"])
def test_a_marker_beyond_the_end_is_refused_by_the_transfer(client: Client, root: Path, type_: str) -> None:
    (root / "f").write_bytes(TEXT)
    client.ask(f"TYPE {type_}", 200)
    size = int(client.ask("SIZE f", 213).text)
    for command in ("RETR f", "STOR f", "APPE f"):
        client.ask(f"REST {size + 1}", 350)
        client.ask(command, 554, 550, 551)
    client.ask("REST 1", 350)
    client.ask("STOR new", 554, 550, 551)
    assert sorted(one.name for one in root.iterdir()) == ["f"]
    assert (root / "f").read_bytes() == TEXT


@pytest.mark.standard("3659-5.3-ZERO")
def test_rest_0_disables_the_restart(binary: Client) -> None:
    binary.ask("REST 5", 350)
    assert binary.retr("f", offset=0).data == DATA


@pytest.mark.standard("3659-5.3-RETR", "3659-5.3-RETR-END")
@pytest.mark.parametrize("offset", range(len(DATA) + 1))
def test_retr_leaves_out_that_many_octets(binary: Client, offset: int) -> None:
    transfer = binary.retr("f", offset=offset)
    assert transfer.complete
    assert transfer.data == DATA[offset:]


@pytest.mark.standard("3659-5.3-RETR", "3659-5.3-RETR-END", "X-10")
def test_in_type_a_the_marker_counts_octets_of_the_transfer(client: Client, root: Path) -> None:
    (root / "f").write_bytes(TEXT)
    assert client.retr("f").data == WIRE
    for offset in range(len(WIRE) + 1):
        transfer = client.retr("f", offset=offset)
        assert transfer.complete
        assert transfer.data == WIRE[offset:], offset


@pytest.mark.standard("3659-5.3-RETR")
def test_a_restart_in_the_middle_of_a_large_file(binary: Client, root: Path) -> None:
    data = bytes(range(256)) * 8192
    (root / "f").write_bytes(data)
    for offset in (1, 65_536, 1_048_577, len(data) - 1):
        assert binary.retr("f", offset=offset).data == data[offset:]


@pytest.mark.standard("3659-5.3-RETR-END")
def test_an_empty_file_restarted_at_its_end(binary: Client, root: Path) -> None:
    (root / "empty").touch()
    for type_ in ("A", "I"):
        binary.ask(f"TYPE {type_}", 200)
        binary.ask("REST 0", 350)
        assert binary.retr("empty").complete
        assert binary.stor("empty", b"", offset=0).complete


@pytest.mark.standard("3659-5.3-STOR", "3659-5.3-APPE")
@pytest.mark.parametrize("verb", ["STOR", "APPE"])
@pytest.mark.parametrize("offset", [1, 5, len(DATA)])
def test_data_are_placed_at_the_marker(binary: Client, root: Path, verb: str, offset: int) -> None:
    new = b"abcdefghijkl"
    assert binary.upload(f"{verb} f", new, offset=offset).complete
    assert (root / "f").read_bytes()[: offset + len(new)] == DATA[:offset] + new


@pytest.mark.standard("3659-5.3-STOR", "X-10")
def test_in_type_a_data_are_placed_behind_that_many_octets_of_the_transfer(client: Client, root: Path) -> None:
    # Not TEXT: of CR CR LF on the wire CR LF is stored, so that it would not come back.
    stored = b"one\ntwo\r\nthree\rfour\n\n\r\nend"
    wire = re.sub(rb"\r?\n", b"\r\n", stored)
    for offset in range(1, len(wire) + 1):
        (root / "f").write_bytes(stored)
        assert client.stor("f", wire[offset:], offset=offset).complete
        assert client.retr("f").data == wire, offset


@pytest.mark.standard("3659-5.3-STOR")
def test_nothing_is_lost_where_the_rest_never_comes(binary: Client, root: Path) -> None:
    """The file is not cut at the beginning of the transfer."""
    end = binary.connect(binary.passive())
    binary.ask("REST 5", 350)
    binary.ask("STOR f", 150)
    assert (root / "f").read_bytes() == DATA
    end.close()
    assert binary.final().code == 226
    assert (root / "f").read_bytes()[:5] == DATA[:5]


@pytest.mark.standard("3659-5.3-STOU")
def test_stou_ignores_the_marker(binary: Client, root: Path) -> None:
    transfer = binary.upload("STOU", b"whole", offset=3)
    assert transfer.complete
    assert [one.read_bytes() for one in root.iterdir() if one.name != "f"] == [b"whole"]
    assert binary.retr("f").data == DATA


@pytest.mark.standard("3659-5.3-LAST", "D-10")
@pytest.mark.parametrize("way", [Way.PASV, Way.EPSV, Way.PORT, Way.EPRT])
def test_the_marker_survives_what_prepares_the_transfer(client: Client, binary: Client, way: Way) -> None:
    client.ask("REST 4", 350)
    assert binary.retr("f", way=way).data == DATA[4:]
    client.ask("TYPE A", 200)
    client.ask("REST 4", 350)
    client.ask("TYPE I", 200)
    assert binary.retr("f", way=way).data == DATA[4:]


@pytest.mark.standard("3659-5.3-ONCE")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("RETR f", 226), ("RETR missing", 550), ("RETR d", 550), ("RETR", 501), ("RETR a\x00b", 501),
        ("LIST", 226), ("LIST missing", 550), ("NLST", 226), ("NLST missing", 550),
        ("MLSD", 226), ("MLSD missing", 550), ("MLSD f", 501),
        ("STOR missing/f", 550), ("STOR d", 553), ("STOR", 501), ("APPE d", 553),
    ],
)  # fmt: skip
def test_the_marker_is_for_one_transfer_only(binary: Client, root: Path, line: str, code: int) -> None:
    (root / "d").mkdir()
    reply = binary.download(line, offset=5).final
    assert reply.code in {code, 553, 554}
    assert binary.retr("f").data == DATA


@pytest.mark.standard("3659-5.3-ONCE")
def test_the_marker_is_gone_after_a_transfer_that_was_not_permitted(client_with: ClientWith, tmp_path: Path) -> None:
    (tmp_path / "closed").write_bytes(DATA)
    (tmp_path / "f").write_bytes(DATA)
    client = client_with(tmp_path, "read", {"/closed": ["list"]})
    client.ask("TYPE I", 200)
    for command in ("RETR closed", "STOR f", "APPE f"):
        client.ask("REST 5", 350)
        client.ask(command, 550, 553)
        assert client.retr("f").data == DATA


@pytest.mark.standard("3659-5.3-ONCE")
def test_the_marker_is_gone_after_a_transfer_without_a_data_connection(binary: Client) -> None:
    binary.passive()
    binary.ask("REST 5", 350)
    binary.command("RETR f")
    assert binary.reply().code == 150
    binary.command("ABOR")
    assert [binary.final().code, binary.final().code] == [426, 226]
    assert binary.retr("f").data == DATA


@pytest.mark.standard("3659-5.3-ONCE")
def test_the_marker_does_not_outlive_the_login(ftp_server: FtpServer, binary: Client) -> None:
    binary.ask("REST 5", 350)
    binary.ask("REIN", 220)
    binary.login(ftp_server.user, ftp_server.password)
    binary.ask("TYPE I", 200)
    assert binary.retr("f").data == DATA


@pytest.mark.standard("3659-5.4-FEAT")
def test_feat_says_rest_stream(client: Client) -> None:
    body = client.ask("FEAT", 211).body
    assert [line for line in body if line.upper().startswith(b" REST")] == [b" REST STREAM"]
