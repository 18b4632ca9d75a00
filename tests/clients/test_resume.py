"""What a client has already is not sent again: resumed downloads and uploads, segments, time stamps.

The part that is there already has other octets than the source. They are in the result only if the client really
went on from there; a transfer from the start would have replaced them.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from .clients import Job, Way, ftplib_session, lftp, run

if TYPE_CHECKING:
    from homeport.testing.plugin import FtpServer

Prepare = Callable[..., "tuple[FtpServer, Job]"]

PASSIVE = Way("passive", 4)
WHOLE = random.Random(3659).randbytes(1 << 20)
HERE = 400_001
PART = bytes(octet ^ 0xFF for octet in WHOLE[:HERE])
RESUMED = PART + WHOLE[HERE:]


def _url(job: Job, name: str = "file.bin") -> str:
    return f"ftp://{job.authority}/{name}"


def _bsd(job: Job, program: str, *options: str, command: str) -> None:
    script = f"open {job.host} {job.port}\nuser {job.user} {job.password}\nbinary\n{command}\nbye\n"
    run(job, program, "-n", "-v", "-i", *options, stdin=script.encode())


def _curl_get(job: Job) -> None:
    run(job, "curl", "-q", "-sS", "-C", "-", "-o", "file.bin", _url(job))


def _wget_get(job: Job) -> None:
    run(job, "wget", "--no-config", "-nv", "--continue", "--tries=1", _url(job))


def _lftp_get(job: Job) -> None:
    lftp(job, "open {url}; get -c file.bin")


def _lftp_reget(job: Job) -> None:
    lftp(job, "open {url}; reget file.bin")


def _ncftp_get(job: Job) -> None:
    login = ["-u", job.user, "-p", job.password, "-P", str(job.port)]
    run(job, "ncftpget", "-V", "-z", "-F", *login, job.host, ".", "file.bin")


def _tnftp_get(job: Job) -> None:
    _bsd(job, "tnftp", "-V", "-p", command="reget file.bin")


def _inetutils_get(job: Job) -> None:
    _bsd(job, "inetutils-ftp", "--passive", command="reget file.bin")


def _ftplib_get(job: Job) -> None:
    with ftplib_session(job) as session, open(os.path.join(job.local, b"file.bin"), "ab") as file:
        session.retrbinary("RETR file.bin", file.write, rest=file.tell())


@pytest.mark.parametrize(
    ("program", "download"),
    [
        ("curl", _curl_get),
        ("wget", _wget_get),
        ("lftp", _lftp_get),
        ("lftp", _lftp_reget),
        ("ncftpget", _ncftp_get),
        ("tnftp", _tnftp_get),
        ("inetutils-ftp", _inetutils_get),
        (None, _ftplib_get),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_download_goes_on_where_it_was_cut(
    prepare: Prepare, program: str | None, download: Callable[[Job], None]
) -> None:
    server, job = prepare(program, PASSIVE)
    (server.root / "file.bin").write_bytes(WHOLE)
    os.mkdir(job.local)
    local = os.path.join(job.local, b"file.bin")
    with open(local, "xb") as file:
        file.write(PART)
    os.utime(local, ns=(0, (server.root / "file.bin").stat().st_mtime_ns))  # some resume only what is not older
    download(job)
    with open(local, "rb") as file:
        assert file.read() == RESUMED


def _curl_put(job: Job) -> None:
    run(job, "curl", "-q", "-sS", "-C", "-", "-T", "file.bin", _url(job))


def _lftp_put(job: Job) -> None:
    lftp(job, "open {url}; put -c file.bin")


def _inetutils_put(job: Job) -> None:
    _bsd(job, "inetutils-ftp", "--passive", command=f"restart {HERE}\nput file.bin")


def _tnftp_put(job: Job) -> None:
    _bsd(job, "tnftp", "-V", "-p", command=f"restart {HERE}\nput file.bin")


def _ftplib_put(job: Job) -> None:
    with ftplib_session(job) as session, open(os.path.join(job.local, b"file.bin"), "rb") as file:
        session.voidcmd("TYPE I")  # in TYPE A, the default, SIZE counts the CR that the transfer would add
        size = session.size("file.bin")
        assert size == HERE
        file.seek(size)
        session.storbinary("STOR file.bin", file, rest=size)


def _ftplib_append(job: Job) -> None:
    with ftplib_session(job) as session, open(os.path.join(job.local, b"file.bin"), "rb") as file:
        file.seek(HERE)
        session.storbinary("APPE file.bin", file)


# ncftpput is not here: with -z, 3.2.6 says REST and then sends its file from the start.
@pytest.mark.parametrize(
    ("program", "upload"),
    [
        ("curl", _curl_put),
        ("lftp", _lftp_put),
        ("tnftp", _tnftp_put),
        ("inetutils-ftp", _inetutils_put),
        (None, _ftplib_put),
        (None, _ftplib_append),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_upload_goes_on_where_it_was_cut(prepare: Prepare, program: str | None, upload: Callable[[Job], None]) -> None:
    server, job = prepare(program, PASSIVE)
    stored = server.root / "file.bin"
    stored.write_bytes(PART)
    os.mkdir(job.local)
    local = os.path.join(job.local, b"file.bin")
    with open(local, "xb") as file:
        file.write(WHOLE)
    os.utime(local, ns=(0, stored.stat().st_mtime_ns))
    upload(job)
    assert stored.read_bytes() == RESUMED
    assert os.listdir(server.root) == ["file.bin"]


def test_lftp_takes_a_file_in_segments_at_once(prepare: Prepare) -> None:
    """pget: four sessions of one address, each with REST of its own and an ABOR when its segment is full."""
    server, job = prepare("lftp", PASSIVE)
    (server.root / "file.bin").write_bytes(WHOLE)
    os.mkdir(job.local)
    lftp(job, "set pget:min-chunk-size 64k; open {url}; pget -n 4 file.bin")
    with open(os.path.join(job.local, b"file.bin"), "rb") as file:
        assert file.read() == WHOLE


def test_wget_fetches_only_what_is_newer(prepare: Prepare) -> None:
    server, job = prepare("wget", PASSIVE)
    remote = server.root / "file.txt"
    remote.write_bytes(b"first")
    dated = int(time.time()) // 60 * 60 - 3 * 86400  # LIST tells minutes, and only of the last half year
    os.utime(remote, (dated, dated))
    os.mkdir(job.local)
    local = os.path.join(job.local, b"file.txt")

    def fetch() -> bytes:
        run(job, "wget", "--no-config", "-nv", "--timestamping", "--tries=1", _url(job, "file.txt"))
        with open(local, "rb") as file:
            return file.read()

    assert fetch() == b"first"
    assert os.stat(local).st_mtime == dated
    remote.write_bytes(b"other")
    os.utime(remote, (dated, dated))
    assert fetch() == b"first"  # same time and size: nothing to fetch
    os.utime(remote, (dated + 86400, dated + 86400))
    assert fetch() == b"other"


def test_times_survive_a_mirror_both_ways(prepare: Prepare) -> None:
    """lftp asks with MDTM or MLSD and sets with MFMT: what comes back has the time that was sent."""
    server, job = prepare("lftp", PASSIVE)
    os.mkdir(job.local)
    local = os.path.join(job.local, b"file.txt")
    with open(local, "xb") as file:
        file.write(b"dated")
    os.utime(local, (1_234_567_890, 1_234_567_890))
    lftp(job, "open {url}; mirror --reverse . tree")
    assert (server.root / "tree" / "file.txt").stat().st_mtime == 1_234_567_890
    os.unlink(local)
    lftp(job, "open {url}; mirror tree .")
    assert os.stat(local).st_mtime == 1_234_567_890
