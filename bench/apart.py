"""A network of the bench's own: loopback and nothing else, and congestion control that does not pace.

Where BBR is the system's, every segment that is paced arms a timer, and in a virtual machine each of these is an exit
to the hypervisor. On loopback, where nothing can be congested, that is three quarters of the CPU that sendfile costs,
it comes and goes from one run to the next, and it says nothing about the server. So it is Reno for all of them, and
the table tells so.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
_WANTED = "reno"


def enter() -> str:
    """Go there, with all processes that are begun from now on; in words, where the bench is afterwards.

    For root only: anybody else measures on the system's own loopback.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        why = os.strerror(ctypes.get_errno())
        return f"the system's own loopback ({why}), {_CONGESTION_CONTROL.read_text().strip()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _set_up(any_socket, "lo")
    with contextlib.suppress(OSError):  # /proc may be read-only; then the table names what it is
        _CONGESTION_CONTROL.write_text(_WANTED)
    return f"a loopback of its own, {_CONGESTION_CONTROL.read_text().strip()}"


def _set_up(any_socket: socket.socket, interface: str) -> None:
    request = struct.pack("16sH14x", interface.encode(), 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
    fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), flags | _IFF_UP))
