"""How each client program is told to move a tree, and what it cannot do.

A client is one row of CLIENTS. What a program cannot express stands in its row with the reason: a trait of a name
(`cannot`, for both directions or one of them) or a way to connect (`lacks`). Those are facts about the program, found
by trying; nothing is skipped silently, and docs for people who ask "does my client ..." can be made from here.
"""

from __future__ import annotations

import ftplib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes

from .tree import Entry

PATIENCE = 30
"""Seconds after which a client program is ended; each needs one or two."""


class Way(NamedTuple):
    """How data connections are made."""

    mode: str
    """"passive" or "active"."""
    family: int
    """4 or 6."""

    def __str__(self) -> str:
        return f"{self.mode}-ipv{self.family}"


WAYS = tuple(Way(mode, family) for mode in ("passive", "active") for family in (4, 6))


@dataclass(frozen=True, slots=True)
class Job:
    """One tree to be moved between the server's folder "tree" and a local directory."""

    host: str
    port: int
    user: str
    password: str
    way: Way
    local: bytes
    entries: tuple[Entry, ...]
    scratch: Path
    """An empty directory: the program's HOME, for scripts and settings."""

    @property
    def active(self) -> bool:
        return self.way.mode == "active"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@{host}:{self.port}"

    def directories(self) -> list[bytes]:
        """Every directory of the tree, parents first."""
        found: dict[bytes, None] = {}
        for entry in self.entries:
            path = entry.path if entry.content is None else os.path.dirname(entry.path)
            parts = path.split(b"/") if path else []
            found.update({b"/".join(parts[: count + 1]): None for count in range(len(parts))})
        return list(found)

    def files(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.content is not None]


class ClientFailed(Exception):
    """The program ended with an error or not in time; the text is what it said."""


def found(program: str) -> str | None:
    """Where a program is: beside the interpreter, for those that come as wheels, or on the PATH."""
    return shutil.which(program, path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))


