"""Transfers that wait without a thread: `advance`, `attend` and `expire`, as whoever parks them calls them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from homeport.data.buffers import Buffers
from homeport.data.plan import Outcome, Plan, Result
from homeport.data.readiness import ready
from homeport.data.stream import PlainStream, WantRead
from homeport.data.transfer import Transfer
from homeport.protocol.codec import AsciiDecoder, AsciiEncoder

from .ends import Control, Meanwhile
from .files import Collected, Octets

Pair = tuple[socket.socket, socket.socket]

BIG = b"one\ntwo\r\nthree\rfour" * 200_000
LINES = BIG.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Unwaiting(Control):
    """A control connection that may be looked at, and is never waited for."""

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        assert seconds <= 0, "waited"
        return super().ready(reading, writing, seconds)


@pytest.fixture
def unwaiting() -> Iterator[Unwaiting]:
    one = Unwaiting()
    yield one
    one.close()


def transfer(
    plan: Plan, server: socket.socket, control: Control, clock: Callable[[], float] = time.monotonic
) -> Transfer:
    return Transfer(plan, PlainStream(server), control, clock, Buffers())


class Slow:
    """A clock by which every wait is a long one, so that no thread waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def to_its_end(one: Transfer, meanwhile: Callable[[], object]) -> tuple[Result, int]:
    """The result, and how often it was suspended; *meanwhile* is what the client does each time."""
    times = 0
    while (result := one.advance()) is None:
        times += 1
        meanwhile()
        descriptors = (one.fileno(),)
        assert ready((), descriptors, 5) if one.writing else ready(descriptors, (), 5)
    return result, times


PLANS: dict[str, tuple[Callable[[], Plan], bytes]] = {
    "sendfile": (lambda: Plan(reader=Octets(BIG, on_disk=True), stall=30.0), BIG),
    "part": (lambda: Plan(reader=Octets(BIG, on_disk=True), offset=100, most=3_000_000), BIG[100:3_000_100]),
    "copied": (lambda: Plan(reader=Octets(BIG)), BIG),
    "text": (lambda: Plan(reader=Octets(BIG), codec=AsciiEncoder()), LINES),
    "listing": (lambda: Plan(chunks=(BIG[at : at + 50_000] for at in range(0, len(BIG), 50_000))), BIG),
    "lines": (lambda: Plan(chunks=[BIG, b"\r"], codec=AsciiEncoder()), LINES + b"\r"),
}


@pytest.mark.parametrize("kind", list(PLANS))
def test_what_is_sent_goes_on_where_it_was(pair: Pair, unwaiting: Unwaiting, kind: str) -> None:
    server, client = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
    make, expected = PLANS[kind]
    plan = make()
    got = bytearray()

    def read_some() -> None:
        client.setblocking(False)
        try:
            while octets := client.recv(65536):
                got.extend(octets)
        except BlockingIOError:
            pass

    result, times = to_its_end(transfer(plan, server, unwaiting, Slow()), read_some)
    client.setblocking(True)
    while octets := client.recv(65536):
        got.extend(octets)
    assert bytes(got) == expected
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, len(expected))
    assert times > 3
    assert server.fileno() == -1
    if isinstance(plan.reader, Octets):
        plan.reader.close()


@pytest.mark.parametrize("codec", [AsciiDecoder, None])
def test_what_is_received_goes_on_where_it_was(
    pair: Pair, unwaiting: Unwaiting, codec: type[AsciiDecoder] | None
) -> None:
    server, client = pair
    sent = b"a line\r\nand half of one\r"
    parts = iter([sent[:7], sent[7:20], sent[20:]])

    def send_some() -> None:
        part = next(parts, None)
        if part is None:
            client.shutdown(socket.SHUT_WR)
        else:
            client.sendall(part)

    writer = Collected()
    plan = Plan(writer=writer, codec=codec() if codec is not None else None)
    result, times = to_its_end(transfer(plan, server, unwaiting), send_some)
    assert (result.outcome, result.octets, times) == (Outcome.COMPLETE, len(sent), 4)
    assert bytes(writer.data) == (sent if codec is None else sent.replace(b"\r\n", b"\n"))


