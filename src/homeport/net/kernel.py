"""TLS by the kernel (kTLS, Linux): whether this machine has it, and whether a connection uses it.

Where it does, a file goes from the disk to the network without passing through this process. It takes Python 3.12 or
later (OP_ENABLE_KTLS), an OpenSSL that was built with it, and a kernel with the module `tls`. All three are asked, and
of each connection it is asked again, because OpenSSL falls back without a word where the cipher does not fit.
"""

from __future__ import annotations

import errno
import socket
import ssl
import sys
from functools import cache

OP_ENABLE_KTLS: int = getattr(ssl, "OP_ENABLE_KTLS", 0)
"""The option of a context; 0 where Python does not know it."""

_TCP_ULP = 31
_SOL_TLS = 282
_TLS_TX = 1
_CRYPTO_INFO_OCTETS = 56
"""More than the largest of the kernel's tls12_crypto_info_*."""


@cache
def hindrance() -> str | None:
    """Why the kernel cannot encrypt, in a sentence for people; None if it can. Asked once."""
    if sys.platform != "linux":
        return "Only Linux has TLS in the kernel that is used here."
    if not OP_ENABLE_KTLS:
        return "It takes Python 3.12 or later."
    try:
        _try()
    except OSError as error:
        if error.errno == errno.ENOENT:
            return "The kernel has no TLS. Load the module (modprobe tls), if there is one."
        return f"The kernel refuses it: {error.strerror}."
    return None


def available() -> bool:
    """Whether it is worth trying."""
    return hindrance() is None


def sends(connection: socket.socket) -> bool:
    """Whether the kernel encrypts what is sent on *connection* now."""
    try:
        return bool(connection.getsockopt(_SOL_TLS, _TLS_TX, _CRYPTO_INFO_OCTETS))
    except OSError:
        return False


def _try() -> None:
    """Put TLS on a connection of our own, on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
        one.setsockopt(socket.IPPROTO_TCP, _TCP_ULP, b"tls")
