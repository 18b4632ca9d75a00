"""`homeport serve` as a process of its own: what it prints, whom it lets in, and how it stops."""

from __future__ import annotations

import contextlib
import ftplib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from homeport.accounts.passwords import PLAIN
from homeport.server.descriptors import shortage

PATIENCE = 20.0
"""Seconds until a test gives up on a condition that must come true."""


HOMEPORT = (sys.executable, "-X", "dev", "-m", "homeport.cli.main")


class Lines:
    """What a process writes, line by line, read in a thread so that waiting for a line has a deadline."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self.all: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self.all.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait(self, pattern: str) -> re.Match[str]:
        """The first line that holds *pattern*."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.all if (match := re.search(pattern, line))), None)

        with self._changed:
            match = self._changed.wait_for(found, PATIENCE)
        if not match:
            raise AssertionError(f"no line has {pattern!r} in {self.all}")
        return match

    def end(self) -> list[str]:
        """All lines, when the process has closed its end."""
        self._thread.join(PATIENCE)
        self._stream.close()
        return self.all


@dataclass
class Serving:
    """A process of `homeport serve`."""

    process: subprocess.Popen[str]
    out: Lines = field(init=False)
    err: Lines = field(init=False)

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    @property
    def port(self) -> int:
        return int(self.out.wait(r"control +(\d+)")[1])

    @property
    def password(self) -> str:
        return self.out.wait(r"password: (\S+)  \(shown this once\)")[1]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(PATIENCE)
        self.out.end()
        self.err.end()
        return code

    def login(self, user: str = "home", password: str | None = None) -> ftplib.FTP:
        ftp = ftplib.FTP(timeout=PATIENCE)
        try:
            ftp.connect("127.0.0.1", self.port)
            ftp.login(user, self.password if password is None else password)
        except BaseException:
            ftp.close()
            raise
        return ftp


