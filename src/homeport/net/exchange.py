"""Exchange: one question by UDP, repeated until its answer comes.

The socket is connected, so the system passes on nothing that does not come from the address and port that were
asked, and reports it when nobody listens there (ICMP) instead of letting us wait.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import TypeVar

from .background import Patience
from .listener import endpoint, text_of

Answer = TypeVar("Answer")
Endpoint = tuple[str, int]

_OCTETS = 2048
"""Longer than every answer that is allowed; what is cut off here is too long anyway."""


class Unanswered(Exception):
    """No answer. `refused` if the other side said that nobody listens there."""

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


def ask(
    target: Endpoint,
    question: Callable[[str], bytes],
    accept: Callable[[bytes], Answer | None],
    waits: Iterable[float],
    patience: Patience,
    source: str | None = None,
) -> Answer:
    """Send a question and wait for what *accept* makes of an answer; None from it is no answer, and the wait goes on.

    *question* gets this side's address, which some protocols repeat inside. Sends once for each of *waits* and waits
    so many seconds then. *source* is the local address to ask from. Raises Unanswered, Stopped, and what *accept*
    raises.
    """
    host, port = target
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        try:
            if source is not None:
                asking.bind(endpoint(source, 0))
            asking.connect(endpoint(host, port))
        except OSError as error:
            raise Unanswered(f"{host} cannot be reached: {error.strerror or error}") from None
        octets = question(text_of(asking.getsockname())[0])
        for seconds in waits:
            try:
                asking.send(octets)
                answer = _answer(asking, accept, patience, patience.now() + seconds)
            except ConnectionRefusedError:
                raise Unanswered(f"nobody listens on UDP port {port} of {host}", refused=True) from None
            except OSError as error:
                raise Unanswered(f"{host} cannot be reached: {error.strerror or error}") from None
            if answer is not None:
                return answer
    raise Unanswered(f"{host} does not answer on UDP port {port}")


def _answer(
    asking: socket.socket, accept: Callable[[bytes], Answer | None], patience: Patience, until: float
) -> Answer | None:
    """What comes until then, if anything acceptable does."""
    while (left := until - patience.now()) > 0:
        if not patience.wait((asking.fileno(),), left):
            continue
        try:
            octets = asking.recv(_OCTETS)
        except BlockingIOError:
            continue  # its checksum was wrong (Linux: select(2))
        answer = accept(octets)
        if answer is not None:
            return answer
    return None
