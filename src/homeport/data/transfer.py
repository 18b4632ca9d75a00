"""One transfer: a Plan, a Stream and a Watch in, a Result out (the server-DTP of RFC 959 §2.3).

Octets move for as long as nothing blocks, without a poll; a small file costs one sendfile. Wherever it would block, the
thread waits for the data socket and the control socket together, at most `stall` seconds for the data. A peer so fast
that nothing ever blocks must not make us deaf, so the control connection is also looked at in between.

Buffers grow with the speed: a transfer that crawls keeps 32 KiB, one that runs gets 256 KiB.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

from homeport.storage.base import InputOutputError, Reader, StorageError, Writer

from .stream import Stream, WantRead, WantWrite, WouldBlock
from .throttle import WantTime
from .watch import ControlGone, Watch

_SMALL_BUFFER = 32 * 1024
_LARGE_BUFFER = 256 * 1024
_FULL_BUFFERS = 4
"""So many full small buffers in a row, and a large one is worth its memory."""
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


@runtime_checkable
class Encoder(Protocol):
    """From the octets of a file to those of the transfer. It may hold some back between chunks."""

    def encode(self, chunk: bytes | memoryview) -> bytes: ...

    def finish(self) -> bytes:
        """What was held back."""


@runtime_checkable
class Decoder(Protocol):
    """From the octets of the transfer to those of a file."""

    def decode(self, chunk: bytes | memoryview) -> bytes: ...

    def finish(self) -> bytes:
        """What was held back."""


Codec = Encoder | Decoder


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
) -> Result:
    """Carry out *plan*. The stream is closed afterwards whatever happens: in order if complete, else by a reset.

    *show* is called at the start, with what other threads may look at meanwhile.

    A writer is neither committed nor aborted. Raises only what is a fault in the program: ValueError for a plan that
    has none or several of reader, chunks and writer.
    """
    if (plan.reader is None) + (plan.chunks is None) + (plan.writer is None) != 2:
        stream.abort()
        raise ValueError("a plan has exactly one of reader, chunks and writer")
    started = clock()
    pump = _Pump(stream, watch, plan.stall, clock, started)
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
    except OSError as error:
        return Result(Outcome.LOST, pump.octets, clock() - started, error)
    finally:
        stream.abort()
    return Result(Outcome.COMPLETE, pump.octets, clock() - started)


class _Pump:
    """One transfer under way. Its methods raise _Ended, StorageError, or OSError from the stream."""

    __slots__ = ("_clock", "_look_at", "_look_octets", "_stall", "_stream", "_watch", "octets")

    def __init__(self, stream: Stream, watch: Watch, stall: float, clock: Callable[[], float], now: float) -> None:
        self._stream = stream
        self._watch = watch
        self._stall = stall
        self._clock = clock
        self._look_at = now + _LOOK_SECONDS
        self._look_octets = _LOOK_OCTETS
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
        buffer = memoryview(bytearray(min(left, _SMALL_BUFFER)))
        full = 0
        while left:
            octets = reader.read_into(buffer[:left], offset)
            if octets == 0:
                raise InputOutputError(detail="the file became shorter while it was sent")
            offset += octets
            left -= octets
            self._send(buffer[:octets] if encoder is None else memoryview(encoder.encode(buffer[:octets])))
            self._look()  # an encoder that skips what the client has already sends nothing for long
            full += 1
            if full == _FULL_BUFFERS and left > _SMALL_BUFFER:
                buffer = memoryview(bytearray(min(left, _LARGE_BUFFER)))
        if encoder is not None:
            self._send(memoryview(encoder.finish()))

    def send_chunks(self, chunks: Iterable[bytes], codec: Codec | None) -> None:
        encoder = _encoder(codec)
        for chunk in chunks:
            self._send(memoryview(chunk if encoder is None else encoder.encode(chunk)))
        if encoder is not None:
            self._send(memoryview(encoder.finish()))

    def receive(self, writer: Writer, codec: Codec | None) -> None:
        decoder = _decoder(codec)
        read_into = self._stream.read_into
        buffer = memoryview(bytearray(_SMALL_BUFFER))
        full = 0
        while True:
            try:
                octets = read_into(buffer)
            except WouldBlock as want:
                self._wait(want)
                continue
            if octets == 0:
                break
            self.octets += octets
            writer.write(buffer[:octets] if decoder is None else memoryview(decoder.decode(buffer[:octets])))
            if octets == len(buffer):
                full += 1
                if full == _FULL_BUFFERS:
                    buffer = memoryview(bytearray(_LARGE_BUFFER))
            elif full < _FULL_BUFFERS:
                full = 0
            self._look()
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

    def _send(self, data: memoryview) -> None:
        """Send all of *data*."""
        write = self._stream.write
        while data:
            try:
                octets = write(data)
            except WouldBlock as want:
                self._wait(want)
                continue
            self.octets += octets
            data = data[octets:]
            self._look()

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
                self._look_at = clock() + _LOOK_SECONDS
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


def _encoder(codec: Codec | None) -> Encoder | None:
    if codec is None or isinstance(codec, Encoder):
        return codec
    raise TypeError("what is sent needs an encoder")


def _decoder(codec: Codec | None) -> Decoder | None:
    if codec is None or isinstance(codec, Decoder):
        return codec
    raise TypeError("what is received needs a decoder")
