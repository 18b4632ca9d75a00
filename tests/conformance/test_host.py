"""HOST (RFC 7151): which of the server's names the client means, said before the login and to be chosen by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.conformance.conftest import Configured

import homeport
from homeport.accounts.model import Attempt, User
from homeport.accounts.providers import Answer, Provider
from homeport.testing.client import Client
from homeport.testing.plugin import FtpServer, FtpServerFactory

PASSWORDS = {"a.example": "secret of a", "b.example": "secret of b", None: "secret of the default"}


class Hosts:
    """The same user on each host, with another password and another home; and the attempts that were made."""

    def __init__(self, homes: Path) -> None:
        self._homes = homes

    def authenticate(self, attempt: Attempt) -> User | Answer:
        if PASSWORDS.get(attempt.host) != attempt.password:
            return Answer.REFUSED
        return User(attempt.name, str(self._homes / str(attempt.host)))


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Callable[[], Client]]:
    """`hosts()`: a client, not logged in, of a server that serves a.example and b.example, each to users of its own."""
    for name in PASSWORDS:
        (tmp_path / str(name)).mkdir()
        (tmp_path / str(name) / f"file of {name}").touch()
    config = homeport.Config.model_validate({
        "server": {"host_names": list(PASSWORDS)[:2]},
        "listen": {"addresses": ["127.0.0.1"], "port": 0},
        "data": {"active_port": 0, "passive_ports": "any"},
        "users": [{"name": "nobody", "password": "plain:x", "home": str(tmp_path)}],
    })  # fmt: skip

    def only_hosts(_: Sequence[Provider]) -> Sequence[Provider]:
        return [Hosts(tmp_path)]

    with homeport.Server(config=config, providers=only_hosts) as server:
        yield lambda: Client(server.host, server.port)


@pytest.mark.standard("7151-3-BEFORE-AUTH", "7151-3.2-220", "7151-3.2-VALIDATE", "7151-3-WELCOME")
@pytest.mark.parametrize("name", ["a.example", "b.example"])
def test_host_chooses_users_and_files(hosts: Callable[[], Client], name: str) -> None:
    with hosts() as client:
        client.ask(f"HOST {name}", 220)
        client.login("user", PASSWORDS[name])
        assert client.nlst().data == f"file of {name}\r\n".encode()


@pytest.mark.standard("7151-3.1-CASE")
@pytest.mark.parametrize("name", ["A.EXAMPLE", "a.Example"])
def test_names_compare_without_case(hosts: Callable[[], Client], name: str) -> None:
    with hosts() as client:
        client.ask(f"host {name}", 220)
        client.login("user", PASSWORDS["a.example"])


@pytest.mark.standard("7151-3-LAST-WINS")
def test_the_last_host_counts(hosts: Callable[[], Client]) -> None:
    with hosts() as client:
        client.ask("HOST a.example", 220)
        client.ask("LANG en-GB", 200)
        client.ask("USER user", 331)
        client.ask("HOST b.example", 220)
        client.ask(f"PASS {PASSWORDS['a.example']}", 503)  # the login begins anew
        client.ask("USER user", 331)
        client.ask(f"PASS {PASSWORDS['b.example']}", 230)
        assert client.nlst().data == b"file of b.example\r\n"


@pytest.mark.standard("7151-3.2-504", "7151-3.3-IGNORE")
@pytest.mark.parametrize("bad", ["HOST unknown.example", "HOST a_b", "HOST", "HOST 192.0.2.99", "HOST a.example:21"])
def test_a_host_that_is_refused_was_never_said(hosts: Callable[[], Client], bad: str) -> None:
    with hosts() as client:
        client.ask(bad, 501, 504)
        client.login("user", PASSWORDS[None])
    with hosts() as client:
        client.ask("HOST a.example", 220)
        client.ask("USER user", 331)
        client.ask(bad, 501, 504)
        client.ask(f"PASS {PASSWORDS['a.example']}", 230)


@pytest.mark.standard("7151-3.2.1-REIN")
def test_rein_forgets_the_host(hosts: Callable[[], Client]) -> None:
    with hosts() as client:
        client.ask("HOST a.example", 220)
        client.login("user", PASSWORDS["a.example"])
        client.ask("REIN", 220)
        client.login("user", PASSWORDS[None])
        client.ask("REIN", 220)
        client.ask("HOST b.example", 220)
        client.login("user", PASSWORDS["b.example"])


@pytest.mark.standard("7151-3.3-NOHOST")
def test_who_says_no_host_gets_the_default(hosts: Callable[[], Client]) -> None:
    with hosts() as client:
        client.login("user", PASSWORDS[None])


@pytest.mark.standard("7151-3-AFTER-503")
def test_after_the_login_it_is_too_late(ftp_server: FtpServer) -> None:
    (ftp_server.root / "d").mkdir()
    with ftp_server.client() as client:
        client.ask("CWD d", 250)
        client.ask("TYPE I", 200)
        for name in ("a.example", "192.0.2.99", ftp_server.host):
            client.ask(f"HOST {name}", 503)
        assert client.ask("PWD", 257).text.startswith('"/d"')
        assert any(b"TYPE I" in line for line in client.ask("STAT", 211).body)


@pytest.mark.standard("7151-3.1-SYNTAX")
@pytest.mark.parametrize(
    "name",
    [
        "ftp.example.com", "xn--e1afmkfd.com", "localhost", "a", "1a.example", "a-b.example", "a" * 63 + ".example",
        "3com.com",
    ],
)  # fmt: skip
def test_names_of_letters_digits_and_hyphens(ftp_server: FtpServer, name: str) -> None:
    with ftp_server.client(login=False) as client:
        client.ask(f"HOST {name}", 220)


@pytest.mark.standard("7151-3.1-SYNTAX")
@pytest.mark.parametrize(
    "name",
    [
        "", "a_b", "-a", "a-", "a..b", ".a", "a.", "[::g]", "[::1", "::1]", "::1", "[]", "[127.0.0.1]", "a b",
        "bücher.example", "a" * 64, "a/b", "a@b", "*", "[::1%lo]", "[fe80::1%25lo]",
    ],
)  # fmt: skip
def test_what_is_no_name_is_501(ftp_server: FtpServer, name: str) -> None:
    with ftp_server.client(login=False) as client:
        client.ask(f"HOST {name}", 501)


@pytest.mark.standard("7151-3.1-NOPORT")
@pytest.mark.parametrize(
    "name", ["192.0.2.1:2112", "[2001:db8::1]:2112", "ftp.example.com:21", "[::1]:21", "127.0.0.1:21"]
)
def test_a_port_is_501(ftp_server: FtpServer, name: str) -> None:
    with ftp_server.client(login=False) as client:
        client.ask(f"HOST {name}", 501)


@pytest.mark.standard("7151-3.1-LITERAL")
@pytest.mark.parametrize(
    ("host", "own", "others"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["192.0.2.99", "127.0.0.2", "[::1]", "[2001:db8::1]"]),
        ("::1", ["[::1]", "[0:0:0:0:0:0:0:1]"], ["127.0.0.1", "[::2]", "[2001:db8::1]"]),
    ],
)
def test_a_literal_is_the_address_of_the_server(
    ftp_server_factory: FtpServerFactory, host: str, own: list[str], others: list[str]
) -> None:
    with ftp_server_factory(host=host).client(login=False) as client:
        for literal in others:
            client.ask(f"HOST {literal}", 504)
        for literal in own:
            client.ask(f"HOST {literal}", 220)


@pytest.mark.standard("7151-3.1-LITERAL")
def test_a_server_on_all_addresses_knows_the_one_that_was_dialled(configured: Configured) -> None:
    server = configured({"listen": {"addresses": ["0.0.0.0"]}, "server": {"host_names": ["a.example"]}})
    for host, other in (("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")):
        with Client(host, server.port) as client:
            client.ask(f"HOST {other}", 504)
            client.ask("HOST 0.0.0.0", 504)
            client.ask(f"HOST {host}", 220)


@pytest.mark.standard("7151-3.4-FEAT", "7151-3-PRELOGIN-FEAT")
def test_feat_has_the_line_host_before_and_after(ftp_server: FtpServer) -> None:
    with ftp_server.client(login=False) as client:
        assert client.ask("FEAT", 211).body.count(b" HOST") == 1
        client.ask("HOST a.example", 220)
        assert client.ask("FEAT", 211).body.count(b" HOST") == 1
