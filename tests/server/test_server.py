"""homeport.Server as a program sees it: real sockets, a real client, and nothing left behind."""

from __future__ import annotations

import ftplib
import io
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import homeport
from homeport.events.types import (
    CloseReason,
    Event,
    LoggedIn,
    ServerStarted,
    ServerStopped,
    SessionClosed,
    SessionRefused,
    StrangerRefused,
    TransferEnded,
)

from .fakes import wait_for


def login(server: homeport.Server, user: str = "", password: str = "") -> ftplib.FTP:
    client = ftplib.FTP(timeout=10)
    try:
        client.connect(server.host, server.port)
        client.login(user, password)
    except BaseException:
        client.close()
        raise
    return client


def names(client: ftplib.FTP) -> list[str]:
    return sorted(name for name, _ in client.mlsd())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_a_few_arguments_make_a_server(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_bytes(b"hello")
    with homeport.Server(tmp_path, user="bob", password="secret") as server:
        assert server.running
        assert server.url == f"ftp://127.0.0.1:{server.port}/"
        assert len(server.passive_ports) == 16
        with login(server, "bob", "secret") as client:
            into = io.BytesIO()
            client.retrbinary("RETR hello.txt", into.write)
            assert into.getvalue() == b"hello"
            client.storbinary("STOR new.txt", io.BytesIO(b"x" * 100_000))
            assert (tmp_path / "new.txt").read_bytes() == b"x" * 100_000
            [view] = server.sessions
            assert (view.user, view.transfers, view.octets_in, view.octets_out) == ("bob", 2, 100_000, 5)
            assert view.peer == client.sock.getsockname()  # type: ignore[union-attr]
        wait_for(lambda: server.sessions == ())
    assert not _accepts(server)


def test_without_anybody_there_is_home_with_a_password(tmp_path: Path) -> None:
    with homeport.Server(tmp_path) as server:
        assert server.user == "home"
        assert server.password is not None
        assert len(server.password) >= 16
        with login(server, server.user, server.password) as client:
            assert names(client) == []
        with pytest.raises(ftplib.error_perm, match="530"):
            login(server, server.user, "guessed")


def test_read_only_anonymous(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with homeport.Server(tmp_path, anonymous=True) as server:
        assert server.user is None
        with login(server) as client:
            assert names(client) == ["a"]
            with pytest.raises(ftplib.error_perm):
                client.storbinary("STOR b", io.BytesIO(b""))
    with (
        homeport.Server(tmp_path, user="bob", password="secret", read_only=True) as server,
        login(server, "bob", "secret") as client,
    ):
        with pytest.raises(ftplib.error_perm):
            client.storbinary("STOR b", io.BytesIO(b""))
        assert names(client) == ["a"]


def test_more_users_with_homes_and_rights_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of-{name}").touch()
    users: list[dict[str, object]] = [
        {"name": "one", "password": "first", "home": tmp_path / "one"},
        {"name": "two", "password": "second", "home": str(tmp_path / "two"), "access": "read"},
    ]
    with homeport.Server(users=users) as server:
        with login(server, "one", "first") as client:
            assert names(client) == ["of-one"]
            client.mkd("new")
        with login(server, "two", "second") as client:
            assert names(client) == ["of-two"]
            with pytest.raises(ftplib.error_perm):
                client.mkd("new")


def test_two_at_once_and_again(tmp_path: Path) -> None:
    first = homeport.Server(tmp_path, user="a", password="1")
    with first, homeport.Server(tmp_path, user="b", password="2") as second:
        assert first.port != second.port
        with login(first, "a", "1"), login(second, "b", "2"):
            assert [view.user for view in first.sessions] == ["a"]
            assert [view.user for view in second.sessions] == ["b"]
        with pytest.raises(ftplib.error_perm):
            login(second, "a", "1")
        with pytest.raises(RuntimeError, match="already"):
            first.start()
    with first, login(first, "a", "1"):
        pass


def test_fifty_starts_and_stops_leave_nothing(tmp_path: Path) -> None:
    server = homeport.Server(tmp_path, user="bob", password="secret")
    with server, login(server, "bob", "secret"):
        pass
    threads, open_before = threading.active_count(), descriptors()
    for round_ in range(50):
        assert server.start() is server
        if round_ % 10 == 0:
            with login(server, "bob", "secret"):
                pass
        assert server.stop(1)
    assert threading.active_count() == threads
    assert descriptors() == open_before


def test_events(tmp_path: Path) -> None:
    events: list[Event] = []
    server = homeport.Server(tmp_path, user="bob", password="secret")
    server.subscribe(events.append)
    with server:
        assert isinstance(events[0], ServerStarted)
        assert events[0].addresses == ((server.host, server.port),)
        assert events[0].passive_ports == server.passive_ports
        with login(server, "bob", "secret"):
            pass
        wait_for(lambda: any(isinstance(event, SessionClosed) for event in events))
        assert [event.user for event in events if isinstance(event, LoggedIn)] == ["bob"]
    assert isinstance(events[-1], ServerStopped)
    count = len(events)
    server.unsubscribe(events.append)
    with server:
        pass
    assert len(events) == count


def test_an_idle_session_hears_of_the_stop(tmp_path: Path) -> None:
    with homeport.Server(tmp_path, user="bob", password="secret") as server:
        client = login(server, "bob", "secret")
    with client.sock as raw:  # type: ignore[union-attr]
        assert raw.recv(200).startswith(b"421 ")
        assert raw.recv(1) == b""
    client.file.close()  # type: ignore[union-attr]


def test_a_download_under_way_may_finish(tmp_path: Path) -> None:
    content = os.urandom(8 * 1024 * 1024)
    (tmp_path / "large").write_bytes(content)
    server = homeport.Server(tmp_path, user="bob", password="secret").start()
    client = login(server, "bob", "secret")
    client.voidcmd("TYPE I")
    data = client.transfercmd("RETR large")
    stopper = threading.Thread(target=server.stop, args=(20,))
    with data:
        stopper.start()
        wait_for(lambda: server.sessions != () and not _accepts(server))
        received = b"".join(iter(lambda: data.recv(1 << 20), b""))
    assert received == content
    assert client.voidresp().startswith("226")
    stopper.join(10)
    assert not server.running
    client.close()


def _accepts(server: homeport.Server) -> bool:
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except ConnectionError:  # refused; or reset, when the socket stops listening with the connection in its backlog
        return False
    return True


def test_the_end_of_the_drain_aborts_an_upload_and_leaves_no_half_file(tmp_path: Path) -> None:
    events: list[Event] = []
    server = homeport.Server(tmp_path, user="bob", password="secret").start()
    server.subscribe(events.append)
    client = login(server, "bob", "secret")
    data = client.transfercmd("STOR half")
    data.sendall(b"x" * 1000)
    wait_for(lambda: server.sessions[0].activity)
    begin = time.monotonic()
    assert server.stop(0.1)
    assert time.monotonic() - begin < 3
    assert not (tmp_path / "half").exists()
    with pytest.raises(ftplib.error_temp, match="bytes: the server is stopping"):
        client.voidresp()
    data.close()
    client.close()
    assert [event.error for event in events if isinstance(event, TransferEnded)] == ["the server is stopping"]


def test_a_session_that_is_ended_in_the_middle_of_a_transfer_says_who_did_it(tmp_path: Path) -> None:
    events: list[Event] = []
    with homeport.Server(tmp_path, user="bob", password="secret") as server:
        server.subscribe(events.append)
        client = login(server, "bob", "secret")
        data = client.transfercmd("STOR half")
        data.sendall(b"x" * 1000)
        wait_for(lambda: server.sessions[0].activity)
        assert server.end_session(server.sessions[0].number)
        with pytest.raises(ftplib.error_temp, match="bytes: the server has ended the session"):
            client.voidresp()
        data.close()
        client.close()
        # And a client that leaves has done so itself.
        client = login(server, "bob", "secret")
        data = client.transfercmd("STOR half")
        data.sendall(b"x" * 1000)
        wait_for(lambda: any(view.activity for view in server.sessions))
        client.close()
        wait_for(lambda: len([event for event in events if isinstance(event, TransferEnded)]) == 2)
        data.close()
    assert [event.error for event in events if isinstance(event, TransferEnded)] == [
        "the server has ended the session", "control connection lost",
    ]  # fmt: skip


def test_leaving_the_block_by_an_error_does_not_wait_for_transfers(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(LookupError), homeport.Server(tmp_path, user="bob", password="secret") as server:  # noqa: PT012
        client = login(server, "bob", "secret")
        data = client.transfercmd("STOR half")
        raise LookupError
    assert time.monotonic() - begin < 3
    data.close()
    client.close()


def test_end_session(tmp_path: Path) -> None:
    events: list[Event] = []
    with homeport.Server(tmp_path, user="bob", password="secret") as server:
        server.subscribe(events.append)
        client = login(server, "bob", "secret")
        [view] = server.sessions
        assert server.end_session(view.number)
        with pytest.raises(ftplib.error_temp, match="421"):
            client.voidresp()
        client.close()
        wait_for(lambda: any(isinstance(event, SessionClosed) for event in events))
        assert [event.reason for event in events if isinstance(event, SessionClosed)] == [CloseReason.KICKED]
        assert not server.end_session(view.number)


def test_a_stranger_at_a_passive_port_goes_without_anybody_waiting_for_him(tmp_path: Path) -> None:
    events: list[Event] = []
    with homeport.Server(tmp_path, anonymous=True) as server:
        server.subscribe(events.append)
        with socket.create_connection((server.host, server.passive_ports[0]), timeout=10) as stranger:
            with pytest.raises(ConnectionResetError):
                stranger.recv(1)
            peer = stranger.getsockname()
        wait_for(lambda: any(isinstance(event, StrangerRefused) for event in events))
        [event] = [event for event in events if isinstance(event, StrangerRefused)]
        assert (event.peer, event.port) == (peer, server.passive_ports[0])


def test_the_limits_of_a_config_hold(tmp_path: Path) -> None:
    config = homeport.Config.model_validate({
        "listen": {"addresses": ["127.0.0.1"], "port": 0},
        "data": {"passive_ports": "any"},
        "limits": {"sessions": 1, "idle": 0.3},
        "anonymous": {"enabled": True, "home": str(tmp_path)},
    })  # fmt: skip
    events: list[Event] = []
    server = homeport.Server(config=config)
    server.subscribe(events.append)
    with server:
        client = login(server)
        with socket.create_connection((server.host, server.port), timeout=10) as second:
            assert second.recv(200).startswith(b"421 Too many connections")
        assert any(isinstance(event, SessionRefused) for event in events)
        with pytest.raises(ftplib.error_temp, match="421"):  # it says nothing and is let go
            client.voidresp()
        client.close()


def test_a_port_in_use_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    threads, open_before = threading.active_count(), descriptors()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = homeport.Server(tmp_path, user="bob", password="secret", port=port)
        with pytest.raises(homeport.PortInUse) as caught:
            server.start()
        assert (caught.value.address, caught.value.port) == ("127.0.0.1", port)
        assert f"127.0.0.1:{port} is in use" in str(caught.value)
    assert not server.running
    assert server.stop()
    assert threading.active_count() == threads
    assert descriptors() == open_before
    with server:  # it is free now
        assert server.port == port


def test_what_cannot_be_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="directory to serve"):
        homeport.Server(user="bob", password="x")
    with pytest.raises(ValueError, match="config tells everything"):
        homeport.Server(tmp_path, config=homeport.Config())
    with pytest.raises(ValueError, match="port"):
        homeport.Server(tmp_path, port=70_000)
    with pytest.raises(homeport.StartError, match="is not a directory"):
        homeport.Server(tmp_path / "missing").start()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = homeport.Server(tmp_path).port


def test_the_program_can_end_without_a_stop(tmp_path: Path) -> None:
    program = "import sys, homeport; server = homeport.Server(sys.argv[1]).start(); print(server.port > 0)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n")


def test_the_package_itself_is_cheap_to_import() -> None:
    program = (
        "import sys, homeport; heavy = {'pydantic', 'argon2', 'sqlite3', 'cryptography', 'socket', 'homeport.server'};"
        "assert 'Server' in dir(homeport); assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(AttributeError, match="Sever"):
        _ = homeport.Sever


def test_every_public_name_is_there() -> None:
    for name in homeport.__all__:
        assert getattr(homeport, name) is not None
