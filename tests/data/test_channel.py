from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from homeport.data import channel
from homeport.data.channel import Cause, DataConnectionError, dial

from .ends import Control, Meanwhile

HERE = "127.0.0.1"


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.create_server((HERE, 0)) as listener:
        listener.settimeout(5)
        yield listener


def free_port() -> int:
    with socket.create_server((HERE, 0)) as one:
        port: int = one.getsockname()[1]
    return port


@pytest.fixture
def full() -> Iterator[tuple[str, int]]:
    """A listener whose backlog is full: the next SYN gets no answer."""
    listener = socket.socket()
    listener.bind((HERE, 0))
    listener.listen(0)
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    yield listener.getsockname()
    for one in waiting:
        one.close()
    listener.close()


def test_it_connects(client: socket.socket, control: Control) -> None:
    with dial(client.getsockname(), ("127.0.0.2", 0), control, 5) as connection:
        accepted, peer = client.accept()
        accepted.close()
        assert peer == connection.getsockname()
        assert peer[0] == "127.0.0.2"
        assert connection.gettimeout() == 0
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.standard("2428-2-CONNECT")
def test_ipv6(control: Control) -> None:
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as listener,
        dial(("::1", listener.getsockname()[1]), ("::1", 0), control, 5) as connection,
    ):
        accepted, peer = listener.accept()
        accepted.close()
        assert peer[:2] == connection.getsockname()[:2]


def test_a_mapped_target_is_dialled_over_ipv4(client: socket.socket, control: Control) -> None:
    with dial((f"::ffff:{HERE}", client.getsockname()[1]), (HERE, 0), control, 5) as connection:
        assert connection.family == socket.AF_INET


def test_a_link_local_target_gets_the_scope_of_the_source() -> None:
    assert channel._with_scope(("fe80::2", 5), ("fe80::1%3", 0)) == ("fe80::2%3", 5)
    assert channel._with_scope(("fe80::2%4", 5), ("fe80::1%3", 0)) == ("fe80::2%4", 5)
    assert channel._with_scope(("2001:db8::2", 5), ("fe80::1%3", 0)) == ("2001:db8::2", 5)


@pytest.mark.standard("959-5.2-SRC-PORT", "959-3.2-DEF-SERVER", "1123-4.1.2.12-SAME-IP")
def test_the_data_port_is_used_again_and_again(control: Control) -> None:
    port = free_port()
    told: list[str] = []
    for source in ("127.0.0.2", "127.0.0.2", "127.0.0.3"):
        with (
            socket.create_server((HERE, 0)) as listener,
            dial(listener.getsockname(), (source, port), control, 5, told.append),
        ):
            accepted, peer = listener.accept()
            accepted.close()
            assert peer == (source, port)
    assert told == []


def test_two_at_the_same_time_from_the_data_port(control: Control) -> None:
    port = free_port()
    with (
        socket.create_server((HERE, 0)) as one,
        socket.create_server((HERE, 0)) as other,
        dial(one.getsockname(), (HERE, port), control, 5) as first,
        dial(other.getsockname(), (HERE, port), control, 5) as second,
    ):
        assert first.getsockname() == second.getsockname() == (HERE, port)


def test_a_pair_in_time_wait_is_no_obstacle(client: socket.socket, control: Control) -> None:
    port = free_port()
    told: list[str] = []
    with dial(client.getsockname(), (HERE, port), control, 5, told.append) as first:
        accepted, _ = client.accept()
        # The same two ends again while the first connection is still there, which no address reuse allows.
        with accepted, dial(client.getsockname(), (HERE, port), control, 5, told.append) as second:
            again, peer = client.accept()
            again.close()
            assert peer == second.getsockname()
            assert first.getsockname() == (HERE, port) != second.getsockname()
    assert len(told) == 1
    assert told[0].startswith(f"port {port} of {HERE} could not be used: ")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EADDRINUSE])
def test_a_source_port_that_cannot_be_had(
    client: socket.socket, control: Control, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    bind = channel._bind

    def refuse(connection: socket.socket, address: str, port: int) -> None:
        if port:
            raise OSError(number, "no")
        bind(connection, address, port)

    monkeypatch.setattr(channel, "_bind", refuse)
    told: list[str] = []
    with dial(client.getsockname(), (HERE, 20), control, 5, told.append) as connection:
        assert connection.getsockname()[1] != 20
    assert told == [f"port 20 of {HERE} could not be used: no"]


def test_a_port_on_which_somebody_listens(client: socket.socket, control: Control) -> None:
    told: list[str] = []
    with socket.create_server((HERE, 0)) as taken:
        source = taken.getsockname()
        with dial(client.getsockname(), source, control, 5, told.append) as connection:
            assert connection.getsockname() != source
    assert told == [f"port {source[1]} of {HERE} could not be used: Address already in use"]


@pytest.mark.standard("959-4.2.1-425")
def test_a_closed_port(control: Control) -> None:
    port = free_port()
    with pytest.raises(DataConnectionError) as caught:
        dial((HERE, port), ("127.0.0.2", 0), control, 5)
    assert caught.value.cause is Cause.REFUSED
    assert caught.value.text == (
        f"The server connected from 127.0.0.2 to {HERE} port {port}, as the client had asked; "
        "it got: Connection refused."
    )


def test_no_connection_to_itself(control: Control) -> None:
    port = free_port()
    with pytest.raises(DataConnectionError) as caught:
        dial((HERE, port), (HERE, port), control, 5)
    assert caught.value.cause is Cause.REFUSED


@pytest.mark.standard("959-4.2.1-425")
def test_no_answer(full: tuple[str, int], control: Control) -> None:
    control.say(b"NOOP")
    with pytest.raises(DataConnectionError) as caught:
        dial(full, ("127.0.0.2", 0), control, 0.05)
    assert caught.value.cause is Cause.TIMED_OUT
    assert "there was no answer within 0.05 seconds." in caught.value.text
    assert control.heard == [(b"NOOP", 0)]


def test_an_address_that_is_not_ours(client: socket.socket, control: Control) -> None:
    with pytest.raises(DataConnectionError) as caught:
        dial(client.getsockname(), ("192.0.2.1", 0), control, 5)
    assert caught.value.cause is Cause.UNREACHABLE


def test_a_network_that_cannot_be_reached(control: Control) -> None:
    with pytest.raises(DataConnectionError) as caught:
        dial(("192.0.2.1", 5000), (HERE, 0), control, 5)
    assert caught.value.cause is Cause.UNREACHABLE


@pytest.mark.standard("959-4.1.3-ABOR-BUSY")
@pytest.mark.parametrize(("said", "cause"), [(b"ABOR", Cause.ABORTED), (b"", Cause.CONTROL_LOST)])
def test_abor_while_dialling(full: tuple[str, int], control: Control, said: bytes, cause: Cause) -> None:
    dialling = Meanwhile(lambda: dial(full, ("127.0.0.2", 0), control, 30))
    if said:
        control.say(said)
    else:
        control.theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(DataConnectionError) as caught:
        dialling.result()
    assert caught.value.cause is cause


def test_whether_a_source_port_can_be_had_shows_before() -> None:
    port = free_port()
    assert channel.source_fault((HERE, port)) is None
    with socket.create_server((HERE, port)):
        assert channel.source_fault((HERE, port)) == "Address already in use"
