"""UPnP through the real client library, against a gateway device that is made up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.net.igd import Igd, fake_igd
from tests.net.patience import FakePatience

from homeport.net.leases import Leases
from homeport.net.router import Grant, RouterError, Trouble

pytest.importorskip("miniupnpc", reason="the extra homeport[upnp] is not installed")

from homeport.net.upnp import Upnp

OWN = "127.0.0.1"
OTHER = "192.168.1.77"


@pytest.fixture
def igd() -> Iterator[Igd]:
    with fake_igd() as one:
        yield one


@pytest.fixture
def router(igd: Igd) -> Upnp:
    return Upnp(description_url=igd.url)


def leases(igd: Igd, *ports: int, seconds: float = 7200) -> Leases:
    return Leases(4, [lambda _: Upnp(description_url=igd.url)], ports, seconds)


@pytest.mark.standard("UPNP-ADD")
def test_the_arguments_of_a_mapping_in_their_order(igd: Igd, router: Upnp) -> None:
    assert router.map(50000, 50000, 7200) == Grant(50000, 50000, 7200)
    (arguments,) = igd.added()
    assert list(arguments.items()) == [
        ("NewRemoteHost", ""),
        ("NewExternalPort", "50000"),
        ("NewProtocol", "TCP"),
        ("NewInternalPort", "50000"),
        ("NewInternalClient", OWN),
        ("NewEnabled", "1"),
        ("NewPortMappingDescription", "Homeport FTP server"),
        ("NewLeaseDuration", "7200"),
    ]
    assert router.gateway == "127.0.0.1"


@pytest.mark.standard("UPNP-LEASE")
def test_a_shorter_lease_is_renewed_before_it_ends(igd: Igd) -> None:
    igd.longest = 60
    patience = FakePatience()
    one = leases(igd, 50000)
    one.attend(patience)
    assert one.state.grants == (Grant(50000, 50000, 60),)
    assert one.due == patience.now() + 30
    patience.time += 30
    one.attend(patience)
    assert len(igd.added()) == 2


@pytest.mark.standard("UPNP-LEASE")
def test_no_lease_is_asked_for_longer_than_a_week(igd: Igd, router: Upnp) -> None:
    router.map(50000, 50000, 10_000_000)
    assert igd.added()[0]["NewLeaseDuration"] == "604800"


@pytest.mark.standard("UPNP-LEASE")
def test_a_router_without_leases_gets_one_for_ever_that_is_looked_after_and_removed(igd: Igd) -> None:
    igd.faults["AddPortMapping"] = lambda arguments: None if arguments["NewLeaseDuration"] == "0" else 725
    patience = FakePatience()
    one = leases(igd, 50000)
    one.attend(patience)
    assert one.state.grants == (Grant(50000, 50000, 0),)
    assert one.due == patience.now() + 600
    igd.entries.clear()  # the router was restarted
    patience.time += 600
    one.attend(patience)
    assert igd.entries[50000][:2] == (OWN, 50000)
    one.give_back(patience)
    assert igd.entries == {}


def test_a_mapping_is_made_again_within_ten_minutes_of_a_router_restart(igd: Igd) -> None:
    patience = FakePatience()
    one = leases(igd, 50000, seconds=86400)
    one.attend(patience)
    assert one.due == patience.now() + 600


@pytest.mark.standard("UPNP-718")
def test_a_port_of_somebody_else_is_left_and_another_one_taken(igd: Igd) -> None:
    igd.entries[50000] = (OTHER, 21, "other ftp", 0)
    one = leases(igd, 50000, 50001)
    one.attend(FakePatience())
    first, second = one.state.grants
    assert first.outside >= 49152
    assert first.outside not in (50000, 50001)
    assert second == Grant(50001, 50001, 7200)
    assert igd.entries[50000][0] == OTHER
    assert first.holder == f'{OTHER} port 21 ("other ftp")'
    assert one.state.trouble is Trouble.CONFLICT
    assert OTHER in one.state.problem
    assert f"port {first.outside}" in one.state.problem


@pytest.mark.standard("UPNP-718")
def test_error_718_without_a_name(igd: Igd, router: Upnp) -> None:
    igd.faults["AddPortMapping"] = lambda arguments: 718 if arguments["NewExternalPort"] == "50000" else None
    grant = router.map(50000, 50000, 60)
    assert grant.outside != 50000
    assert grant.holder is not None
    assert "does not name" in grant.holder


@pytest.mark.standard("UPNP-718")
def test_when_every_port_is_taken_it_says_so(igd: Igd, router: Upnp) -> None:
    igd.faults["AddPortMapping"] = lambda _: 718
    with pytest.raises(RouterError) as error:
        router.map(50000, 50000, 60)
    assert error.value.trouble is Trouble.CONFLICT


def test_the_own_mapping_is_renewed_and_not_a_conflict(igd: Igd, router: Upnp) -> None:
    router.map(50000, 50000, 60)
    assert router.map(50000, 50000, 60, renewal=True) == Grant(50000, 50000, 60)


@pytest.mark.standard("UPNP-714")
def test_removing_what_is_not_there_is_no_error(igd: Igd, router: Upnp) -> None:
    grant = router.map(50000, 50000, 60)
    igd.entries.clear()
    router.unmap(grant)
    assert igd.names()[-1] == "DeletePortMapping"


@pytest.mark.standard("UPNP-EXTIP")
def test_the_address_is_the_routers(igd: Igd) -> None:
    one = leases(igd, 50000)
    one.attend(FakePatience())
    assert (one.state.external, one.state.protocol) == ("11.0.50.20", "UPnP")


@pytest.mark.parametrize("address", ["", "0.0.0.0"])
def test_a_router_without_an_address_is_known_as_such(igd: Igd, address: str) -> None:
    igd.address = address
    one = leases(igd, 50000)
    one.attend(FakePatience())
    assert (one.state.wan, one.state.trouble) == (None, Trouble.NO_ADDRESS)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [(606, Trouble.REFUSED), (501, Trouble.NO_ADDRESS), (728, Trouble.RESOURCES), (402, Trouble.BROKEN)],
)
def test_errors_are_told_apart(igd: Igd, router: Upnp, code: int, trouble: Trouble) -> None:
    igd.faults["AddPortMapping"] = lambda _: code
    with pytest.raises(RouterError) as error:
        router.map(50000, 50000, 60)
    assert error.value.trouble is trouble


def test_a_low_port_that_is_refused_leaves_the_others(igd: Igd) -> None:
    igd.faults["AddPortMapping"] = lambda arguments: 606 if int(arguments["NewExternalPort"]) < 1024 else None
    one = leases(igd, 21, 50000)
    one.attend(FakePatience())
    assert one.state.grants == (Grant(50000, 50000, 7200),)
    assert "port 21: it does not allow" in one.state.problem


def test_nobody_there_is_silence() -> None:
    with fake_igd() as gone:
        pass
    with pytest.raises(RouterError) as error:
        Upnp(description_url=gone.url).address()
    assert error.value.trouble is Trouble.SILENT


def test_a_router_that_goes_away_is_silent(igd: Igd) -> None:
    with fake_igd() as leaving:
        router = Upnp(description_url=leaving.url)
        grant = router.map(50000, 50000, 60)
    for ask in (lambda: router.map(50000, 50000, 60), lambda: router.unmap(grant), router.address):
        with pytest.raises(RouterError) as error:
            ask()
        assert error.value.trouble is Trouble.SILENT
