"""Packets: whole messages, and descriptors with them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from homeport.server.packets import MOST_OCTETS, Packets, PacketTooLong
from homeport.server.workers import POSSIBLE

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="such sockets are not here")


@pytest.fixture
def ends() -> Iterator[tuple[Packets, Packets]]:
    one, other = Packets.pair()
    yield one, other
    one.close()
    other.close()


def test_a_message_comes_as_it_was(ends: tuple[Packets, Packets]) -> None:
    one, other = ends
    messages: list[object] = [("a", 1, None), {"b": b"\0" * 1000}, []]
    for message in messages:
        one.send(message)
    assert [other.receive() for _ in messages] == [(message, ()) for message in messages]


def test_descriptors_are_the_receivers_own_and_not_inherited(ends: tuple[Packets, Packets]) -> None:
    one, other = ends
    with socket.socket() as first, socket.socket() as second:
        one.send("two", (first.fileno(), second.fileno()))
        names = [os.fstat(end.fileno()).st_ino for end in (first, second)]
    message, descriptors = other.receive()
    try:
        assert message == "two"
        assert [os.fstat(descriptor).st_ino for descriptor in descriptors] == names
        assert not any(os.get_inheritable(descriptor) for descriptor in descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def test_the_end_of_the_other_side(ends: tuple[Packets, Packets]) -> None:
    one, other = ends
    one.send("last")
    one.close()
    assert other.receive()[0] == "last"
    with pytest.raises(EOFError):
        other.receive()
    with pytest.raises(BrokenPipeError):
        other.send("nobody hears it")


def test_who_does_not_wait_is_told_so(ends: tuple[Packets, Packets]) -> None:
    one, other = ends
    one.setblocking(False)
    with pytest.raises(BlockingIOError):
        one.receive()

    def flood() -> None:
        for _ in range(100_000):
            one.send("x" * 10_000)

    with pytest.raises(BlockingIOError):
        flood()
    assert other.receive()[0] == "x" * 10_000


def test_a_packet_has_a_bound(ends: tuple[Packets, Packets]) -> None:
    one, other = ends
    with pytest.raises(PacketTooLong):
        one.send(b"x" * MOST_OCTETS)
    one.send(b"x" * (MOST_OCTETS - 100))
    assert other.receive() == (b"x" * (MOST_OCTETS - 100), ())


def test_threads_may_send_at_the_same_time(ends: tuple[Packets, Packets]) -> None:
    one, other = ends

    def speak(number: int) -> None:
        for count in range(50):
            one.send((number, count))

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    heard = [other.receive()[0] for _ in range(200)]
    for thread in threads:
        thread.join()
    assert sorted(heard) == [(n, i) for n in range(4) for i in range(50)]  # type: ignore[type-var]  # pairs of numbers
