"""The data connection as a probing client sees it: dialled or waited for, then read to its end."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from homeport.advice.address import Kind, kind
from homeport.advice.attempt import Seen

from .client import connect
from .security import reason
from .survey import Endpoint
from .visit import Visit

MOST_OCTETS = 4 * 1024 * 1024
"""A listing that is longer proves no more."""
_PATIENCE = 3
"""Time-outs that a listing may take in all."""
_CHUNK = 65536
_HANDSHAKE = 0x16
"""The first octet of a TLS record that begins a handshake (RFC 8446 §5.1)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no data connection, or none any more."""

    seen: Seen
    text: str
    error: int | None = None


@dataclass(slots=True)
class Moved:
    """What came over a data connection."""

    octets: int = 0
    resumed: bool | None = None
    failure: Failure | None = None


def dial(address: Endpoint, timeout: float, source: str | None) -> socket.socket | Failure:
    """Connect to where the server said; from *source*, our end of the control connection, if it is the same way."""
    where = f"{address[0]} port {address[1]}"
    try:
        return connect(address, timeout, source)
    except TimeoutError:
        return Failure(Seen.TIMED_OUT, f"{where} did not answer within {timeout:g} s")
    except ConnectionRefusedError as error:
        return Failure(Seen.REFUSED, f"{where} refused the connection", error.errno)
    except OSError as error:
        return Failure(Seen.UNREACHABLE, f"{where} cannot be reached: {error.strerror or error}", error.errno)


def may_dial(announced: Endpoint, peer: Endpoint) -> str | None:
    """Why *announced* is not dialled, if so: a server must not make us attack others (RFC 2577 §3, turned round)."""
    if announced[0] == peer[0]:
        return None
    told = kind(announced[0])
    if told is Kind.UNSPECIFIED:
        return "it is no address"
    if told is Kind.MULTICAST or (told is Kind.LOOPBACK and kind(peer[0]) is not Kind.LOOPBACK):
        return f"it is {told.value}"
    if announced[1] < 1024:
        return "ports below 1024 of another host are not dialled for anybody"
    return None


def listen(address: str, ports: range | None) -> socket.socket:
    """A listening socket on our end of the control connection, on one of *ports* or any. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    failure: OSError | None = None
    for port in ports if ports is not None else (0,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind((address, port))
            listener.listen(1)
        except OSError as error:
            listener.close()
            failure = error
            continue
        return listener
    raise failure or OSError("there is no port to listen on")


def receive(visit: Visit, data: socket.socket, timeout: float) -> Moved:
    """Read *data* to its end and close it; with TLS where that was agreed on."""
    moved = Moved()
    stream = data
    try:
        data.settimeout(timeout)
        if visit.data_protected:
            stream = _protected(visit, data, moved)
        # What trickles in proves as much after a while as it ever will.
        deadline = time.monotonic() + _PATIENCE * timeout
        while moved.octets < MOST_OCTETS and time.monotonic() < deadline:
            octets = stream.recv(_CHUNK)
            if not octets:
                if isinstance(stream, ssl.SSLSocket):
                    # The server's close_notify is here; some wait for ours before they say that all is done.
                    stream.unwrap()
                break
            if moved.octets == 0 and not visit.data_protected and octets[0] == _HANDSHAKE and octets[1:2] == b"\x03":
                moved.failure = Failure(Seen.TLS_RECORD, "TLS came over a plain data connection")
                break
            moved.octets += len(octets)
    except TimeoutError:
        if visit.data_protected and moved.resumed is None:
            moved.failure = Failure(Seen.TLS_FAILED, f"the TLS handshake for data came to no end in {timeout:g} s")
        else:
            moved.failure = Failure(Seen.STALLED, f"nothing moved for {timeout:g} s after {moved.octets} bytes")
    except ssl.SSLError as error:
        plain = error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
        if plain and moved.resumed is None:
            moved.failure = Failure(Seen.PLAIN_TEXT, "plain text came where TLS was agreed on")
        elif moved.resumed is None:
            moved.failure = Failure(Seen.TLS_FAILED, f"the TLS handshake for data failed: {reason(error)}")
        elif not isinstance(error, ssl.SSLEOFError):
            moved.failure = Failure(Seen.RESET, f"TLS broke after {moved.octets} bytes: {reason(error)}")
    except OSError as error:
        seen = Seen.TLS_FAILED if visit.data_protected and moved.resumed is None else Seen.RESET
        moved.failure = Failure(seen, f"it was lost after {moved.octets} bytes: {error.strerror}", error.errno)
    finally:
        stream.close()
        data.close()
    return moved


def _protected(visit: Visit, data: socket.socket, moved: Moved) -> ssl.SSLSocket:
    """TLS on *data*, as part of the session of the control connection (RFC 4217 §10.2)."""
    control, context = visit.control.tls, visit.context
    if control is None or context is None:
        raise RuntimeError("the data connection cannot be protected where the control connection is not")
    tls = context.wrap_socket(
        data, server_hostname=control.server_hostname, session=control.session, suppress_ragged_eofs=False,
        do_handshake_on_connect=False,
    )  # fmt: skip
    try:
        tls.do_handshake()
    except BaseException:
        tls.close()
        raise
    moved.resumed = bool(tls.session_reused)
    return tls
