from __future__ import annotations

import errno
import random
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from homeport.data.buffers import Buffers
from homeport.data.plan import Outcome, Plan, Result
from homeport.data.readiness import ready
from homeport.data.stream import PlainStream, WantRead, WantWrite
from homeport.data.transfer import LARGE_OCTETS
from homeport.protocol.codec import AsciiDecoder, AsciiEncoder
from homeport.storage.base import InputOutputError, NoSpace, NotFound

from .blocking import run
from .ends import Control, Meanwhile
from .files import Collected, Octets

Pair = tuple[socket.socket, socket.socket]

BIG = random.Random(959).randbytes(20 * 1024 * 1024)


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(1 << 18):
        parts.append(part)
    return b"".join(parts)


def start(plan: Plan, server: socket.socket, control: Control) -> Meanwhile[Result]:
    return Meanwhile(lambda: run(plan, PlainStream(server), control))


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[int]:
        raise AssertionError("polled")

    monkeypatch.setattr(Control, "ready", refuse)


@pytest.fixture(params=[True, False], ids=["sendfile", "copied"])
def octets(request: pytest.FixtureRequest) -> Iterator[Callable[..., Octets]]:
    """Makes readers, with a descriptor and without."""
    made: list[Octets] = []

    def octets(data: bytes, size: int | None = None) -> Octets:
        made.append(Octets(data, on_disk=request.param, size=size))
        return made[-1]

    yield octets
    for one in made:
        one.close()


# -- sending ----------------------------------------------------------------------------------------------------------


@pytest.mark.standard("959-3.2-CLOSE-1", "959-5.2-226-AFTER")
@pytest.mark.usefixtures("no_poll")
@pytest.mark.parametrize("data", [b"", b"x", b"small" * 200])
def test_a_small_file_goes_without_a_poll(
    pair: Pair, control: Control, octets: Callable[..., Octets], data: bytes
) -> None:
    server, client = pair
    result = run(Plan(reader=octets(data)), PlainStream(server), control)
    assert (result.outcome, result.octets, result.error) == (Outcome.COMPLETE, len(data), None)
    assert 0 <= result.seconds < 5
    assert server.fileno() == -1
    assert read_all(client) == data


def test_a_big_file_with_stops(pair: Pair, control: Control, octets: Callable[..., Octets]) -> None:
    server, client = pair
    running = start(Plan(reader=octets(BIG)), server, control)
    begin = client.recv(1000)
    control.say(b"STAT")  # is answered while the client does not read
    while not control.heard:
        assert running.running
    assert begin + read_all(client) == BIG
    assert running.result().octets == len(BIG)
    ((said, moved),) = control.heard
    assert said == b"STAT"
    assert 0 < moved < len(BIG)


@pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [(3, None, b"3456789"), (3, 4, b"3456"), (0, 100, b"0123456789"), (10, None, b""), (11, None, b""), (2, 0, b"")],
)
def test_a_part_of_a_file(
    pair: Pair, control: Control, octets: Callable[..., Octets], offset: int, count: int | None, expected: bytes
) -> None:
    server, client = pair
    result = run(Plan(reader=octets(b"0123456789"), offset=offset, most=count), PlainStream(server), control)
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, len(expected))
    assert read_all(client) == expected


def test_a_file_that_grows_is_sent_as_it_was_opened(
    pair: Pair, control: Control, octets: Callable[..., Octets]
) -> None:
    server, client = pair
    assert run(Plan(reader=octets(b"old and new", size=3)), PlainStream(server), control).octets == 3
    assert read_all(client) == b"old"


def test_a_file_that_shrinks_is_no_success(pair: Pair, control: Control, octets: Callable[..., Octets]) -> None:
    server, client = pair
    result = run(Plan(reader=octets(b"half", size=8)), PlainStream(server), control)
    assert (result.outcome, result.octets) == (Outcome.STORAGE_FAILED, 4)
    assert isinstance(result.error, InputOutputError)
    with pytest.raises(ConnectionResetError):
        read_all(client)


