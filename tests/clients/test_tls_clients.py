"""Real clients under TLS: files both ways, TLS 1.2 and 1.3, explicit and implicit; a self-signed certificate."""

from __future__ import annotations

import ftplib
import os
import random
import ssl
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from homeport.events.types import SessionProtected, TransferEnded

from .clients import found, lftp, run
from .conftest import PASSWORD, USER, PrepareSecure, missing
from .secure import CLIENTS, WAYS, Client, Secure, curl_options, ftplib_session, lftp_settings

_OCTETS = random.Random(4217)
FILES = {"empty.bin": b"", "small.bin": _OCTETS.randbytes(3001), "large.bin": _OCTETS.randbytes((2 << 20) + 1)}


def _cases() -> Iterator[object]:
    for client in CLIENTS:
        for way in WAYS:
            yield pytest.param(client, way, id=f"{client.name}-{way}")


@pytest.mark.parametrize(("client", "way"), list(_cases()))
def test_files_both_ways(prepare_secure: PrepareSecure, client: Client, way: Secure) -> None:
    prepared = prepare_secure(way, FILES, client=client)
    client.move(prepared.job)
    prepared.compare()
    assert prepared.versions() == {f"TLSv{way.version}"}


@pytest.mark.parametrize(
    ("client", "version"),
    [
        pytest.param(client, version, id=f"{client.name}-{version}")
        for client in CLIENTS
        for version in sorted(client.resumes)
    ],
)
def test_resumption_may_be_required(prepare_secure: PrepareSecure, client: Client, version: str) -> None:
    prepared = prepare_secure(Secure(version), FILES, client=client, session_reuse="require")
    client.move(prepared.job)
    prepared.compare()


# -- tickets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("program", ["curl", "lftp"])
def test_many_files_in_one_session(prepare_secure: PrepareSecure, program: str, version: str) -> None:
    """All resumed: tickets do not run out."""
    # curl 7.88 rests for 0.2 s before most files: it waits for a socket that it opens only afterwards.
    files = {f"{number}.txt": b"%d\r\n" % number * number for number in range(12 if program == "curl" else 400)}
    client = next(one for one in CLIENTS if one.program == program)
    prepared = prepare_secure(Secure(version), files, client=client, session_reuse="require")
    job = prepared.job
    if program == "curl":
        urls = f"{job.url}/down/[0-{len(files) - 1}].txt"
        run(job.job, "curl", "-q", *curl_options(job), "-o", f"{job.down}/#1.txt", urls)
    else:
        lftp(job.job, f"{lftp_settings(job)}mirror down {job.down}")
    assert {file.name: file.read_bytes() for file in Path(job.down).iterdir()} == files
    assert sum(isinstance(event, SessionProtected) for event in prepared.events) == 1
    if program == "lftp":
        # It sends the end of its handshake in two segments; one that we let wait for an acknowledgement takes 40 ms.
        ends = [event.at for event in prepared.events if isinstance(event, TransferEnded)]
        assert statistics.median(late - early for early, late in pairwise(ends)) < 0.035


# -- ftplib -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_client_that_cannot_resume_is_told_so(prepare_secure: PrepareSecure, version: str) -> None:
    prepared = prepare_secure(Secure(version), FILES, session_reuse="require")
    with ftplib_session(prepared.job) as session:
        session.transfercmd("STOR up/small.bin").close()
        with pytest.raises(ftplib.error_perm, match=r"^522 .* must resume the TLS session"):
            session.voidresp()
        assert session.pwd() == "/"  # the session goes on
    assert os.listdir(prepared.home / "up") == []


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_an_upload_that_is_closed_without_close_notify(prepare_secure: PrepareSecure, version: str) -> None:
    """What programs do that call `transfercmd` and forget `unwrap`: they are told, and nothing is published."""
    prepared = prepare_secure(Secure(version), FILES)
    with ftplib_session(prepared.job) as session:
        with session.transfercmd("STOR up/small.bin") as data:
            data.sendall(FILES["small.bin"])
        with pytest.raises(ftplib.error_temp, match=r"^4(26|51) "):
            session.voidresp()
        assert not (prepared.home / "up" / "small.bin").exists()
        with session.transfercmd("STOR up/small.bin") as data:
            data.sendall(FILES["small.bin"])
            assert isinstance(data, ssl.SSLSocket)
            data.unwrap()
        assert session.voidresp().startswith("226")
    assert (prepared.home / "up" / "small.bin").read_bytes() == FILES["small.bin"]


# -- openssl ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_s_client_takes_up_its_session(prepare_secure: PrepareSecure, way: Secure) -> None:
    if found("openssl") is None:
        missing("openssl")
    prepared = prepare_secure(way, {})
    job = prepared.job.job
    session = str(job.scratch / "session.pem")
    start = [] if way.implicit else ["-starttls", "ftp"]
    version = f"-tls{(way.version or '').replace('.', '_')}"
    said = b""
    for option in ("-sess_out", "-sess_in"):
        said = run(
            job,
            *("openssl", "s_client", "-connect", f"{job.host}:{job.port}", version, *start, "-quiet", "-crlf"),
            *("-alpn", "ftp", option, session),
            stdin=f"USER {USER}\nPASS {PASSWORD}\nQUIT\n".encode(),
        )
        assert b"\n230 " in said
        assert b"\n221 " in said
    resumed = [event.resumed for event in prepared.events if isinstance(event, SessionProtected)]
    assert resumed == [False, True]
    assert prepared.versions() == {f"TLSv{way.version}"}