def run(
    job: Job, program: str, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> bytes:
    """Runs a program in an environment without anybody's settings and returns what it printed."""
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(job.scratch), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    try:
        done = subprocess.run(
            [found(program) or program, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=job.local,
            env={**surroundings, **(environment or {})},
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ClientFailed(f"{program} was not done after {PATIENCE} s: {_end_of(late.stdout or b'')}") from late
    if done.returncode:
        raise ClientFailed(f"{program} ended with {done.returncode}: {_end_of(done.stdout)}")
    return done.stdout


def _end_of(output: bytes) -> str:
    return output[-2000:].decode(errors="replace")


# --- curl ---------------------------------------------------------------------------------------------------------


def _curl_quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _curl(job: Job, per_file: Callable[[bytes, bytes], bytes]) -> None:
    """All files with one curl, several at a time. One after another, 7.88 rests for a second whenever the reply to
    EPSV is there before it looks: it then waits for a socket that it has not opened yet."""
    lines = [b"parallel", b"silent", b"show-error", b"globoff", b"fail-early", b"max-time = %d" % PATIENCE]
    if job.active:
        lines.append(b'ftp-port = "-"')
    for entry in job.files():
        url = f"ftp://{job.authority}/tree/{quote_from_bytes(entry.path)}".encode()
        lines += [b"url = " + _curl_quoted(url), per_file(entry.path, os.path.join(job.local, entry.path))]
    script = job.scratch / "curlrc"
    script.write_bytes(b"\n".join(lines) + b"\n")
    run(job, "curl", "-q", "--create-dirs", "--ftp-create-dirs", "-K", str(script))


def curl_down(job: Job) -> None:
    _curl(job, lambda _path, local: b"output = " + _curl_quoted(local))


def curl_up(job: Job) -> None:
    _curl(job, lambda _path, local: b"upload-file = " + _curl_quoted(local))


# --- wget ---------------------------------------------------------------------------------------------------------


def wget_down(job: Job) -> None:
    mode = ["--no-passive-ftp"] if job.active else []
    run(
        job,
        *("wget", "--no-config", "--no-verbose", "--tries=1", "--timeout=10", "--no-host-directories", *mode),
        *("--recursive", "--level=inf", "--cut-dirs=1", "--restrict-file-names=unix,nocontrol"),
        f"ftp://{job.authority}/tree/",
    )


# --- lftp ---------------------------------------------------------------------------------------------------------


def lftp(job: Job, commands: str) -> None:
    settings = (
        "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 10; set net:reconnect-interval-base 1; "
        f"set ftp:passive-mode {'no' if job.active else 'yes'}; set dns:order 'inet inet6'; "
    )
    run(job, "lftp", "--norc", "-c", f"{settings}{commands.format(url=f'ftp://{job.authority}/')}")


def lftp_down(job: Job) -> None:
    lftp(job, "open {url}; mirror tree .")


def lftp_up(job: Job) -> None:
    lftp(job, "open {url}; mirror --reverse . tree")


def lftp_parallel_down(job: Job) -> None:
    lftp(job, "open {url}; mirror --parallel=4 tree .")


def lftp_parallel_up(job: Job) -> None:
    lftp(job, "open {url}; mirror --reverse --parallel=4 . tree")


# --- ncftp --------------------------------------------------------------------------------------------------------


def _ncftp(job: Job, program: str, *arguments: str) -> None:
    mode = "-E" if job.active else "-F"
    login = ["-u", job.user, "-p", job.password, "-P", str(job.port)]
    run(job, program, "-V", "-R", mode, "-t", "10", "-r", "1", *login, *arguments)


def ncftp_down(job: Job) -> None:
    """It creates the folder's own name below the local directory; the tree is moved up from there."""
    _ncftp(job, "ncftpget", job.host, ".", "tree")
    os.rename(os.path.join(job.local, b"tree"), job.local + b".moved")
    os.rmdir(job.local)
    os.rename(job.local + b".moved", job.local)


def ncftp_up(job: Job) -> None:
    os.rename(job.local, os.path.dirname(job.local) + b"/tree")
    os.mkdir(job.local)
    _ncftp(job, "ncftpput", job.host, ".", os.fsdecode(os.path.dirname(job.local) + b"/tree"))


# --- the BSD line of command-line clients -------------------------------------------------------------------------


_BARE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-_")


def _word(text: bytes) -> bytes:
    """One word of their command lines. Inside quotes a backslash is an ordinary character and a quote cannot be
    written at all; outside, a backslash takes the meaning from whatever follows it."""
    return b"".join(b"%c" % octet if octet in _BARE or octet > 127 else b"\\%c" % octet for octet in text)


def _conversation(job: Job, *commands: bytes) -> bytes:
    lines = [
        f"open {job.host} {job.port}".encode(),
        f"user {job.user} {job.password}".encode(),
        b"binary",
        *commands,
        b"bye",
    ]
    return b"\n".join(lines) + b"\n"


def _bsd_down(job: Job) -> list[bytes]:
    for directory in job.directories():
        os.mkdir(os.path.join(job.local, directory))
    return [b"get %s %s" % (_word(b"tree/" + e.path), _word(b"./" + e.path)) for e in job.files()]


def _bsd_up(job: Job) -> list[bytes]:
    folders = [b"mkdir tree", *(b"mkdir " + _word(b"tree/" + directory) for directory in job.directories())]
    return folders + [b"put %s %s" % (_word(b"./" + e.path), _word(b"tree/" + e.path)) for e in job.files()]


def _tnftp(job: Job, commands: list[bytes]) -> None:
    mode = "-A" if job.active else "-p"
    said = run(job, "tnftp", "-n", "-v", "-i", "-g", "-V", mode, stdin=_conversation(job, *commands))
    _complaints(said)


def _inetutils(job: Job, commands: list[bytes]) -> None:
    mode = ["--active"] if job.active else ["--passive"]
    said = run(job, "inetutils-ftp", "-n", "-v", "-i", "-g", *mode, stdin=_conversation(job, *commands))
    _complaints(said)


def _complaints(said: bytes) -> None:
    """These programs end with 0 whatever happened; a reply of 4xx or 5xx to a transfer is told by the comparison."""
    if b"Not connected" in said or b"Login failed" in said:
        raise ClientFailed(_end_of(said))


def tnftp_down(job: Job) -> None:
    _tnftp(job, _bsd_down(job))


def tnftp_up(job: Job) -> None:
    _tnftp(job, _bsd_up(job))


def inetutils_down(job: Job) -> None:
    _inetutils(job, _bsd_down(job))


def inetutils_up(job: Job) -> None:
    _inetutils(job, _bsd_up(job))


# --- rclone -------------------------------------------------------------------------------------------------------


def rclone(job: Job, *arguments: str, options: Mapping[str, str] | None = None) -> None:
    """*options*: those of the remote, by their names in its configuration."""
    secret = run(job, "rclone", "obscure", "--", job.password).decode().strip()
    remote = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_SERVER_TYPE": "ftp",
        "RCLONE_CONFIG_SERVER_HOST": f"[{job.host}]" if job.way.family == 6 else job.host,
        "RCLONE_CONFIG_SERVER_PORT": str(job.port),
        "RCLONE_CONFIG_SERVER_USER": job.user,
        "RCLONE_CONFIG_SERVER_PASS": secret,
        **{f"RCLONE_CONFIG_SERVER_{name.upper()}": value for name, value in (options or {}).items()},
    }
    run(job, "rclone", "--retries=1", "--low-level-retries=1", "--timeout=10s", *arguments, environment=remote)


def rclone_down(job: Job) -> None:
    rclone(job, "copy", "--create-empty-src-dirs", "server:tree", ".")


def rclone_up(job: Job) -> None:
    rclone(job, "copy", "--create-empty-src-dirs", ".", "server:tree")


# --- ftplib -------------------------------------------------------------------------------------------------------


def ftplib_session(job: Job) -> ftplib.FTP:
    session = ftplib.FTP(timeout=10, encoding="latin-1")  # one octet is one character
    session.connect(job.host, job.port)
    session.login(job.user, job.password)
    session.set_pasv(not job.active)
    return session


def ftplib_down(job: Job) -> None:
    """Finds the tree by MLSD, as a program that knows nothing of it would."""

    def folder(path: str, local: bytes) -> None:
        for name, facts in list(session.mlsd(path, ["type"])):
            below = os.path.join(local, name.encode("latin-1"))
            if facts["type"] == "dir":
                os.mkdir(below)
                folder(f"{path}/{name}", below)
            elif facts["type"] == "file":
                with open(below, "xb") as file:
                    session.retrbinary(f"RETR {path}/{name}", file.write)

    with ftplib_session(job) as session:
        folder("tree", job.local)


def ftplib_up(job: Job) -> None:
    with ftplib_session(job) as session:
        session.mkd("tree")
        for directory in job.directories():
            session.mkd("tree/" + directory.decode("latin-1"))
        for entry in job.files():
            with open(os.path.join(job.local, entry.path), "rb") as file:
                session.storbinary("STOR tree/" + entry.path.decode("latin-1"), file)


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Client:
    """A client program: how it moves a tree each way, and what it cannot do, with the reason."""

    name: str
    program: str | None
    down: Callable[[Job], None] | None
    up: Callable[[Job], None] | None
    cannot: Mapping[str, str] = field(default_factory=dict)
    cannot_down: Mapping[str, str] = field(default_factory=dict)
    cannot_up: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[Way, str] = field(default_factory=dict)


_FILES_ONLY = {"empty-directory": "moves files, and makes directories only on the way to one"}
_ACTIVE = tuple(way for way in WAYS if way.mode == "active")
_IPV6 = tuple(way for way in WAYS if way.family == 6)

CLIENTS: tuple[Client, ...] = (
    Client("curl", "curl", curl_down, curl_up, cannot=_FILES_ONLY),
    Client(
        "wget",
        "wget",
        wget_down,
        None,  # it has no upload
        cannot_down={
            "space-leading": "reads LIST and takes all spaces before a name for the column's",
            "percent": "decodes %41 in a listed name, as if it were part of an address",
        },
    ),
    Client(
        "lftp",
        "lftp",
        lftp_down,
        lftp_up,
        lacks={Way("active", 6): "4.9.2 says EPRT |2|::|port|, the unspecified address, whatever it is bound to"},
    ),
    Client(
        "lftp-parallel",
        "lftp",
        lftp_parallel_down,
        lftp_parallel_up,
        lacks={Way("active", 6): "as lftp"},
    ),
    Client(
        "ncftp",
        "ncftpget",
        ncftp_down,
        ncftp_up,
        lacks=dict.fromkeys(_IPV6, "3.2.6 knows IPv4 only"),
    ),
    Client("tnftp", "tnftp", tnftp_down, tnftp_up),
    Client("inetutils", "inetutils-ftp", inetutils_down, inetutils_up),
    Client(
        "rclone",
        "rclone",
        rclone_down,
        rclone_up,
        cannot={
            "space-trailing": "writes and looks for a space at the end of a name as U+2420, on every FTP server",
            "latin-1": "holds names as UTF-8 and replaces what is not",
        },
        lacks=dict.fromkeys(_ACTIVE, "knows passive mode only"),
    ),
    Client("ftplib", None, ftplib_down, ftplib_up),
)
