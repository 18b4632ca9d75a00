from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.advice.address import Kind, bridge_gateway, kind, neighbours, same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.8.8.8", Kind.PUBLIC),
        ("2606:4700::1111", Kind.PUBLIC),
        ("::ffff:8.8.8.8", Kind.PUBLIC),
        ("10.0.0.1", Kind.PRIVATE),
        ("10.88.0.5", Kind.BRIDGE),
        ("172.15.255.255", Kind.PUBLIC),
        ("172.16.0.1", Kind.PRIVATE),
        ("172.17.0.2", Kind.BRIDGE),
        ("172.31.255.254", Kind.BRIDGE),
        ("172.32.0.1", Kind.PUBLIC),
        ("192.168.255.1", Kind.PRIVATE),
        ("::ffff:192.168.1.1", Kind.PRIVATE),
        ("100.63.255.255", Kind.PUBLIC),
        ("100.64.0.0", Kind.CARRIER),
        ("100.127.255.255", Kind.CARRIER),
        ("100.128.0.0", Kind.PUBLIC),
        ("127.1.2.3", Kind.LOOPBACK),
        ("::1", Kind.LOOPBACK),
        ("169.254.1.1", Kind.LINK_LOCAL),
        ("fe80::1%eth0", Kind.LINK_LOCAL),
        ("fd12::1", Kind.UNIQUE_LOCAL),
        ("0.0.0.0", Kind.UNSPECIFIED),
        ("::", Kind.UNSPECIFIED),
        ("198.51.100.7", Kind.DOCUMENTATION),
        ("2001:db8::7", Kind.DOCUMENTATION),
        ("224.0.0.1", Kind.MULTICAST),
        ("ff02::1", Kind.MULTICAST),
    ],
)
def test_kinds(text: str, expected: Kind) -> None:
    assert kind(text) is expected


@given(st.ip_addresses())
def test_every_address_has_a_kind_and_what_is_global_is_outside(address: object) -> None:
    found = kind(str(address))
    if ip_address(str(address)).is_global and found is not Kind.MULTICAST:
        assert found.outside


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.4:21"])
def test_what_is_no_address_has_no_kind(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        kind(text)


def test_the_same_address_in_other_clothes() -> None:
    assert same("2001:db8::7", "2001:0DB8:0:0::7")
    assert same("::ffff:192.0.2.1", "192.0.2.1")
    assert not same("192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::1", False),
    ],
)
def test_neighbours(one: str, other: str, near: bool) -> None:
    assert neighbours(one, other) is near
    assert neighbours(other, one) is near


def test_the_gateway_of_a_bridge() -> None:
    assert bridge_gateway("172.17.0.1")
    assert not bridge_gateway("172.17.0.2")
    assert not bridge_gateway("192.168.0.1")
