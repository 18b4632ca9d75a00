from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise

import pytest

from homeport.data import ports as ports_module
from homeport.data.connection import Cause, DataConnectionError
from homeport.data.portrange import PortRange
from homeport.data.ports import NoPortFree, Offer, PassivePorts
from homeport.data.stream import PlainStream, WantRead
from homeport.net.listener import Listener, listen

from .ends import Control, Meanwhile, is_refused

Connect = Callable[..., socket.socket]
Stranger = tuple[tuple[str, int], int]

HERE = "127.0.0.1"
SOON = 0.05
"""Seconds to wait where the test expects nothing to come."""


class Pool:
    """Opens PassivePorts and closes them at the end; `strangers` are those that were told."""

    def __init__(self) -> None:
        self.strangers: list[Stranger] = []
        self._opened: list[PassivePorts] = []

    def __call__(self, count: int = 1, addresses: Sequence[str] = (HERE,), kept: float = 60) -> PassivePorts:
        one = PassivePorts.open(addresses, None, count=count, refused=self._refused, kept=kept)
        self._opened.append(one)
        return one

    def _refused(self, peer: tuple[str, int], port: int) -> None:
        self.strangers.append((peer, port))

    def close(self) -> None:
        for one in self._opened:
            one.close()


@pytest.fixture
def pool() -> Iterator[Pool]:
    one = Pool()
    yield one
    one.close()


def meet(offer: Offer, control: Control, client: socket.socket, timeout: float = 5) -> None:
    """Wait, and check that what came is the other end of *client*."""
    with closing(offer.wait(control, timeout)) as connection:
        assert connection.getpeername() == client.getsockname()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -- one client -------------------------------------------------------------------------------------------------------


