"""Who connects: a strict client of our own in five modes, and what curl and lftp are told to do the same.

Ours believes every word. It dials the address that 227 names, as old and embedded clients do, unless the mode says that
it knows better; it names its own address in PORT and EPRT. Like FileZilla and lftp it sends the command of a transfer
while it dials, so that the server learns of a connection that does not come about, and says what it thinks of it.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum

from homeport.testing import channel
from homeport.testing.client import Client

OCTETS = 20_000
FILE = "hello.bin"
PASSWORD = "secret"
NO_CONTROL = "no control connection"
PATIENCE = 20.0
"""Seconds after which ours gives up waiting for anything at all. Nothing in a lab takes so long."""


class Mode(Enum):
    """How the data connection is set up. The value is the heading of the column."""

    EPSV = "EPSV"
    PASV = "PASV"
    TRUSTLESS = "PASV, address ignored"
    """The address of the control connection is dialled, whatever 227 names: curl, Python, most clients of today."""
    EPRT = "EPRT"
    PORT = "PORT"

    @property
    def passive(self) -> bool:
        return self in (Mode.EPSV, Mode.PASV, Mode.TRUSTLESS)

    @property
    def user(self) -> str:
        """Who logs in, so that the server's events tell the modes apart."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the client is told to go, and what it may know of itself."""

    host: str
    port: int
    own4: str
    """The client's own IPv4 address: what PORT names over IPv6 too, for want of anything else."""
    listen: range | None = None
    """The ports to listen at in active mode; None is any."""
    tls: bool = False
    """Whether both connections are encrypted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    word: str
    """For the table: "ok"; "refused", "timeout" or "unreachable" where the client dialled; NO_CONTROL; or the code of
    the reply that ended it."""
    reply: str = ""
    """The server's last word on it."""


def transfer(ends: Ends, mode: Mode) -> Outcome:
    """Log in, RETR the file and STOR it under another name, each over a data connection of its own."""
    try:
        client = Client(ends.host, ends.port, timeout=PATIENCE)
    except (ConnectionRefusedError, TimeoutError):
        return Outcome(NO_CONTROL)
    with client:
        if ends.tls:
            client.protect()
        client.login(mode.user, PASSWORD)
        client.ask("TYPE I", 200)
        first = _one(client, ends, mode, f"RETR {FILE}", None)
        if first.word != "ok":
            return first
        return _one(client, ends, mode, f"STOR up-{mode.user}.bin", b"u" * OCTETS)


def _one(client: Client, ends: Ends, mode: Mode, line: str, upload: bytes | None) -> Outcome:
    with ExitStack() as closing:
        if mode.passive:
            return _passive(client, mode, line, upload, closing)
        return _active(client, ends, mode, line, upload, closing)


# -- passive ---------------------------------------------------------------------------------------------------


