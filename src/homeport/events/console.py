"""Console: one line per event for a person at a terminal.

    14:03:07  192.0.2.7 #3             connected
    14:03:07  bob@192.0.2.7 #3         logged in
    14:03:08  bob@192.0.2.7 #3         downloaded  /photos/a.jpg  3.20 MB in 0.31 s, 10.3 MB/s
    14:03:09  bob@192.0.2.7 #3         upload failed  /b.iso  after 512 kB in 3.10 s: the client aborted

Below a data connection that failed stands why, and how it is mended.

`sentence` is the pure half: an event's words. The Console adds the time, who it was, colour where the stream is a
terminal, and the date when it changes. Whatever comes from a client goes through `text.visible`.
"""

from __future__ import annotations

import logging
import os
import textwrap
import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import TextIO

from .text import duration, endpoint, ranges, rate, size, visible
from .types import (
    Change,
    CloseReason,
    CommandAnswered,
    ControlConnectionsCut,
    DataConnectionFailed,
    Direction,
    Event,
    ExternalAddressChanged,
    Failed,
    HandshakeFailed,
    LoggedIn,
    LoginFailed,
    PartialsRemoved,
    PassivePortUnused,
    RouterMapped,
    ServerStarted,
    ServerStopped,
    ServerStopping,
    SessionClosed,
    SessionOpened,
    SessionProtected,
    SessionRefused,
    StrangerRefused,
    TransferEnded,
    TreeChanged,
    Warned,
)

WHO_WIDTH = 24
"""Columns kept for who it was. A longer one is written whole and moves its own line only."""
ADVICE_WIDTH = 100
"""Columns of the text below a line."""
_ADVICE_MARGIN = len("14:03:07  ")

_log = logging.getLogger("homeport.events")


class Tone(Enum):
    """What kind of news a line is; the value is its colour as an SGR parameter (ECMA-48 §8.3.117)."""

    PLAIN = ""
    QUIET = "2"
    GOOD = "32"
    WARNING = "33"
    BAD = "31"


@dataclass(frozen=True, slots=True)
class Sentence:
    """An event in words, on one line."""

    text: str
    tone: Tone = Tone.PLAIN
    session: int | None = None
    address: str | None = None
    user: str | None = None


_DONE = {Direction.DOWNLOAD: "downloaded", Direction.UPLOAD: "uploaded", Direction.LISTING: "listed"}
_NOT_DONE = {
    Direction.DOWNLOAD: "download failed",
    Direction.UPLOAD: "upload failed",
    Direction.LISTING: "listing failed",
}
_CHANGES = {
    Change.DELETED: "deleted",
    Change.RENAMED: "renamed",
    Change.DIRECTORY_MADE: "made directory",
    Change.DIRECTORY_REMOVED: "removed directory",
    Change.TIME_SET: "set time of",
    Change.MODE_SET: "set mode of",
}
_Advised = DataConnectionFailed | PassivePortUnused | ControlConnectionsCut
_EXPECTED_ENDS = frozenset({CloseReason.QUIT, CloseReason.CLIENT, CloseReason.IDLE, CloseReason.SHUTDOWN})


def sentence(event: Event) -> Sentence:
    """What *event* says, without the time and without control characters."""
    match event:
        case TransferEnded():
            return _transfer(event)
        case TreeChanged(session=session, user=user):
            return Sentence(_change(event), Tone.PLAIN, session, None, user)
        case CommandAnswered(session=session, line=line, code=code, text=text):
            return Sentence(f"{visible(line)}  ->  {code} {visible(text)}", Tone.QUIET, session)
        case DataConnectionFailed(session=session, peer=peer, user=user):
            return Sentence(_no_connection(event), Tone.BAD, session, peer[0], user)
        case ControlConnectionsCut(session=session, peer=peer, user=user, verb=verb, cause=cause):
            return Sentence(f"cut after {verb}: {visible(cause)}", Tone.BAD, session, peer[0], user)
        case PassivePortUnused(session=session, peer=peer, user=user, diagnosis=diagnosis):
            return Sentence(_unused(event), Tone.BAD if diagnosis else Tone.QUIET, session, peer[0], user)
        case Failed(session=session, id=identity, text=text):
            return Sentence(f"internal error {visible(identity)}: {visible(text)}", Tone.BAD, session)
        case _:
            return _arrival(event) or _server(event) or Sentence(type(event).__name__, Tone.QUIET)


