"""The default gateway in the kernel's tables."""

from __future__ import annotations

import sys
from ipaddress import ip_address

import pytest

from homeport.net.gateway import default_gateway, parse_routes, parse_routes6

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
NATIVE = (1, 50, 168, 192) if sys.byteorder == "little" else (192, 168, 50, 1)
GATEWAY = bytes(NATIVE).hex().upper()
ANY = "0" * 32


def row(destination: str, gateway: str, *, flags: str = "0003", metric: int = 0, mask: str = "00000000") -> str:
    return f"eth0\t{destination}\t{gateway}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"


def row6(gateway: str, *, destination: str = ANY, width: str = "00", metric: str = "00000400", flags: str = "3") -> str:
    return f"{destination} {width} {ANY} 00 {gateway} {metric} 00000001 00000000 {flags.zfill(8)}     eth0\n"


@pytest.mark.parametrize(
    ("table", "gateway"),
    [
        (HEAD, None),
        (HEAD + row("00000000", GATEWAY), "192.168.50.1"),
        (HEAD + row("0032A8C0", "00000000", flags="0001", mask="00FFFFFF") + row("00000000", GATEWAY), "192.168.50.1"),
        (HEAD + row("00000000", "00000000", flags="0001"), None),  # a default route over a point-to-point link
        (HEAD + row("00000000", "0A0A0A0A", metric=600) + row("00000000", GATEWAY, metric=100), "192.168.50.1"),
        (HEAD + row("00000000", "0A0A0A0A", mask="000000FE"), None),
        (HEAD + "broken\n", None),
    ],
)
def test_the_default_route_of_least_metric(table: str, gateway: str | None) -> None:
    assert parse_routes(table) == gateway


@pytest.mark.parametrize(
    ("table", "gateway"),
    [
        ("", None),
        (row6("20010db8000200000000000000000001"), "2001:db8:2::1"),
        (row6("fe800000000000000000000000000001"), "fe80::1%eth0"),
        (row6(ANY, flags="1"), None),
        (row6("20010db8000200000000000000000001", destination="20010db8" + "0" * 24, width="20"), None),
        (row6("fe80" + "0" * 27 + "1", metric="00000064") + row6("20010db8" + "0" * 24, metric="00000400"),
            "fe80::1%eth0"),
    ],
)  # fmt: skip
def test_the_default_route_of_ipv6(table: str, gateway: str | None) -> None:
    assert parse_routes6(table) == gateway


@pytest.mark.parametrize("family", [4, 6])
def test_this_machine_has_one_or_none(family: int) -> None:
    found = default_gateway(family)
    assert found is None or ip_address(found.partition("%")[0]).version == family
