"""The fixtures that Homeport ships: a server that runs, is what it says, and is gone afterwards."""

from __future__ import annotations

import ftplib
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer, FtpServerFactory


def test_the_server_serves_its_root(ftp_server: FtpServer) -> None:
    with ftp_server.client() as client:
        assert client.stor("a.txt", b"hello").complete
        assert client.retr("a.txt").data == b"hello"
        client.quit()
    assert (ftp_server.root / "a.txt").read_bytes() == b"hello"


def test_an_ordinary_client_gets_in_with_what_the_fixture_says(ftp_server: FtpServer) -> None:
    (ftp_server.root / "there").touch()
    with ftplib.FTP(timeout=10) as ftp:
        ftp.connect(ftp_server.host, ftp_server.port)
        ftp.login(ftp_server.user, ftp_server.password)
        assert ftp.nlst() == ["there"]


def test_the_url_holds_everything(ftp_server: FtpServer) -> None:
    server = ftp_server
    assert server.url == f"ftp://{server.user}:{server.password}@127.0.0.1:{server.port}/"


def test_a_client_need_not_log_in(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        client.ask("PWD", 530)


def test_a_client_that_is_not_closed_is_closed_with_the_server(ftp_server: FtpServer) -> None:
    ftp_server.client()  # the leak check of every test is what fails otherwise


def test_options(ftp_server_factory: FtpServerFactory, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    server = ftp_server_factory(root=tmp_path, user="b@b", password="p:/ss", read_only=True)
    assert server.url == f"ftp://b%40b:p%3A%2Fss@127.0.0.1:{server.port}/"
    with server.client() as client:
        assert client.retr("a").data == b"a"
        refused = client.stor("b", b"b")
        assert refused.preliminary is None
        assert refused.final.code in {550, 553}
    assert not (tmp_path / "b").exists()


def test_anonymous(ftp_server_factory: FtpServerFactory) -> None:
    server = ftp_server_factory(anonymous=True)
    with Client(server.host, server.port) as client:
        client.login("anonymous", "me@example.org")


def test_ipv6(ftp_server_factory: FtpServerFactory) -> None:
    server = ftp_server_factory(host="::1")
    assert f"@[::1]:{server.port}/" in server.url
    with server.client() as client:
        assert client.nlst().data == b""


def test_two_servers_at_once_have_nothing_in_common(ftp_server_factory: FtpServerFactory) -> None:
    one, other = ftp_server_factory(), ftp_server_factory()
    assert one.port != other.port
    assert one.root != other.root
    with one.client() as client:
        client.stor("a", b"")
    with other.client() as client:
        assert client.nlst().data == b""


def test_a_stopped_server_refuses_connections(ftp_server_factory: FtpServerFactory) -> None:
    server = ftp_server_factory()
    server.server.stop()
    with pytest.raises(ConnectionRefusedError):
        Client(server.host, server.port)


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    code = "import sys, homeport.testing.plugin; print([m for m in sys.modules if m.startswith('homeport.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert loaded.strip() == "['homeport.testing', 'homeport.testing.plugin']"
