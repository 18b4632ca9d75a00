"""NAT-PMP against a gateway that answers octet for octet as RFC 6886 has it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence

import pytest
from tests.net.patience import FakePatience, Gateway, world

from homeport.net.leases import Leases
from homeport.net.natpmp import NatPmp
from homeport.net.router import Grant, RouterError, Trouble


def mapped(inside: int, outside: int, seconds: int, *, epoch: int = 100, result: int = 0) -> bytes:
    return struct.pack("!BBHIHHI", 0, 130, result, epoch, inside, outside, seconds)


def address(text: str = "11.0.50.20", *, epoch: int = 100, result: int = 0) -> bytes:
    return struct.pack("!BBHI4s", 0, 128, result, epoch, socket.inet_aton(text))


class Box:
    """A whole gateway: grants what is asked for, under numbers shifted by `shift`."""

    def __init__(self, *, seconds: int | None = None, shift: int = 0) -> None:
        self.clock: Callable[[], float] = lambda: 0.0
        self.born = 1000.0
        self.seconds = seconds
        self.shift = shift
        self.wan = "11.0.50.20"

    @property
    def epoch(self) -> int:
        return int(self.clock() - self.born) + 5000

    def __call__(self, octets: bytes) -> Sequence[bytes]:
        if octets == b"\0\0":
            return (address(self.wan, epoch=self.epoch),)
        _, _, _, inside, outside, seconds = struct.unpack("!BBHHHI", octets)
        granted = min(seconds, self.seconds or seconds)
        port = 0 if seconds == 0 else outside + (self.shift if outside == inside else 0)
        return (mapped(inside, port, granted, epoch=self.epoch),)


def leases(gateway: Gateway, ports: Sequence[int], seconds: float = 7200) -> Leases:
    return Leases(4, [lambda patience: NatPmp(gateway.address, patience)], ports, seconds)


def run(one: Leases, patience: FakePatience, until: float) -> None:
    """Live until then, as `mapping.Mapping` does."""
    while one.due <= until:
        patience.time = max(patience.time, one.due)
        one.attend(patience)
    patience.time = max(until, patience.time)


@pytest.mark.standard("NATPMP-3.2-ADDR")
def test_the_address_is_asked_in_two_octets() -> None:
    with world(lambda _: (address(),)) as (gateway, patience):
        assert NatPmp(gateway.address, patience).address() == "11.0.50.20"
        assert gateway.requests == [b"\0\0"]


@pytest.mark.standard("NATPMP-3.3-MAP", "NATPMP-3.3-USE-MAPPED")
def test_a_mapping_octet_for_octet_and_what_was_mapped_counts() -> None:
    with world(lambda _: (mapped(50000, 61000, 3600),)) as (gateway, patience):
        grant = NatPmp(gateway.address, patience).map(50000, 50000, 7200)
        assert gateway.requests == [bytes.fromhex("00 02 0000 c350 c350 00001c20")]
        assert grant == Grant(50000, 61000, 3600)


@pytest.mark.standard("NATPMP-3.1-RETRY")
def test_nine_attempts_from_a_quarter_of_a_second_on() -> None:
    with world(lambda _: ()) as (gateway, patience):
        began = patience.now()
        with pytest.raises(RouterError) as error:
            NatPmp(gateway.address, patience).address()
        assert error.value.trouble is Trouble.SILENT
        assert gateway.intervals() == [0.25, 0.5, 1, 2, 4, 8, 16, 32]
        assert patience.now() - began == 127.75


@pytest.mark.standard("NATPMP-3.1-RETRY")
def test_a_closed_port_ends_it_at_once() -> None:
    with Gateway() as gone:
        target = gone.address
    patience = FakePatience()
    with pytest.raises(RouterError) as error:
        NatPmp(target, patience).address()
    assert error.value.trouble is Trouble.SILENT
    assert patience.now() <= 1000.5


@pytest.mark.standard("NATPMP-3.3-SRC")
def test_answers_from_another_address_are_not_taken() -> None:
    forger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with forger, world(lambda _: ()) as (gateway, patience):
        forger.bind(("127.0.0.2", 0))

        def forge(octets: bytes) -> Sequence[bytes]:
            if len(gateway.asked) == 1:
                assert gateway.last is not None
                forger.sendto(address("203.0.113.66"), gateway.last)
                return ()
            return (address(),)

        gateway.answer = forge
        assert NatPmp(gateway.address, patience).address() == "11.0.50.20"
        assert gateway.intervals() == [0.25], "the forged answer was one"


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\0\x80",
        mapped(50000, 50000, 60),  # an answer to another question
        address()[:11],
        b"\x01" + address()[1:],
        b"\0\0" + address()[2:],
    ],
)
def test_what_is_no_answer_is_ignored(wrong: bytes) -> None:
    with world(lambda _: (wrong, address())) as (gateway, patience):
        assert NatPmp(gateway.address, patience).address() == "11.0.50.20"
        assert len(gateway.asked) == 1


def test_the_answer_for_another_port_is_ignored() -> None:
    with world(lambda _: (mapped(50001, 50001, 60), mapped(50000, 50000, 60))) as (gateway, patience):
        assert NatPmp(gateway.address, patience).map(50000, 50000, 60) == Grant(50000, 50000, 60)


@pytest.mark.standard("NATPMP-3.5-CODES")
@pytest.mark.parametrize(
    ("result", "trouble"),
    [
        (1, Trouble.UNSUPPORTED),
        (2, Trouble.REFUSED),
        (3, Trouble.NO_ADDRESS),
        (4, Trouble.RESOURCES),
        (5, Trouble.UNSUPPORTED),
        (99, Trouble.BROKEN),
    ],
)
def test_every_result_but_0_ends_the_request(result: int, trouble: Trouble) -> None:
    with world(lambda _: (mapped(50000, 50000, 60, result=result),)) as (gateway, patience):
        with pytest.raises(RouterError) as error:
            NatPmp(gateway.address, patience).map(50000, 50000, 60)
        assert error.value.trouble is trouble
        assert len(gateway.asked) == 1


@pytest.mark.standard("NATPMP-3.5-CODES", "NATPMP-3.8-NOT-FATAL")
def test_an_unknown_result_leaves_us_without_a_mapping_and_going_on() -> None:
    with world(lambda _: (mapped(50000, 50000, 60, result=99),)) as (gateway, patience):
        one = leases(gateway, [50000])
        one.attend(patience)
        assert one.state.grants == ()
        assert one.state.trouble is Trouble.BROKEN
        assert "result 99" in one.state.problem
        assert one.due > patience.now()


def test_a_gateway_without_an_address_of_its_own_tells_none() -> None:
    for answer in (address("0.0.0.0"), address(result=3)):
        with world(lambda _, answer=answer: (answer,)) as (gateway, patience):  # type: ignore[misc]
            assert NatPmp(gateway.address, patience).address() is None


@pytest.mark.standard("NATPMP-3.3-RENEW", "NATPMP-3-GW")
def test_renewal_at_half_of_what_was_granted_with_the_mapped_port() -> None:
    box = Box(seconds=20, shift=1000)
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000])
        run(one, patience, 1025.0)
        maps = [(at, octets) for at, octets in gateway.asked if octets != b"\0\0"]
        assert [at for at, _ in maps] == [1000, 1010, 1020]
        assert [octets[6:8] for _, octets in maps] == [(port).to_bytes(2, "big") for port in (50000, 51000, 51000)]
        assert [octets[8:] for _, octets in maps] == [(7200).to_bytes(4, "big")] * 3
        assert one.state.grants == (Grant(50000, 51000, 20),)
        assert "50000" in one.state.problem


@pytest.mark.standard("NATPMP-3.4-DELETE")
def test_what_is_given_back_is_asked_with_zeros() -> None:
    box = Box()
    with world(box) as (gateway, patience):
        one = leases(gateway, [50000, 50001])
        one.attend(patience)
        gateway.asked.clear()
        one.give_back(patience)
        assert gateway.requests == [
            bytes.fromhex("00 02 0000 c350 0000 00000000"),
            bytes.fromhex("00 02 0000 c351 0000 00000000"),
        ]


@pytest.mark.standard("NATPMP-3.6-EPOCH")
def test_an_epoch_that_went_back_makes_all_mappings_anew() -> None:
    box = Box(seconds=2000)
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000, 50001, 50002])
        run(one, patience, 1500.0)
        gateway.asked.clear()
        box.born = 1000.0 + 5000 + 490  # restarted: now counts from near 0
        patience.time = 1500.0
        one.heard(address(epoch=10), gateway.address[0], patience)
        run(one, patience, 1506.0)
        ports = [int.from_bytes(octets[4:6], "big") for octets in gateway.requests if octets != b"\0\0"]
        assert ports == [50000, 50001, 50002]
        assert all(1500 <= at <= 1505 for at, _ in gateway.asked)


@pytest.mark.standard("NATPMP-3.6-EPOCH")
@pytest.mark.parametrize(("later", "restarted"), [(87, False), (86, False), (85.4, True), (200, False), (0, True)])
def test_an_epoch_may_lag_by_an_eighth_and_two_seconds(later: float, restarted: bool) -> None:
    with world(lambda _: (address(epoch=5000),)) as (gateway, patience):
        router = NatPmp(gateway.address, patience)
        router.address()
        patience.time += 100
        gateway.answer = lambda _: (address(epoch=5000 + int(later)),)
        router.address()
        assert router.take_restart() is restarted
        assert router.take_restart() is False


@pytest.mark.standard("NATPMP-3.2.1-ANNOUNCE")
def test_an_announcement_of_another_address_is_looked_into() -> None:
    box = Box()
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000])
        one.attend(patience)
        assert one.state.external == "11.0.50.20"
        box.wan = "11.0.50.99"
        one.heard(address("11.0.50.99", epoch=box.epoch), "192.0.2.66", patience)
        assert one.due > patience.now(), "somebody else announced it"
        one.heard(address("11.0.50.99", epoch=box.epoch), gateway.address[0], patience)
        run(one, patience, patience.now() + 1)
        assert one.state.external == "11.0.50.99"


def test_a_gateway_behind_another_one_is_found_out() -> None:
    box = Box()
    box.wan = "100.64.0.2"
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000])
        one.attend(patience)
        assert (one.state.external, one.state.wan) == (None, "100.64.0.2")
        assert one.state.trouble is Trouble.NO_ADDRESS
        assert "100.64.0.2" in one.state.problem


@pytest.mark.standard("NATPMP-3.6-EPOCH")
def test_an_announcement_by_pcp_lets_the_gateway_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000])
        one.attend(patience)
        patience.time += 1000
        box.born = patience.now() + 5000
        gateway.asked.clear()
        one.heard(bytes.fromhex("02 80 0000 00000000 00000000") + bytes(12), gateway.address[0], patience)
        run(one, patience, patience.now() + 6)
        assert [octets[:2] for octets in gateway.requests] == [b"\0\0", b"\0\x02", b"\0\0"]
