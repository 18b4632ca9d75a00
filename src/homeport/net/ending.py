"""Ending: how the other side has ended a TCP connection, asked of the kernel afterwards.

A client that leaves sends FIN. A RST comes from one that was killed, or from a firewall on the way that does not want
the connection. To who reads, both are the end; the kernel still knows which it was until the socket is closed.
"""

from __future__ import annotations

import socket

_INFO: int | None = getattr(socket, "TCP_INFO", None)
"""Linux; elsewhere it is not known."""
_CLOSED = 7
"""TCP_CLOSE: gone at once, without the states that follow a FIN (RFC 9293 §3.3.2)."""


def was_reset(descriptor: int) -> bool:
    """Whether the other side has reset the connection *descriptor*. False, too, where that cannot be known."""
    if _INFO is None or descriptor < 0:
        return False
    # The family does not matter to the question, and is not looked up if it is named.
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        # The first octet of struct tcp_info is the state.
        return borrowed.getsockopt(socket.IPPROTO_TCP, _INFO, 1)[0] == _CLOSED
    except OSError:
        return False  # no TCP: a test's pair of sockets
    finally:
        borrowed.detach()