def test_who_moves_much_is_waited_for_and_not_suspended(pair: Pair, control: Control) -> None:
    now = 0.0
    waits: list[float] = []
    # What can be read before each wait, and that is None.
    steps = iter([None, *[250_000] * 5, None, 70_000, None, 50_000, None, 250_000, None, 250_000, None, 0])

    class Scripted(PlainStream):
        __slots__ = ()

        def read_into(self, buffer: memoryview) -> int:
            octets = next(steps)
            if octets is None:
                raise WantRead
            return octets

    def wait(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        if not seconds:
            return []  # the control connection was looked at
        waits.append(seconds)
        return list(reading[:1])

    control.ready = wait  # type: ignore[method-assign]
    one = Transfer(Plan(writer=Collected()), Scripted(pair[0]), control, lambda: now, Buffers())
    assert one.advance() is None
    assert waits == []  # nothing is known of the client
    assert one.advance() is None
    assert one.octets == 5 * 250_000 + 70_000 + 50_000
    assert waits == pytest.approx([0.1, 0.1])  # for the last wait too little had come
    now = 1.0
    assert one.advance() is None
    assert one.octets == 1_620_000  # it let us wait for long, and so it is slow until it has moved much again
    assert one.advance() is None
    result = one.advance()
    assert result is not None
    assert result.outcome is Outcome.COMPLETE
    assert len(waits) == 2


def test_a_thread_waits_for_a_moment_only(pair: Pair, control: Control) -> None:
    server, client = pair
    one = transfer(Plan(writer=Collected()), server, control)
    assert one.advance() is None
    sending = Meanwhile(lambda: client.sendall(bytes(2_000_000)))
    while one.octets < 2_000_000:
        assert ready((server.fileno(),), (), 5)
        assert one.advance() is None
    sending.result()
    deadline = one.deadline
    assert deadline > time.monotonic() + 20  # and not later for having been waited for
    client.shutdown(socket.SHUT_WR)
    assert ready((server.fileno(),), (), 5)
    result = one.advance()
    assert result is not None
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, 2_000_000)


@pytest.mark.parametrize(("said", "outcome"), [(b"ABOR", Outcome.ABORTED), (b"", Outcome.CONTROL_LOST)])
def test_the_control_connection_ends_it(pair: Pair, unwaiting: Unwaiting, said: bytes, outcome: Outcome) -> None:
    server, client = pair
    one = transfer(Plan(writer=Collected()), server, unwaiting)
    assert one.advance() is None
    unwaiting.say(b"NOOP")
    assert one.attend() is None
    client.sendall(b"12345")
    assert ready((server.fileno(),), (), 5)
    assert one.advance() is None
    if said:
        unwaiting.say(said)
    else:
        unwaiting.theirs.shutdown(socket.SHUT_WR)
    result = one.attend()
    assert result is not None
    assert (result.outcome, result.octets) == (outcome, 5)
    assert server.fileno() == -1
    with pytest.raises(ConnectionResetError):
        client.recv(1)


class Unread(PlainStream):
    """Counts how often somebody looks for octets."""

    __slots__ = ("looks",)
    looks: int

    def read_into(self, buffer: memoryview) -> int:
        self.looks += 1
        return super().read_into(buffer)


def test_nothing_is_looked_for_that_nobody_was_told_to_send(pair: Pair, unwaiting: Unwaiting) -> None:
    server, client = pair
    stream, writer = Unread(server), Collected()
    stream.looks = 0
    one = Transfer(Plan(writer=writer, stall=7.0), stream, unwaiting, lambda: 100.0, Buffers())
    one.untold = True
    client.sendall(b"12345")
    client.shutdown(socket.SHUT_WR)
    assert ready((server.fileno(),), (), 5)
    assert one.advance() is None
    assert (stream.looks, one.deadline, one.writing) == (0, 107.0, False)
    result = one.advance()
    assert result is not None
    assert (result.outcome, bytes(writer.data)) == (Outcome.COMPLETE, b"12345")


