"""Load: real files, one report for all faults, golden texts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.accounts.model import READ_ONLY
from homeport.server.config import Config
from homeport.server.load import ConfigurationError, load

HASH = "$argon2id$v=19$m=65536,t=3,p=4$T2hAftgJFPgk5N2eBqBUbw$5ha++s+xeqmfAQdKik9P3IG0CBRkb94QsyV0HtS/EvE"


def written(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    file = tmp_path / "homeport.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return str(file)


def report(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    """The report for a file with *text*, its folder shown as DIR."""
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text, mode))
    assert str(caught.value) == caught.value.report()
    return str(caught.value).replace(str(tmp_path), "DIR")


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == Config()


def test_the_contract(tmp_path: Path) -> None:
    """Every key of the contract at once, relative paths and all."""
    for folder in ("bob", "public"):
        (tmp_path / folder).mkdir()
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "key.pem").write_text("-----BEGIN EC PRIVATE KEY-----\n")
    config = load(
        written(
            tmp_path,
            f"""
        [server]
        state = "state"
        [listen]
        addresses = ["0.0.0.0", "::"]
        port = 21
        implicit_tls_port = 0
        [data]
        active_port = 20
        passive_ports = "50000-50019"
        external_address = "auto"
        [tls]
        certificate = "cert.pem"
        key = "key.pem"
        require = "none"
        session_reuse = "prefer"
        [limits]
        sessions = 10000
        sessions_per_address = 50
        login = "1 min"
        idle = "5 min"
        data = "30 s"
        [[users]]
        name = "bob"
        password = "{HASH}"
        home = "bob"
        access = "read-write"
        [[users]]
        name = "eve"
        password = "plain:secret"
        home = "bob"
        access = "read"
        [anonymous]
        enabled = false
        home = "public"
    """,
        )
    )
    assert config.server.state == str(tmp_path / "state")
    assert config.tls.key == str(tmp_path / "key.pem")
    assert [(user.name, user.home) for user in config.users] == [
        ("bob", str(tmp_path / "bob")),
        ("eve", str(tmp_path / "bob")),
    ]
    assert config.users[1].user().grants[0].permissions == READ_ONLY
    assert config.anonymous.home == str(tmp_path / "public")
    assert config.limits == Config().limits
    assert config.data.active_port == 20


def test_home_is_the_home_of_who_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "Public").mkdir()
    config = load(written(tmp_path, '[anonymous]\nenabled = true\nhome = "~/Public"'))
    assert config.anonymous.home == str(tmp_path / "Public")


def test_every_fault_in_one_report(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    text = f"""\
prot = 2121
[listn]
port = 21
[server]
idle = "5 min"
[listen]
addresses = [
  "127.0.0.1",
  "nope",
]
port = "2121"
[tls]
require = "controll"
certificate = "missing.pem"
[limits]
idle = "5 minuts"
sessions = 0
login_tries = 1000
[log]
console = 1
json_file = "missing/log.json"
[[users]]
name = "bob"
passwrd = "hunter2"
home = "gone"
paths = {{ "in" = ["lst"], "/ok" = "reed" }}
[[users]]
name = "bob"
password = "hunter3"
home = "public"
umask = 22
[[users]]
name = "ftp"
password = "{HASH}"
home = "homeport.toml"
[anonymous]
enabled = true
home = "nowhere"
"""
    assert (
        report(tmp_path, text)
        == """\
DIR/homeport.toml:1: prot: there is no table and no option of this name
    prot = 2121
    Did you mean port in [listen]?
DIR/homeport.toml:2: listn: there is no table and no option of this name
    [listn]
    Did you mean [listen]?
DIR/homeport.toml:5: server.idle: there is no such option
    idle = "5 min"
    Did you mean idle in [limits]?
DIR/homeport.toml:9: listen.addresses[2]: "nope" is not an IP address
    "nope",
DIR/homeport.toml:11: listen.port: a port is a whole number, without quotation marks
    port = "2121"
    Did you mean 2121?
DIR/homeport.toml:13: tls.require: "controll" is not one of "none", "control", "both"
    require = "controll"
    Did you mean "control"?
DIR/homeport.toml:14: tls.certificate: the file DIR/missing.pem does not exist
    certificate = "missing.pem"
DIR/homeport.toml:16: limits.idle: "minuts" is no unit of a duration, as in "30 s" or "1 min"
    idle = "5 minuts"
    Did you mean "minutes"?
