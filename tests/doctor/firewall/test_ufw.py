from __future__ import annotations

import pytest

from homeport.doctor.firewall.ufw import parse
from homeport.doctor.firewall.verdict import Fate, verdict

STATUS = """Status: active
Logging: on (low)
Default: {default} (incoming), allow (outgoing), disabled (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
21/tcp                     ALLOW IN    Anywhere
50000:50019/tcp            ALLOW IN    Anywhere                   # passive
22                         LIMIT IN    Anywhere
80,443/tcp                 DENY IN     Anywhere
25/tcp                     ALLOW IN    192.0.2.0/24
53/udp                     ALLOW IN    Anywhere
OpenSSH                    ALLOW IN    Anywhere
21/tcp (v6)                ALLOW IN    Anywhere (v6)
"""


@pytest.mark.parametrize(
    ("family", "port", "expected"),
    [
        (4, 21, Fate.OPEN),
        (4, 50019, Fate.OPEN),
        (4, 22, Fate.OPEN),
        (4, 443, Fate.SHUT),
        (4, 25, Fate.DEPENDS),
        (6, 21, Fate.OPEN),
        (6, 50003, Fate.SHUT),
    ],
)
def test_a_status(family: int, port: int, expected: Fate) -> None:
    assert verdict(parse(STATUS.format(default="deny")), family, port).fate is expected


def test_what_is_not_named_follows_the_default() -> None:
    assert verdict(parse(STATUS.format(default="allow")), 6, 9).fate is Fate.OPEN
    assert verdict(parse(STATUS.format(default="reject")), 6, 9).fate is Fate.SHUT


def test_one_that_is_off() -> None:
    assert parse("Status: inactive\n") == []