def _arrival(event: Event) -> Sentence | None:
    match event:
        case SessionOpened(session=session, peer=peer):
            return Sentence("connected", Tone.QUIET, session, peer[0])
        case SessionProtected(session=session, peer=peer, description=description, server_name=name):
            called = f" as {visible(name)}" if name is not None else ""
            return Sentence(f"encrypted{called}: {description}", Tone.QUIET, session, peer[0])
        case HandshakeFailed(session=session, peer=peer, reason=reason):
            return Sentence(f"TLS handshake failed: {visible(reason)}", Tone.WARNING, session, peer[0])
        case LoggedIn(session=session, peer=peer, user=user, anonymous=anonymous):
            return Sentence("logged in as a guest" if anonymous else "logged in", Tone.PLAIN, session, peer[0], user)
        case SessionClosed(session=session, peer=peer, user=user, reason=reason, seconds=seconds):
            tone = Tone.QUIET if reason in _EXPECTED_ENDS else Tone.WARNING
            return Sentence(f"gone after {duration(seconds)}: {reason.value}", tone, session, peer[0], user)
        case LoginFailed(session=session, peer=peer, user=user, reason=reason):
            return Sentence(f"login failed: {visible(reason)}", Tone.BAD, session, peer[0], user)
        case SessionRefused(peer=peer, reason=reason):
            return Sentence(f"refused: {visible(reason)}", Tone.WARNING, None, peer[0])
        case StrangerRefused(peer=peer, port=port):
            return Sentence(f"closed an unexpected connection to passive port {port}", Tone.WARNING, None, peer[0])
        case _:
            return None


def _server(event: Event) -> Sentence | None:
    match event:
        case Warned(text=text):
            return Sentence(visible(text), Tone.WARNING)
        case ExternalAddressChanged(address=address, origin=origin):
            if address is None:
                return Sentence("the external address is not known any more", Tone.WARNING)
            return Sentence(f"the external address is {address} ({visible(origin)})", Tone.GOOD)
        case RouterMapped():
            return Sentence(_mapped(event), Tone.GOOD)
        case PartialsRemoved(directory=directory, files=files, octets=octets, days=days):
            what = f"{files} kept {'upload' if files == 1 else 'uploads'}, {size(octets)}, older than {days} days"
            return Sentence(f"removed {what}, from {visible(directory)}", Tone.QUIET)
        case ServerStarted():
            return Sentence(_started(event), Tone.GOOD)
        case ServerStopping(sessions=sessions):
            return Sentence(f"stopping; {sessions} connected" if sessions else "stopping", Tone.QUIET)
        case ServerStopped():
            return Sentence("stopped", Tone.QUIET)
        case _:
            return None


def _transfer(event: TransferEnded) -> Sentence:
    took = f"{size(event.octets)} in {duration(event.seconds)}"
    if event.error is not None:
        text = f"{_NOT_DONE[event.direction]}  {visible(event.path)}  after {took}: {visible(event.error)}"
        return Sentence(text, Tone.BAD, event.session, event.peer[0], event.user)
    speed = rate(event.octets, event.seconds)
    done = "appended to" if event.appended else _DONE[event.direction]
    text = f"{done}  {visible(event.path)}  {took}{f', {speed}' if speed else ''}"
    tone = Tone.QUIET if event.direction is Direction.LISTING else Tone.GOOD
    return Sentence(text, tone, event.session, event.peer[0], event.user)


def _change(event: TreeChanged) -> str:
    to = f"  to  {visible(event.target)}" if event.target is not None else ""
    return f"{_CHANGES[event.change]}  {visible(event.path)}{to}"


def _no_connection(event: DataConnectionFailed) -> str:
    kind = "passive, announced" if event.passive else "active, to"
    return f"no data connection ({kind} {visible(endpoint(*event.target))}): {visible(event.cause)}"


def _unused(event: PassivePortUnused) -> str:
    announced = visible(endpoint(*event.target))
    if event.diagnosis:
        return f"no data connection (passive, announced {announced}): {visible(event.cause)}"
    return f"passive port {announced} was asked for and not used, for {duration(event.seconds)}"


