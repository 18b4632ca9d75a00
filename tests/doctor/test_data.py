from __future__ import annotations

import pytest

from homeport.doctor.data import may_dial

PEER = ("203.0.113.4", 21)


@pytest.mark.parametrize(
    ("announced", "objection"),
    [
        (("203.0.113.4", 25), None),  # the server's own business
        (("192.168.50.10", 50003), None),
        (("192.168.50.10", 1024), None),
        (("192.168.50.10", 1023), "ports below 1024 of another host are not dialled for anybody"),
        (("127.0.0.1", 6379), "it is the loopback address"),
        (("0.0.0.0", 50003), "it is no address"),
        (("239.1.1.1", 50003), "it is a multicast address"),
    ],
)
def test_what_is_dialled(announced: tuple[str, int], objection: str | None) -> None:
    assert may_dial(announced, PEER) == objection


def test_a_server_on_loopback_may_name_loopback() -> None:
    assert may_dial(("127.0.0.9", 50003), ("127.0.0.1", 21)) is None
