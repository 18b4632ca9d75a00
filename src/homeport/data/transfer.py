"""One transfer: a Plan, a Stream and a Watch in, a Result out (the server-DTP of RFC 959 §2.3).

Octets move for as long as nothing blocks, without a poll; a small file costs one sendfile. Wherever it would block, the
thread waits for the data socket and the control socket together, at most `stall` seconds for the data. A peer so fast
that nothing ever blocks must not make us deaf, so the control connection is also looked at in between.

Memory is for moving, and none is kept while we wait (`buffers.py`). What was received has been written by then. What is
sent is read only when the socket has room for it; should it take less than expected, the rest is read once more.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple, Protocol

from homeport.storage.base import InputOutputError, Reader, StorageError, Writer

from .buffers import BUFFER_OCTETS, Buffers
from .codec import Codec, Decoder, Encoder
from .stream import Stream, WantRead, WantWrite, WouldBlock
from .throttle import WantTime
from .watch import ControlGone, Watch

_SMALL_OCTETS = 32 * 1024
"""Of a piece that is sent while nothing is known of the client or it is slow: codecs and TLS make new octets of it."""
_FAST_OCTETS = 1024 * 1024
_SLOW_SECONDS = 0.1
"""A client is fast that has taken so much and never let us wait for so long. A slow one's socket buffer takes less."""
_DECODED_MOST = 128 * 1024
"""What a decoder is given at once."""
_FIRST_ROOM = 64 * 1024
"""A new connection takes so much, as a rule: its stream is not asked."""
_SENDFILE_OCTETS = 8 * 1024 * 1024
"""Most that one sendfile is asked for."""
_LOOK_OCTETS = 64 * 1024 * 1024
_LOOK_SECONDS = 1.0
"""A transfer that never blocks looks at the control connection this often, whichever comes first."""
_FINISH_SECONDS = 5.0
"""How long a peer may take to close after our end of data, where that is waited for at all."""

_NO_SENDFILE = frozenset(
    getattr(errno, name) for name in ("EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOTSOCK") if hasattr(errno, name)
)
"""This kind of file has no sendfile; it can be read."""
_FILE_FAULTS = frozenset({errno.EIO, errno.EBADF, errno.EOVERFLOW, errno.ENOMEM})
"""What sendfile reports of the file and not of the connection."""


class Outcome(Enum):
    """How a transfer ended; the value is for people."""

    COMPLETE = "complete"
    ABORTED = "aborted"
    """The watch said so."""
    CONTROL_LOST = "control connection lost"
    LOST = "data connection lost"
    """Reset, or broken otherwise."""
    STALLED = "stalled"
    """Nothing moved for `Plan.stall` seconds."""
    STORAGE_FAILED = "storage failed"


class Plan(NamedTuple):
    """What is to be moved: exactly one of `reader` (send a file), `chunks` (send what comes) and `writer` (receive)."""

    reader: Reader | None = None
    chunks: Iterable[bytes] | None = None
    writer: Writer | None = None
    offset: int = 0
    """Of the file, where sending starts."""
    most: int | None = None
    """Octets of the file that are sent at most; None: to its end."""
    codec: Codec | None = None
    """An Encoder for what is sent, a Decoder for what is received."""
    stall: float = 30.0
    """Seconds without any progress after which the transfer is given up."""


class Result(NamedTuple):
    """How it went."""

    outcome: Outcome
    octets: int
    """Moved over the data connection."""
    seconds: float
    error: Exception | None = None
    """For STORAGE_FAILED the storage's, for LOST the socket's."""


class _Ended(Exception):
    """The transfer ends here, and not at its end."""

    def __init__(self, outcome: Outcome, error: Exception | None = None) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.error = error


class Progress(Protocol):
    """What counts the octets while they move."""

    octets: int


def run(
    plan: Plan,
    stream: Stream,
    watch: Watch,
    clock: Callable[[], float] = time.monotonic,
    show: Callable[[Progress], None] | None = None,
    buffers: Buffers | None = None,
) -> Result:
    """Carry out *plan*. The stream is closed afterwards whatever happens: in order if complete, else by a reset.

    *show* is called at the start, with what other threads may look at meanwhile. *buffers* are shared with other
    transfers; by default this one has its own.

    A writer is neither committed nor aborted. Raises only what is a fault in the program: ValueError for a plan that
    has none or several of reader, chunks and writer.
    """
    if (plan.reader is None) + (plan.chunks is None) + (plan.writer is None) != 2:
        stream.abort()
        raise ValueError("a plan has exactly one of reader, chunks and writer")
    started = clock()
    pump = _Pump(stream, watch, plan.stall, clock, started, buffers if buffers is not None else Buffers())
    if show is not None:
        show(pump)
    try:
        if plan.reader is not None:
            pump.send_reader(plan.reader, plan.offset, plan.most, plan.codec)
        elif plan.writer is not None:
            pump.receive(plan.writer, plan.codec)
        elif plan.chunks is not None:
            pump.send_chunks(plan.chunks, plan.codec)
        pump.finish()
    except _Ended as end:
        return Result(end.outcome, pump.octets, clock() - started, end.error)
    except StorageError as error:
        return Result(Outcome.STORAGE_FAILED, pump.octets, clock() - started, error)
    except OSError as broken:
        return Result(Outcome.LOST, pump.octets, clock() - started, broken)
    finally:
        stream.abort()
    return Result(Outcome.COMPLETE, pump.octets, clock() - started)