def test_a_file_that_cannot_be_read_on(pair: Pair, control: Control) -> None:
    server, _ = pair
    result = run(Plan(reader=Octets(bytes(100_000), fails_at=32768)), PlainStream(server), control)
    assert (result.outcome, result.octets) == (Outcome.STORAGE_FAILED, 32768)
    assert str(result.error) == "a bad block"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_a_file_without_sendfile_is_copied(pair: Pair, control: Control, number: int) -> None:
    class Refusing(PlainStream):
        __slots__ = ()

        def send_file(self, file: int, offset: int, count: int) -> int:
            if offset:
                raise OSError(number, "not this file")
            return super().send_file(file, offset, 4)

    server, client = pair
    with Octets(b"0123456789", on_disk=True) as reader:
        result = run(Plan(reader=reader), Refusing(server), control)
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, 10)
    assert read_all(client) == b"0123456789"


def test_a_disk_fault_under_sendfile_is_the_storages(pair: Pair, control: Control) -> None:
    class Broken(PlainStream):
        __slots__ = ()

        def send_file(self, file: int, offset: int, count: int) -> int:
            raise OSError(errno.EIO, "Input/output error")

    with Octets(b"0123456789", on_disk=True) as reader:
        result = run(Plan(reader=reader), Broken(pair[0]), control)
    assert result.outcome is Outcome.STORAGE_FAILED
    assert isinstance(result.error, InputOutputError)


def test_a_listing(pair: Pair, control: Control) -> None:
    server, client = pair
    lines = [b"line %d\r\n" % number for number in range(1000)]
    result = run(Plan(chunks=iter([b"", *lines])), PlainStream(server), control)
    assert result.outcome is Outcome.COMPLETE
    assert read_all(client) == b"".join(lines)


def test_a_listing_that_fails(pair: Pair, control: Control) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one\r\n"
        raise NotFound

    server, client = pair
    result = run(Plan(chunks=chunks()), PlainStream(server), control)
    assert (result.outcome, result.octets) == (Outcome.STORAGE_FAILED, 5)
    assert isinstance(result.error, NotFound)
    with pytest.raises(ConnectionResetError):
        read_all(client)


def test_a_fault_in_the_program_is_raised_and_leaves_no_socket(pair: Pair, control: Control) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one\r\n"
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        run(Plan(chunks=chunks()), PlainStream(pair[0]), control)
    assert pair[0].fileno() == -1


def test_ascii_out(pair: Pair, control: Control, octets: Callable[..., Octets]) -> None:
    server, client = pair
    text = b"one\ntwo\r\nthree\rfour\n" * 5000
    running = start(Plan(reader=octets(text), codec=AsciiEncoder()), server, control)
    expected = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert read_all(client) == expected
    assert running.result().octets == len(expected)


