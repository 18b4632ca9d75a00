"""What `homeport serve` says at its start, word for word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homeport.cli.share import Secret
from homeport.cli.summary import Login, Place, Summary, render, url

FIRST = Summary(
    version="0.1.0",
    folder="/home/bob/Public",
    configuration=None,
    here=Place("127.0.0.1", 2121),
    network=(Place("192.168.1.20", 2121), Place("fd00::20", 2121)),
    internet=Place("203.0.113.7", 2121),
    behind_router=True,
    login=Login("home", Secret.SHOWN, "k7mq-x3fp-9dtr-w2hn", read_only=False),
    users=0,
    anonymous=None,
    anonymous_writes=False,
    control_port=2121,
    passive_ports=tuple(range(50000, 50020)),
    active_port=2120,
    state=None,
    why_port="Port 21 may not be bound by this user, so this is port 2121.",
)


def test_the_first_start() -> None:
    assert render(FIRST) == (
        "Homeport 0.1.0 shares /home/bob/Public\n"
        "\n"
        "Connect to\n"
        "  this machine   ftp://home@127.0.0.1:2121/\n"
        "  the network    ftp://home@192.168.1.20:2121/\n"
        "                 ftp://home@[fd00::20]:2121/\n"
        "  the internet   ftp://home@203.0.113.7:2121/  once the router forwards the ports below\n"
        "\n"
        "Log in as\n"
        "  home           may read and write\n"
        "                 password: k7mq-x3fp-9dtr-w2hn  (shown this once)\n"
        "\n"
        "Ports\n"
        "  control        2121\n"
        "  passive data   50000-50019\n"
        "  active data    from 2120\n"
        "  router         to be reached from the internet, forward TCP 2121, 50000-50019 to 192.168.1.20\n"
        "\n"
        "Port 21 may not be bound by this user, so this is port 2121.\n"
        "\n"
        "Press Ctrl-C to stop.\n"
        "\n"
    )


def test_the_certificate_is_shown_by_its_fingerprint() -> None:
    fingerprint = ":".join(f"{octet:02X}" for octet in range(32))
    text = render(replace(FIRST, fingerprint=fingerprint))
    assert (
        "Certificate\n"
        "  SHA-256        00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:\n"
        "                 10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\n"
        "                 self-signed: clients ask once whether it is right, and show these numbers\n"
    ) in text
    assert "self-signed" not in render(replace(FIRST, fingerprint=fingerprint, vouched_for=True))


def test_a_later_start_says_how_to_set_a_new_password() -> None:
    later = replace(FIRST, login=Login("home", Secret.KEPT, None, read_only=True))
    assert (
        "  home           may read only\n"
        "                 password: shown at the first start; to set a new one: homeport user password home\n"
    ) in render(later)
    elsewhere = render(replace(later, state="/my state"))
    assert "homeport user password home --state '/my state'\n" in elsewhere


def test_a_password_that_was_given_is_not_repeated() -> None:
    assert "password: the one you gave\n" in render(
        replace(FIRST, login=Login("home", Secret.GIVEN, None, read_only=False))
    )


def test_a_machine_in_the_internet_needs_no_router() -> None:
    text = render(
        replace(FIRST, internet=Place("203.0.113.7", 21), behind_router=False, control_port=21, why_port=None)
    )
    assert "  the internet   ftp://home@203.0.113.7/\n" in text
    assert "  firewall       let TCP 21, 50000-50019 in\n" in text
    assert "router" not in text
    assert "Port 21 may" not in text


def test_a_machine_without_a_network() -> None:
    text = render(replace(FIRST, network=(), internet=None))
    assert "the network" not in text
    assert "the internet" not in text


def test_a_configured_server() -> None:
    text = render(
        replace(FIRST, folder=None, configuration="/etc/homeport.toml", login=None, users=3, anonymous="/srv/public")
    )
    assert text.startswith("Homeport 0.1.0 serves as /etc/homeport.toml says\n")
    assert "  this machine   ftp://127.0.0.1:2121/\n" in text
    assert (
        "Log in as\n"
        "  anonymous      anybody may read /srv/public\n"
        "  others         3 (see: homeport user list, and the configuration)\n"
    ) in text


def test_nobody_may_log_in_yet() -> None:
    assert "  nobody         there are no users yet; add one: homeport user add NAME DIR\n" in render(
        replace(FIRST, login=None)
    )


def test_any_active_port_and_any_passive_port() -> None:
    text = render(replace(FIRST, active_port=0, passive_ports=()))
    assert "  active data    from any port\n" in text
    assert "passive data" not in text


def test_a_folder_cannot_write_to_the_terminal() -> None:
    assert render(replace(FIRST, folder="/tmp/\x1b[2J\n")).startswith("Homeport 0.1.0 shares /tmp/\\x1b[2J\\x0a\n")


@pytest.mark.parametrize(
    ("place", "user", "text"),
    [
        (Place("192.0.2.1", 21), None, "ftp://192.0.2.1/"),
        (Place("2001:db8::1", 2121), "bob", "ftp://bob@[2001:db8::1]:2121/"),
        (Place("192.0.2.1", 21), "a b@c/é", "ftp://a%20b%40c%2F%C3%A9@192.0.2.1/"),
    ],
)
def test_addresses_to_copy(place: Place, user: str | None, text: str) -> None:
    assert url(place, user) == text
