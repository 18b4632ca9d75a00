from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from homeport.net import listener as module
from homeport.net.listener import Listener, accept, endpoint, listen, plain, take, text_of


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[Listener]:
    with listen(request.param, 0) as one:
        yield one


Way = Callable[[Any], tuple[Any, tuple[str, int]]]
both = pytest.mark.parametrize("way", [accept, take])


@both
def test_accepted_sockets_are_ready_for_use(listening: Listener, way: Way) -> None:
    with socket.create_connection(listening.getsockname()[:2]) as client:
        connection, peer = way(listening)
        with closing(connection):
            assert connection.getpeername() == client.getsockname()
            assert peer == client.getsockname()[:2]
            # Who takes one says with each call that it is not to wait.
            assert connection.gettimeout() == (None if way is take else 0)
            assert not os.get_inheritable(connection.fileno())
            # On Linux nobody has set these but on the listening socket.
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@both
def test_accept_does_not_wait(listening: Listener, way: Way) -> None:
    with pytest.raises(BlockingIOError):
        way(listening)


def test_a_taken_connection_that_is_dropped_is_told_of(listening: Listener) -> None:
    with socket.create_connection(listening.getsockname()[:2]), pytest.warns(ResourceWarning, match="unclosed"):
        take(listening)


def test_ipv6_leaves_ipv4_alone() -> None:
    with listen("::", 0) as six, listen("0.0.0.0", six.getsockname()[1]) as four:
        assert six.getsockname()[1] == four.getsockname()[1]


def test_a_port_in_time_wait_can_be_taken_again() -> None:
    with listen("127.0.0.1", 0) as first:
        address = first.getsockname()
        client = socket.create_connection(address)
        accept(first)[0].close()  # the server closes first and has the TIME_WAIT
        assert client.recv(1) == b""
        client.close()
    listen(*address).close()


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError) as caught:
        listen(*first.getsockname())
    assert caught.value.errno == errno.EADDRINUSE


class Failing(Listener):
    """A listening socket whose connections break while they wait."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(socket.AF_INET)
        self._numbers = list(numbers)

    def _accept(self) -> None:
        number = self._numbers.pop(0)
        raise OSError(number, "")


@both
def test_a_connection_that_broke_while_it_waited_is_passed_over(way: Way) -> None:
    with Failing(errno.ECONNABORTED, errno.EPROTO, errno.EAGAIN) as failing, pytest.raises(BlockingIOError):
        way(failing)


@both
@pytest.mark.parametrize("number", sorted(module.SHORTAGE))
def test_a_shortage_is_raised(number: int, way: Way) -> None:
    with Failing(number) as failing, pytest.raises(OSError) as caught:
        way(failing)
    assert caught.value.errno == number


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:0201", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::1", "::1"),
    ],
)
def test_plain(address: str, expected: str) -> None:
    assert plain(address) == expected


def test_scopes_survive_as_text() -> None:
    assert text_of(("fe80::1", 21, 0, 3)) == ("fe80::1%3", 21)
    assert text_of(("::1", 21, 0, 0)) == ("::1", 21)
    assert text_of(("192.0.2.1", 21)) == ("192.0.2.1", 21)
    assert endpoint("fe80::1%3", 21) == ("fe80::1", 21, 0, 3) or endpoint("fe80::1%3", 21)[3:] == (3,)
    assert endpoint("192.0.2.1", 21) == ("192.0.2.1", 21)


def test_a_name_is_not_resolved() -> None:
    with pytest.raises(OSError):
        endpoint("localhost%1", 21)
