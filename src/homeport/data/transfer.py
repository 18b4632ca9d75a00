"""One transfer: a Plan, a Stream and a Watch in, a Result out (the server-DTP of RFC 959 §2.3).

Octets move for as long as nothing blocks, without a poll; a small file costs one read and one send. Wherever it would
block, the data socket and the control socket are waited for together, at most `stall` seconds for the data. A peer so
fast that nothing ever blocks must not make us deaf, so the control connection is also looked at in between.

Who waits depends on the client. One that is fast, and has moved much again since the last wait, is worth a thread: that
waits, for a moment, and goes on. For all others the transfer is suspended: `advance` returns, all that is
to be known later is kept in the Transfer, and whoever called it sees to it that it is called again.

Memory is for moving, and none is kept while we wait (`buffers.py`). What was received has been written by then. What is
sent is read only when the socket has room for it; should it take less than expected, the rest is read once more.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Final

from homeport.storage.base import InputOutputError, Reader, StorageError, Writer

from .buffers import Buffers
from .codec import Codec, Decoder, Encoder
from .plan import Outcome, Plan, Result
from .readiness import ready
from .stream import Stream, WantRead, WantTime, WantWrite, WouldBlock
from .watch import ControlGone, Watch

_SMALL_OCTETS: Final = 32 * 1024
"""Of a piece that is sent while nothing is known of the client or it is slow: codecs and TLS make new octets of it."""
LARGE_OCTETS: Final = 256 * 1024
"""Of a piece that is sent to one that is fast."""
_FAST_OCTETS: Final = 1024 * 1024
_SLOW_SECONDS: Final = 0.1
"""A client is fast that has taken so much and never let us wait for so long. A slow one's socket buffer takes less."""
_MOVING_OCTETS: Final = 64 * 1024
"""A thread waits for a client that is fast, and has moved so much since it was waited for last."""
_DECODED_MOST: Final = 128 * 1024
"""What a decoder is given at once."""
_FIRST_ROOM: Final = 64 * 1024
"""A new connection takes so much, as a rule: its stream is not asked."""
_SENDFILE_OCTETS: Final = 8 * 1024 * 1024
"""Most that one sendfile is asked for."""
_LOOK_OCTETS: Final = 64 * 1024 * 1024
_LOOK_SECONDS: Final = 1.0
"""A transfer that never blocks looks at the control connection this often, whichever comes first."""
_FINISH_SECONDS: Final = 5.0
"""How long a peer may take to close after our end of data, where that is waited for at all."""
_NEVER: Final = 1 << 60
"""Octets."""
_NOTHING: Final = memoryview(b"")

_NO_SENDFILE = frozenset(
    getattr(errno, name) for name in ("EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOTSOCK") if hasattr(errno, name)
)
"""This kind of file has no sendfile; it can be read."""
_FILE_FAULTS = frozenset({errno.EIO, errno.EBADF, errno.EOVERFLOW, errno.ENOMEM})
"""What sendfile reports of the file and not of the connection."""


class _Ended(Exception):
    """The transfer ends here, and not at its end."""

    def __init__(self, outcome: Outcome, error: Exception | None = None) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.error = error


