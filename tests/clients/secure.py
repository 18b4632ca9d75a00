"""How each client program moves files under TLS: all of "down" comes, all of "up" goes, nothing is in clear.

A client is one row of CLIENTS.
"""

from __future__ import annotations

import ftplib
import os
import shutil
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .clients import PATIENCE, Job, lftp, rclone, run

HERE = Path(__file__).parent
BASIC_FTP = HERE.parent.parent / ".tools" / "npm" / "node_modules" / "basic-ftp"
COMMONS_NET = Path("/usr/share/java/commons-net.jar")
IO_SOCKET_SSL = Path("/usr/share/perl5/IO/Socket/SSL.pm")


class Secure(NamedTuple):
    """How TLS begins, and which."""

    version: str | None
    """"1.2" or "1.3"; None: the client's choice."""
    implicit: bool = False

    @property
    def word(self) -> str:
        return "implicit" if self.implicit else "explicit"

    def __str__(self) -> str:
        return f"{self.word}-{self.version or 'any'}"


WAYS = tuple(Secure(version, implicit) for implicit in (False, True) for version in ("1.2", "1.3"))


@dataclass(frozen=True, slots=True)
class SecureJob:
    """The files of the server's folder "down" are to come, those of the local one to go to the server's folder "up"."""

    job: Job
    secure: Secure
    names: tuple[str, ...]
    """The files, the same for both ways."""

    @property
    def down(self) -> str:
        return os.path.join(os.fsdecode(self.job.local), "down")

    @property
    def up(self) -> str:
        return os.path.join(os.fsdecode(self.job.local), "up")

    @property
    def login(self) -> list[str]:
        return [self.job.host, str(self.job.port), self.job.user, self.job.password]

    @property
    def url(self) -> str:
        return f"{'ftps' if self.secure.implicit else 'ftp'}://{self.job.authority}"

    def version(self, prefix: str) -> str:
        """The version as a program wants it, behind *prefix*; empty for the client's choice."""
        return f"{prefix}{self.secure.version}" if self.secure.version else ""


# --- curl ---------------------------------------------------------------------------------------------------------


def curl_options(job: SecureJob) -> list[str]:
    version = job.secure.version
    chosen = [f"--tlsv{version}", "--tls-max", version] if version else []
    return ["-sS", "-k", "--ssl-reqd", "--fail-early", "--max-time", str(PATIENCE), *chosen]


def curl(job: SecureJob) -> None:
    """All files one after the other, in one session."""
    transfers: list[str] = []
    for name in job.names:
        for move in (["-o", os.path.join(job.down, name), f"{job.url}/down/{name}"],
                     ["-T", os.path.join(job.up, name), f"{job.url}/up/{name}"]):  # fmt: skip
            transfers += [*(["--next"] if transfers else []), *curl_options(job), *move]
    run(job.job, "curl", "-q", *transfers)


# --- lftp ---------------------------------------------------------------------------------------------------------


def lftp_settings(job: SecureJob) -> str:
    version = job.secure.version
    priority = f"set ssl:priority 'NORMAL:-VERS-ALL:+VERS-TLS{version}'; " if version else ""
    return (
        "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:ssl-protect-list yes; "
        f"set ssl:verify-certificate no; {priority}open {job.url}/; "
    )


def lftp_mirror(job: SecureJob) -> None:
    lftp(job.job, f"{lftp_settings(job)}mirror down {job.down}; mirror --reverse {job.up} up")


def lftp_parallel(job: SecureJob) -> None:
    lftp(job.job, f"{lftp_settings(job)}mirror --parallel=4 down {job.down}; mirror --reverse --parallel=4 {job.up} up")


def lftp_get_and_put(job: SecureJob) -> None:
    moves = [f"get down/{name} -o {job.down}/{name}; put {job.up}/{name} -o up/{name}" for name in job.names]
    lftp(job.job, lftp_settings(job) + "; ".join(moves))


# --- rclone -------------------------------------------------------------------------------------------------------


