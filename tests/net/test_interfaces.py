from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

import pytest

from homeport.net import interfaces as module
from homeport.net.interfaces import Interface, Interfaces

SAMPLE = Interfaces(
    (
        Interface("lo", "127.0.0.1", ip_network("127.0.0.0/8")),
        Interface("lo", "::1", ip_network("::1/128")),
        Interface("off0", "10.9.0.1", ip_network("10.9.0.0/16"), up=False),
        Interface("eth0", "169.254.7.7", ip_network("169.254.0.0/16")),
        Interface("eth0", "192.168.1.10", ip_network("192.168.1.0/24")),
        Interface("eth1", "10.0.0.1", ip_network("10.0.0.0/24")),
        Interface("eth0", "fe80::10", ip_network("fe80::/64")),
    )
)


def test_this_machine() -> None:
    mine = Interfaces.read()
    assert mine.is_own("127.0.0.1")
    assert mine.is_own("::ffff:127.0.0.1")
    assert mine.is_local("127.0.0.9")
    # A number that no network can have (RFC 1112 §4: class E).
    assert not mine.is_own("240.0.0.1")
    assert not mine.is_local("240.0.0.1")
    for one in mine.all:
        assert ip_address(one.address) in one.network
    lan = mine.lan_address()
    assert lan is None or (mine.is_own(lan) and not lan.startswith("127."))


@pytest.mark.parametrize(
    ("address", "local"),
    [("192.168.1.99", True), ("192.168.2.1", False), ("::ffff:10.0.0.5", True), ("fe80::7%eth0", True),
     ("2001:db8::1", False), ("10.9.0.2", False)],
)  # fmt: skip
def test_is_local(address: str, local: bool) -> None:
    assert SAMPLE.is_local(address) is local


def test_the_lan_address_is_that_of_the_default_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "routed_address", lambda family: "10.0.0.1")
    assert SAMPLE.lan_address() == "10.0.0.1"


@pytest.mark.parametrize("routed", [None, "203.0.113.9", "127.0.0.1"])
def test_without_a_default_route_the_first_usable_one_counts(
    monkeypatch: pytest.MonkeyPatch, routed: str | None
) -> None:
    monkeypatch.setattr(module, "routed_address", lambda family: routed)
    assert SAMPLE.lan_address() == "192.168.1.10"
    assert SAMPLE.lan_address(6) is None


def test_no_route_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoNetwork(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", NoNetwork)
    assert module.routed_address(4) is None
