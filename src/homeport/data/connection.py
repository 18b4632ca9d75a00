"""Why a data connection did not come about: Cause, and the error that carries it."""

from __future__ import annotations

from enum import Enum

from .watch import ControlGone, Watch


class Cause(Enum):
    """The value is a few words for people."""

    NOTHING_ARRIVED = "nothing arrived"
    """Passive: nobody connected to the port in time."""
    STRANGER_ONLY = "only strangers came"
    """Passive: somebody connected, but from another address than the client's."""
    REFUSED = "refused"
    """Active: the client's port is closed."""
    TIMED_OUT = "timed out"
    """Active: no answer in time."""
    UNREACHABLE = "unreachable"
    """Active: the network says that there is no way."""
    NO_PORT = "no port free"
    """Passive: all ports wait for other sessions of the same client."""
    NO_DESCRIPTOR = "out of descriptors"
    """The client connected, but this process may not open another socket."""
    ABORTED = "aborted"
    """The watch said so: ABOR."""
    CONTROL_LOST = "control connection lost"
    PLAIN_TEXT = "plain text"
    """TLS was agreed on, and what came is not TLS."""
    TLS_FAILED = "TLS handshake failed"
    NOT_RESUMED = "TLS session not resumed"
    """It must be, and the client began a new one."""
    CLOSED = "closed"
    """This side took the port away: the server stops."""


class DataConnectionError(Exception):
    """No data connection. `text` is one sentence: who should have connected to whom, and what was seen."""

    def __init__(self, cause: Cause, text: str, strangers: tuple[str, ...] = (), number: int | None = None) -> None:
        super().__init__(text)
        self.cause = cause
        self.text = text
        self.strangers = strangers
        """The addresses that connected instead of the client, oldest first."""
        self.number = number
        """The errno, where the system gave one."""


def attend(watch: Watch, waiting_for: str) -> None:
    """Let *watch* look at its input; DataConnectionError if that ends the wait."""
    try:
        if watch.attend(0):
            return
    except ControlGone:
        raise DataConnectionError(
            Cause.CONTROL_LOST, f"The control connection was lost while waiting for {waiting_for}."
        ) from None
    raise DataConnectionError(Cause.ABORTED, f"The transfer was aborted while waiting for {waiting_for}.")
