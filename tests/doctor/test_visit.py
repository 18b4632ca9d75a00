"""What servers tell of the addresses of both ends."""

from __future__ import annotations

import pytest

from homeport.doctor.visit import told_addresses

HERE, THERE = "192.168.1.10", "203.0.113.4"


@pytest.mark.parametrize(
    ("text", "told", "inside"),
    [
        # vsftpd, pyftpdlib, Homeport, ProFTPD, Pure-FTPd: each in its own words.
        ("FTP server status:\n     Connected to 198.51.100.7\n     Logged in as ftp", "198.51.100.7", None),
        ("Connected to: 192.168.50.10:21\n Logged in as: bob", None, "192.168.50.10"),
        (" Connected from 198.51.100.7 port 40123", "198.51.100.7", None),
        ("Connected from host.example.net (198.51.100.7)", "198.51.100.7", None),
        ("You are connected from ::ffff:198.51.100.7", "198.51.100.7", None),
        ("Your IPv6 address is 2001:db8::9", "2001:db8::9", None),
        # The same as here: known, and no router is between.
        (f"Connected from {HERE}", HERE, None),
        # Nothing can be concluded from these.
        ("Welcome to 203.0.113.4", None, None),
        ("Connected to: 203.0.113.4:21", None, None),
        ("vsFTPd 3.0.3.1, since 12:30:45", None, None),
        ("mirror of 192.0.2.200", None, None),
        ("Connected from 300.1.2.3", None, None),
    ],
)
def test_addresses_in_a_status(text: str, told: str | None, inside: str | None) -> None:
    assert told_addresses((text,), HERE, THERE) == (told, inside)
