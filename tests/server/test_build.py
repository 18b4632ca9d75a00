"""From a Config to parts: all of it opened, or nothing left."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from homeport.accounts.database import Database
from homeport.accounts.model import User
from homeport.accounts.passwords import plain
from homeport.cli.state import State
from homeport.data.ports import PassivePorts
from homeport.events.types import Event, Warned
from homeport.server.build import USERS_FILE, build, policy_of
from homeport.server.config import Config
from homeport.server.listening import PortInUse, StartError

from .fakes import Recorder


def config_of(**tables: object) -> Config:
    return Config.model_validate(
        {"listen": {"addresses": ["127.0.0.1"], "port": 0}, "data": {"passive_ports": "any"}} | tables
    )


def build_and_close(config: Config) -> list[Event]:
    recorder = Recorder()
    parts = build(config, recorder.bus)
    for listener in parts.listeners:
        listener.close()
    parts.close()
    return recorder.events


def test_every_option_of_a_session_arrives() -> None:
    config = config_of(
        server={"greeting": "hello", "host_names": ["ftp.example.net"]},
        data={
            "active_port": 20, "allow_foreign": True, "announce": {"10.8.0.0/16": "10.8.0.1"},
            "external_address": "198.51.100.7", "passive_ports": "50000-50001", "passive_ports_external": "60000-60001",
        },
        limits={
            "login": 1, "login_tries": 2, "idle": 3, "idle_most": 4, "data": 5, "command_length": 600, "sessions": 7,
        },
        uploads={"partial": "discard"},
    )  # fmt: skip
    policy = policy_of(config, 2121)
    assert (policy.banner, policy.host_names) == ("hello", ("ftp.example.net",))
    assert (policy.login_seconds, policy.login_tries) == (1, 2)
    assert (policy.idle_seconds, policy.idle_seconds_most) == (3, 4)
    assert (policy.data_seconds, policy.line_octets) == (5, 600)
    assert (policy.active_port, policy.allow_foreign, policy.keep_partial) == (20, True, False)
    assert [rule.address for rule in policy.announce.explicit] == ["10.8.0.1"]
    assert policy.announce.external == "198.51.100.7"
    assert policy.announce.ports == {50000: 60000, 50001: 60001}


@pytest.mark.standard("959-3.2-DEF-SERVER")
def test_the_data_port_is_beside_the_control_port() -> None:
    assert policy_of(config_of(listen={"port": 21}), 21).active_port == 20
    assert policy_of(config_of(listen={"port": 2121}), 2121).active_port == 2120
    # A port that the system chose is beside one that is nobody's.
    assert policy_of(config_of(listen={"port": 0}), 40213).active_port == 0
    assert policy_of(config_of(listen={"port": 0}, data={"active_port": 20}), 40213).active_port == 20


def test_the_state_directory_is_made_and_closed_to_others(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    config = config_of(server={"state": str(state)})
    build_and_close(config)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert sorted(os.listdir(state)) == ["certificate.pem", "key.pem", USERS_FILE]
    assert stat.S_IMODE((state / "key.pem").stat().st_mode) == 0o600
    before = (state / "certificate.pem").read_bytes()
    build_and_close(config)
    assert (state / "certificate.pem").read_bytes() == before


def test_the_command_looks_for_users_where_the_server_does() -> None:
    assert State.at("/x").users == os.path.join("/x", USERS_FILE)


def test_users_of_the_database_may_log_in(tmp_path: Path) -> None:
    home, state = tmp_path / "home", tmp_path / "state"
    home.mkdir()
    state.mkdir()
    database = Database(str(state / USERS_FILE))
    database.add(User("ann", str(home)), plain("secret"))
    database.close()
    import ftplib

    from homeport.server.server import Server

    with Server(config=config_of(server={"state": str(state)})) as server, ftplib.FTP(timeout=10) as client:
        client.connect(server.host, server.port)
        client.login("ann", "secret")


def test_a_broken_database_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / USERS_FILE).write_bytes(b"this is no database, but long enough to look like something" * 20)
    with pytest.raises(StartError, match="user database"):
        build(config_of(server={"state": str(tmp_path)}), Recorder().bus)


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"state directory .* cannot be made"):
        build(config_of(server={"state": str(tmp_path / "file" / "state")}), Recorder().bus)


def test_a_home_that_is_no_directory(tmp_path: Path) -> None:
    config = config_of(users=[{"name": "bob", "password": "plain:x", "home": str(tmp_path / "missing")}])
    with pytest.raises(StartError, match="The home of bob"):
        build(config, Recorder().bus)


def test_logs_are_written_and_given_back(tmp_path: Path) -> None:
    config = config_of(log={"json_file": str(tmp_path / "events.json"), "commands": True})
    recorder = Recorder()
    parts = build(config, recorder.bus)
    assert recorder.bus.commands
    recorder.bus.publish(Warned(at=0.0, text="one"))
    (tmp_path / "events.json").rename(tmp_path / "events.json.1")
    parts.reopen()
    recorder.bus.publish(Warned(at=0.0, text="two"))
    for listener in parts.listeners:
        listener.close()
    parts.close()
    recorder.bus.publish(Warned(at=0.0, text="three"))
    assert b"one" in (tmp_path / "events.json.1").read_bytes()
    assert (tmp_path / "events.json").read_bytes().count(b"\n") == 1


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    config = config_of(log={"json_file": str(tmp_path / "good.json"), "xferlog_file": str(tmp_path / "no" / "xferlog")})
    recorder = Recorder()
    with pytest.raises(StartError, match=r"log file .*xferlog cannot be opened"):
        build(config, recorder.bus)
    recorder.bus.publish(Warned(at=0.0, text="nobody writes this down"))
    assert (tmp_path / "good.json").read_bytes() == b""


def test_passive_ports_that_are_taken_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        used, free = taken.getsockname()[1], probe.getsockname()[1]
        probe.close()
        events = build_and_close(config_of(data={"passive_ports": f"{used},{free}"}))
        [warning] = events
        assert isinstance(warning, Warned)
        assert f"passive port {used} could not be opened" in warning.text
        with pytest.raises(StartError, match=r"None of the passive ports .*--passive-ports"):
            build(config_of(data={"passive_ports": str(used)}), Recorder().bus)


def test_an_address_without_any_passive_port_is_not_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        both = config_of(
            listen={"addresses": ["127.0.0.1", "::1"], "port": 0},
            data={"passive_ports": str(taken.getsockname()[1])},
        )
        with pytest.raises(StartError, match=r"could be opened on 127\.0\.0\.1 \(127\.0\.0\.1: Address already in use"):
            build(both, Recorder().bus)


def test_a_forgotten_pasv_holds_nobody_up() -> None:
    """One port, one client address, and a session that asked for the port and does nothing with it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    parts = build(config_of(data={"passive_ports": str(free)}, limits={"data": 3}), Recorder().bus)
    ports = parts.passive
    assert isinstance(ports, PassivePorts)
    ports.offer("127.0.0.1", "127.0.0.1", 0)
    ports.offer("127.0.0.1", "127.0.0.1", 3).release()
    for listener in parts.listeners:
        listener.close()
    parts.close()


def test_an_active_port_that_cannot_be_had_is_told_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        [warning] = build_and_close(config_of(data={"passive_ports": "any", "active_port": used}))
    assert isinstance(warning, Warned)
    assert f"cannot come from port {used} (127.0.0.1: Address already in use), so they come from any" in warning.text
    assert build_and_close(config_of(data={"passive_ports": "any", "active_port": used})) == []


def test_a_control_port_in_use() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PortInUse),
    ):
        build(config_of(listen={"addresses": ["127.0.0.1"], "port": taken.getsockname()[1]}), Recorder().bus)
