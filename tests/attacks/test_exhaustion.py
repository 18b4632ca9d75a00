"""Exhaustion: threads, memory, descriptors and time of the server, asked for by one client that wants them all."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.attacks.conftest import PASSWORD, USER, Attack, Target

from homeport.testing.client import Client

RESET = struct.pack("ii", 1, 0)


def connect(target: Target) -> socket.socket:
    connection = socket.create_connection((target.server.host, target.server.port), 10)
    target.clients.callback(connection.close)
    return connection


def alive(target: Target) -> None:
    """The server still serves somebody else, and at once."""
    began = time.monotonic()
    with target.client() as client:
        assert client.list_().complete
        client.quit()
    assert time.monotonic() - began < 5


def settle(target: Target, seconds: float = 5.0) -> None:
    """Wait until no session is left."""
    until = time.monotonic() + seconds
    while target.server.sessions and time.monotonic() < until:
        time.sleep(0.01)
    assert not target.server.sessions


# -- deadlines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", ["7201", "0000000019999999", "000000001" + "9" * 400, "1e9", "-1", "0", "\u00b2"])
def test_nobody_gets_more_idle_time_than_there_is(attack: Attack, seconds: str) -> None:
    target = attack()
    client = target.client()
    client.ask(f"SITE IDLE {seconds}", 501)
    assert "300 seconds" in client.ask("SITE IDLE", 200).text
    time.sleep(0.3)  # parked meanwhile, with a deadline that the lobby can count with
    client.ask("NOOP", 200)


def test_a_line_that_comes_octet_by_octet_gets_no_more_time(attack: Attack) -> None:
    target = attack(sections={"limits": {"login": 0.5, "sessions_per_address": 0}})
    connection = connect(target)
    began = time.monotonic()
    with pytest.raises(OSError):  # noqa: PT012 - whichever octet is the first to find the connection closed
        while time.monotonic() - began < 5:
            connection.sendall(b"x")
            time.sleep(0.02)
    assert time.monotonic() - began < 3


def test_empty_lines_and_telnet_noise_get_no_more_time(attack: Attack) -> None:
    target = attack(sections={"limits": {"login": 0.5, "sessions_per_address": 0}})
    connection = connect(target)
    began = time.monotonic()
    with pytest.raises(OSError):  # noqa: PT012
        while time.monotonic() - began < 5:
            connection.sendall(b"\r\n\xff\xf1\xff\xfb\x01")
            time.sleep(0.02)
    assert time.monotonic() - began < 3


def test_who_reads_no_replies_is_let_go(attack: Attack) -> None:
    target = attack(sections={"limits": {"data": 0.5, "sessions_per_address": 0}})
    connection = connect(target)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(1.5)  # the server reads no more before it lets go
    with pytest.raises(OSError):  # noqa: PT012
        for _ in range(100):
            connection.sendall(b"HELP\r\n" * 10000)
    settle(target)
    alive(target)


# -- memory ------------------------------------------------------------------------------------------------------------


def resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


FLOODS = {
    "a line without an end": b"A" * 65536,
    "a subnegotiation without an end": b"\xff\xfa" + b"B" * 65534,
    "half a line in IACs": b"\xff\xff" * 32768,
    "IAC NOP": b"\xff\xf1" * 32768,
    "empty lines": b"\r\n" * 32768,
    "NULs": b"\0" * 65536,
    "CRs": b"\r" * 65536,
    "lines that are too long": (b"C" * 9000 + b"\r\n") * 7,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_octets_takes_no_memory(attack: Attack, flood: str) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("there is no /proc here")
    target = attack()
    connection = connect(target)
    connection.settimeout(10)
    before = resident()
    for _ in range(50):  # 3 MB
        connection.sendall(FLOODS[flood])
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
    assert resident() - before < 6_000_000
    alive(target)


def test_commands_sent_ahead_of_a_transfer_are_bounded(attack: Attack) -> None:
    target = attack()
    client = target.client()
    address = client.passive()
    client.ask("STOR f", 150)
    client.connect(address)
    client._control.settimeout(10)
    with pytest.raises(OSError):  # noqa: PT012
        for _ in range(100):
            client._control.sendall(b"NOPE\r\n" * 10000)
    settle(target)
    assert not (target.root / "f").exists()
    alive(target)


def test_who_never_stops_sending_is_not_listened_to_for_ever(attack: Attack) -> None:
    """Before a close unread input is taken in, so that the last reply arrives; without an end it holds no thread."""
    target = attack()
    connection = connect(target)
    connection.settimeout(10)
    connection.sendall(b"GET / HTTP/1.1\r\n")
    with pytest.raises(OSError):  # noqa: PT012
        for _ in range(100_000):
            connection.sendall(b"x" * 65536)
    settle(target)


# -- descriptors, threads --------------------------------------------------------------------------------------------


STORIES: list[list[bytes]] = [
    [],
    [b"USER mallory"],
    [b"USER mallory", b"PASS her own"],
    [b"USER mallory", b"PASS her own", b"EPSV"],
    [b"USER mallory", b"PASS her own", b"EPSV", b"RETR f"],
    [b"USER mallory", b"PASS her own", b"EPSV", b"STOR g"],
    [b"USER mallory", b"PASS her own", b"EPSV", b"APPE f"],
    [b"USER mallory", b"PASS her own", b"EPSV", b"MLSD"],
    [b"USER mallory", b"PASS her own", b"RNFR f", b"EPSV", b"LIST -R"],
    [b"USER mallory", b"PASS her own", b"PORT 127,0,0,1,255,255", b"RETR f"],
]


@pytest.mark.parametrize("how", ["reset", "end"])
def test_nothing_stays_of_connections_that_end_anywhere(
    attack: Attack, descriptors: Callable[[], int], how: str
) -> None:
    """After each octet of each story the control connection is reset, or ends."""
    target = attack()
    (target.root / "f").write_bytes(b"content" * 1000)
    alive(target)
    settle(target)
    before = descriptors()
    for story in STORIES:
        octets = b"".join(line + b"\r\n" for line in story)
        for length in range(max(0, len(octets) - 14), len(octets) + 1):
            with socket.create_connection((target.server.host, target.server.port), 10) as connection:
                connection.sendall(octets[:length])
                if how == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    settle(target)
    alive(target)
    settle(target)
    assert descriptors() <= before
    assert sorted(one.name for one in target.root.iterdir() if not one.name.startswith(".homeport-")) == ["f"]


def test_a_storm_of_aborts_leaves_nothing_and_loses_no_step(attack: Attack, descriptors: Callable[[], int]) -> None:
    target = attack()
    (target.root / "f").write_bytes(b"x" * 3_000_000)
    client = target.client()
    before = descriptors()
    for number in range(60):
        data = client.connect(client.passive())
        client.ask(("RETR f", "STOR g", "MLSD")[number % 3])
        if number % 2:
            client.synch()
        client.command("ABOR")
        while client._dialogue.awaited:
            client.final()
        data.close()
        client._data_sockets.clear()
    client.ask("NOOP", 200)
    assert descriptors() <= before + 2
    assert not (target.root / "g").exists() or (target.root / "g").read_bytes() == b""


def test_many_passive_ports_are_one(attack: Attack, descriptors: Callable[[], int]) -> None:
    target = attack()
    client = target.client()
    before = descriptors()
    for _ in range(300):
        client.passive()
    assert descriptors() == before


def test_one_client_does_not_use_up_the_passive_ports_of_others(attack: Attack) -> None:
    target = attack(sections={"limits": {"data": 0.5, "sessions_per_address": 0}})
    clients = [target.client() for _ in target.server.passive_ports]
    for client in clients:
        client.passive()
    target.client().ask("EPSV", 229, 425)  # her own address has them all, or takes one back from herself
    other = target.client(source="127.0.0.2")
    assert other.list_().complete
    other.close()


def test_sessions_of_one_address_are_counted_and_others_come_in(attack: Attack) -> None:
    target = attack(sections={"limits": {"sessions_per_address": 20}})
    with ExitStack() as crowd:
        for _ in range(100):
            crowd.enter_context(socket.create_connection((target.server.host, target.server.port), 10))
        other = target.client(source="127.0.0.2")
        assert other.list_().complete
        other.close()
        assert len(target.server.sessions) <= 21


# -- work --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    ["*" * 2000 + "a", "*a" * 500 + "b", "?*" * 400 + "x", "[" * 500, "[!" * 300, "[a-" * 300, "[z-a]*", "*[", "[]",
     "[]]", "[!]", "\\*" * 100, "*\udcff*", "[[:alpha:]]*", "[a--b]", "[a&&b~~c||d]*", "(a+)+$*", "{a,b}*"],
)  # fmt: skip
def test_no_pattern_explodes(attack: Attack, pattern: str) -> None:
    target = attack()
    for number in range(20):
        (target.root / ("a" * 100 + str(number))).touch()
    client = target.client()
    began = time.monotonic()
    client.nlst(pattern)
    client.command(f"STAT {pattern}")
    assert client.final().code in {211, 212, 213, 550, 553}
    assert time.monotonic() - began < 2


def test_links_that_go_round_end(attack: Attack) -> None:
    target = attack()
    deep = target.root
    for _ in range(40):
        deep = deep / "d"
        deep.mkdir()
        (deep / "round").symlink_to("..")
        (deep / "self").symlink_to("self")
        (deep / "root").symlink_to(target.root)
    client = target.client()
    listing = client.list_("-R")
    assert listing.complete
    assert len(listing.data) < 100_000
    client.ask("CWD " + "d/round/" * 39 + "d", 250, 550)
    client.ask("CWD " + "d/root/" * 30, 250, 550)


def test_numbers_of_any_length_are_only_wrong(attack: Attack) -> None:
    target = attack()
    (target.root / "f").write_bytes(b"content")
    client = target.client()
    for number in ("9" * 18, "9" * 30, "9" * 5000):
        client.passive()
        client.ask(f"REST {number}", 350, 501)
        client.ask("RETR f", 150, 501, 554) if len(number) < 20 else None
        client.ask(f"ALLO {number}", 200, 452, 501, 552)
        client.ask(f"MFMT {number} f", 501)
        client.ask(f"PORT 127,0,0,1,{number},1", 501)
        client.ask(f"EPRT |1|127.0.0.1|{number}|", 501)
        client.ask(f"EPSV {number}", 501, 522)
        client.ask(f"TYPE L {number}", 501, 504)
        client.ask(f"SITE CHMOD {number} f", 501)
        client.ask(f"SITE UMASK {number}", 501)


@pytest.mark.parametrize("command", ["RETR big", "STOR big"])
def test_counting_in_type_a_can_be_broken_off(attack: Attack, command: str) -> None:
    """REST in TYPE A has to read the file (RFC 3659 §5.3); a huge one must not keep a thread that nobody can end."""
    target = attack()
    with (target.root / "big").open("wb") as big:
        big.truncate(1 << 42)  # four terabytes of nothing
    client = target.client()
    client.passive()
    client.ask("REST 999999999999", 350)
    client.command(command)
    began = time.monotonic()
    time.sleep(0.1)
    client.command("ABOR")
    assert client.final().code == 426
    assert client.final().code == 226
    client.ask("SIZE big", 550)  # not even begun
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("command", ["RETR big", "STOR big"])
def test_work_that_tells_nothing_ends_with_its_session(attack: Attack, command: str) -> None:
    target = attack()
    with (target.root / "big").open("wb") as big:
        big.truncate(1 << 42)
    client = target.client()
    client.passive()
    client.ask("REST 999999999999", 350)
    client.command(command)
    time.sleep(0.1)
    client.reset()
    settle(target)


def test_the_user_who_is_logged_in_is_named(attack: Attack) -> None:
    """The conftest's client is who it says; the tests above would prove nothing otherwise."""
    target = attack()
    client: Client = target.client()
    assert USER in str(client.ask("STAT", 211).raw)
    assert PASSWORD not in str(client.ask("STAT", 211).raw)