def _mapped(event: RouterMapped) -> str:
    same = ranges(inside for inside, outside in event.ports if inside == outside)
    others = [f"{inside} as {outside}" for inside, outside in event.ports if inside != outside]
    what = "lets through" if event.family == 6 else "forwards"
    return f"the router {event.gateway} {what} {', '.join([*([same] if same else []), *others])} ({event.protocol})"


def _started(event: ServerStarted) -> str:
    listening = ", ".join(endpoint(*address) for address in event.addresses)
    passive = f"; passive ports {ranges(event.passive_ports)}" if event.passive_ports else ""
    return f"serving on {listening}{passive}"


def wants_colour(stream: TextIO) -> bool:
    """Whether *stream* is a terminal that shows colours and nobody asked for none (NO_COLOR, TERM=dumb)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


class Console:
    """A subscriber of the bus that writes each event to *stream* as one line, in one write.

    When the stream fails, because the terminal is gone, that is logged once and the Console falls silent.
    """

    def __init__(self, stream: TextIO, *, colour: bool | None = None, traces: bool = False) -> None:
        """*colour* None: as `wants_colour` says. *traces*: the trace of a Failed follows its line."""
        self._stream = stream
        self._colour = wants_colour(stream) if colour is None else colour
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._lock = threading.Lock()
        self._day: tuple[int, int, int] | None = None
        self._traces = traces
        self._silent = False
        # Some events name the session only; these are the address and the user of those that are open.
        self._addresses: dict[int, str] = {}
        self._users: dict[int, str] = {}
        # What open sessions were told once is not repeated every time that a client tries again.
        self._advised: set[tuple[int, str]] = set()

    def __call__(self, event: Event) -> None:
        said = sentence(event)
        with self._lock:
            if self._silent:
                return
            match event:
                case SessionOpened(session=session, peer=peer):
                    self._addresses[session] = peer[0]
                case LoggedIn(session=session, user=user):
                    self._users[session] = user
                case SessionClosed(session=session):
                    self._addresses.pop(session, None)
                    self._users.pop(session, None)
                    self._advised = {one for one in self._advised if one[0] != session}
            self._write(self._line(event.at, said))
            if isinstance(event, _Advised) and event.advice:
                self._advise(event)
            if self._traces and isinstance(event, Failed):
                self._write("".join(f"    {visible(line)}\n" for line in event.trace.splitlines()))

    def _advise(self, event: _Advised) -> None:
        """Why it failed and what to do, below its line; once for each cause in a session."""
        if (event.session, event.diagnosis) in self._advised:
            return
        self._advised.add((event.session, event.diagnosis))
        margin = " " * _ADVICE_MARGIN
        for line in textwrap.wrap(visible(event.advice), ADVICE_WIDTH, break_long_words=False, break_on_hyphens=False):
            self._write(f"{margin}{line}\n")

    def _line(self, at: float, said: Sentence) -> str:
        moment = time.localtime(at)
        clock = time.strftime("%H:%M:%S", moment)
        who = self._who(said)
        day = moment[:3]
        date = time.strftime("%A, %Y-%m-%d\n", moment) if self._day not in (None, day) else ""
        self._day = day
        if not self._colour:
            return f"{date}{clock}  {who}{said.text}\n"
        text = f"\x1b[{said.tone.value}m{said.text}\x1b[0m" if said.tone.value else said.text
        return f"{date}\x1b[2m{clock}\x1b[0m  {who}{text}\n"

    def _who(self, said: Sentence) -> str:
        if said.session is None:
            if said.address is None:
                return ""
            return f"{said.address:<{WHO_WIDTH}}  "
        address = said.address or self._addresses.get(said.session, "?")
        user = said.user if said.user is not None else self._users.get(said.session)
        who = f"{visible(user)}@{address} #{said.session}" if user else f"{address} #{said.session}"
        return f"{who:<{WHO_WIDTH}}  "

    def _write(self, line: str) -> None:
        # A terminal that is not UTF-8 shows the characters that it lacks as escapes.
        line = line.encode(self._encoding, "backslashreplace").decode(self._encoding)
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            _log.exception("the console cannot be written; it stays silent from now on")
            self._silent = True