class Starter:
    """Starts servers, and sees to it that none outlives its test."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder / "public"
        self.folder.mkdir()
        self.state = folder / "state"
        self._stack = stack

    def __call__(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        folder: bool = True,
        before: tuple[str, ...] = (),
    ) -> Serving:
        """*before*: what the command line begins with."""
        command = [*before, *HOMEPORT, "serve", *([str(self.folder)] if folder else [])]
        command += ["--passive-ports", "any"] if "--passive-ports" not in arguments else []
        clean = {name: value for name, value in os.environ.items() if name != "HOMEPORT_PASSWORD"}
        serving = Serving(
            subprocess.Popen(
                [*command, "--state", str(self.state), *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=clean | (environment or {}),
            )
        )
        self._stack.callback(self._end, serving)
        return serving

    def _end(self, serving: Serving) -> None:
        if serving.process.poll() is None:
            serving.process.kill()
        serving.ended()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with contextlib.ExitStack() as stack:
        yield Starter(tmp_path, stack)


# -- a folder ------------------------------------------------------------------------------------------


def test_a_folder_is_shared_and_the_server_stops_in_order(start: Starter) -> None:
    serving = start("--port", "0")
    with serving.login() as ftp:
        ftp.storbinary("STOR a.txt", io.BytesIO(b"hello"))
        assert ftp.nlst() == ["a.txt"]
        assert (start.folder / "a.txt").read_bytes() == b"hello"
    serving.err.wait(r"home@127\.0\.0\.1 #1 +uploaded  /a\.txt  5 B in ")
    serving.err.wait(r"gone after .*: quit")
    serving.signal(signal.SIGINT)
    assert serving.ended() == 0
    out = serving.out.all
    assert out[0] == f"Homeport 0.1.0 shares {start.folder}"
    assert f"  this machine   ftp://home@127.0.0.1:{serving.port}/" in out
    assert out[-2:] == ["Press Ctrl-C to stop.", ""]
    assert re.fullmatch(r"\d\d:\d\d:\d\d  serving on .*", serving.err.all[0])
    assert serving.err.all[-1].endswith("  stopped")
    assert not [line for line in serving.err.all if "Traceback" in line or "Warning" in line]


def test_the_password_is_shown_once_stored_hashed_and_stays(start: Starter) -> None:
    first = start("--port", "0")
    password = first.password
    first.signal(signal.SIGTERM)
    assert first.ended() == 0
    assert password.encode() not in (start.state / "users.sqlite").read_bytes()

    second = start("--port", "0")
    hint = second.out.wait("password: shown at the first start; to set a new one: (.*)")[1]
    assert hint == f"homeport user password home --state {start.state}"
    second.login(password=password).close()

    # The very command that was printed, while the server runs: it counts from the next login.
    done = subprocess.run(
        [*HOMEPORT, *hint.split()[1:]],
        input="another one\n", text=True, capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert "counts from the next login" in done.stdout
    second.login(password="another one").close()
    with pytest.raises(ftplib.error_perm, match="530"):
        second.login(password=password)


def test_two_servers_share_two_folders_with_one_state(start: Starter, tmp_path: Path) -> None:
    first = start("--port", "0")
    password = first.password
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.txt").touch()
    second = start(str(other), "--port", "0", folder=False)
    with second.login(password=password) as ftp:
        assert ftp.nlst() == ["b.txt"]
    with first.login(password=password) as ftp:
        assert ftp.nlst() == []


@pytest.mark.parametrize("environment", [False, True])
def test_a_given_name_and_password(environment: bool, start: Starter) -> None:
    if environment:
        serving = start("--port", "0", "--user", "bob", environment={"HOMEPORT_PASSWORD": "se:cret"})
    else:
        serving = start("--port", "0", "--user", "bob:se:cret")
    serving.out.wait("password: the one you gave")
    serving.login("bob", "se:cret").close()
    with pytest.raises(ftplib.error_perm, match="530"):
        serving.login("home", "se:cret")
    serving.signal(signal.SIGINT)
    assert serving.ended() == 0
    assert not [line for line in serving.out.all + serving.err.all if "se:cret" in line or PLAIN in line]


def test_read_only_holds_for_everybody(start: Starter) -> None:
    subprocess.run(
        [*HOMEPORT, "user", "add", "eve", str(start.folder), "--state", str(start.state)],
        input="pw\n", text=True, capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    serving = start("--port", "0", "--read-only", "--user", "bob:pw")
    serving.out.wait(r"bob +may read only")
    for name in ("bob", "eve"):
        with serving.login(name, "pw") as ftp:
            assert ftp.nlst() == []
            with pytest.raises(ftplib.error_perm, match="550"):
                ftp.storbinary("STOR a.txt", io.BytesIO(b"hello"))
    assert not list(start.folder.iterdir())


def test_anybody_may_read_and_nobody_anonymous_may_write(start: Starter) -> None:
    (start.folder / "a.txt").write_bytes(b"hello")
    serving = start("--port", "0", "--anonymous")
    serving.out.wait(f"anonymous +anybody may read {start.folder}")
    with serving.login("anonymous", "me@example.org") as ftp:
        assert ftp.nlst() == ["a.txt"]
        with pytest.raises(ftplib.error_perm, match="550"):
            ftp.delete("a.txt")
    serving.err.wait(r"anonymous@127\.0\.0\.1 #1 +logged in as a guest")


# -- ports ---------------------------------------------------------------------------------------------


def test_where_port_21_cannot_be_had_another_is_taken_and_said(start: Starter) -> None:
    with contextlib.ExitStack() as stack:
        for port in (21, 2121):
            for family in (socket.AF_INET, socket.AF_INET6):
                taken = stack.enter_context(socket.socket(family))
                if family == socket.AF_INET6:
                    taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):  # somebody else has it, or nobody may: as good for this test
                    taken.bind(("", port))
                    taken.listen()
        serving = start()
        why = serving.out.wait(r"Port 21 (.*), so this is port (\d+)\.")
        assert why[1] in ("is in use by another program", "may not be opened by this user")
        port = int(why[2])
        assert port in range(2123, 2140, 2)
        serving.out.wait(f"active data +from {port - 1}")
        serving.login().close()


def test_a_port_that_was_named_is_that_port_or_an_error(start: Starter) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        serving = start("--host", "127.0.0.1", "--port", str(port))
        assert serving.ended() == 1
    assert serving.out.all == []
    assert len(serving.err.all) == 1
    assert serving.err.all[0].startswith(f"Error: 127.0.0.1:{port} is in use by another program.")
    # No password was made that nobody has seen.
    again = start("--port", "0")
    assert again.password


# -- a configuration -----------------------------------------------------------------------------------


def test_a_configuration_file_and_options_that_override_it(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text(
        f"""
        [listen]
        addresses = ["127.0.0.1"]
        port = 1
        [data]
        passive_ports = "any"
        [[users]]
        name = "bob"
        password = "plain:secret"
        home = "{start.folder}"
        """
    )
    file.chmod(0o600)
    log = tmp_path / "events.json"
    serving = start("--config", str(file), "--port", "0", "--log-json", str(log), folder=False)
    serving.out.wait(f"Homeport 0.1.0 serves as {file} says")
    serving.login("bob", "secret").close()
    serving.err.wait("gone after")
    serving.signal(signal.SIGTERM)
    assert serving.ended() == 0
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["ServerStarted", "SessionOpened", "LoggedIn", "SessionClosed", "ServerStopping", "ServerStopped"]


def test_a_faulty_configuration_is_one_report(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "homeport.toml"
    file.write_text("[listen]\nprot = 21\n[limits]\nidle = 5\nlogin = true\n")
    serving = start("--config", str(file), folder=False)
    assert serving.ended() == 2
    report = "\n".join(serving.err.all)
    assert f"{file}:2: listen.prot: there is no such option" in report
    assert f"{file}:5: limits.login: " in report
    assert "Traceback" not in report


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Which folder is to be shared?"),
        (["/no/such/folder"], "does not exist"),
        ([".", "--user", "anonymous"], "use --anonymous for it"),
        ([".", "--user", "bob:"], "the password behind the colon is empty"),
        ([".", "--host", "localhost"], '"localhost" is not an IP address'),
        ([".", "--passive-ports", "20-10"], "the range 20-10 goes down"),
        ([".", "--port", "50000", "--passive-ports", "50000-50009"], "port 50000 is a passive port"),
    ],
)
def test_wrong_use_is_one_message(arguments: list[str], message: str, start: Starter) -> None:
    serving = start(*arguments, folder=False)
    assert serving.ended() == 2
    assert message in serving.err.all[-1]


# -- the end -------------------------------------------------------------------------------------------


@dataclass
class Download:
    """A download that is under way and does not go on until it is read."""

    ftp: ftplib.FTP
    data: socket.socket

    def finish(self) -> int:
        octets = 0
        while chunk := self.data.recv(1 << 20):
            octets += len(chunk)
        self.data.close()
        self.ftp.voidresp()
        return octets


SIZE = 64 * 1024 * 1024


@pytest.fixture
def download(start: Starter) -> Iterator[tuple[Serving, Download]]:
    with (start.folder / "big").open("wb") as file:
        file.truncate(SIZE)
    serving = start("--port", "0")
    with serving.login() as ftp:
        ftp.voidcmd("TYPE I")
        data = ftp.transfercmd("RETR big")
        assert data.recv(1)
        with data:
            yield serving, Download(ftp, data)
        ftp.close()


def test_ctrl_c_lets_a_transfer_finish(download: tuple[Serving, Download]) -> None:
    serving, transfer = download
    serving.signal(signal.SIGINT)
    serving.err.wait("Waiting for 1 transfer; press Ctrl-C again to stop at once.")
    assert transfer.finish() == SIZE - 1
    assert serving.ended() == 0
    serving.err.wait("downloaded  /big  67.1 MB in ")


def test_a_second_ctrl_c_stops_at_once(download: tuple[Serving, Download]) -> None:
    serving, transfer = download
    serving.signal(signal.SIGINT)
    serving.err.wait("Waiting for 1 transfer")
    begin = time.monotonic()
    serving.signal(signal.SIGINT)
    assert serving.ended() == 0
    assert time.monotonic() - begin < 10
    serving.err.wait("Stopping at once.")
    serving.err.wait("download failed  /big  after ")
    with contextlib.suppress(ConnectionResetError):
        while transfer.data.recv(1 << 20):
            pass


def test_hang_up_opens_the_logs_anew(start: Starter, tmp_path: Path) -> None:
    log = tmp_path / "xferlog"
    serving = start("--port", "0", "--xferlog", str(log))
    with serving.login() as ftp:
        ftp.storbinary("STOR one", io.BytesIO(b"1"))
        serving.err.wait("uploaded  /one")
        log.rename(tmp_path / "xferlog.1")
        serving.signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        ftp.storbinary("STOR two", io.BytesIO(b"2"))
    serving.signal(signal.SIGINT)
    assert serving.ended() == 0
    assert " /one b _ i r home ftp 0 * c\n" in (tmp_path / "xferlog.1").read_text()
    assert " /two b _ i r home ftp 0 * c\n" in log.read_text()


# -- how much is said ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("soft", "hard", "short"), [(150, 400, True), (150, None, False)])
def test_as_many_descriptors_as_the_system_allows(soft: int, hard: int | None, short: bool, start: Starter) -> None:
    resource = pytest.importorskip("resource")
    if hard is None and shortage(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 10_000, 200) is not None:
        pytest.skip("this system itself allows too few")
    lower = f"ulimit -S -n {soft}" + (f" && ulimit -H -n {hard}" if hard is not None else "")
    serving = start("--port", "0", before=("/bin/sh", "-c", f'{lower} && exec "$0" "$@"'))
    assert serving.port
    limits = Path(f"/proc/{serving.process.pid}/limits").read_text()
    found = re.search(r"Max open files +(\d+) +(\d+)", limits)
    assert found is not None
    assert found[1] == found[2]
    assert hard is None or found[1] == str(hard)
    serving.signal(signal.SIGTERM)
    assert serving.ended() == 0
    told = [line for line in serving.err.end() if "limits.sessions is 10000" in line]
    assert len(told) == short
    assert not short or "but the 400 open files that are allowed are enough for " in told[0]


def test_quiet_prints_the_password_and_nothing_else(start: Starter) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serving = start("--host", "127.0.0.1", "--port", str(port), "--quiet")
    password = serving.out.wait(r"^Password of home: (\S+)$")[1]
    with ftplib.FTP(timeout=PATIENCE) as ftp:
        ftp.connect("127.0.0.1", port)
        ftp.login("home", password)
    serving.signal(signal.SIGINT)
    assert serving.ended() == 0
    assert len(serving.out.all) == 1
    assert serving.err.all == []


def test_debug_shows_commands_and_no_password(start: Starter) -> None:
    serving = start("--port", "0", "--debug")
    password = serving.password
    with serving.login() as ftp:
        ftp.pwd()
    serving.err.wait(r'home@127\.0\.0\.1 #1 +PWD  ->  257 "/"')
    serving.err.wait(r"PASS \*\*\*\*  ->  230")
    serving.signal(signal.SIGINT)
    assert serving.ended() == 0
    assert not [line for line in serving.err.all if password in line]