DIR/homeport.toml:17: limits.sessions: 0 is too little: at least 1
    sessions = 0
DIR/homeport.toml:18: limits.login_tries: 1000 is too much: at most 100
    login_tries = 1000
DIR/homeport.toml:20: log.console: true or false is wanted, without quotation marks
    console = 1
DIR/homeport.toml:21: log.json_file: the directory DIR/missing does not exist
    json_file = "missing/log.json"
DIR/homeport.toml:24: users[1].passwrd: there is no such option
    passwrd = ...
    Did you mean password?
DIR/homeport.toml:25: users[1].home: the directory DIR/gone does not exist
    home = "gone"
DIR/homeport.toml:26: users[1].paths.in: "in" is no path of this user: it begins with "/"
    paths = { "in" = ["lst"], "/ok" = "reed" }
    Did you mean "/in"?
DIR/homeport.toml:26: users[1].paths.in: "lst" is no permission; they are list, read, create, overwrite, append, \
delete, rename, make-directory, remove-directory, set-time, set-mode
    paths = { "in" = ["lst"], "/ok" = "reed" }
    Did you mean "list"?
DIR/homeport.toml:26: users[1].paths."/ok": "reed" is no access: "read", "read-write" or a list
    paths = { "in" = ["lst"], "/ok" = "reed" }
    Did you mean "read"?
DIR/homeport.toml:28: users[2].name: there is a user named "bob" already
    name = "bob"
DIR/homeport.toml:29: users[2].password: neither an argon2id hash ("$argon2id$...") nor "plain:" and a password
    password = ...
DIR/homeport.toml:31: users[2].umask: a umask is octal digits in quotation marks, such as "022"
    umask = 22
DIR/homeport.toml:35: users[3].home: DIR/homeport.toml is not a directory
    home = "homeport.toml"
DIR/homeport.toml:38: anonymous.home: the directory DIR/nowhere does not exist
    home = "nowhere"
22 faults in DIR/homeport.toml"""
    )


def test_conflicts_between_good_tables(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    text = f"""\
[listen]
port = 50000
[data]
active_port = 50001
[[users]]
name = "ftp"
password = "{HASH}"
home = "public"
[anonymous]
enabled = true
home = "public"
"""
    assert (
        report(tmp_path, text)
        == """\
DIR/homeport.toml:3: data.passive_ports: port 50000 is a passive port, but is listen.port
    [data]
DIR/homeport.toml:3: data.passive_ports: port 50001 is a passive port, but is the active port
    [data]
DIR/homeport.toml:6: users[1].name: "ftp" is a name of the anonymous account, which is enabled
    name = "ftp"
