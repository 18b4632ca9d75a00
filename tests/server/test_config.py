"""Config: defaults, what is derived, conflicts, and the sample and the reference page that tell of it."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from homeport.accounts.model import READ_ONLY, READ_WRITE, Grant, Permission, User
from homeport.protocol.path import ROOT, VirtualPath
from homeport.server.config import (
    AnonymousOptions,
    Config,
    DataOptions,
    ListenOptions,
    ServerOptions,
    TlsOptions,
    UserOptions,
    port_conflicts,
    worker_conflicts,
)
from homeport.server.forms import Umask
from homeport.server.load import load
from homeport.server.reference import reference, sample
from homeport.server.values.text import Origin

ROOT_FOLDER = Path(__file__).parents[2]


def test_the_contract_with_its_defaults() -> None:
    config = Config()
    assert config.server.state is None
    assert config.listen == ListenOptions(addresses=("0.0.0.0", "::"), port=21, implicit_tls_port=0)
    assert config.data.passive_ports == tuple(range(50000, 50020))
    assert (config.data.external_address, config.data.allow_foreign) == ("auto", False)
    assert config.tls == TlsOptions(certificate=None, key=None, require="none", session_reuse="prefer")
    limits = config.limits
    assert (limits.sessions, limits.sessions_per_address, limits.login_tries) == (10000, 50, 4)
    assert (limits.login, limits.idle, limits.data) == (60.0, 300.0, 30.0)
    assert (config.uploads.partial, config.uploads.sync) == ("keep", False)
    assert (config.users, config.anonymous.enabled) == ((), False)


@pytest.mark.parametrize(
    ("active", "control", "source"),
    [(None, 21, 20), (None, 2121, 2120), (None, 1, 0), (None, 0, 0), (0, 21, 0), (9, 21, 9)],
)
def test_the_source_port_of_active_connections(active: int | None, control: int, source: int) -> None:
    options = DataOptions.model_validate({"active_port": "auto" if active is None else active})
    assert options.source_port(control) == source


def test_a_user() -> None:
    options = UserOptions.model_validate(
        {
            "name": "bob",
            "password": "plain:x",
            "home": "/srv",
            "access": "read",
            "paths": {"/in/": ["create"]},
            "umask": "007",
        }
    )
    grants = (Grant(ROOT, READ_ONLY), Grant(VirtualPath("/in"), frozenset({Permission.CREATE})))
    assert options.user() == User("bob", "/srv", grants, umask=0o007)
    assert options.user().permissions(VirtualPath("/in/x")) == {Permission.CREATE}
    assert "plain:x" not in repr(options)


UMASK = TypeAdapter(Umask)
FILE = Origin("/etc", private=True)


@pytest.mark.parametrize(("text", "mask"), [("022", 0o022), ("0o77", 0o077), ("0", 0)])
def test_umasks_are_octal_text(text: str, mask: int) -> None:
    assert UMASK.validate_python(text, context=FILE) == mask


@pytest.mark.parametrize("value", [22, 0o022, "8", "1777", "", "0x1", None, True])
def test_what_is_no_umask_in_a_file(value: object) -> None:
    with pytest.raises(ValidationError, match="octal digits in quotation marks"):
        UMASK.validate_python(value, context=FILE)


def test_a_program_gives_values_and_no_texts() -> None:
    """What a file gives as text a program gives as what it is, and copies of a configuration are equal."""
    data = DataOptions(active_port=None, passive_ports=(50005, 50006), announce={ip_network("10.0.0.0/8"): "10.0.0.1"})
    assert (data.source_port(21), data.passive_ports) == (20, (50005, 50006))
    assert DataOptions(passive_ports=None).passive_ports is None
    user = UserOptions(
        name="bob",
        password="plain:x",
        home="/srv",
        access=READ_ONLY,
        paths={VirtualPath("/in"): READ_WRITE},
        umask=0o027,
    )
    assert user.user() == User(
        "bob", "/srv", (Grant(ROOT, READ_ONLY), Grant(VirtualPath("/in"), READ_WRITE)), umask=0o027
    )
    config = Config(users=(user,), data=data)
    assert Config.model_validate(config.model_dump()) == config


def test_the_anonymous_account() -> None:
    assert AnonymousOptions().user() is None
    user = AnonymousOptions.model_validate({"enabled": True, "home": "/srv"}).user()
    assert user == User("anonymous", "/srv", (Grant(ROOT, READ_ONLY),), anonymous=True, umask=0o077)
    with pytest.raises(ValidationError, match="there is no home for it"):
        AnonymousOptions(enabled=True)


def test_options_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().listen.port = 5


@pytest.mark.parametrize(
    ("listen", "data", "words"),
    [
        ({"port": 990, "implicit_tls_port": 990}, {}, ["port 990 is the control port already"]),
        ({"port": 50000}, {}, ["port 50000 is a passive port, but is listen.port"]),
        (
            {"implicit_tls_port": 50001},
            {"active_port": 0},
            ["port 50001 is a passive port, but is listen.implicit_tls_port"],
        ),
        ({}, {"active_port": 50019}, ["port 50019 is a passive port, but is the active port"]),
        ({}, {"active_port": 21}, ["port 21 is the active port, but is listen.port"]),
        ({"port": 50020}, {}, ["port 50019 is a passive port, but is the active port"]),
        ({"port": 990, "implicit_tls_port": 991}, {}, ["port 990 is the active port, but is listen.port"]),
        ({"port": 0}, {"passive_ports": "any"}, []),
        ({"port": 2121, "implicit_tls_port": 990}, {}, []),
    ],
)
def test_port_conflicts(listen: dict[str, object], data: dict[str, object], words: list[str]) -> None:
    found = port_conflicts(ListenOptions.model_validate(listen), DataOptions.model_validate(data))
    assert [conflict.text for conflict in found] == words


@pytest.mark.parametrize(
    ("workers", "ports", "words"),
    [
        (20, "50000-50019", []),
        (21, "50000-50019", ["21 workers need as many passive ports, and there are 20"]),
        ("auto", "50000", []),
        (100, "any", []),
    ],
)
def test_each_worker_needs_a_port(workers: object, ports: str, words: list[str]) -> None:
    server, data = (
        ServerOptions.model_validate({"workers": workers}),
        DataOptions.model_validate({"passive_ports": ports}),
    )
    assert [conflict.text for conflict in worker_conflicts(server, data)] == words


def test_conflicts_stop_a_configuration_that_a_program_makes() -> None:
    bob = UserOptions(name="bob", password="plain:x", home="/srv")
    with pytest.raises(ValidationError, match='a user named "bob" already'):
        Config(users=(bob, bob))
    with pytest.raises(ValidationError, match="is a passive port"):
        Config(listen=ListenOptions(port=50000))


def test_the_sample_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text(sample())
    assert load(str(file)) == Config()


def test_the_sample_without_its_marks_is_a_whole_configuration(tmp_path: Path) -> None:
    """Every line of the sample can be used as it stands: defaults are defaults, examples are good."""
    for folder in ("srv/bob", "srv/public", "var/log"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("cert.pem", "rsa.pem", "ca.pem", "clients.pem"):
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\n")
    for name in ("key.pem", "rsa-key.pem"):
        (tmp_path / name).write_text("-----BEGIN PRIVATE KEY-----\n")
    text = re.sub(r"^#(?! )", "", sample(), flags=re.MULTILINE).replace('"/', f'"{tmp_path}/')
    text = text.replace(f'"{tmp_path}/incoming"', '"/incoming"')
    file = tmp_path / "homeport.toml"
    file.write_text(text)
    file.chmod(0o600)
    config = load(str(file))
    assert config.listen == ListenOptions()
    assert config.limits == Config().limits
    assert config.server.state == f"{tmp_path}/var/lib/homeport"
    assert config.tls.certificate == f"{tmp_path}/cert.pem"
    assert [one.key for one in config.tls.certificates] == [f"{tmp_path}/rsa-key.pem"]
    assert config.acme.directory_trust == f"{tmp_path}/ca.pem"
    assert [user.name for user in config.users] == ["bob"]
    assert config.users[0].access == READ_WRITE
    assert [len(user.paths) for user in config.users] == [1]


def test_every_option_has_a_sentence() -> None:
    text = sample()
    for name, field in Config.model_fields.items():
        section = UserOptions if name == "users" else field.annotation
        assert section is not None
        for option, declared in section.model_fields.items():
            assert declared.description, f"{name}.{option}"
            assert declared.description.endswith("."), f"{name}.{option}"
            assert f"\n#{option} = " in text


def test_the_reference_page_is_current() -> None:
    """Where this fails: `homeport config reference > docs/configuration.md`."""
    assert (ROOT_FOLDER / "docs" / "configuration.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"data": {"passive_ports": "50000-50001", "passive_ports_external": "60000"}}, "1 ports outside for 2"),
        ({"data": {"passive_ports": "any", "passive_ports_external": "60000"}}, "the system chooses the passive ports"),
        (
            {
                "data": {"passive_ports": "50000", "passive_ports_external": "60000"},
                "router": {"map": "pcp"},
            },
            "the router is asked which ports it has outside",
        ),
        ({"proxy": {"control": True}}, "only from networks that are named"),
        ({"proxy": {"data": "header"}}, "only from networks that are named"),
        ({"proxy": {"data": "proxy", "networks": ["192.0.2.0/28"]}}, "only the header of the control connection"),
    ],
)
def test_what_cannot_be_true_of_the_way_to_the_server(sections: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Config.model_validate(sections)


def test_proxies_and_ports_outside() -> None:
    config = Config.model_validate(
        {
            "data": {"passive_ports": "50000-50001", "passive_ports_external": "60001,60000"},
            "proxy": {"control": True, "data": "proxy", "networks": ["192.0.2.0/28", "2001:db8::/64"]},
        }
    )
    assert config.data.passive_ports_external == (60000, 60001)
    assert config.proxy.networks == (ip_network("192.0.2.0/28"), ip_network("2001:db8::/64"))
    assert Config.model_validate(config.model_dump()) == config
