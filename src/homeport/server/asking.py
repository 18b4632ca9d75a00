"""Asking: the other end of the console, for `homeport sessions` and `homeport doctor`."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from .console import socket_path

_CHUNK = 65536


class NotRunning(Exception):
    """No server answers there. The text says so, with the reason."""


class AskingFailed(Exception):
    """A server is there, but did not answer, or answered no. The text says why."""


def ask(state: str, request: Mapping[str, object], timeout: float = 5.0) -> dict[str, Any]:
    """What the running server with the state directory *state* answers to *request*; each wait lasts *timeout* at most.

    Raises NotRunning, AskingFailed.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise NotRunning("this system has no sockets of the kind that a running server is asked through (AF_UNIX)")
    path = socket_path(state)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path)
        except FileNotFoundError:
            raise NotRunning(f"no server runs with the state directory {state}") from None
        except ConnectionRefusedError:
            raise NotRunning(f"the server with the state directory {state} has died without a word") from None
        except PermissionError:
            raise AskingFailed(
                f"{path} belongs to another user: ask as the one who runs the server, or as root"
            ) from None
        except OSError as error:
            raise NotRunning(f"{path} cannot be reached: {error.strerror or error}") from None
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            octets = _line(connection)
        except OSError as error:
            raise AskingFailed(f"the server does not answer at {path}: {error.strerror or error}") from None
    return _understood(octets, path)


def _line(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        part = connection.recv(_CHUNK)
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def _understood(octets: bytes, path: str) -> dict[str, Any]:
    try:
        answer = json.loads(octets)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AskingFailed(f"what answers at {path} is no server of this version")
    if answer.get("ok") is not True:
        raise AskingFailed(str(answer.get("error", "the server says no")))
    return answer