class _Pump:
    """One transfer under way. Its methods raise _Ended, StorageError, or OSError from the stream."""

    __slots__ = ("_buffers", "_clock", "_fast_at", "_look_at", "_look_octets", "_stall", "_stream", "_watch", "octets")

    def __init__(
        self, stream: Stream, watch: Watch, stall: float, clock: Callable[[], float], now: float, buffers: Buffers
    ) -> None:
        self._buffers = buffers
        self._stream = stream
        self._watch = watch
        self._stall = stall
        self._clock = clock
        self._look_at = now + _LOOK_SECONDS
        self._look_octets = _LOOK_OCTETS
        self._fast_at = _FAST_OCTETS
        self.octets = 0

    # -- the three kinds ---------------------------------------------------------------------------

    def send_reader(self, reader: Reader, offset: int, count: int | None, codec: Codec | None) -> None:
        encoder = _encoder(codec)
        # The file as it was when it was opened: one that grows meanwhile would have no end.
        left = max(reader.size - offset, 0)
        if count is not None and count < left:
            left = count
        if encoder is None and self._stream.zero_copy:
            file = reader.fileno()
            if file is not None:
                sent = self._send_file(file, offset, left)
                offset += sent
                left -= sent
        if left:
            self._send_copied(reader, offset, offset + left, encoder)
        if encoder is not None:
            self._send(memoryview(encoder.finish()))

    def send_chunks(self, chunks: Iterable[bytes], codec: Codec | None) -> None:
        encoder = _encoder(codec)
        room = _FIRST_ROOM
        for chunk in chunks:
            data = memoryview(chunk if encoder is None else encoder.encode(chunk))
            del chunk
            room -= len(data)
            self._send(data)
            del data
            if room <= 0:
                room = self._await_room()  # before the next one is made
        if encoder is not None:
            self._send(memoryview(encoder.finish()))

    def receive(self, writer: Writer, codec: Codec | None) -> None:
        decoder = _decoder(codec)
        while (want := self._store(writer, decoder)) is not None:
            self._wait(want)
        if decoder is not None:
            rest = decoder.finish()
            if rest:
                writer.write(memoryview(rest))

    def finish(self) -> None:
        """The orderly end. Everything was moved by now, so ABOR comes too late to undo it (959-4.1.3-ABOR-DONE)."""
        deadline: float | None = None
        while True:
            try:
                return self._stream.finish()
            except WouldBlock as want:
                now = self._clock()
                if deadline is None:
                    deadline = now + min(self._stall, _FINISH_SECONDS)
                left, descriptor = deadline - now, self._stream.fileno()
                writing = isinstance(want, WantWrite)
                wait = self._watch.ready
                found = wait((), (descriptor,), left) if writing else wait((descriptor,), (), left)
                if left <= 0 or not found:
                    if writing:
                        raise _Ended(Outcome.STALLED) from None
                    # All of ours was sent, its end too; only the peer does not close. Nothing is lost by leaving now.
                    return None

    # -- moving ----------------------------------------------------------------------------------------

    def _send_file(self, file: int, offset: int, left: int) -> int:
        """How many octets were sent: all, or fewer where this file cannot be sent in this way."""
        send_file = self._stream.send_file
        sent = 0
        while sent < left:
            try:
                octets = send_file(file, offset + sent, min(left - sent, _SENDFILE_OCTETS))
            except WouldBlock as want:
                self._wait(want)
                continue
            except OSError as error:
                if error.errno in _NO_SENDFILE:
                    return sent
                if error.errno in _FILE_FAULTS:
                    raise InputOutputError(detail=error.strerror or "reading failed") from error
                raise
            if octets == 0:
                raise InputOutputError(detail="the file became shorter while it was sent")
            sent += octets
            self.octets += octets
            if sent < left:
                self._look()
        return sent

    def _send_copied(self, reader: Reader, offset: int, end: int, encoder: Encoder | None) -> None:
        room = _FIRST_ROOM
        while offset < end:
            offset, want = self._send_some(reader, offset, end, encoder, room)
            if want is not None:
                self._wait(want)
                room = 0

    def _send_some(
        self, reader: Reader, offset: int, end: int, encoder: Encoder | None, room: int
    ) -> tuple[int, WouldBlock | None]:
        """Read and send until the stream would block, or up to *end*. The offset that was reached, and what is wanted.

        The stream takes *room* octets; with 0 it is asked.
        """
        stream, most = self._stream, self._most(encoder, room)
        buffer = self._buffers.take()
        data = memoryview(b"")
        size = 0
        try:
            while offset < end:
                if room <= 0:
                    room = stream.room()
                    most = self._most(encoder, room)
                octets = reader.read_into(buffer[: min(end - offset, room, most)], offset)
                if octets == 0:
                    raise InputOutputError(detail="the file became shorter while it was sent")
                data = buffer[:octets] if encoder is None else memoryview(encoder.encode(buffer[:octets]))
                size = len(data)
                while data:
                    sent = stream.write(data)
                    self.octets += sent
                    data = data[sent:]
                    self._look()
                room -= size
                offset += octets
                if not size:
                    self._look()  # an encoder that skips what the client has already sends nothing for long
        except WouldBlock as want:
            if data:
                if encoder is None:
                    offset += size - len(data)
                else:
                    encoder.again(size - len(data))
            return offset, _alone(want)
        finally:
            self._buffers.give(buffer)
        return offset, None

    def _most(self, encoder: Encoder | None, room: int) -> int:
        """Octets of a file that are sent in one piece."""
        if self.octets < self._fast_at:
            return _SMALL_OCTETS
        # What is encoded may be longer.
        return BUFFER_OCTETS if encoder is None else min(max(room // 2, _SMALL_OCTETS), BUFFER_OCTETS)

    def _store(self, writer: Writer, decoder: Decoder | None) -> WouldBlock | None:
        """Receive and write until the stream would block, and return what it wants; None at the end of the data."""
        read_into = self._stream.read_into
        buffer = self._buffers.take()
        part = buffer if decoder is None else buffer[:_DECODED_MOST]
        try:
            while octets := read_into(part):
                self.octets += octets
                writer.write(part[:octets] if decoder is None else memoryview(decoder.decode(part[:octets])))
                self._look()
        except WouldBlock as want:
            return _alone(want)
        finally:
            self._buffers.give(buffer)
        return None

    def _send(self, data: memoryview) -> None:
        """Send all of *data*."""
        write = self._stream.write
        while data:
            try:
                octets = write(data[:_SMALL_OCTETS] if self.octets < self._fast_at else data)
            except WouldBlock as want:
                self._wait(want)
                continue
            self.octets += octets
            data = data[octets:]
            self._look()

    def _await_room(self) -> int:
        """Wait until the stream takes something; how many octets."""
        while True:
            try:
                return self._stream.room()
            except WouldBlock as want:
                self._wait(want)

    # -- waiting ---------------------------------------------------------------------------------------

    def _wait(self, want: WouldBlock) -> None:
        """Until the stream can go on; the control connection is attended to meanwhile."""
        if isinstance(want, WantTime):
            self._rest(want.seconds)
            return
        reading = isinstance(want, WantRead)
        if reading and self._stream.pending():
            return
        clock, data = self._clock, self._stream.fileno()
        now = clock()
        deadline = now + self._stall
        while True:
            control = self._watch.fileno()
            left = deadline - now
            wait = self._watch.ready
            found = wait((data, control), (), left) if reading else wait((control,), (data,), left)
            if control in found:
                self._attend()
            if data in found:
                now = clock()
                if now > deadline - self._stall + _SLOW_SECONDS:
                    self._fast_at = self.octets + _FAST_OCTETS
                self._look_at = now + _LOOK_SECONDS
                self._look_octets = self.octets + _LOOK_OCTETS
                return
            now = clock()
            if now >= deadline:
                raise _Ended(Outcome.STALLED)

    def _rest(self, seconds: float) -> None:
        """Let *seconds* pass, as a throttle wants; the control connection is attended to meanwhile."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if self._watch.ready((self._watch.fileno(),), (), left):
                self._attend()

    def _look(self) -> None:
        """At the control connection, if it is time to. Does not wait."""
        if self.octets < self._look_octets and self._clock() < self._look_at:
            return
        self._look_at = self._clock() + _LOOK_SECONDS
        self._look_octets = self.octets + _LOOK_OCTETS
        if self._watch.ready((self._watch.fileno(),), (), 0.0):
            self._attend()

    def _attend(self) -> None:
        try:
            if self._watch.attend(self.octets):
                return
        except ControlGone:
            raise _Ended(Outcome.CONTROL_LOST) from None
        raise _Ended(Outcome.ABORTED)


def _alone(want: WouldBlock) -> WouldBlock:
    """*want* without the frames that it came through: they hold a buffer that may be another's by now."""
    want.__traceback__ = want.__context__ = None
    return want


def _encoder(codec: Codec | None) -> Encoder | None:
    if codec is None or isinstance(codec, Encoder):
        return codec
    raise TypeError("what is sent needs an encoder")


def _decoder(codec: Codec | None) -> Decoder | None:
    if codec is None or isinstance(codec, Decoder):
        return codec
    raise TypeError("what is received needs a decoder")
