"""All control ports or none, and a sentence that helps."""

from __future__ import annotations

import errno
import socket

import pytest

from homeport.net.listener import listen
from homeport.server import listening
from homeport.server.listening import (
    AddressUnavailable,
    ListenError,
    PortForbidden,
    PortInUse,
    StartError,
    open_listeners,
)


def test_one_number_on_every_address() -> None:
    listeners = open_listeners(["127.0.0.1", "127.0.0.2"], 0)
    numbers = {listener.getsockname()[1] for listener in listeners}
    for listener in listeners:
        listener.close()
    assert len(listeners) == 2
    assert len(numbers) == 1


def test_a_number_that_is_free_on_the_first_address_only_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def unlucky(address: str, port: int) -> socket.socket:
        tries.append(address)
        if len(tries) == 2:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return listen(address, port)

    monkeypatch.setattr(listening, "listen", unlucky)
    listeners = open_listeners(["127.0.0.1", "127.0.0.2"], 0)
    for listener in listeners:
        listener.close()
    assert tries == ["127.0.0.1", "127.0.0.2"] * 2
    assert len(listeners) == 2


def test_all_or_nothing() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            open_listeners(["127.0.0.1", "127.0.0.2"], port)
        assert (caught.value.address, caught.value.port) == ("127.0.0.2", port)
        assert "choose another port" in str(caught.value)
        socket.create_server(("127.0.0.1", port)).close()  # the first one was given back


def test_an_address_of_somebody_else() -> None:
    with pytest.raises(AddressUnavailable, match=r"192\.0\.2\.1 is not an address of this machine"):
        open_listeners(["192.0.2.1"], 0)


def test_no_address_at_all() -> None:
    with pytest.raises(StartError, match="no address"):
        open_listeners([], 21)


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.EACCES, PortForbidden, "from 1024 up"),
        (errno.EPERM, PortForbidden, "from 1024 up"),
        (errno.EADDRINUSE, PortInUse, "in use"),
        (errno.EAFNOSUPPORT, AddressUnavailable, "no IPv6"),
        (errno.EMFILE, ListenError, "ulimit"),
        (errno.EIO, ListenError, "cannot be opened"),
    ],
)
def test_what_is_said(monkeypatch: pytest.MonkeyPatch, number: int, kind: type[ListenError], says: str) -> None:
    def fail(*_: object) -> socket.socket:
        raise OSError(number, "no")

    monkeypatch.setattr(listening, "listen", fail)
    with pytest.raises(ListenError) as caught:
        open_listeners(["2001:db8::1"], 21)
    assert type(caught.value) is kind
    assert says in str(caught.value)
    assert (caught.value.address, caught.value.port) == ("2001:db8::1", 21)


def test_a_machine_without_ipv6_listens_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ipv6(address: str, port: int) -> socket.socket:
        if ":" in address:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return listen("127.0.0.1", port)

    monkeypatch.setattr(listening, "listen", without_ipv6)
    [listener] = open_listeners(["0.0.0.0", "::"], 0)
    listener.close()
    with pytest.raises(AddressUnavailable):
        open_listeners(["::"], 0)
    with pytest.raises(AddressUnavailable):
        open_listeners(["0.0.0.0", "::1"], 0)
