"""Line: from a worker to its supervisor. What must be right for all workers together is asked there.

Two pairs of sockets come with a worker, so that neither side can wait for the other in a circle: over this one the
worker asks and tells, and only it waits. Over the other (`worker.py`) the supervisor gives orders and never waits. The
limits and the throttle below look like those of `accounts/limits.py`: a word when a session ends, a question at a
login while logins have failed lately (`blackboard.py`), none for each command or transfer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from homeport.accounts.limits import Full
from homeport.events.types import Event

from .blackboard import Blackboard
from .packets import Packets, PacketTooLong

_log = logging.getLogger("homeport.server")


class SupervisorGone(Exception):
    """Nobody answers any more, so nothing can be decided. The worker is about to end."""


class Line:
    """May be used from any thread."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets
        self._asking = threading.Lock()

    def tell(self, message: object) -> None:
        """Send *message*, to which there is no answer."""
        try:
            self._packets.send(message)
        except PacketTooLong:
            raise
        except OSError as error:
            _log.debug("the supervisor is gone: %s", error)

    def ask(self, message: object) -> object:
        """The answer to *message*. Raises SupervisorGone."""
        try:
            with self._asking:
                self._packets.send(message)
                return self._packets.receive()[0]
        except (OSError, EOFError) as error:
            raise SupervisorGone("the supervisor does not answer") from error

    def close(self) -> None:
        self._packets.close()


class RemotePlaces:
    """The sessions of all workers are counted by the supervisor: who is handed in here has been counted."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def take(self, address: str) -> Full | None:  # noqa: ARG002 - the signature of `Places`
        return None

    def release(self, address: str) -> None:
        self._line.tell(("release", address))

    def move(self, old: str, new: str) -> Full | None:
        answer = self._line.ask(("move", old, new))
        return answer if isinstance(answer, Full) else None


class RemoteThrottle:
    """Failed logins count for all workers. Where there are none, nobody is asked."""

    __slots__ = ("_blackboard", "_line")

    def __init__(self, line: Line, blackboard: Blackboard) -> None:
        self._line = line
        self._blackboard = blackboard

    def delay(self, address: str) -> float | None:
        if not self._blackboard.failures:
            return 0.0
        answer = self._line.ask(("delay", address))
        return float(answer) if isinstance(answer, int | float) else None

    def failed(self, address: str, name: str) -> float:
        # It is waited for, so that no login after this one's reply finds the throttle as it was.
        answer = self._line.ask(("failed", address, name))
        return float(answer) if isinstance(answer, int | float) else 0.0

    def succeeded(self, address: str, name: str) -> None:
        if self._blackboard.failures:
            self._line.tell(("succeeded", address, name))


class Numbers(Iterator[int]):
    """The numbers of sessions, which the supervisor gives: each is set before its connection is admitted."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next = 0

    def __next__(self) -> int:
        return self.next


class Relay:
    """A subscriber of the bus and a handler of log records, whose hearers are where the supervisor is."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets

    def __call__(self, event: Event) -> None:
        self._send(event)

    def record(self, record: logging.LogRecord) -> None:
        """Send *record*, as text."""
        self._send(record)

    def _send(self, news: object) -> None:
        try:
            self._packets.send(news)
        except PacketTooLong as error:
            # A trace without end, at most; what happened stands in the log files of this process.
            _log.debug("an event was too long to be told: %s", error)
        except OSError:
            pass  # the supervisor is gone, and so is everybody who wanted to hear


class RelayHandler(logging.Handler):
    """Log records of a worker, on their way to the handlers of the supervisor's process."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        fresh = logging.makeLogRecord(record.__dict__)
        if error is not None:
            # A trace cannot travel, its text can; who wants one line finds the error in it.
            text = f"{text}: {type(error).__name__}: {error}"
            fresh.exc_text = logging.Formatter().formatException(record.exc_info)  # type: ignore[arg-type]  # it is set
        fresh.msg, fresh.args, fresh.exc_info = text, None, None
        self._relay.record(fresh)