@pytest.mark.standard("959-4.2.1-426")
def test_the_client_resets(pair: Pair, control: Control, octets: Callable[..., Octets]) -> None:
    server, client = pair
    running = start(Plan(reader=octets(BIG)), server, control)
    client.recv(1000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    result = running.result()
    assert result.outcome is Outcome.LOST
    assert isinstance(result.error, ConnectionError)
    assert 1000 <= result.octets < len(BIG)


def test_a_client_that_reads_nothing_stalls(pair: Pair, control: Control, octets: Callable[..., Octets]) -> None:
    server, _ = pair
    control.say(b"NOOP")  # is no progress
    result = run(Plan(reader=octets(BIG), stall=0.1), PlainStream(server), control)
    assert result.outcome is Outcome.STALLED
    assert 0.1 <= result.seconds < 5
    assert control.heard


def test_a_client_that_sends_on_a_download_gets_it_all(
    pair: Pair, control: Control, octets: Callable[..., Octets]
) -> None:
    server, client = pair
    client.sendall(b"what is this?")
    running = start(Plan(reader=octets(BIG)), server, control)
    assert read_all(client) == BIG
    client.close()
    assert running.result().outcome is Outcome.COMPLETE


def test_a_client_that_sends_and_never_closes_is_left(
    pair: Pair, control: Control, octets: Callable[..., Octets]
) -> None:
    server, client = pair
    client.sendall(b"what is this?")
    ready((server.fileno(),), (), 5)
    result = run(Plan(reader=octets(b"data"), stall=0.05), PlainStream(server), control)
    assert result.outcome is Outcome.COMPLETE
    assert server.fileno() == -1


# -- receiving --------------------------------------------------------------------------------------------------------


@pytest.mark.standard("959-5.2-PEER-CLOSE")
@pytest.mark.usefixtures("no_poll")
@pytest.mark.parametrize("data", [b"", b"x", b"small" * 200])
def test_a_small_upload_that_is_there_comes_without_a_poll(pair: Pair, control: Control, data: bytes) -> None:
    server, client = pair
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    server.setblocking(True)  # until all of it is here
    server.recv(len(data) + 1, socket.MSG_PEEK | (socket.MSG_WAITALL if data else 0))
    server.setblocking(False)
    writer = Collected()
    result = run(Plan(writer=writer), PlainStream(server), control)
    assert (result.outcome, result.octets) == (Outcome.COMPLETE, len(data))
    assert writer.data == data
    assert writer.ended is None  # that is for the verb
    assert client.recv(1) == b""


def test_a_big_upload_with_stops(pair: Pair, control: Control) -> None:
    server, client = pair
    writer = Collected()
    running = start(Plan(writer=writer), server, control)
    client.sendall(BIG[:1000])
    control.say(b"STAT")
    while not control.heard:
        assert running.running
    client.sendall(BIG[1000:])
    client.shutdown(socket.SHUT_WR)
    assert running.result().octets == len(BIG)
    assert writer.data == BIG
    assert control.heard == [(b"STAT", control.heard[0][1])]
    assert control.heard[0][1] <= 1000


def test_ascii_in(pair: Pair, control: Control) -> None:
    server, client = pair
    writer = Collected()
    running = start(Plan(writer=writer, codec=AsciiDecoder()), server, control)
    client.sendall(b"one\r\ntwo\rthree\r\n" * 5000 + b"\r")
    client.shutdown(socket.SHUT_WR)
    assert running.result().octets == 16 * 5000 + 1
    assert writer.data == b"one\ntwo\rthree\n" * 5000 + b"\r"


def test_a_full_disk(pair: Pair, control: Control) -> None:
    server, client = pair
    running = start(Plan(writer=Collected(room=5)), server, control)
    client.sendall(b"0123456789")
    result = running.result()
    assert (result.outcome, result.octets) == (Outcome.STORAGE_FAILED, 10)
    assert isinstance(result.error, NoSpace)
    with pytest.raises(ConnectionResetError):
        read_all(client)


def test_an_upload_that_is_reset_is_not_complete(pair: Pair, control: Control) -> None:
    server, client = pair
    client.sendall(b"half a file")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    result = run(Plan(writer=Collected()), PlainStream(server), control)
    assert result.outcome is Outcome.LOST
    assert isinstance(result.error, ConnectionResetError)


def test_an_upload_that_stalls(pair: Pair, control: Control) -> None:
    server, client = pair
    client.sendall(b"half a file")
    writer = Collected()
    result = run(Plan(writer=writer, stall=0.05), PlainStream(server), control)
    assert (result.outcome, result.octets) == (Outcome.STALLED, 11)
    assert writer.data == b"half a file"


# -- the control connection -------------------------------------------------------------------------------------------


@pytest.mark.standard("959-4.1.3-ABOR-BUSY", "959-3.2-CLOSE-2")
@pytest.mark.parametrize(("said", "outcome"), [(b"ABOR", Outcome.ABORTED), (b"", Outcome.CONTROL_LOST)])
@pytest.mark.parametrize("kind", ["reader", "chunks", "writer"])
def test_abor_and_a_lost_control_connection(
    pair: Pair, control: Control, kind: str, said: bytes, outcome: Outcome
) -> None:
    server, client = pair
    plan = {
        "reader": Plan(reader=Octets(BIG)),
        "chunks": Plan(chunks=(bytes(65536) for _ in range(1000))),
        "writer": Plan(writer=Collected()),
    }[kind]
    running = start(plan, server, control)
    if kind == "writer":
        client.sendall(b"begun")
    else:
        client.recv(1000)
    if said:
        control.say(said)
    else:
        control.theirs.shutdown(socket.SHUT_WR)
    assert running.result().outcome is outcome
    with pytest.raises(ConnectionResetError):
        read_all(client)


@pytest.mark.parametrize("how", ["octets", "seconds"])
def test_a_transfer_that_never_blocks_hears_abor(pair: Pair, control: Control, how: str) -> None:
    class Fast(PlainStream):
        __slots__ = ()

        def write(self, data: memoryview) -> int:
            return len(data)

    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.0 if how == "octets" else 0.01
        return now

    control.say(b"ABOR")
    chunk = bytes(1 << 20) if how == "octets" else b"x"
    result = run(Plan(chunks=(chunk for _ in range(1000))), Fast(pair[0]), control, clock)
    assert result.outcome is Outcome.ABORTED
    if how == "octets":
        assert result.octets == 64 << 20
    else:
        assert 50 <= result.octets <= 110


def test_a_watch_without_a_descriptor_is_left_alone(pair: Pair, control: Control) -> None:
    class Deaf(Control):
        def fileno(self) -> int:
            return -1

        def attend(self, octets: int) -> bool:
            raise AssertionError("nobody asked")

    deaf = Deaf()
    deaf.say(b"ABOR")
    server, client = pair
    running = start(Plan(reader=Octets(BIG)), server, deaf)
    assert read_all(client) == BIG
    assert running.result().outcome is Outcome.COMPLETE
    deaf.close()


# -- other streams ----------------------------------------------------------------------------------------------------


def test_a_stream_whose_writing_wants_to_read(pair: Pair, control: Control) -> None:
    """As TLS does in a renegotiation: the pump waits for what the stream asks for, not for what it does itself."""

    class Crossed(PlainStream):
        __slots__ = ("asked",)
        asked: bool

        def write(self, data: memoryview) -> int:
            if not self.asked:
                self.asked = True
                raise WantRead
            return super().write(data)

    server, client = pair
    stream = Crossed(server)
    stream.asked = False
    running = Meanwhile(lambda: run(Plan(chunks=[b"data"]), stream, control))
    control.say(b"NOOP")
    while not control.heard:
        assert running.running
    client.sendall(b"k")
    client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b"data"
    assert running.result().outcome is Outcome.COMPLETE


def test_octets_inside_the_stream_are_not_polled_for(pair: Pair, control: Control, no_poll: None) -> None:
    class Holding(PlainStream):
        __slots__ = ("calls",)
        calls: int

        def pending(self) -> int:
            return 1

        def read_into(self, buffer: memoryview) -> int:
            self.calls += 1
            if self.calls == 1:
                raise WantRead
            return 0

    stream = Holding(pair[0])
    stream.calls = 0
    assert run(Plan(writer=Collected()), stream, control).outcome is Outcome.COMPLETE


def test_an_end_that_cannot_be_sent_is_no_success(pair: Pair, control: Control) -> None:
    class Stuck(PlainStream):
        __slots__ = ()

        def finish(self) -> None:
            raise WantWrite

    server, _ = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    try:
        while True:
            server.send(bytes(1 << 20))
    except BlockingIOError:
        pass
    assert run(Plan(chunks=[], stall=0.05), Stuck(server), control).outcome is Outcome.STALLED


# -- memory -----------------------------------------------------------------------------------------------------------


class Counting(Buffers):
    """Knows how many are in use."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        super().__init__()
        self.used = 0

    def take(self) -> memoryview:
        self.used += 1
        return super().take()

    def give(self, buffer: memoryview) -> None:
        self.used -= 1
        super().give(buffer)


class Empty(Control):
    """A control connection that is never waited for with a buffer in hand."""

    def __init__(self, buffers: Counting) -> None:
        super().__init__()
        self.buffers = buffers
        self.waits = 0

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        if seconds > 0:
            assert self.buffers.used == 0
            self.waits += 1
        return super().ready(reading, writing, seconds)


@pytest.fixture
def empty() -> Iterator[Empty]:
    one = Empty(Counting())
    yield one
    one.close()


def slowly(client: socket.socket) -> bytes:
    """As `read_all`, and each piece only when nothing more comes by itself."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
        ready((client.fileno(),), (), 0.002)
    return b"".join(parts)


@pytest.mark.parametrize("codec", [AsciiEncoder, None])
def test_who_waits_to_send_has_no_buffer_and_everything_arrives(
    pair: Pair, empty: Empty, codec: type[AsciiEncoder] | None
) -> None:
    server, client = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
    data = b"one\ntwo\r\nthree\rfour" * 30_000
    reader = Octets(data)
    plan = Plan(reader=reader, codec=codec() if codec is not None else None)
    running = Meanwhile(lambda: run(plan, PlainStream(server), empty, buffers=empty.buffers))
    expected = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if codec is not None else data
    assert slowly(client) == expected
    assert running.result().octets == len(expected)
    assert empty.waits > 0
    assert empty.buffers.used == 0


@pytest.mark.parametrize("codec", [AsciiEncoder, None])
def test_what_the_stream_does_not_take_is_read_again(
    pair: Pair, empty: Empty, codec: type[AsciiEncoder] | None
) -> None:
    class Reluctant(PlainStream):
        """Takes seven octets, and then has to be asked again."""

        __slots__ = ("full",)
        full: bool

        def room(self) -> int:
            return 100

        def write(self, data: memoryview) -> int:
            self.full = not self.full
            if not self.full:
                raise WantWrite
            return super().write(data[:7])

    server, client = pair
    data = b"\n\r\n\r1\n23\r\n" * 100
    stream = Reluctant(server)
    stream.full = False
    plan = Plan(reader=Octets(data), codec=codec() if codec is not None else None)
    running = Meanwhile(lambda: run(plan, stream, empty, buffers=empty.buffers))
    expected = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if codec is not None else data
    assert read_all(client) == expected
    assert running.result().octets == len(expected)
    assert empty.buffers.used == 0


def test_no_more_is_read_than_the_stream_has_room_for(pair: Pair, control: Control) -> None:
    class Small(PlainStream):
        __slots__ = ()

        def room(self) -> int:
            return 5000

        def write(self, data: memoryview) -> int:
            return len(data)

    class Large(Small):
        __slots__ = ()

        def room(self) -> int:
            return 1 << 20

    server, client = pair
    reader = Octets(bytes(90_000))
    run(Plan(reader=reader), Small(server), control)
    assert reader.reads == [32768, 32768, *[5000] * 4, 90_000 - 65536 - 4 * 5000]
    reader = Octets(bytes(3 << 20))
    run(Plan(reader=reader), Large(client), control)
    assert max(reader.reads) == LARGE_OCTETS
    assert sum(size == LARGE_OCTETS for size in reader.reads) >= 4


@pytest.mark.parametrize(("seconds", "largest"), [(0.05, LARGE_OCTETS), (0.2, 32768)])
@pytest.mark.parametrize("kind", ["file", "text", "listing"])
def test_a_client_is_fast_that_takes_much_and_never_lets_us_wait_for_long(
    pair: Pair, control: Control, seconds: float, largest: int, kind: str
) -> None:
    now = 0.0
    taken: list[int] = []

    class Waiting(PlainStream):
        """Takes whatever is given, and lets us wait as often as its room is used up."""

        __slots__ = ("due",)
        due: bool

        def room(self) -> int:
            self.due = not self.due
            if self.due:
                raise WantWrite
            return 1 << 19

        def write(self, data: memoryview) -> int:
            taken.append(len(data))
            return len(data)

    class Patient(Control):
        def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], _seconds: float) -> list[int]:
            nonlocal now
            now += seconds if writing else 0.0
            return list(writing)

    patient = Patient()
    stream = Waiting(pair[0])
    stream.due = False
    plan = {
        "file": Plan(reader=Octets(bytes(1 << 22))),
        "text": Plan(reader=Octets(bytes(1 << 22)), codec=AsciiEncoder()),
        "listing": Plan(chunks=[bytes(LARGE_OCTETS)] * 16),
    }[kind]
    assert run(plan, stream, patient, lambda: now).outcome is Outcome.COMPLETE
    patient.close()
    assert max(taken[:32]) == 32768  # nothing is known before
    assert max(taken[32:]) == largest


