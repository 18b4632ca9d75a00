from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.advice.address import same
from homeport.data.destination import PrivatePort, destination

PUBLIC = "198.51.100.7"
PEER, REFUSE = PrivatePort.PEER, PrivatePort.REFUSE


@pytest.mark.parametrize(
    ("host", "peer", "dialled"),
    [
        # The client's own address, in whatever clothes.
        (PUBLIC, PUBLIC, PUBLIC),
        ("192.168.1.20", "192.168.1.20", "192.168.1.20"),
        ("::ffff:198.51.100.7", PUBLIC, "::ffff:198.51.100.7"),
        ("2001:db8::7", "2001:db8:0::7", "2001:db8::7"),
        # Behind a router: rows 02, 04, 06, 13 of the truth table and their like.
        ("192.168.1.20", PUBLIC, PUBLIC),
        ("10.0.0.5", PUBLIC, PUBLIC),
        ("172.17.0.2", PUBLIC, PUBLIC),
        ("100.64.0.5", PUBLIC, PUBLIC),
        ("169.254.1.1", PUBLIC, PUBLIC),
        ("127.0.0.1", PUBLIC, PUBLIC),
        ("fd00::5", "2001:db8::7", "2001:db8::7"),
        ("192.168.1.20", "100.64.0.9", "100.64.0.9"),
        # The unspecified address is nobody's.
        ("0.0.0.0", PUBLIC, PUBLIC),
        ("::", "fd00::7", "fd00::7"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        # Third hosts.
        ("192.0.2.66", PUBLIC, None),
        ("8.8.8.8", "192.168.1.20", None),
        ("224.0.0.1", PUBLIC, None),
        ("192.168.1.21", "192.168.1.20", None),
        ("127.0.0.3", "127.0.0.1", None),
        ("10.0.0.5", "192.168.1.20", None),
        ("2001:db8::8", "2001:db8::7", None),
    ],
)
@pytest.mark.standard("2577-3-BOUNCE")
def test_where_it_dials(host: str, peer: str, dialled: str | None) -> None:
    found = destination(host, peer, PEER, foreign=False)
    assert (found.host if found is not None else None) == dialled
    assert found is None or found.replaced is (not same(host, peer))


def test_a_private_address_can_be_refused() -> None:
    assert destination("192.168.1.20", PUBLIC, REFUSE, foreign=False) is None


@pytest.mark.parametrize("private", PrivatePort)
def test_where_third_hosts_are_allowed_they_are_dialled(private: PrivatePort) -> None:
    for host in ("192.0.2.66", "192.168.1.20"):
        found = destination(host, PUBLIC, private, foreign=True)
        assert found is not None
        assert (found.host, found.replaced) == (host, False)
    nobody = destination("0.0.0.0", PUBLIC, private, foreign=True)
    assert nobody is not None
    assert nobody.host == PUBLIC


@given(st.ip_addresses().map(str), st.ip_addresses().map(str), st.sampled_from(PrivatePort))
@pytest.mark.standard("2577-3-BOUNCE")
def test_without_leave_nobody_but_the_client_is_ever_dialled(host: str, peer: str, private: PrivatePort) -> None:
    found = destination(host, peer, private, foreign=False)
    assert found is None or same(found.host, peer)