def _passive(client: Client, mode: Mode, line: str, upload: bytes | None, closing: ExitStack) -> Outcome:
    answer = client.ask("EPSV" if mode is Mode.EPSV else "PASV")
    if answer.code not in (227, 229):
        return Outcome(str(answer.code), str(answer))
    numbers = re.findall(r"\d+", answer.text)
    if mode is Mode.EPSV:
        target = client.peer[0], int(numbers[-1])
    else:
        named = ".".join(numbers[:4]) if mode is Mode.PASV else client.peer[0]
        target = named, int(numbers[4]) << 8 | int(numbers[5])
    data = closing.enter_context(socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET))
    data.setblocking(False)
    started = data.connect_ex(target)
    client.command(line)
    word = None if started == errno.EINPROGRESS else _word(started)
    deadline = time.monotonic() + PATIENCE
    while word is None:
        left = max(deadline - time.monotonic(), 0.0)
        readable, writable, _ = select.select([client.control], [data], [], left)
        if writable:
            word = _word(data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        elif readable or not left:
            word = "timeout"  # the server has given up first, or nobody says anything
    if word != "ok":
        final = client.final()
        return Outcome(word or str(final.code), str(final))
    return _move(client, data, upload)


def _word(error: int) -> str:
    match error:
        case 0:
            return "ok"
        case errno.ECONNREFUSED:
            return "refused"
        case errno.EHOSTUNREACH | errno.ENETUNREACH:
            return "unreachable"
        case errno.ETIMEDOUT:
            return "timeout"
        case errno.ECONNRESET:
            return ""  # it was there, and the server did not want it: its reply tells why
    raise OSError(error, os.strerror(error))


# -- active ----------------------------------------------------------------------------------------------------


def _active(client: Client, ends: Ends, mode: Mode, line: str, upload: bytes | None, closing: ExitStack) -> Outcome:
    own = client.local[0]
    listener = closing.enter_context(_listener(own, ends.listen))
    port = listener.getsockname()[1]
    if mode is Mode.EPRT:
        answer = client.ask(f"EPRT |{2 if ':' in own else 1}|{own}|{port}|")
    else:
        named = own if ":" not in own else ends.own4
        answer = client.ask(f"PORT {named.replace('.', ',')},{port >> 8},{port & 255}")
    if answer.code != 200:
        return Outcome(str(answer.code), str(answer))
    client.command(line)
    # The 150 may come first. What ends the waiting is the connection, or a final reply instead of it.
    deadline = time.monotonic() + PATIENCE
    while not select.select([listener], [], [], 0)[0]:
        if client.pending():
            reply = client.reply()
            if not reply.preliminary:
                return Outcome(str(reply.code), str(reply))
        else:
            select.select([listener, client.control], [], [], max(deadline - time.monotonic(), 0.0))
        if time.monotonic() > deadline:
            raise TimeoutError("neither a data connection nor a reply")
    data = closing.enter_context(listener.accept()[0])
    return _move(client, data, upload)


def _listener(own: str, ports: range | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in own else socket.AF_INET
    if ports is None:
        return socket.create_server((own, 0), family=family)
    for port in ports:
        try:
            return socket.create_server((own, port), family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "all of the client's ports are taken")


# -- once it is there --------------------------------------------------------------------------------------------


def _move(client: Client, data: socket.socket, upload: bytes | None) -> Outcome:
    if client.private:
        data = client.secure(data)
    # Whatever may break here, the final reply tells it.
    if upload is None:
        moved = len(channel.receive(data, PATIENCE)[0])
    else:
        channel.send(data, upload, PATIENCE)
        moved = len(upload)
    data.close()
    final = client.final()
    if final.code != 226:
        return Outcome(str(final.code), str(final))
    return Outcome("ok" if moved == OCTETS else f"{moved} octets only", str(final))


# -- real ones ---------------------------------------------------------------------------------------------------

_CURL = {
    Mode.EPSV: ["--ftp-pasv"],
    Mode.PASV: ["--disable-epsv", "--no-ftp-skip-pasv-ip"],
    Mode.TRUSTLESS: ["--disable-epsv", "--ftp-skip-pasv-ip"],
    Mode.EPRT: ["--ftp-port", "-"],
    Mode.PORT: ["--ftp-port", "-", "--disable-eprt"],
}
_LFTP = {
    Mode.EPSV: "set ftp:passive-mode yes; set ftp:prefer-epsv yes",
    Mode.PASV: "set ftp:passive-mode yes; set ftp:prefer-epsv no; set ftp:fix-pasv-address no",
    Mode.TRUSTLESS: "set ftp:passive-mode yes; set ftp:prefer-epsv no; set ftp:fix-pasv-address yes",
    Mode.EPRT: "set ftp:passive-mode no; set ftp:prefer-epsv yes",
    Mode.PORT: "set ftp:passive-mode no; set ftp:prefer-epsv no",
}


def curl(ends: Ends, mode: Mode) -> list[str]:
    """The command that prints the file, and nothing of what it thinks."""
    return [
        "curl",
        "-sS",
        "-m",
        "20",
        "--connect-timeout",
        "3",
        *_CURL[mode],
        "-u",
        f"{mode.user}:{PASSWORD}",
        _url(ends),
    ]


def lftp(ends: Ends, mode: Mode) -> list[str]:
    patience = "set net:timeout 3; set net:max-retries 1; set net:reconnect-interval-base 1"
    go = f"open -u {mode.user},{PASSWORD} -p {ends.port} {ends.host}; cat {FILE}"
    return ["lftp", "--norc", "-c", f"{patience}; set ftp:ssl-allow no; {_LFTP[mode]}; {go}"]


def _url(ends: Ends) -> str:
    host = f"[{ends.host}]" if ":" in ends.host else ends.host
    return f"ftp://{host}:{ends.port}/{FILE}"


PROGRAMS = {"curl": curl, "lftp": lftp}