3 faults in DIR/homeport.toml"""
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[listen]\nport = \n", 2, "Invalid value"),
        ("[listen\nport = 1\n", 1, "Expected ']'"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        ('a = "open', 1, "Unterminated string"),
        ("a = 1\n\nb = [1,\n", 4, "Unclosed array"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    first = report(tmp_path, text).split("\n")[0]
    assert first.startswith(f"DIR/homeport.toml:{line}: this is not TOML: ")
    assert words in first or "Invalid value" in first


def test_a_syntax_fault_shows_no_password(tmp_path: Path) -> None:
    assert "hunter2" not in report(tmp_path, "[[users]]\npassword = hunter2\n")
    assert "hunter2" not in report(tmp_path, "[[users]]\nname = 1, pasword = 'hunter2\n")


def test_octets_that_are_no_utf_8(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    Path(path).write_bytes(b'[server]\n\ngreeting = "\xff"\n')
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:3: the line is not UTF-8 text\n1 fault in {path}"


def test_editors_of_windows(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    Path(path).write_bytes(b"\xef\xbb\xbf[listen]\r\nport = 2121\r\n")
    assert load(path).listen.port == 2121


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.toml")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: the file cannot be read: No such file or directory\n1 fault in {path}"


USER = '[[users]]\nname = "bob"\npassword = "plain:secret"\nhome = "."\n'


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such mode bits")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_plain_password_that_others_may_read(tmp_path: Path, mode: int) -> None:
    text = report(tmp_path, USER, mode)
    assert 'users[1].password: a "plain:" password in a file that others may read; take it from them: chmod 600' in text
    assert "secret" not in text


def test_a_hash_may_be_read_by_others(tmp_path: Path) -> None:
    path = written(tmp_path, USER.replace("plain:secret", HASH), 0o644)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert load(path).users[0].password == HASH


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_plain_password_that_nobody_else_may_read(tmp_path: Path, mode: int) -> None:
    assert load(written(tmp_path, USER, mode)).users[0].password == "plain:secret"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("users = 3", "users: every user has a table of its own: [[users]]"),
        ('[users]\nname = "bob"', "users: every user has a table of its own: [[users]]"),
        ("users = [3]", "users[1]: this is a table: [users]"),
        ("listen = 21", "listen: this is a table: [listen]"),
        ("[listen]\naddresses = []", "listen.addresses: the list is empty"),
        ('[listen]\naddresses = "::"', "listen.addresses: a list is wanted: [ ... ]"),
        ("[[users]]", 'users[1]: the option "name" is missing'),
        ("[server]\ngreeting = 3", "server.greeting: text is wanted, in quotation marks"),
        ("[limits]\nsessions = '3'", "limits.sessions: a whole number is wanted, without quotation marks"),
        ("[data]\nannounce = 3", "data.announce: a table is wanted: { ... }"),
        (
            '[data]\nannounce = { "10.0.0.1/8" = "10.0.0.1" }',
            'data.announce."10.0.0.1/8": "10.0.0.1/8" is not a network',
        ),
        (
            "[server]\nworkers = 21",
            "server.workers: 21 workers need as many passive ports, and there are 20",
        ),
        ("[server]\nworkers = 'atuo'", 'server.workers: "auto", or a whole number without quotation marks'),
        ("[server]\nworkers = 0", "server.workers: 0 workers cannot be: 1 to 256 can"),
        ('[server]\nstate = "homeport.toml"', "server.state: DIR/homeport.toml is not a directory"),
        ('[tls]\nkey = "homeport.toml"', "tls: there is a key, but no certificate"),
        (
            '[tls]\ncertificate = "homeport.toml"',
            "tls.certificate: the file DIR/homeport.toml holds no certificate in PEM form",
        ),
        (
            '[[tls.certificates]]\ncertificate = "homeport.toml"',
            "tls.certificates[1].certificate: the file DIR/homeport.toml holds no certificate in PEM form",
        ),
        ("[[tls.certificates]]\nkey = 'homeport.toml'", 'the option "certificate" is missing'),
        ("[acme]\nenabled = true", "acme: ACME is enabled, but there are no names for the certificate"),
        ("[acme]\nenabled = true\nnames = ['a.example']", "acme: ACME is enabled, but accept_terms is false"),
        ("[acme]\nnames = ['*.example.net']", 'acme.names[1]: "*.example.net" is not a host name'),
        (
            "[acme]\ndirectory = 'http://ca.example/'",
            '"http://ca.example/" is not an address that begins with https://',
        ),
        ("[acme]\nemail = 'me'", 'acme.email: "me" is not a mail address'),
        ("[acme]\nchallenge = 'http01'", '"http01" is not one of "http-01", "tls-alpn-01"'),
        ("[anonymous]\nenabled = true", "anonymous: anonymous login is enabled, but there is no home for it"),
        ('[log]\njson_file = "."', "log.json_file: DIR is a directory, and a log is a file"),
        ("zzz = 1", "zzz: there is no table and no option of this name"),
        ("[user]\nx = 1", "user: there is no table and no option of this name"),
    ],
)
def test_faults(tmp_path: Path, text: str, words: str) -> None:
    assert words in report(tmp_path, text)


def test_a_private_key_in_the_file_of_the_certificate(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    text = '[tls]\ncertificate = "both.pem"'
    assert "holds no private key in PEM form" in report(tmp_path, text)
    pem.write_text("-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n")
    assert load(written(tmp_path, text)).tls.key is None


def test_a_good_file_needs_nothing_slow(tmp_path: Path) -> None:
    """`homeport serve` must be there at once: no hash and no database to read a configuration."""
    path = written(tmp_path, USER)
    program = (
        "import sys; from homeport.server.load import load; load(sys.argv[1]);"
        "slow = {'argon2', 'sqlite3', 'cryptography', 'ssl', 'asyncio', 'tomlkit'} & set(sys.modules);"
        "sys.exit(str(slow or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr.strip() == ""
