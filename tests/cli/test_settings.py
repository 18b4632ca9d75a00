"""From the command line and a file to one configuration; and where the server then is."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import click
import pytest

from homeport.accounts.model import READ_ONLY, READ_WRITE, Grant, User
from homeport.cli.serve import outside, places
from homeport.cli.settings import FALLBACKS, FaultyConfiguration, Settings, on_port, ports_to_try, settle, split_user
from homeport.cli.summary import Place
from homeport.net.interfaces import Interface, Interfaces
from homeport.protocol.path import ROOT
from homeport.server.config import Config

STATE = "/the/state"


def written(folder: Path, text: str) -> str:
    file = folder / "homeport.toml"
    file.write_text(text)
    return str(file)


def test_a_folder_needs_nothing_else() -> None:
    settings = Settings(folder="/srv")
    config = settle(settings, STATE)
    assert config.server.state == STATE
    assert config == on_port(Config(), 21).model_copy(update={"server": config.server})
    assert settings.shared_user() == User("home", "/srv", (Grant(ROOT, READ_WRITE),))
    assert ports_to_try(settings, config) == (21, *FALLBACKS)


def test_the_fallbacks_leave_room_for_the_active_port() -> None:
    assert FALLBACKS[0] == 2121
    assert not {port - 1 for port in FALLBACKS} & set(FALLBACKS)


def test_options_count_before_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f"""
        [server]
        state = "{tmp_path}"
        [listen]
        addresses = ["127.0.0.1"]
        port = 3000
        [data]
        passive_ports = "4000-4001"
        """,
    )
    kept = settle(Settings(configuration=file), STATE)
    assert (kept.server.state, kept.listen.port, kept.data.passive_ports) == (str(tmp_path), 3000, (4000, 4001))
    assert ports_to_try(Settings(configuration=file), kept) == (3000,)
    settings = Settings(
        configuration=file, state="/other", hosts=("::1",), port=3001, passive_ports=(5000,), json_file="/j",
        xferlog_file="/x", commands=True,
    )  # fmt: skip
    config = settle(settings, STATE)
    assert config.server.state == "/other"
    assert config.listen.addresses == ("::1",)
    assert ports_to_try(settings, config) == (3001,)
    assert config.data.passive_ports == (5000,)
    assert (config.log.json_file, config.log.xferlog_file, config.log.commands) == ("/j", "/x", True)


def test_a_file_that_names_no_port_may_get_another(tmp_path: Path) -> None:
    settings = Settings(configuration=written(tmp_path, '[listen]\naddresses = ["127.0.0.1"]\n'))
    assert ports_to_try(settings, settle(settings, STATE)) == (21, *FALLBACKS)


def test_any_passive_port() -> None:
    assert settle(Settings(folder="/srv", passive_ports=()), STATE).data.passive_ports is None


def test_anonymous_sees_the_folder_and_may_read() -> None:
    options = settle(Settings(folder="/srv", anonymous=True), STATE).anonymous
    assert (options.enabled, options.home, options.access) == (True, "/srv", READ_ONLY)


def test_anonymous_of_the_file_is_switched_on(tmp_path: Path) -> None:
    file = written(tmp_path, f'[anonymous]\nhome = "{tmp_path}"\n')
    options = settle(Settings(configuration=file, anonymous=True), STATE).anonymous
    assert (options.enabled, options.home) == (True, str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(), "Which folder is to be shared"),
        (Settings(folder="/srv", port=50000), r"--passive-ports \(data.passive_ports\): port 50000 is a passive port"),
    ],
)
def test_what_contradicts_itself_is_wrong_use(settings: Settings, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        settle(settings, STATE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"user": "bob"}, "--user is the name for the folder"), ({"anonymous": True}, "which folder may everybody see")],
)
def test_what_a_file_alone_does_not_tell(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    file = written(tmp_path, "")
    given = Settings(
        configuration=file,
        user="bob" if "user" in settings else None,
        anonymous="anonymous" in settings,
    )
    with pytest.raises(click.UsageError, match=message):
        settle(given, STATE)


def test_faults_of_a_file_have_the_code_of_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(FaultyConfiguration) as caught:
        settle(Settings(configuration=written(tmp_path, "[listen]\nport = true\n")), STATE)
    assert caught.value.exit_code == 2


def test_a_name_and_a_password_with_colons() -> None:
    assert split_user("bob") == ("bob", None)
    assert split_user("bob:a:b") == ("bob", "a:b")


LAN = Interfaces(
    (
        Interface("lo", "127.0.0.1", ip_network("127.0.0.0/8")),
        Interface("eth0", "192.168.1.20", ip_network("192.168.1.0/24")),
    )
)


def test_where_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    # The address of the default route is this machine's own business and not a test's.
    monkeypatch.setattr(Interfaces, "lan_address", lambda self, family=4: "192.168.1.20" if family == 4 else None)
    assert places([("0.0.0.0", 21), ("::", 21)], LAN) == (Place("127.0.0.1", 21), (Place("192.168.1.20", 21),))
    assert places([("127.0.0.1", 21)], LAN) == (Place("127.0.0.1", 21), ())
    assert places([("192.168.1.20", 21)], LAN) == (Place("192.168.1.20", 21), (Place("192.168.1.20", 21),))


def test_the_internet_is_told_only_where_it_is_known() -> None:
    config = Config()
    assert outside(config, 21, [Place("192.168.1.20", 21)]) is None
    assert outside(config, 21, [Place("192.168.1.20", 21), Place("8.8.8.8", 21)]) == Place("8.8.8.8", 21)
    named = config.model_copy(update={"data": config.data.model_copy(update={"external_address": "ftp.example.net"})})
    assert outside(named, 2121, []) == Place("ftp.example.net", 2121)