@pytest.mark.parametrize("codec", [AsciiDecoder, None])
def test_who_waits_for_data_has_no_buffer(pair: Pair, empty: Empty, codec: type[AsciiDecoder] | None) -> None:
    server, client = pair
    writer = Collected()
    plan = Plan(writer=writer, codec=codec() if codec is not None else None)
    running = Meanwhile(lambda: run(plan, PlainStream(server), empty, buffers=empty.buffers))
    client.sendall(bytes(1 << 20))  # a burst first
    for count in range(1, 6):
        while empty.waits < count:
            assert running.running
        client.sendall(b"trickle")
    client.shutdown(socket.SHUT_WR)
    assert running.result().octets == (1 << 20) + 5 * 7
    assert len(writer.data) == (1 << 20) + 5 * 7
    assert empty.buffers.used == 0


def test_no_part_of_a_listing_is_made_before_there_is_room(pair: Pair, control: Control) -> None:
    asked: list[int] = []

    class Roomy(PlainStream):
        __slots__ = ()

        def room(self) -> int:
            asked.append(made)
            if len(asked) % 2:
                raise WantWrite
            return 10

    made = 0

    def chunks() -> Iterator[bytes]:
        nonlocal made
        while made < 8:
            made += 1
            yield bytes(20_000)

    server, client = pair
    running = Meanwhile(lambda: run(Plan(chunks=chunks()), Roomy(server), control))
    assert len(read_all(client)) == 160_000
    assert running.result().outcome is Outcome.COMPLETE
    assert asked == [4, 4, 5, 5, 6, 6, 7, 7, 8, 8]


def test_a_transfer_that_fails_gives_its_buffer_back(pair: Pair, empty: Empty) -> None:
    server, client = pair
    client.sendall(b"0123456789")
    running = Meanwhile(lambda: run(Plan(writer=Collected(room=5)), PlainStream(server), empty, buffers=empty.buffers))
    assert running.result().outcome is Outcome.STORAGE_FAILED
    assert empty.buffers.used == 0


# -- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [Plan(), Plan(reader=Octets(b""), writer=Collected())])
def test_a_plan_moves_one_thing(pair: Pair, control: Control, plan: Plan) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        run(plan, PlainStream(pair[0]), control)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(reader=Octets(b"x"), codec=AsciiDecoder()),
        Plan(chunks=[b"x"], codec=AsciiDecoder()),
        Plan(writer=Collected(), codec=AsciiEncoder()),
    ],
)
def test_a_codec_of_the_wrong_direction_is_a_fault(pair: Pair, control: Control, plan: Plan) -> None:
    with pytest.raises(TypeError):
        run(plan, PlainStream(pair[0]), control)
    assert pair[0].fileno() == -1
