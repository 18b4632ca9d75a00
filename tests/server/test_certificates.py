"""The certificates of a server that runs: swapped under its sessions, had from an ACME server, warned about."""

from __future__ import annotations

import ftplib
import io
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests.net.authority import Made, TestAuthority
from tests.net.pebble import LOOPBACK, pebble

import homeport
from homeport.events.types import Event, Warned
from homeport.net.certificates import fingerprint_of
from homeport.net.selfsigned import own_certificate, own_paths
from homeport.net.store import Source
from homeport.server.config import Config
from homeport.server.listening import StartError

from .fakes import wait_for


def config_of(root: Path, **tables: object) -> Config:
    users = [{"name": "bob", "password": "plain:secret", "home": str(root)}]
    return Config.model_validate(
        {"listen": {"addresses": [LOOPBACK], "port": 0}, "data": {"passive_ports": "any"}, "users": users} | tables
    )


@contextmanager
def session(server: homeport.Server, name: str = LOOPBACK) -> Iterator[ftplib.FTP_TLS]:
    """Somebody who has logged in over TLS, with protected data connections, and gives *name* as the server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ftplib.FTP_TLS(context=context, timeout=10) as client:
        client.connect(server.host, server.port)
        client.host = name  # what is sent as the name (SNI), and otherwise used for data connections only by EPSV
        client.auth()
        client.host = LOOPBACK
        client.login("bob", "secret")
        client.prot_p()
        yield client


def shown(client: ftplib.FTP_TLS) -> str:
    """The fingerprint of the certificate of the control connection."""
    assert isinstance(client.sock, ssl.SSLSocket)
    return fingerprint_of(client.sock.getpeercert(binary_form=True) or b"")


def fingerprint(made: Made) -> str:
    return fingerprint_of(ssl.PEM_cert_to_DER_cert(made.certificate.decode()))


def new_session_shows(server: homeport.Server, wanted: str) -> bool:
    with session(server) as client:
        return shown(client) == wanted


def data_certificate(client: ftplib.FTP_TLS) -> str:
    """The fingerprint of what the server shows on a data connection, over which a file is sent whole."""
    connection = client.transfercmd("RETR hello.txt")
    assert isinstance(connection, ssl.SSLSocket)
    with connection:
        assert connection.recv(100) == b"hello"
        assert connection.recv(100) == b""
        found = fingerprint_of(connection.getpeercert(binary_form=True) or b"")
        connection.unwrap()
    client.voidresp()
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "hello.txt").write_bytes(b"hello")
    return root


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the files for every handshake, so that no test has to wait."""
    monkeypatch.setattr("homeport.net.store.LOOK_SECONDS", 0.0)


def test_a_swap_is_for_new_sessions_and_leaves_the_others_what_they_have(tmp_path: Path, root: Path) -> None:
    authority = TestAuthority()
    old, new = authority.make(["ftp.example.net"]), authority.make(["ftp.example.net"])
    certificate, key = old.write(tmp_path, "one")
    events: list[Event] = []
    server = homeport.Server(config=config_of(root, tls={"certificate": certificate, "key": key}))
    server.subscribe(events.append)
    with server, session(server) as before:
        assert shown(before) == fingerprint(old)
        assert [status.fingerprint for status in server.certificates] == [fingerprint(old)]
        new.write(tmp_path, "one")
        wait_for(lambda: new_session_shows(server, fingerprint(new)))
        assert data_certificate(before) == fingerprint(old), "RFC 4217 §15.1.1: the same as of its control connection"
        before.storbinary("STOR new.txt", io.BytesIO(b"x" * 100_000))
        assert (root / "new.txt").stat().st_size == 100_000
        with session(server) as after:
            assert shown(after) == data_certificate(after) == fingerprint(new)
        assert [status.fingerprint for status in server.certificates] == [fingerprint(new)]
    assert [event for event in events if isinstance(event, Warned)] == []


def test_a_broken_swap_changes_nothing_and_is_told(tmp_path: Path, root: Path) -> None:
    authority = TestAuthority()
    old = authority.make(["ftp.example.net"])
    certificate, key = old.write(tmp_path, "one")
    events: list[Event] = []
    server = homeport.Server(config=config_of(root, tls={"certificate": certificate, "key": key}))
    server.subscribe(events.append)
    with server:
        Path(key).write_bytes(authority.make(["ftp.example.net"]).key)
        for _ in range(3):
            assert new_session_shows(server, fingerprint(old))
        wait_for(lambda: any(isinstance(event, Warned) for event in events))
    (warning,) = [event.text for event in events if isinstance(event, Warned)]
    assert "is not the key of" in warning