def test_and_who_is_patient_waits_for_it(pair: Pair, control: Control) -> None:
    server, client = pair
    one = transfer(Plan(writer=Collected(), stall=5.0), server, control)
    one.untold = True
    running = Meanwhile(lambda: one.advance(patient=True))
    client.sendall(b"12345")
    client.shutdown(socket.SHUT_WR)
    result = running.result()
    assert result is not None
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, 5)


def test_a_deadline_that_passes(pair: Pair, unwaiting: Unwaiting) -> None:
    server, client = pair
    one = transfer(Plan(writer=Collected(), stall=7.0), server, unwaiting, lambda: 100.0)
    assert one.advance() is None
    assert (one.deadline, one.writing, one.fileno()) == (107.0, False, server.fileno())
    assert one.expire().outcome is Outcome.STALLED
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_who_talks_on_and_on_keeps_no_octets_waiting(pair: Pair, unwaiting: Unwaiting) -> None:
    """What he says is always heard first, and may be all that is ever heard of him."""
    server, client = pair
    one = transfer(Plan(writer=Collected()), server, unwaiting)
    assert one.advance() is None
    client.sendall(b"12345")
    assert ready((server.fileno(),), (), 5)
    unwaiting.say(b"NOOP")
    assert one.attend() is None
    assert one.octets == 5
    client.shutdown(socket.SHUT_WR)
    assert ready((server.fileno(),), (), 5)
    unwaiting.say(b"NOOP")
    result = one.attend()
    assert result is not None
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, 5)


def test_who_talks_on_and_on_wins_no_time(pair: Pair, unwaiting: Unwaiting) -> None:
    server, _ = pair
    now = [100.0]
    one = transfer(Plan(writer=Collected(), stall=7.0), server, unwaiting, lambda: now[0])
    assert one.advance() is None
    for at, outcome in ((106.9, None), (107.0, Outcome.STALLED)):
        now[0] = at
        unwaiting.say(b"NOOP")
        result = one.attend()
        assert (result and result.outcome) == outcome
    assert server.fileno() == -1


def test_octets_inside_the_stream_are_not_waited_for(pair: Pair, unwaiting: Unwaiting) -> None:
    class Layered(PlainStream):
        """Has taken more from the socket than it gives at once."""

        __slots__ = ("inside",)
        inside: int

        def pending(self) -> int:
            return self.inside

        def read_into(self, buffer: memoryview) -> int:
            if not self.inside:
                return super().read_into(buffer)
            self.inside -= 1
            if self.inside % 2:
                raise WantRead
            buffer[:1] = b"x"
            return 1

    server, _ = pair
    stream = Layered(server)
    stream.inside = 8
    writer = Collected()
    one = Transfer(Plan(writer=writer), stream, unwaiting, time.monotonic, Buffers())
    assert one.advance() is None
    assert (bytes(writer.data), stream.inside) == (b"xxxx", 0)
    one.abort()


def test_whoever_cannot_be_reached_by_control_is_waited_for(pair: Pair, control: Control) -> None:
    """Nobody else could wait for a session that has none."""
    server, client = pair
    control.fileno = lambda: -1  # type: ignore[method-assign]
    client.sendall(b"content")
    look = control.ready

    def wait(reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        client.shutdown(socket.SHUT_WR)
        return look(reading, writing, seconds)

    control.ready = wait  # type: ignore[method-assign]
    result = transfer(Plan(writer=Collected()), server, control).advance()
    assert result is not None
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, 7)


def test_nobody_goes_on_with_it(pair: Pair, unwaiting: Unwaiting) -> None:
    server, client = pair
    one = transfer(Plan(writer=Collected()), server, unwaiting)
    assert one.advance() is None
    one.abort()
    one.abort()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
