"""PCP against a server that answers octet for octet as RFC 6887 has it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address

import pytest
from tests.net.patience import FakePatience, Gateway, world

from homeport.net.leases import Leases
from homeport.net.natpmp import NatPmp
from homeport.net.pcp import Pcp
from homeport.net.router import Grant, RouterError, Trouble

ANY = bytes(10) + b"\xff\xff" + bytes(4)


def response(
    request: bytes,
    *,
    result: int = 0,
    lifetime: int | None = None,
    epoch: int = 100,
    outside: int | None = None,
    address: str = "11.0.50.20",
) -> bytes:
    """The answer to a MAP *request*."""
    asked, suggested = struct.unpack_from("!I", request, 4)[0], struct.unpack_from("!H", request, 42)[0]
    value = ip_address(address)
    wan = value.packed if value.version == 6 else bytes(10) + b"\xff\xff" + value.packed
    head = struct.pack("!BBBBII12x", 2, 0x81, 0, result, asked if lifetime is None else lifetime, epoch)
    return head + request[24:42] + struct.pack("!H", suggested if outside is None else outside) + wan


def announcement(epoch: int) -> bytes:
    return struct.pack("!BBBBII12x", 2, 0x80, 0, 0, 0, epoch)


class Box:
    """A whole PCP server."""

    def __init__(self, *, seconds: int | None = None) -> None:
        self.clock: Callable[[], float] = lambda: 0.0
        self.born = 1000.0
        self.seconds = seconds
        self.full = False
        self.dead = False

    @property
    def epoch(self) -> int:
        return int(self.clock() - self.born) + 5000

    def __call__(self, octets: bytes) -> Sequence[bytes]:
        if self.dead:
            return ()
        if self.full:
            return (response(octets, result=8, lifetime=30, epoch=self.epoch),)
        lifetime = int.from_bytes(octets[4:8], "big")
        return (response(octets, lifetime=min(lifetime, self.seconds or lifetime), epoch=self.epoch),)


def ports(gateway: Gateway) -> list[int]:
    """The internal ports that were asked for."""
    return [int.from_bytes(octets[40:42], "big") for octets in gateway.requests]


def leases(gateway: Gateway, inside: Sequence[int], *, tries: int = 5, seconds: float = 7200) -> Leases:
    return Leases(4, [lambda patience: Pcp(gateway.address, patience, tries=tries)], inside, seconds)


def run(one: Leases, patience: FakePatience, until: float) -> None:
    while one.due <= until:
        patience.time = max(patience.time, one.due)
        one.attend(patience)
    patience.time = max(until, patience.time)


@pytest.mark.standard("PCP-7.1-HDR", "PCP-11.1-MAP")
def test_a_mapping_octet_for_octet() -> None:
    with world(lambda octets: (response(octets, outside=61000, lifetime=3600),)) as (gateway, patience):
        router = Pcp(gateway.address, patience)
        assert router.map(50000, 50000, 7200) == Grant(50000, 61000, 3600)
        (request,) = gateway.requests
        assert len(request) == 60
        # version 2, R clear and MAP, reserved, lifetime, 127.0.0.1 mapped into IPv6
        assert request[:24] == bytes.fromhex("02 01 0000 00001c20 00000000000000000000ffff7f000001")
        nonce = request[24:36]
        assert nonce != bytes(12)
        # TCP, reserved, internal and suggested external port, no suggested address
        assert request[36:] == bytes.fromhex("06 000000 c350 c350") + ANY
        assert router.address() == "11.0.50.20"


@pytest.mark.standard("PCP-8.1.1-RETRY")
def test_retransmissions_near_3_6_and_12_seconds_with_one_nonce() -> None:
    with world(lambda _: (), until=9e9) as (gateway, patience):
        with pytest.raises(RouterError) as error:
            Pcp(gateway.address, patience, tries=12).map(50000, 50000, 7200)
        assert error.value.trouble is Trouble.SILENT
        before = 1.5
        for seconds in gateway.intervals():
            expected = min(2 * before, 1024)
            assert expected * 0.9 <= seconds <= expected * 1.1
            before = seconds
        assert len({octets[24:36] for octets in gateway.requests}) == 1
        assert len(gateway.asked) == 12


@pytest.mark.standard("PCP-8.1.1-RETRY")
def test_the_first_wait_differs_from_time_to_time() -> None:
    firsts = set()
    for _ in range(4):
        with world(lambda _: ()) as (gateway, patience):
            with pytest.raises(RouterError):
                Pcp(gateway.address, patience, tries=2).map(50000, 50000, 60)
            firsts.update(gateway.intervals())
    assert len(firsts) > 1


@pytest.mark.standard("PCP-11.2-NONCE")
def test_every_server_and_every_mapping_has_its_own_nonce() -> None:
    nonces = set()
    for _ in range(2):
        with world(lambda octets: (response(octets),)) as (gateway, patience):
            router = Pcp(gateway.address, patience)
            grant = router.map(50000, 50000, 60)
            router.map(50001, 50001, 60)
            router.map(50000, 50000, 60, renewal=True)
            router.unmap(grant)
            first, other, renewal, deletion = (octets[24:36] for octets in gateway.requests)
            assert first == renewal == deletion != other
            nonces |= {first, other}
    assert len(nonces) == 4


def spoilt(right: bytes) -> dict[str, bytes]:
    return {
        "R clear": right[:1] + b"\x01" + right[2:],
        "23 octets": right[:23],
        "61 octets": right + b"\0",
        "62 octets": right + b"\0\0",
        "1104 octets": right + bytes(1104 - len(right)),
        "other opcode": right[:1] + b"\x82" + right[2:],
        "without the mapping": right[:24],
        "other nonce": right[:24] + bytes(12) + right[36:],
        "UDP": right[:36] + b"\x11" + right[37:],
        "other port": right[:40] + b"\0\x15" + right[42:],
        "nothing": b"",
        "one octet": b"\x02",
    }


@pytest.mark.standard("PCP-8.3-CHECK")
@pytest.mark.parametrize("name", spoilt(bytes(60)))
def test_what_is_no_answer_is_dropped(name: str) -> None:
    def answer(octets: bytes) -> Sequence[bytes]:
        wrong = spoilt(response(octets, outside=1, address="203.0.113.66"))[name]
        return (wrong, response(octets))

    with world(answer) as (gateway, patience):
        assert Pcp(gateway.address, patience).map(50000, 50000, 60).outside == 50000
        assert len(gateway.asked) == 1


@pytest.mark.standard("PCP-8.3-CHECK")
def test_an_answer_with_options_is_one() -> None:
    with world(lambda octets: (response(octets) + bytes(1100 - 60),)) as (gateway, patience):
        assert Pcp(gateway.address, patience).map(50000, 50000, 60).outside == 50000


@pytest.mark.standard("PCP-9-FALLBACK")
def test_a_router_that_only_speaks_nat_pmp_is_asked_by_that() -> None:
    def answer(octets: bytes) -> Sequence[bytes]:
        if octets[0] == 2:
            return (struct.pack("!BBHI", 0, 128 | octets[1], 1, 100),)
        if octets == b"\0\0":
            return (bytes.fromhex("00 80 0000 00000064 0b003214"),)
        return (struct.pack("!BBHIHHI", 0, 130, 0, 100, 50000, 50000, 3600),)

    with world(answer) as (gateway, patience):
        one = Leases(
            4,
            [lambda patience: Pcp(gateway.address, patience), lambda patience: NatPmp(gateway.address, patience)],
            [50000],
            7200,
        )
        one.attend(patience)
        assert [octets[:2] for octets in gateway.requests] == [b"\x02\x01", b"\0\x02", b"\0\0"]
        assert (one.state.protocol, one.state.external) == ("NAT-PMP", "11.0.50.20")


def test_a_router_of_a_later_version_is_given_up() -> None:
    with world(lambda _: (struct.pack("!BBBBII12x", 3, 0x81, 0, 1, 1800, 100),)) as (gateway, patience):
        with pytest.raises(RouterError) as error:
            Pcp(gateway.address, patience).map(50000, 50000, 60)
        assert error.value.trouble is Trouble.UNSUPPORTED


@pytest.mark.standard("PCP-8.5-EPOCH")
@pytest.mark.parametrize(
    ("client", "server", "restarted"),
    [
        (100, 100, False),
        (100, -1, True),  # 100 seconds passed here, and none there
        (0, -1, False),  # packets may overtake each other by a second
        (0, -2, True),
        (100, 92, False),  # 92 + 2 >= 100 - 6
        (100, 91, True),
        (100, 108, False),  # 100 + 2 >= 108 - 6
        (100, 109, True),
        (3200, 2998, False),
        (3200, 2997, True),
    ],
)
def test_the_routers_time_must_run_as_ours(client: int, server: int, restarted: bool) -> None:
    with world(lambda octets: (response(octets, epoch=5000),)) as (gateway, patience):
        router = Pcp(gateway.address, patience)
        router.map(50000, 50000, 7200)
        assert router.take_restart() is False, "the first word is always right"
        patience.time += client
        gateway.answer = lambda octets: (response(octets, epoch=5000 + server),)
        router.map(50000, 50000, 7200, renewal=True)
        assert router.take_restart() is restarted


@pytest.mark.standard("PCP-8.5-EPOCH")
def test_an_announcement_with_an_epoch_from_the_beginning_renews_all() -> None:
    box = Box()
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000, 50001])
        one.attend(patience)
        gateway.asked.clear()
        patience.time += 500
        one.heard(announcement(box.epoch), gateway.address[0], patience)
        run(one, patience, patience.now() + 10)
        assert ports(gateway) == [], "its time ran on: nothing was forgotten"
        box.born = patience.now() + 5000
        one.heard(announcement(0), "127.0.0.66", patience)
        run(one, patience, patience.now() + 10)
        assert ports(gateway) == [], "somebody else said so"
        at = patience.now()
        box.born = at + 5000
        one.heard(announcement(0), gateway.address[0], patience)
        run(one, patience, at + 10)
        assert ports(gateway) == [50000, 50001]
        assert all(at <= when <= at + 5 for when, _ in gateway.asked)
        # The suggested port and address are those that were granted before (§11.2.1).
        assert {octets[42:] for octets in gateway.requests} == {
            bytes.fromhex(f"{port:04x} 00000000000000000000ffff 0b003214") for port in (50000, 50001)
        }


@pytest.mark.standard("PCP-11.2.1-RENEW")
def test_renewal_between_a_half_and_five_eighths_and_then_closer_and_closer() -> None:
    box = Box(seconds=120)
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000], tries=2)
        one.attend(patience)
        run(one, patience, 1076.0)
        first, renewal = (at for at, _ in gateway.asked)
        assert first == 1000
        assert 1060 <= renewal <= 1075
        box.dead = True
        gateway.asked.clear()
        granted = renewal
        run(one, patience, granted + 119)
        times = [at - granted for at, _ in gateway.asked]
        assert 60 <= times[0] <= 75
        assert 90 <= times[1] <= 97.5
        assert 105 <= times[2] <= 108.75
        assert all(seconds >= 4 for seconds in gateway.intervals())
        assert one.state.grants != (), "it holds until its end"
        run(one, patience, granted + 130)
        assert one.state.grants == ()


@pytest.mark.standard("PCP-11.4-NORES")
def test_no_resources_means_silence_for_as_long_as_the_router_says() -> None:
    box = Box()
    box.full = True
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000, 50001])
        one.attend(patience)
        assert len(gateway.asked) == 1
        assert one.state.trouble is Trouble.RESOURCES
        box.full = False
        run(one, patience, 1029.9)
        assert len(gateway.asked) == 1
        run(one, patience, 1030.0)
        assert [grant.inside for grant in one.state.grants] == [50000, 50001]


@pytest.mark.standard("PCP-11.4-NORES")
def test_the_same_router_is_not_asked_for_another_port_either() -> None:
    with world(lambda octets: (response(octets, result=8, lifetime=30),)) as (gateway, patience):
        router = Pcp(gateway.address, patience)
        for port in (50000, 50001):
            with pytest.raises(RouterError) as error:
                router.map(port, port, 60)
            assert error.value.seconds == 30
        router.unmap(Grant(50000, 50000, 60))
        assert len(gateway.asked) == 1
        patience.time += 30
        with pytest.raises(RouterError):
            router.map(50001, 50001, 60)
        assert len(gateway.asked) == 2


def test_a_refusal_is_not_provoked_again_and_leaves_the_other_ports() -> None:
    box = Box()

    def answer(octets: bytes) -> Sequence[bytes]:
        return (
            (response(octets, result=2, lifetime=1800, epoch=box.epoch),) if octets[40:42] == b"\0\x15" else box(octets)
        )

    with world(answer) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [21, 50000])
        one.attend(patience)
        assert [grant.inside for grant in one.state.grants] == [50000]
        assert one.state.trouble is Trouble.REFUSED
        assert "port 21" in one.state.problem
        run(one, patience, 2799)
        assert ports(gateway) == [50000, 21]
        run(one, patience, 2801)
        assert ports(gateway) == [50000, 21, 21]


@pytest.mark.parametrize(
    ("result", "trouble"),
    [
        (7, Trouble.NO_ADDRESS),
        (12, Trouble.NO_ADDRESS),
        (11, Trouble.CONFLICT),
        (10, Trouble.REFUSED),
        (99, Trouble.BROKEN),
    ],
)
def test_results_are_told_apart(result: int, trouble: Trouble) -> None:
    with world(lambda octets: (response(octets, result=result, lifetime=30),)) as (gateway, patience):
        with pytest.raises(RouterError) as error:
            Pcp(gateway.address, patience).map(50000, 50000, 60)
        assert (error.value.trouble, error.value.seconds) == (trouble, 30)


def test_a_deletion_has_zeros_for_lifetime_port_and_address() -> None:
    with world(lambda octets: (response(octets),)) as (gateway, patience):
        router = Pcp(gateway.address, patience)
        grant = router.map(50000, 50000, 60)
        router.unmap(grant)
        deletion = gateway.requests[1]
        assert deletion[4:8] == bytes(4)
        assert deletion[40:] == bytes.fromhex("c350 0000") + ANY


def test_an_absurd_lifetime_counts_as_a_day() -> None:
    with world(lambda octets: (response(octets, lifetime=2**32 - 1),)) as (gateway, patience):
        assert Pcp(gateway.address, patience).map(50000, 50000, 60).seconds == 86400


def test_over_ipv6_the_own_address_stands_as_it_is_and_none_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Pcp(("::1", 5351), FakePatience())
    request = router._question(50000, 50000, 60, None)("2001:db8::10%eth0")
    assert request[8:24] == IPv6Address("2001:db8::10").packed
    assert request[44:] == bytes(16)


@pytest.mark.standard("PCP-8.5-EPOCH")
@pytest.mark.parametrize(("wan", "renewed"), [("0b003214", False), ("0b003263", True)])
def test_an_announcement_by_nat_pmp_of_another_address_renews_all(wan: str, renewed: bool) -> None:
    box = Box()
    with world(box) as (gateway, patience):
        box.clock = patience.now
        one = leases(gateway, [50000])
        one.attend(patience)
        patience.time += 100
        gateway.asked.clear()
        one.heard(bytes.fromhex("00 80 0000 00000064") + bytes.fromhex(wan), gateway.address[0], patience)
        run(one, patience, patience.now() + 6)
        assert (ports(gateway) == [50000]) is renewed