@pytest.mark.standard("959-3.2-PASV-LISTEN")
def test_it_listens_when_the_offer_is_made(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer(HERE, HERE, 0)
    meet(offer, control, connect(offer.port))


def test_the_client_may_come_after_the_wait_has_begun(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer(HERE, HERE, 0)
    waiting = Meanwhile(lambda: offer.wait(control, 5))
    wait_until(lambda: offer.waker is not None)
    client = connect(offer.port)
    with closing(waiting.result()) as connection:
        assert connection.getpeername() == client.getsockname()
        with pytest.raises(WantRead):
            PlainStream(connection).read_into(memoryview(bytearray(1)))
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_ipv6(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool(1, ["::1"]).offer("::1%lo", "::1", 0)
    meet(offer, control, connect(offer.port, "::1"))


def test_a_mapped_peer_is_the_ipv4_one(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer("::ffff:127.0.0.1", "::ffff:127.0.0.1", 0)
    assert offer.peer == HERE
    meet(offer, control, connect(offer.port))


@pytest.mark.standard("2428-3-SAME-ADDR", "1123-4.1.2.12-SAME-IP")
def test_each_local_address_has_its_own_sockets(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1, [HERE, "127.0.0.9", "::1"])
    assert len(ports.ports) == 1  # the same number everywhere
    offer = ports.offer("127.0.0.2", "127.0.0.9", 0)
    with socket.create_connection(("127.0.0.9", offer.port), 5, ("127.0.0.2", 0)) as client:
        meet(offer, control, client)
    with pytest.raises(NoPortFree, match=r"No passive port is open on 127\.0\.0\.8"):
        ports.offer("127.0.0.2", "127.0.0.8", 0)


def test_all_addresses(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(2, ["0.0.0.0", "::"])
    for source in ("127.0.0.3", "::1"):
        offer = ports.offer(source, "127.0.0.1" if "." in source else "::1", 0)
        meet(offer, control, connect(offer.port, source))


def test_what_cannot_be_had_is_told(pool: Pool) -> None:
    with socket.create_server((HERE, 0)) as taken:
        number = taken.getsockname()[1]
        ports = PassivePorts.open([HERE], [number])
        assert ports.ports == ()
        assert ports.unavailable == ((number, f"{HERE}: Address already in use"),)
        with pytest.raises(NoPortFree):
            ports.offer(HERE, HERE, 0)
        ports.close()
    foreign = pool(2, [HERE, "192.0.2.1"])
    assert len(foreign.ports) == 2
    assert [number for number, _ in foreign.unavailable] == [0]
    assert foreign.unavailable[0][1].startswith("192.0.2.1: ")


@pytest.mark.standard("1579-HIGH-PORTS", "1579-PASV-HONOUR")
def test_only_the_range_is_used(control: Control, connect: Connect) -> None:
    with socket.create_server((HERE, 0)) as one, socket.create_server((HERE, 0)) as other:
        numbers = sorted((one.getsockname()[1], other.getsockname()[1]))
    ports = PassivePorts.open([HERE], numbers)
    try:
        assert ports.ports == tuple(numbers)
        for _ in range(10):
            offer = ports.offer(HERE, HERE, 0)
            assert offer.port in numbers
            meet(offer, control, connect(offer.port))
    finally:
        ports.close()


@pytest.mark.standard("2577-8-RANDOM")
def test_the_order_is_random(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(8)
    seen = []
    for _ in range(200):
        offer = ports.offer(HERE, HERE, 0)
        seen.append(offer.port)
        meet(offer, control, connect(offer.port))
    counts = Counter(seen)
    # 25 of each are expected; below 5 or above 60 happens once in a million runs.
    assert len(counts) == 8
    assert 5 <= min(counts.values()) <= max(counts.values()) <= 60
    steps = Counter((b - a) for a, b in pairwise(seen))
    assert len(steps) > 8
    assert seen != sorted(seen)


# -- many clients on one port -----------------------------------------------------------------------------------------


def test_one_port_serves_twenty_clients_at_once(pool: Pool, connect: Connect) -> None:
    ports = pool(1)
    controls = [Control() for _ in range(20)]
    peers = [f"127.0.0.{number}" for number in range(2, 22)]
    offers = [ports.offer(peer, HERE, 0) for peer in peers]
    assert {offer.port for offer in offers} == set(ports.ports)
    waiting = [
        Meanwhile(lambda offer=offer, control=control: offer.wait(control, 10))  # type: ignore[misc]
        for offer, control in zip(offers, controls, strict=True)
    ]
    # The order in which they connect is not that in which they wait.
    clients = {peer: connect(ports.ports[0], peer) for peer in reversed(peers)}
    for peer, one in zip(peers, waiting, strict=True):
        with closing(one.result()) as connection:
            assert connection.getpeername() == clients[peer].getsockname()
    for control in controls:
        control.close()


def test_a_connection_for_a_parked_session_is_kept_for_it(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    parked = ports.offer("127.0.0.2", HERE, 0)
    early = connect(parked.port, "127.0.0.2")
    busy = ports.offer("127.0.0.3", HERE, 0)
    late = connect(busy.port, "127.0.0.3")
    meet(busy, control, late)  # accepts the other one's first
    assert parked.connection is not None
    meet(parked, control, early, timeout=0)


def test_who_waits_is_woken_when_another_thread_was_quicker_to_accept(
    pool: Pool, control: Control, pair: tuple[socket.socket, socket.socket]
) -> None:
    ports = pool(1)
    offer = ports.offer("127.0.0.2", HERE, 0)
    waiting = Meanwhile(lambda: offer.wait(control, 60))
    wait_until(lambda: offer.waker is not None)
    # Nothing ever shows at the port: it was accepted before the poll looked.
    assert ports._bring(offer.place, pair[0], ("127.0.0.2", 40000), []) is offer
    assert waiting.result() is pair[0]


def test_after_accept_the_port_is_free_for_the_same_client(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    kept = []
    for _ in range(3):
        offer = ports.offer(HERE, HERE, 0)
        connect(offer.port)
        kept.append(offer.wait(control, 5))  # this transfer is still running
    for one in kept:
        one.close()


def test_two_sessions_of_one_client_get_different_ports(pool: Pool) -> None:
    ports = pool(3)
    offers = [ports.offer(HERE, HERE, 0) for _ in range(3)]
    assert {offer.port for offer in offers} == set(ports.ports)
    with pytest.raises(NoPortFree) as caught:
        ports.offer(HERE, HERE, 0)
    assert caught.value.cause is Cause.NO_PORT
    assert caught.value.text == f"All passive ports (3) waited for other sessions of {HERE} for 0 seconds."


def test_ports_that_nobody_waits_for_come_first(pool: Pool) -> None:
    ports = pool(4)
    offers = [ports.offer(f"127.0.0.{number}", HERE, 0) for number in (2, 3, 4, 5)]
    assert {offer.port for offer in offers} == set(ports.ports)
    shared = ports.offer("127.0.0.6", HERE, 0)
    assert shared.port in ports.ports


def test_sessions_of_one_client_take_turns_in_order(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    first = ports.offer(HERE, HERE, 0)
    order: list[int] = []
    queue = first.place.range.queues

    def session(number: int) -> None:
        own = Control()
        offer = ports.offer(HERE, HERE, 10)
        order.append(number)
        meet(offer, own, connect(offer.port))
        own.close()

    sessions = []
    for number in range(5):
        sessions.append(Meanwhile(lambda number=number: session(number)))  # type: ignore[misc]
        wait_until(lambda: len(queue.get(HERE, ())) == number + 1)  # noqa: B023 - called at once
    meet(first, control, connect(first.port))
    for one in sessions:
        one.result()
    assert order == [0, 1, 2, 3, 4]
    assert not queue


def test_a_turn_comes_at_once_if_the_client_is_there(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    first = ports.offer(HERE, HERE, 0)
    one = connect(first.port)
    second = ports.offer(HERE, HERE, 0)  # takes the connection in for the other session
    meet(second, control, connect(second.port))
    meet(first, control, one)


def test_only_ports_that_lead_to_the_client_are_offered(pool: Pool) -> None:
    ports = pool(6)
    among = frozenset(ports.ports[2:4])
    for number in range(2, 22):
        assert ports.offer(f"127.0.0.{number}", HERE, 0, among=among).port in among
    # The others are there for those who can come to all.
    assert ports.offer(HERE, HERE, 0, among=among | {1}).port in among
    assert ports.offer(HERE, HERE, 0, among=among).port in among
    with pytest.raises(NoPortFree):
        ports.offer(HERE, HERE, SOON, among=among)
    rest = {ports.offer(HERE, HERE, 0).port for _ in range(4)}
    assert rest == set(ports.ports) - among


def test_ports_of_which_none_is_open_are_no_choice(pool: Pool) -> None:
    ports = pool(2)
    assert ports.offer(HERE, HERE, 0, among=frozenset({21})).port in ports.ports


def test_whose_turn_it_is_depends_on_the_port_that_becomes_free(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(2)
    one, other = (ports.offer(HERE, HERE, 0) for _ in range(2))
    queue = one.place.range.queues
    choosy = Meanwhile(lambda: ports.offer(HERE, HERE, 10, among=frozenset({other.port})))
    wait_until(lambda: len(queue.get(HERE, ())) == 1)
    easy = Meanwhile(lambda: ports.offer(HERE, HERE, 10))
    wait_until(lambda: len(queue.get(HERE, ())) == 2)
    one.release()
    assert easy.result().port == one.port
    other.release()
    assert choosy.result().port == other.port
    assert not queue


def test_only_what_would_do_is_taken_back(pool: Pool) -> None:
    ports = pool(3, kept=SOON)
    offers = [ports.offer(HERE, HERE, 0) for _ in range(3)]
    wanted = frozenset({offers[1].port})
    assert ports.offer(HERE, HERE, 10, among=wanted).port == offers[1].port
    assert [offer._over for offer in offers] == [False, True, False]


def test_who_gives_up_the_queue_does_not_get_the_port(pool: Pool, control: Control) -> None:
    ports = pool(1)
    first = ports.offer(HERE, HERE, 0)
    with pytest.raises(NoPortFree):
        ports.offer(HERE, HERE, SOON)
    first.release()
    ports.offer(HERE, HERE, 0).release()


def test_a_port_that_is_not_used_is_taken_back_for_another_session(
    pool: Pool, control: Control, connect: Connect
) -> None:
    ports = pool(1, kept=SOON)
    forgotten = ports.offer(HERE, HERE, 0)
    offer = ports.offer(HERE, HERE, 10)
    meet(offer, control, connect(offer.port))
    with pytest.raises(DataConnectionError, match="another PASV is needed") as caught:
        forgotten.wait(control, 0)
    assert caught.value.cause is Cause.CLOSED
    forgotten.release()
    ports.offer(HERE, HERE, 0).release()


def test_the_oldest_of_the_unused_is_taken_back_and_no_more(pool: Pool) -> None:
    ports = pool(3, kept=SOON)
    offers = [ports.offer(HERE, HERE, 0) for _ in range(3)]
    assert ports.offer(HERE, HERE, 10).port == offers[0].port
    assert [offer._over for offer in offers] == [True, False, False]


def test_a_port_that_is_waited_for_is_not_taken_back(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1, kept=0)
    offer = ports.offer(HERE, HERE, 0)
    waiting = Meanwhile(lambda: offer.wait(control, 10))
    wait_until(lambda: offer.waker is not None)
    with pytest.raises(NoPortFree):
        ports.offer(HERE, HERE, SOON)
    connect(offer.port)
    waiting.result().close()


def test_a_port_of_another_client_is_not_taken_back(pool: Pool) -> None:
    ports = pool(1, kept=0)
    other = ports.offer("127.0.0.2", HERE, 0)
    ports.offer(HERE, HERE, 0).release()
    assert not other._over


def test_who_waits_for_a_turn_hears_the_client(pool: Pool) -> None:
    ports = pool(1)
    held = ports.offer(HERE, HERE, 0)
    for said, cause in ((b"NOOP", None), (b"ABOR", Cause.ABORTED), (b"", Cause.CONTROL_LOST)):
        control = Control()
        queued = Meanwhile(lambda control=control: ports.offer(HERE, HERE, 10, control))  # type: ignore[misc]
        wait_until(lambda: bool(held.place.range.queues))  # noqa: B023 - called at once
        if said:
            control.say(said)
        else:
            control.theirs.close()
        wait_until(lambda: bool(control.heard))  # noqa: B023 - called at once
        if cause is None:
            held.release()
            held = queued.result()
        else:
            with pytest.raises(DataConnectionError) as caught:
                queued.result()
            assert caught.value.cause is cause
            assert not held.place.range.queues
        control.close()


def test_who_is_not_woken_for_want_of_descriptors_looks_himself(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(ports_module, "Waker", none_left)
    ports = pool(1)
    held = ports.offer(HERE, HERE, 0)
    queued = Meanwhile(lambda: ports.offer(HERE, HERE, 10))
    wait_until(lambda: bool(held.place.range.queues))
    held.release()
    queued.result().release()


# -- strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.standard("2577-8-STEAL", "2577-4-PEER-CHECK")
def test_a_thief_who_is_first_gets_nothing(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer("127.0.0.2", HERE, 0)
    thief = connect(offer.port, "127.0.0.3")
    client = connect(offer.port, "127.0.0.2")
    meet(offer, control, client)
    assert is_refused(thief)
    assert pool.strangers == [(thief.getsockname(), offer.port)]


@pytest.mark.standard("2577-4-PEER-CHECK")
def test_the_wait_goes_on_after_a_stranger(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer("127.0.0.2", HERE, 0)
    waiting = Meanwhile(lambda: offer.wait(control, 10))
    try:
        assert is_refused(connect(offer.port, "127.0.0.3"))
    except ConnectionResetError:
        pass  # so quick that connect itself met the reset
    assert waiting.running
    client = connect(offer.port, "127.0.0.2")
    with closing(waiting.result()) as connection:
        assert connection.getpeername() == client.getsockname()


def test_only_strangers(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer("127.0.0.2", HERE, 0)
    offer.address = "192.0.2.80"
    for _ in range(2):
        connect(offer.port, "127.0.0.3")
    with pytest.raises(DataConnectionError) as caught:
        offer.wait(control, SOON)
    assert caught.value.cause is Cause.STRANGER_ONLY
    assert caught.value.strangers == ("127.0.0.3", "127.0.0.3")
    assert caught.value.text == (
        f"127.0.0.2 should have connected to port {offer.port} of 192.0.2.80 within 0.05 seconds; "
        "only 127.0.0.3 did, and was refused."
    )


def test_nothing_arrives(pool: Pool, control: Control) -> None:
    offer = pool().offer("127.0.0.2", HERE, 0)
    with pytest.raises(DataConnectionError) as caught:
        offer.wait(control, SOON)
    assert caught.value.cause is Cause.NOTHING_ARRIVED
    assert caught.value.text.endswith("within 0.05 seconds; nothing arrived.")
    assert not offer.place.offers


def test_sweep_refuses_strangers_where_nobody_waits(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(2)
    parked = ports.offer("127.0.0.2", HERE, 0)
    idle = next(number for number in ports.ports if number != parked.port)
    strangers = [connect(idle, "127.0.0.3"), connect(parked.port, "127.0.0.4")]
    client = connect(parked.port, "127.0.0.2")
    found: list[tuple[str, int]] = []

    def swept() -> bool:
        found.extend(ports.sweep())
        return parked.connection is not None and len(found) == 2

    wait_until(swept)
    assert sorted(found) == [("127.0.0.3", idle), ("127.0.0.4", parked.port)]
    assert all(is_refused(one) for one in strangers)
    meet(parked, control, client, timeout=0)


# -- offers that end without a connection -----------------------------------------------------------------------------


@pytest.mark.standard("959-3.2-CLOSE-2", "2428-3-ABOR")
def test_release_closes_what_the_client_had_connected(pool: Pool, connect: Connect) -> None:
    offer = pool().offer(HERE, HERE, 0)
    client = connect(offer.port)
    offer.release()
    offer.release()
    assert is_refused(client)
    assert pool.strangers == []  # he was late, and no stranger


def test_release_closes_what_another_session_had_taken_in(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    offer = ports.offer("127.0.0.2", HERE, 0)
    client = connect(offer.port, "127.0.0.2")
    ports.sweep()
    assert offer.connection is not None
    offer.release()
    assert is_refused(client)


@pytest.mark.standard("959-4.1.2-PASV-TWICE")
def test_a_late_connection_is_not_taken_for_the_next_offer(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    first = ports.offer(HERE, HERE, 0)
    first.release()
    late = connect(first.port)  # the client had not heard of the end yet
    second = ports.offer(HERE, HERE, 0)
    assert is_refused(late)
    assert pool.strangers == []
    meet(second, control, connect(second.port))


def test_a_port_given_back_unused_is_not_offered_to_the_same_client_soon(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = pool(3)
    first = ports.offer(HERE, HERE, 0)
    first.release()
    others = set(ports.ports) - {first.port}
    for _ in range(20):
        held = [ports.offer(HERE, HERE, 0) for _ in range(2)]
        assert {offer.port for offer in held} == others
        for offer in held:
            del offer.place.offers[HERE]  # ended by a connection
    # ... but it is better than none, and others get it as ever.
    held = [ports.offer(HERE, HERE, 0) for _ in range(3)]
    assert held[2].port == first.port
    held[2].release()
    assert ports.offer("127.0.0.2", HERE, 0).port == first.port
    # After the quarantine it is forgotten.
    assert HERE in first.place.former
    later = time.monotonic() + ports_module._QUARANTINE_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    ports.sweep()
    assert not first.place.former


def test_an_offer_is_good_for_one_connection(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer(HERE, HERE, 0)
    meet(offer, control, connect(offer.port))
    with pytest.raises(DataConnectionError, match="another PASV is needed"):
        offer.wait(control, 5)


# -- the control connection -------------------------------------------------------------------------------------------


@pytest.mark.standard("959-4.1.3-ABOR-BUSY")
def test_abor_ends_the_wait(pool: Pool, control: Control, connect: Connect) -> None:
    offer = pool().offer(HERE, HERE, 0)
    control.say(b"NOOP")
    waiting = Meanwhile(lambda: offer.wait(control, 10))
    wait_until(lambda: bool(control.heard))
    assert waiting.running
    control.say(b"ABOR")
    with pytest.raises(DataConnectionError) as caught:
        waiting.result()
    assert caught.value.cause is Cause.ABORTED
    assert [said for said, _ in control.heard] == [b"NOOP", b"ABOR"]
    assert not offer.place.offers


@pytest.mark.standard("959-4.1.1-UNEXP-CLOSE")
def test_a_lost_control_connection_ends_the_wait(pool: Pool, control: Control) -> None:
    offer = pool().offer(HERE, HERE, 0)
    waiting = Meanwhile(lambda: offer.wait(control, 10))
    control.theirs.close()
    with pytest.raises(DataConnectionError) as caught:
        waiting.result()
    assert caught.value.cause is Cause.CONTROL_LOST


# -- the end, and shortages -------------------------------------------------------------------------------------------


def test_close_wakes_everybody(pool: Pool, connect: Connect) -> None:
    ports = pool(1)
    controls = [Control(), Control()]
    offers = [ports.offer(peer, HERE, 0) for peer in ("127.0.0.2", "127.0.0.3")]
    waiting = [
        Meanwhile(lambda offer=offer, control=control: offer.wait(control, 60))  # type: ignore[misc]
        for offer, control in zip(offers, controls, strict=True)
    ]
    queued = Meanwhile(lambda: ports.offer("127.0.0.2", HERE, 60))
    wait_until(lambda: all(offer.waker is not None for offer in offers) and bool(offers[0].place.range.queues))
    ports.close()
    ports.close()
    for one in waiting:
        with pytest.raises(DataConnectionError, match="the server is stopping") as caught:
            one.result()
        assert caught.value.cause is Cause.CLOSED
    with pytest.raises(NoPortFree) as refused:
        queued.result()
    assert refused.value.cause is Cause.CLOSED
    with pytest.raises(NoPortFree, match="stopping"):
        ports.offer(HERE, HERE, 0)
    assert ports.sweep() == []
    for control in controls:
        control.close()


def test_a_connection_that_was_there_before_the_close_is_good(pool: Pool, control: Control, connect: Connect) -> None:
    ports = pool(1)
    offer = ports.offer(HERE, HERE, 0)
    client = connect(offer.port)
    ports.sweep()
    ports.close()
    meet(offer, control, client)


# -- ports that come and go (one of several workers) -------------------------------------------------------------------


def test_ports_are_adopted_from_sockets_that_listen_already(control: Control, connect: Connect) -> None:
    ports = PassivePorts([PortRange(HERE)], ())
    with pytest.raises(NoPortFree, match="No passive port is open"):
        ports.offer(HERE, HERE, 0)
    kept = listen(HERE, 0)
    ports.adopt([(HERE, Listener(socket.AF_INET, os.dup(kept.fileno())))])
    assert ports.ports == (kept.getsockname()[1],)
    offer = ports.offer(HERE, HERE, 0)
    meet(offer, control, connect(offer.port))
    ports.close()
    kept.close()


def test_a_port_is_retired_when_nobody_waits_there_any_more(control: Control, connect: Connect) -> None:
    ports = PassivePorts([PortRange(HERE)], ())
    kept = [listen(HERE, 0) for _ in range(3)]
    ports.adopt([(HERE, Listener(socket.AF_INET, os.dup(one.fileno()))) for one in kept])
    offer = ports.offer(HERE, HERE, 0)
    forgotten: list[int] = []
    known = set(ports.descriptors())
    others = {(HERE, one.getsockname()[1]) for one in kept} - {(HERE, offer.port)}
    assert set(ports.retire(forgotten.append)) == others
    assert len(forgotten) == 2
    assert set(forgotten) < known
    assert ports.ports == (offer.port,)
    assert ports.retire(forgotten.append) == []
    meet(offer, control, connect(offer.port))
    assert ports.retire(forgotten.append) == [(HERE, offer.port)]
    assert set(forgotten) == known
    with pytest.raises(NoPortFree):
        ports.offer(HERE, HERE, 0)
    ports.close()
    # Whoever keeps the sockets may lend them to somebody else.
    connect(kept[0].getsockname()[1])
    kept[0].accept()[0].close()
    for one in kept:
        one.close()


_SHORTAGE = """
import os, resource, socket, threading, time
from homeport.data.connection import DataConnectionError
from homeport.data.ports import PassivePorts
from homeport.data.readiness import ready

class Control:
    def __init__(self):
        self.ends = socket.socketpair()
    def fileno(self):
        return self.ends[0].fileno()
    def attend(self, octets):
        raise AssertionError("nothing was said")
    def ready(self, *what):
        return ready(*what)

ports = PassivePorts.open(["127.0.0.1"], None, count=1)
control = Control()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

def fill():
    held = []
    while True:
        try:
            held.append(os.dup(0))
        except OSError:
            return held

# 1. Nothing is ever freed: the wait ends in time, names the cause and does not spin.
offer = ports.offer("127.0.0.1", "127.0.0.1", 0)
client = socket.create_connection(("127.0.0.1", offer.port))
held = fill()
started = time.process_time()
try:
    offer.wait(control, 0.4)
except DataConnectionError as error:
    print(error.cause.name, time.process_time() - started < 0.2)
for one in held: os.close(one)
client.close()

# 2. The shortage passes while it waits.
offer = ports.offer("127.0.0.1", "127.0.0.1", 0)
client = socket.create_connection(("127.0.0.1", offer.port))
held = fill()
def free():
    while not offer.short: time.sleep(0.01)
    for one in held: os.close(one)
thread = threading.Thread(target=free)
thread.start()
print(offer.wait(control, 30).getpeername() == client.getsockname())
thread.join()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of descriptors")
def test_no_descriptor_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", _SHORTAGE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["NO_DESCRIPTOR", "True", "True"], "")