class Transfer:
    """One transfer under way. The stream is closed at its end, whatever that is: in order if complete, else by a reset.

    A writer is neither committed nor aborted. All methods belong to one thread at a time.
    """

    __slots__ = (
        "_buffers", "_chunks", "_clock", "_data", "_decoder", "_encoder", "_fast_at", "_file", "_left", "_look_at",
        "_look_octets", "_moving_at", "_offset", "_reader", "_room", "_since", "_stall", "_started", "_stream",
        "_suspended", "_tail", "_watch", "_writer", "deadline", "octets", "untold", "writing",
    )  # fmt: skip

    def __init__(self, plan: Plan, stream: Stream, watch: Watch, clock: Callable[[], float], buffers: Buffers) -> None:
        """Nothing is moved yet. Raises only what is a fault in the program, and the stream is closed then: ValueError
        for a plan that has none or several of reader, chunks and writer, TypeError for a codec of the wrong direction.
        """
        reader, chunks, writer, codec = plan.reader, plan.chunks, plan.writer, plan.codec
        self._buffers = buffers
        self._stream = stream
        self._watch = watch
        self._clock = clock
        self._stall = plan.stall
        self._reader = reader
        self._writer = writer
        self._chunks: Iterator[bytes] | None = None
        self._encoder: Encoder | None = None
        self._decoder: Decoder | None = None
        self._file = -1  # a descriptor that can be sent without copying
        self._offset = plan.offset
        self._left = plan.length  # octets of the file, from the offset on
        self._room = _FIRST_ROOM
        self._data = _NOTHING  # what was made to be sent, and is not yet
        self._tail = False  # whether what the codec had held back has been taken from it
        self._started = self._since = now = clock()
        self._look_at = now + _LOOK_SECONDS
        self._look_octets = _LOOK_OCTETS
        self._fast_at = _FAST_OCTETS
        self._moving_at = _NEVER
        self._suspended = False
        self.octets = 0
        self.untold = False
        """Whether a client that is to send was not told yet that it may. It is at the first wait (`Watch.fileno`),
        and before that nothing is looked for.
        """
        self.writing = False
        """While it is suspended: whether the stream waits to be written, and not to be read."""
        self.deadline = 0.0
        """And when it has stalled."""
        if codec is not None:
            self._set_codec(codec, sending=writer is None)
        if reader is not None:
            if codec is None and stream.zero_copy:
                file = reader.fileno()
                if file is not None:
                    self._file = file
        elif chunks is not None:
            self._chunks = iter(chunks)
        if (reader is None) + (chunks is None) + (writer is None) != 2:
            stream.abort()
            raise ValueError("a plan has exactly one of reader, chunks and writer")

    def _set_codec(self, codec: Codec, *, sending: bool) -> None:
        if sending and isinstance(codec, Encoder):
            self._encoder = codec
        elif not sending and isinstance(codec, Decoder):
            self._decoder = codec
        else:
            self._stream.abort()
            raise TypeError("what is sent needs an encoder, what is received a decoder")

    # -- for who carries it out ----------------------------------------------------------------------------

    def advance(self, *, patient: bool = False) -> Result | None:
        """Go on, first of all or because the stream can. How it went, when it is over.

        None: it is suspended. Call this again when the stream can be read (or, where `writing`, be written), `attend`
        when the control connection has input, and `expire` at the `deadline`. *patient* ones are not suspended.
        """
        if self._suspended:
            self._suspended = False
            self._stirred()
        over = True
        try:
            while True:
                if self._reader is not None:
                    want = self._send_reader(self._reader)
                elif self._writer is not None:
                    if self.untold:
                        self.untold = False
                        if not self._can_move(patient=patient):
                            over, self._suspended = False, True
                            return None
                    want = self._receive(self._writer)
                else:
                    want = self._send_chunks()
                if want is None:
                    break
                if not self._can_go_on(want, patient=patient):
                    over, self._suspended = False, True
                    return None
            # In order. Everything was moved by now, so ABOR comes too late to undo it (959-4.1.3-ABOR-DONE).
            try:
                self._stream.finish()
            except WouldBlock as wanted:
                self._await_end(writing=isinstance(wanted, WantWrite))
        except _Ended as end:
            return self._result(end.outcome, end.error)
        except StorageError as error:
            return self._result(Outcome.STORAGE_FAILED, error)
        except OSError as broken:
            return self._result(Outcome.LOST, broken)
        finally:
            if over:
                self._stream.abort()
        return Result(Outcome.COMPLETE, self.octets, self._clock() - self._started)

    def attend(self) -> Result | None:
        """While it is suspended the control connection has input: how the transfer went, if that ends it."""
        try:
            self._attend()
        except _Ended as end:
            self._stream.abort()
            return self._result(end.outcome, end.error)
        if self._watch.fileno() < 0:
            # From a client that has left, but wants to have its transfer, nothing more can come: this thread stays.
            return self.advance(patient=True)
        # Who talks on and on is heard first each time: that neither keeps his octets waiting nor wins him any time.
        data = (self._stream.fileno(),)
        if ready((), data, 0.0) if self.writing else ready(data, (), 0.0):
            return self.advance()
        return self.expire() if self._clock() >= self.deadline else None

    def expire(self) -> Result:
        """It is suspended, and its deadline has passed."""
        self._stream.abort()
        return self._result(Outcome.STALLED)

    def abort(self) -> None:
        """Nobody will go on with it. Does nothing when it is over."""
        self._stream.abort()

    def fileno(self) -> int:
        """The data connection's descriptor."""
        return self._stream.fileno()

    def _result(self, outcome: Outcome, error: Exception | None = None) -> Result:
        return Result(outcome, self.octets, self._clock() - self._started, error)

    # -- the three kinds ---------------------------------------------------------------------------
    # Each goes on where it was, and returns what the stream wants, or None when all was moved.

    def _send_reader(self, reader: Reader) -> WouldBlock | None:
        if self._file >= 0:
            want = self._send_file()
            if want is not None:
                return want
        if self._left:
            want = self._send_copied(reader)
            if want is not None:
                return want
        return None if self._encoder is None else self._send_tail()

    def _send_chunks(self) -> WouldBlock | None:
        encoder, chunks = self._encoder, self._chunks
        if chunks is None:
            return None
        while (want := self._send()) is None:
            if self._tail:
                return None
            if self._room <= 0:  # before the next one is made
                try:
                    self._room = self._stream.room()
                except WouldBlock as wanted:
                    return _alone(wanted)
            chunk = next(chunks, None)
            if chunk is None:
                return self._send_tail()
            self._data = memoryview(chunk if encoder is None else encoder.encode(chunk))
            self._room -= len(self._data)
        return want

    def _send_tail(self) -> WouldBlock | None:
        if not self._tail:
            self._tail = True
            if self._encoder is not None:
                self._data = memoryview(self._encoder.finish())
        return self._send()

    def _receive(self, writer: Writer) -> WouldBlock | None:
        decoder = self._decoder
        want = self._store(writer, decoder)
        if want is None and self.octets >= _MOVING_OCTETS:
            # A client that gives up, or dies, ends its data, too. What it said on the control connection, or that this
            # has come to its end, was there before: so half a file is not taken for a whole one.
            self._look_octets = 0
            self._look()
        if want is None and decoder is not None:
            rest = decoder.finish()
            if rest:
                writer.write(memoryview(rest))
        return want

    def _await_end(self, *, writing: bool) -> None:
        """The end takes time. Hardly any does, and none takes long: this thread stays with it."""
        deadline = self._clock() + min(self._stall, _FINISH_SECONDS)
        while True:
            left, descriptor = deadline - self._clock(), self._stream.fileno()
            wait = self._watch.ready
            found = wait((), (descriptor,), left) if writing else wait((descriptor,), (), left)
            if left <= 0 or not found:
                if writing:
                    raise _Ended(Outcome.STALLED)
                # All of ours was sent, its end too; only the peer does not close. Nothing is lost by leaving now.
                return
            try:
                self._stream.finish()
            except WouldBlock as want:
                writing = isinstance(want, WantWrite)
            else:
                return

    # -- moving ----------------------------------------------------------------------------------------

    def _send_file(self) -> WouldBlock | None:
        """Send what is left of the file. It may be that this file cannot be sent in this way: then some is left."""
        stream, file = self._stream, self._file
        while self._left:
            try:
                octets = stream.send_file(file, self._offset, min(self._left, _SENDFILE_OCTETS))
            except WouldBlock as want:
                return _alone(want)
            except OSError as error:
                if error.errno in _NO_SENDFILE:
                    self._file = -1
                    return None
                if error.errno in _FILE_FAULTS:
                    raise InputOutputError(detail=error.strerror or "reading failed") from error
                raise
            if octets == 0:
                raise InputOutputError(detail="the file became shorter while it was sent")
            self._offset += octets
            self._left -= octets
            self.octets += octets
            if self._left:
                self._look()
        return None

    def _send_copied(self, reader: Reader) -> WouldBlock | None:
        """Read and send what is left."""
        stream, encoder = self._stream, self._encoder
        # Of the first octets it is known that they find room. After a wait the stream is asked.
        room, self._room = self._room, 0
        most = self._most(encoder, room)
        buffer = self._buffers.take()
        data = _NOTHING
        size = 0
        try:
            while self._left:
                if room <= 0:
                    room = stream.room()
                    most = self._most(encoder, room)
                octets = reader.read_into(buffer[: min(self._left, room, most)], self._offset)
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
                self._offset += octets
                self._left -= octets
                if not size:
                    self._look()  # an encoder that skips what the client has already sends nothing for long
        except WouldBlock as want:
            if data:
                if encoder is None:
                    self._offset += size - len(data)
                    self._left -= size - len(data)
                else:
                    encoder.again(size - len(data))
            return _alone(want)
        finally:
            self._buffers.give(buffer)
        return None

    def _most(self, encoder: Encoder | None, room: int) -> int:
        """Octets of a file that are sent in one piece."""
        if self.octets < self._fast_at:
            return _SMALL_OCTETS
        # What is encoded may be longer.
        return LARGE_OCTETS if encoder is None else min(max(room // 2, _SMALL_OCTETS), LARGE_OCTETS)

    def _store(self, writer: Writer, decoder: Decoder | None) -> WouldBlock | None:
        """Receive and write until the stream would block, and return what it wants; None at the end of the data."""
        stream = self._stream
        buffer = self._buffers.take()
        part = buffer if decoder is None else buffer[:_DECODED_MOST]
        try:
            while octets := stream.read_into(part):
                self.octets += octets
                writer.write(part[:octets] if decoder is None else memoryview(decoder.decode(part[:octets])))
                self._look()
        except WouldBlock as want:
            return _alone(want)
        finally:
            self._buffers.give(buffer)
        return None

    def _send(self) -> WouldBlock | None:
        """Send all that was made."""
        while self._data:
            try:
                octets = self._stream.write(self._data[:_SMALL_OCTETS] if self.octets < self._fast_at else self._data)
            except WouldBlock as want:
                return _alone(want)
            self.octets += octets
            self._data = self._data[octets:]
            self._look()
        self._data = _NOTHING
        return None

    # -- waiting ---------------------------------------------------------------------------------------

    def _can_go_on(self, want: WouldBlock, *, patient: bool) -> bool:
        """Wait until the stream can go on; False if that is not for this thread to do."""
        if isinstance(want, WantTime):
            self._rest(want.seconds)
            return True
        self.writing = not isinstance(want, WantRead)
        return self._can_move(patient=patient)

    def _can_move(self, *, patient: bool) -> bool:
        """Wait until octets can be read, or be written where `writing`; False if that is not for this thread to do."""
        if not self.writing and self._stream.pending():
            return True
        self._since = now = self._clock()
        self.deadline = deadline = now + self._stall
        if patient:
            return self._wait(now, deadline)
        return self._wait(now, min(now + _SLOW_SECONDS, deadline) if self.octets >= self._moving_at else now)

    def _wait(self, now: float, until: float) -> bool:
        """Until the stream can go on, or *until* then; the control connection is attended to meanwhile."""
        clock, data, writing = self._clock, self._stream.fileno(), self.writing
        while True:
            control = self._watch.fileno()
            if control < 0:
                until = self.deadline  # nobody else could wait for a session without a control connection
            elif until <= now < self.deadline:
                return False
            left = until - now
            wait = self._watch.ready
            found = wait((control,), (data,), left) if writing else wait((data, control), (), left)
            if control in found:
                self._attend()
            if data in found:
                self._stirred()
                return True
            now = clock()
            if now >= self.deadline:
                raise _Ended(Outcome.STALLED)

    def _stirred(self) -> None:
        """The stream can go on."""
        now = self._clock()
        if now > self._since + _SLOW_SECONDS:
            self._fast_at = self.octets + _FAST_OCTETS
            self._moving_at = _NEVER
        else:
            self._moving_at = max(self.octets + _MOVING_OCTETS, self._fast_at)
        self._look_at = now + _LOOK_SECONDS
        self._look_octets = self.octets + _LOOK_OCTETS

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
    """*want* without the frames that it came through: they hold a buffer that may be another's by now, and the transfer
    itself longer than it lasts.
    """
    want.__traceback__ = want.__context__ = None
    return want
