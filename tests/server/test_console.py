"""The console: a running server asked through its socket, and what happens to the socket's name."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import homeport
from homeport.events.types import Event, Warned
from homeport.server.asking import AskingFailed, NotRunning, ask
from homeport.server.console import NAME, ConsoleSocket, ConsoleUnavailable
from homeport.testing.channel import Way
from homeport.testing.client import Client

from .fakes import wait_for

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there is no console here")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[homeport.Server]:
    (tmp_path / "files").mkdir()
    with homeport.Server(tmp_path / "files", user="bob", password="secret", state=tmp_path / "state") as running:
        yield running


def state_of(server: homeport.Server) -> str:
    assert server.config.server.state is not None
    return server.config.server.state


def client_of(server: homeport.Server) -> Client:
    client = Client(server.host, server.port)
    client.login("bob", "secret")
    return client


def test_the_status_tells_the_ports(server: homeport.Server) -> None:
    status = ask(state_of(server), {"ask": "status"})["status"]
    assert status["addresses"] == [["127.0.0.1", server.port]]
    assert status["passive_ports"] == list(server.passive_ports)
    assert status["pid"] == os.getpid()
    assert status["version"] == homeport.__version__
    assert status["active_port"] == 0
    assert status["external"] is None


def test_nobody_else_may_ask(server: homeport.Server) -> None:
    assert stat.S_IMODE(os.stat(os.path.join(state_of(server), NAME)).st_mode) == 0o600


def test_a_session_that_has_agreed_on_a_passive_port(server: homeport.Server) -> None:
    with client_of(server) as client:
        port = client.passive(Way.PASV)[1]
        (found,) = ask(state_of(server), {"ask": "sessions"})["sessions"]
        assert found["user"] == "bob"
        assert found["peer"] == list(client.local)
        assert found["data"] == {
            "mode": "PASV", "passive": True, "made": False, "server": ["127.0.0.1", port], "client": ["127.0.0.1", 0],
            "announced": "127.0.0.1", "seconds": 0.0, "octets": 0, "protected": False,
        }  # fmt: skip


def test_a_transfer_under_way_shows_both_ends_and_what_has_moved(server: homeport.Server, tmp_path: Path) -> None:
    with client_of(server) as client:
        data = client.connect(client.passive(Way.EPSV))
        client.ask("STOR a", 150)
        data.sendall(b"x" * 1000)
        state = state_of(server)
        wait_for(lambda: (ask(state, {"ask": "sessions"})["sessions"][0]["data"] or {}).get("octets") == 1000)
        (found,) = ask(state, {"ask": "sessions"})["sessions"]
        assert found["activity"] == "upload of /a"
        assert found["data"]["mode"] == "EPSV"
        assert found["data"]["made"]
        assert found["data"]["client"] == list(data.getsockname()[:2])
        assert found["data"]["server"] == list(data.getpeername()[:2])
        assert found["data"]["seconds"] > 0
        data.close()
        assert client.final().code == 226
        assert ask(state, {"ask": "sessions"})["sessions"][0]["data"] is None


def test_active_mode_shows_whom_the_server_will_dial(server: homeport.Server) -> None:
    with client_of(server) as client:
        listener = client.active(Way.EPRT)
        (found,) = ask(state_of(server), {"ask": "sessions"})["sessions"]
        assert found["data"]["mode"] == "EPRT"
        assert not found["data"]["passive"]
        assert found["data"]["client"] == list(listener.getsockname()[:2])


def test_a_session_is_ended(server: homeport.Server) -> None:
    with client_of(server) as client:
        number = server.sessions[0].number
        assert ask(state_of(server), {"ask": "kick", "session": number}) == {"ok": True, "ended": True}
        assert client.reply().code == 421
        client.end()
        wait_for(lambda: not server.sessions)
    assert ask(state_of(server), {"ask": "kick", "session": number}) == {"ok": True, "ended": False}


def test_logs_are_opened_anew(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    config = homeport.Config.model_validate(
        {
            "server": {"state": str(state)},
            "listen": {"addresses": ["127.0.0.1"], "port": 0},
            "data": {"passive_ports": "any"},
            "log": {"json_file": str(log)},
        }
    )
    with homeport.Server(config=config):
        os.rename(log, tmp_path / "old")
        assert ask(str(state), {"ask": "reload-logs"}) == {"ok": True}
        assert log.exists()
        os.remove(log)
        os.mkdir(log)
        with pytest.raises(AskingFailed, match="log cannot be opened: "):
            ask(str(state), {"ask": "reload-logs"})
        os.rmdir(log)


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"ask": "kick", "session": "x"}', b"[" * 4000, b"\xff\xfe"])
def test_what_is_no_request_is_told_so_and_the_next_one_is_answered(server: homeport.Server, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(os.path.join(state_of(server), NAME))
        with one.makefile("rwb") as lines:
            lines.write(line + b"\n")
            lines.flush()
            assert json.loads(lines.readline())["ok"] is False
            lines.write(b'{"ask": "status"}\n')
            lines.flush()
            assert json.loads(lines.readline())["ok"] is True


def test_a_stop_does_not_wait_for_who_asks_nothing(server: homeport.Server) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(os.path.join(state_of(server), NAME))
        one.sendall(b'{"ask": "status"}\n')
        assert one.recv(4096)
        assert server.stop(0)
        assert one.recv(4096) == b""
    assert not os.path.exists(os.path.join(state_of(server), NAME))


def test_without_a_server_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no server runs"):
        ask(str(tmp_path), {"ask": "status"})


def test_the_name_that_a_dead_server_left_is_taken(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    with pytest.raises(NotRunning, match="has died"):
        ask(str(tmp_path), {"ask": "status"})
    console = ConsoleSocket(str(tmp_path))
    console.close()
    assert os.listdir(tmp_path) == []


def test_a_second_server_with_the_same_state_serves_without_a_console(server: homeport.Server, tmp_path: Path) -> None:
    warnings: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, Warned):
            warnings.append(event.text)

    second = homeport.Server(tmp_path / "files", user="x", password="y", state=tmp_path / "state")
    second.subscribe(note)
    with second:
        pass
    assert [text for text in warnings if "another server runs with the same state directory" in text]
    assert ask(state_of(server), {"ask": "status"})["status"]["addresses"] == [["127.0.0.1", server.port]]


def test_a_state_directory_with_a_long_path_has_no_console(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(ConsoleUnavailable, match="too long"):
        ConsoleSocket(str(deep))


def test_the_name_of_another_server_is_left_alone(tmp_path: Path) -> None:
    console = ConsoleSocket(str(tmp_path))
    os.unlink(tmp_path / NAME)
    (tmp_path / NAME).touch()
    console.close()
    assert os.listdir(tmp_path) == [NAME]


def test_what_answers_wrongly_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as strange:
        strange.bind(str(tmp_path / NAME))
        strange.listen()
        with pytest.raises(AskingFailed, match="does not answer"):
            ask(str(tmp_path), {"ask": "status"}, timeout=0.05)


def test_a_system_without_such_sockets_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(ConsoleUnavailable, match="no sockets"):
        ConsoleSocket(str(tmp_path))
    with pytest.raises(NotRunning, match="no sockets"):
        ask(str(tmp_path), {"ask": "status"})
