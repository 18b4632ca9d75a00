"""Ending: how the other side has ended a TCP connection, asked of the kernel afterwards.

A client that leaves sends FIN. A RST comes from one that was killed, or from a firewall on the way that does not want
the connection. To who reads, both are the end; the kernel still knows which it was until the socket is closed.
"""

from __future__ import annotations

import socket

_INFO: int | None = getattr(socket, "TCP_INFO", None)
"""Linux; elsewhere it is not known."""
_ESTABLISHED = 1
"""TCP_ESTABLISHED: the other side has said nothing of an end (RFC 9293 §3.3.2)."""
_CLOSED = 7
"""TCP_CLOSE: gone at once, without the states that follow a FIN."""


def was_reset(descriptor: int) -> bool:
    """Whether the other side has reset the connection *descriptor*. False, too, where that cannot be known."""
    return _state(descriptor) == _CLOSED


def is_there(descriptor: int) -> bool | None:
    """Whether the other side has ended nothing, neither by closing nor by a reset. None where that cannot be known."""
    state = _state(descriptor)
    return None if state is None else state == _ESTABLISHED


def _state(descriptor: int) -> int | None:
    if _INFO is None or descriptor < 0:
        return None
    # The family does not matter to the question, and is not looked up if it is named.
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        # The first octet of struct tcp_info is the state.
        return borrowed.getsockopt(socket.IPPROTO_TCP, _INFO, 1)[0]
    except OSError:
        return None  # no TCP: a test's pair of sockets
    finally:
        borrowed.detach()