def test_the_name_that_a_client_gives_chooses(tmp_path: Path, root: Path) -> None:
    authority = TestAuthority()
    first, second = authority.make(["ftp.example.net"]), authority.make(["*.example.org"])
    one, other = first.write(tmp_path, "one"), second.write(tmp_path, "other")
    tls = {
        "certificate": one[0], "key": one[1],
        "certificates": [{"certificate": other[0], "key": other[1]}],
    }  # fmt: skip
    with homeport.Server(config=config_of(root, tls=tls)) as server:
        for name, wanted in (("files.example.org", second), ("ftp.example.net", first), ("other.example", first)):
            with session(server, name) as client:
                assert shown(client) == data_certificate(client) == fingerprint(wanted)


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_acme_from_the_first_start_on(tmp_path: Path, root: Path, challenge: str) -> None:
    events: list[Event] = []
    with pebble(tmp_path / "pebble") as authority:
        acme = {
            "enabled": True,
            "accept_terms": True,
            "names": ["ftp.example.test"],
            "directory": authority.directory,
            "directory_trust": authority.trust,
            "challenge": challenge,
            "http_port": authority.http_port,
            "tls_port": authority.tls_port,
        }
        config = config_of(root, server={"state": str(tmp_path / "state")}, acme=acme)
        server = homeport.Server(config=config)
        server.subscribe(events.append)
        with server:
            own = own_certificate(str(tmp_path / "state"), []).fingerprint
            with session(server) as before:
                wait_for(lambda: server.certificates[0].source is Source.ACME)
                issued = server.certificates[0].fingerprint
                with session(server) as after:
                    assert shown(after) == data_certificate(after) == issued
                assert data_certificate(before) == shown(before)
                assert shown(before) in (own, issued)
        with homeport.Server(config=config) as server:
            assert server.certificates[0].fingerprint == issued, "a restart asks for none"
    assert [event for event in events if isinstance(event, Warned)] == []


def test_a_stop_does_not_wait_for_an_authority(tmp_path: Path, root: Path) -> None:
    """It is asked and does not answer; the server has better things to do than to wait for it."""
    import socket
    import time

    with socket.create_server((LOOPBACK, 0)) as silent:
        acme = {
            "enabled": True, "accept_terms": True, "names": ["ftp.example.test"],
            "directory": f"https://localhost:{silent.getsockname()[1]}/dir",
        }  # fmt: skip
        server = homeport.Server(config=config_of(root, server={"state": str(tmp_path / "state")}, acme=acme))
        with server:
            silent.settimeout(10)
            asking, _ = silent.accept()
            began = time.monotonic()
            server.stop(0.0)
            assert time.monotonic() - began < 6
        asking.close()


def test_what_cannot_be_used_is_no_start(tmp_path: Path, root: Path) -> None:
    certificate, _ = TestAuthority().make(["a.example"]).write(tmp_path, "one")
    _, key = TestAuthority().make(["a.example"]).write(tmp_path, "two")
    with pytest.raises(StartError, match="is not the key of"):
        homeport.Server(config=config_of(root, tls={"certificate": certificate, "key": key})).start()


def test_a_broken_certificate_of_its_own_is_no_start(tmp_path: Path, root: Path) -> None:
    own_certificate(str(tmp_path), ["localhost"])
    Path(own_paths(str(tmp_path))[1]).write_bytes(b"nonsense")
    with pytest.raises(StartError, match=r"Remove .* and the next start makes new ones"):
        homeport.Server(config=config_of(root, server={"state": str(tmp_path)})).start()


def test_acme_needs_a_state_directory(root: Path) -> None:
    acme = {"enabled": True, "accept_terms": True, "names": ["ftp.example.test"]}
    with pytest.raises(StartError, match="state directory"):
        homeport.Server(config=config_of(root, acme=acme)).start()


def test_what_runs_out_soon_is_told_at_the_start(tmp_path: Path, root: Path) -> None:
    authority = TestAuthority()
    authority.now -= timedelta(days=80)
    certificate, key = authority.make(["ftp.example.net"]).write(tmp_path, "one")
    events: list[Event] = []
    server = homeport.Server(config=config_of(root, tls={"certificate": certificate, "key": key}))
    server.subscribe(events.append)
    with server:
        assert server.certificates[0].days_left == 9
    (warning,) = [event.text for event in events if isinstance(event, Warned)]
    assert "runs out on" in warning
    assert "in 10 days" in warning


def test_the_library_of_acme_may_be_missing(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "acme", None)
    monkeypatch.delitem(sys.modules, "homeport.net.acme", raising=False)
    acme = {"enabled": True, "accept_terms": True, "names": ["ftp.example.test"]}
    config = config_of(root, server={"state": str(tmp_path / "state")}, acme=acme)
    with pytest.raises(StartError, match=r"pip install 'homeport\[acme\]'"):
        homeport.Server(config=config).start()
