"""Watch: the control connection, as the data side sees it while it waits or pumps."""

from __future__ import annotations

from typing import Protocol


class ControlGone(Exception):
    """Raised by `Watch.attend` where its owner wants "the control connection is lost" told apart from ABOR."""


class Watch(Protocol):
    """Wherever the data side would block, it waits for its own socket and for this one (DESIGN: a transfer).

    So ABOR, STAT, NOOP and QUIT are answered during a transfer without a second thread.
    """

    def fileno(self) -> int:
        """The control connection's descriptor, to be polled for input; -1 while nobody wants to hear of any.

        Asked right before every wait: what the owner has held back goes out then.
        """

    def attend(self, octets: int) -> bool:
        """Read and answer what has come in; *octets* have moved so far. False: end the transfer now.

        Called when `fileno` is readable. Does not block. What it leaves unread it is called for again at once.
        May raise ControlGone instead of returning False.
        """

    def ready(self, reading: tuple[int, ...], writing: tuple[int, ...], seconds: float) -> list[int]:
        """Wait for the owner of this thread: as `readiness.ready`, which see. It adds nothing to what is waited for.

        But where `fileno` was -1 it may return with its number, because from now on somebody wants to hear.
        """