def rclone_copy(job: SecureJob) -> None:
    options = {
        "tls" if job.secure.implicit else "explicit_tls": "true",
        "no_check_certificate": "true",
        "disable_tls13": "true" if job.secure.version == "1.2" else "false",
    }
    rclone(job.job, "copy", "server:down", job.down, options=options)
    rclone(job.job, "copy", job.up, "server:up", options=options)


# --- ftplib -------------------------------------------------------------------------------------------------------


class Implicit(ftplib.FTP_TLS):
    """ftplib knows AUTH TLS only; this is how its users write the other way."""

    def connect(
        self, host: str = "", port: int = 0, timeout: float = -999, source_address: tuple[str, int] | None = None
    ) -> str:
        raw = socket.create_connection((host, port), self.timeout)
        self.host, self.af = host, raw.family
        self.sock = self.context.wrap_socket(raw, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome


def ftplib_session(job: SecureJob) -> ftplib.FTP_TLS:
    """Logged in, PROT P. Its data connections begin a session of their own each."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if job.secure.version is not None:
        version = ssl.TLSVersion[f"TLSv{job.secure.version.replace('.', '_')}"]
        context.minimum_version = context.maximum_version = version
    session = (Implicit if job.secure.implicit else ftplib.FTP_TLS)(context=context, timeout=10)
    session.connect(job.job.host, job.job.port)
    if job.secure.implicit:
        ftplib.FTP.login(session, job.job.user, job.job.password)
    else:
        session.login(job.job.user, job.job.password)
    session.prot_p()
    return session


def ftplib_both(job: SecureJob) -> None:
    with ftplib_session(job) as session:
        for name in job.names:
            with open(os.path.join(job.down, name), "xb") as file:
                session.retrbinary(f"RETR down/{name}", file.write)
            with open(os.path.join(job.up, name), "rb") as file:
                session.storbinary(f"STOR up/{name}", file)


# --- programs of other languages ----------------------------------------------------------------------------------


def basic_ftp(job: SecureJob) -> None:
    run(
        job.job,
        *("node", str(HERE / "basic_ftp.js"), str(BASIC_FTP), *job.login, job.version("TLSv"), job.secure.word),
        *(job.down, job.up),
    )


def commons_net(job: SecureJob) -> None:
    source = job.job.scratch / "commons_net.java"
    shutil.copy(HERE / "commons_net.java", source)
    run(
        job.job,
        *("java", "-Xshare:auto", "-cp", str(COMMONS_NET), str(source), *job.login, job.version("TLSv")),
        *(job.secure.word, job.down, job.up),
    )


def net_ftp(job: SecureJob) -> None:
    version = job.version("TLSv").replace(".", "_")
    run(job.job, "perl", str(HERE / "net_ftp.pl"), *job.login, version, job.secure.word, job.down, job.up)


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Client:
    """A client program: how it moves the files, whether it resumes, and what it cannot do, with the reason."""

    name: str
    program: str | None
    move: Callable[[SecureJob], None]
    resumes: frozenset[str] = frozenset()
    """With which TLS its data connections resume the session of the control connection, whatever came before."""
    needs: Path | None = None
    """What must be there besides the program."""


_ALWAYS = frozenset({"1.2", "1.3"})

CLIENTS: tuple[Client, ...] = (
    # Of TLS 1.3 OpenSSL uses each ticket once, and an upload, during which curl 7.88 reads nothing, brings no other.
    Client("curl", "curl", curl, resumes=frozenset({"1.2"})),
    Client("lftp", "lftp", lftp_get_and_put, resumes=_ALWAYS),
    Client("lftp-mirror", "lftp", lftp_mirror, resumes=_ALWAYS),
    Client("lftp-parallel", "lftp", lftp_parallel, resumes=_ALWAYS),
    Client("rclone", "rclone", rclone_copy, resumes=_ALWAYS),
    Client("ftplib", None, ftplib_both),  # it has no argument for the session
    Client("basic-ftp", "node", basic_ftp, resumes=_ALWAYS, needs=BASIC_FTP),
    # Java finds sessions again by host and port, and the port is another one.
    Client("commons-net", "java", commons_net, needs=COMMONS_NET),
    # Its data connections do not get the key under which it keeps the session of the control connection.
    Client("net-ftp", "perl", net_ftp, needs=IO_SOCKET_SSL),
)
