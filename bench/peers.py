"""The servers that are measured, each started on loopback as a process of ours with an equal task.

Equal means: one user `bench`, confined to the same directory; the cheapest password check each of them has, so that
`log in` measures the server and not a hash; no reverse DNS, no ident; transfers are not logged; a passive
range of 1600 ports of its own; no limit on sessions or on the length of a listing. Everything else is the server's
default: sendfile, process model, sandbox.

The rows with TLS are measured on a second process of each, which has a certificate (ECDSA P-256, the same for all) and
allows that data connections resume, but does not require it. The first knows nothing of TLS, so it costs nothing there.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from meter import Meter

USER, PASSWORD = "bench", "bench"
# crypt(3) of "bench" in its MD5 form: the cheapest that all three daemons take.
PASSWORD_MD5 = "$1$bench$IDaFocGqo.f39hZ5dc3P7."
NOBODY = 65534
SOURCE = Path(__file__).resolve().parent.parent / "src"
COMPILED = SOURCE.parent / "build" / "compiled"
"""What `make wheel` has unpacked."""


class CannotRun(Exception):
    """A peer cannot be measured on this system; the text says why and goes into the table's notes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server works: the tree it serves, a directory for its own files, its ports, the unpacked peers."""

    root: Path
    own: Path
    port: int
    passive: tuple[int, int]
    peers: Path
    certificate: Path | None = None
    """With its key, in PEM form; None: no TLS."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is executed, and with which additions to the environment."""

    argv: list[str]
    environment: dict[str, str]


def _unpacked(place: Place, program: str) -> tuple[str, dict[str, str]]:
    """The path of an unpacked program and the environment in which it finds its libraries."""
    if os.geteuid() != 0:
        raise CannotRun("needs root to change to its user and root directory")
    path = place.peers / "root" / program
    if not path.exists():
        raise CannotRun("is not unpacked: run tools/peers.sh")
    libraries = {str(p.parent) for p in (place.peers / "root").rglob("*.so.*")}
    return str(path), {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def vsftpd(place: Place) -> Launch:
    """Guests checked through PAM by pam_pwdfile, its usual way to have virtual users. PAM reads its service files only
    from /etc/pam.d, so vsftpd gets a mount namespace in which our directory lies there; the system's stays as it is."""
    program, environment = _unpacked(place, "usr/sbin/vsftpd")
    pam, jail, users = place.own / "pam.d", place.own / "empty", place.own / "users"
    pam.mkdir()
    jail.mkdir()
    users.write_text(f"{USER}:{PASSWORD_MD5}\n")
    module = next((place.peers / "root").rglob("pam_pwdfile.so"))
    (pam / "vsftpd").write_text(f"auth required {module} pwdfile {users}\naccount required pam_permit.so\n")
    settings = {
        "background": "NO",
        "listen": "YES",
        "listen_address": "127.0.0.1",
        "listen_port": place.port,
        "pasv_min_port": place.passive[0],
        "pasv_max_port": place.passive[1],
        "anonymous_enable": "NO",
        "local_enable": "YES",
        "write_enable": "YES",
        "guest_enable": "YES",
        "guest_username": "daemon",  # it has a home that exists, which vsftpd wants although local_root follows
        "virtual_use_local_privs": "YES",
        "local_root": place.root,
        "allow_writeable_chroot": "YES",
        "pam_service_name": "vsftpd",
        "secure_chroot_dir": jail,
        "xferlog_enable": "NO",
        "max_per_ip": 0,
        "max_clients": 0,
    }
    if place.certificate:
        settings |= {
            "ssl_enable": "YES",
            "rsa_cert_file": place.certificate,
            "force_local_logins_ssl": "NO",
            "force_local_data_ssl": "NO",
            "require_ssl_reuse": "NO",
            "ssl_ciphers": "HIGH",
        }
    config = place.own / "vsftpd.conf"
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    inside = f"mount --bind {shlex.quote(str(pam))} /etc/pam.d && exec {shlex.join([program, str(config)])}"
    return Launch(["unshare", "--mount", "sh", "-c", inside], environment)


def proftpd(place: Place) -> Launch:
    """A password file of its own (AuthUserFile); mod_delay off, since its pauses would be counted as time of ours."""
    program, environment = _unpacked(place, "usr/sbin/proftpd")
    users = place.own / "users"
    users.write_text(f"{USER}:{PASSWORD_MD5}:{NOBODY}:{NOBODY}::{place.root}:/bin/sh\n")
    users.chmod(0o600)
    tls = ""
    if place.certificate:
        tls = f"""
ModulePath {place.peers}/root/usr/lib/proftpd
LoadModule mod_tls.c
TLSEngine on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {place.certificate}
TLSECCertificateKeyFile {place.certificate}
TLSOptions NoSessionReuseRequired
TLSRequired off
TLSVerifyClient off
"""
    config = place.own / "proftpd.conf"
    config.write_text(f"""
ServerName bench
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
Port {place.port}
PassivePorts {place.passive[0]} {place.passive[1]}
User nobody
Group nogroup
DefaultRoot ~
AuthOrder mod_auth_file.c
AuthUserFile {users}
RequireValidShell off
AllowOverwrite on
UseReverseDNS off
DelayEngine off
WtmpLog off
TransferLog none
SystemLog none
ScoreboardFile {place.own}/scoreboard
PidFile {place.own}/pid
MaxInstances none
{tls}""")
    return Launch([program, "--nodaemon", "--quiet", "--config", str(config)], environment)


def pure_ftpd(place: Place) -> Launch:
    """A PureDB of virtual users; 20,000 sessions, of one address too, and listings of 2,000,000 entries allowed."""
    program, environment = _unpacked(place, "usr/sbin/pure-ftpd")
    users, database = place.own / "users", place.own / "users.pdb"
    users.write_text(f"{USER}:{PASSWORD_MD5}:{NOBODY}:{NOBODY}::{place.root}/./::::::::::::\n")
    make = str(place.peers / "root/usr/bin/pure-pw")
    subprocess.run([make, "mkdb", str(database), "-f", str(users)], check=True, env={**os.environ, **environment})
    argv = [program, "-S", f"127.0.0.1,{place.port}", "-l", f"puredb:{database}", "-E", "-H", "-A", "-u", "1"]
    argv += ["-p", f"{place.passive[0]}:{place.passive[1]}", "-g", str(place.own / "pid"), "-f", "none"]
    argv += ["-c", "20000", "-C", "20000", "-L", "2000000:5"]
    if place.certificate:
        argv += ["-Y", "1", "-2", str(place.certificate), "-J", "HIGH"]
    return Launch(argv, environment)


_PYFTPDLIB = """
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
root, port, low, high, user, password, certificate = sys.argv[1:]
if certificate:
    from pyftpdlib.handlers import TLS_FTPHandler as FTPHandler
    FTPHandler.certfile = FTPHandler.keyfile = certificate
logging.basicConfig(level=logging.ERROR)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, root, perm="elradfmwMT")
FTPHandler.authorizer = authorizer
FTPHandler.passive_ports = range(int(low), int(high) + 1)
server = FTPServer(("127.0.0.1", int(port)), FTPHandler, backlog=512)
server.max_cons = 20000
server.serve_forever()
"""


def pyftpdlib(place: Place) -> Launch:
    """One process, one loop (its default), plain passwords in memory."""
    if not importlib.util.find_spec("pyftpdlib"):
        raise CannotRun("is not installed: pip install pyftpdlib")
    if place.certificate and not importlib.util.find_spec("OpenSSL"):
        raise CannotRun("has no TLS without pyOpenSSL: pip install pyopenssl")
    ports = [str(place.port), str(place.passive[0]), str(place.passive[1])]
    arguments = [str(place.root), *ports, USER, PASSWORD, str(place.certificate or "")]
    return Launch([sys.executable, "-c", _PYFTPDLIB, *arguments], {})


def homeport(place: Place) -> Launch:
    """The wheel of `make wheel`, as `homeport serve --config` runs it."""
    if not COMPILED.is_dir():
        raise CannotRun("is not built: make wheel")
    return _homeport(place, {"PYTHONPATH": str(COMPILED)})


def interpreted(place: Place) -> Launch:
    """The same without a compiled module, from this source tree."""
    return _homeport(place, {"PYTHONPATH": str(SOURCE)})


def _homeport(place: Place, environment: dict[str, str]) -> Launch:
    """A plain password, and no line on the console for each event."""
    config = place.own / "homeport.toml"
    tls = f'[tls]\ncertificate = "{place.certificate}"\n' if place.certificate else ""
    config.write_text(f"""
[server]
state = "{place.own}/state"
[listen]
addresses = ["127.0.0.1"]
port = {place.port}
[data]
passive_ports = "{place.passive[0]}-{place.passive[1]}"
external_address = "none"
[limits]
sessions = 20000
sessions_per_address = 0
[[users]]
name = "{USER}"
password = "plain:{PASSWORD}"
home = "{place.root}"
access = "read-write"
{tls}""")
    config.chmod(0o600)
    argv = [sys.executable, "-m", "homeport.cli.main", "serve", "--quiet", "--config", str(config)]
    return Launch(argv, environment)


SERVERS: dict[str, tuple[str, Callable[[Place], Launch]]] = {
    "homeport": ("Homeport", homeport),
    "interpreted": ("interpreted", interpreted),
    "vsftpd": ("vsftpd", vsftpd),
    "proftpd": ("ProFTPD", proftpd),
    "pure-ftpd": ("Pure-FTPd", pure_ftpd),
    "pyftpdlib": ("pyftpdlib", pyftpdlib),
}


def certificate(directory: Path) -> Path:
    """One for all servers: ECDSA P-256, self-signed, its key in the same file."""
    path = directory / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    request += ["-subj", "/CN=localhost", "-days", "30", "-keyout", "-", "-out", "-"]
    made = subprocess.run(request, check=True, capture_output=True)
    path.write_bytes(made.stdout)
    path.chmod(0o600)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Running:
    """One server under way: its process, its port, its meter."""

    def __init__(
        self,
        name: str,
        kind: str,
        root: Path,
        work: Path,
        passive: tuple[int, int],
        certificate: Path | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.protected = certificate is not None
        self.title, prepare = SERVERS[kind]
        own = work / name
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        self.place = Place(root, own, free_port(), passive, work / "peers", certificate)
        self.launch = prepare(self.place)
        self.meter = Meter(name)
        self.log = own / "output"
        self.process = self._start(self.launch)

    @property
    def port(self) -> int:
        return self.place.port

    def _start(self, launch: Launch) -> subprocess.Popen[bytes]:
        def prepare() -> None:
            self.meter.enter()
            _die_with_parent()

        with self.log.open("wb") as output:
            process = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **launch.environment},
                preexec_fn=prepare,  # noqa: PLW1509 - one thread here: nothing can deadlock between fork and exec
                start_new_session=True,
            )
        self.meter.pids.append(process.pid)
        self.process = process
        end = time.monotonic() + 15
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as control:
                if control.recv(3) == b"220":
                    control.sendall(b"QUIT\r\n")
                    return process
            if process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        said = self.log.read_text(errors="replace").strip().splitlines()
        raise CannotRun(f"did not start: {said[-1] if said else 'it said nothing'}")

    def end_tree(self) -> None:
        """Ends the server and every process of its tree."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        end = time.monotonic() + 10
        while (tree := self.meter.processes()) and time.monotonic() < end:  # whoever did not follow its parent
            for process in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()

    def stop(self) -> None:
        """Ends all of it for good, and removes its control group."""
        self.end_tree()
        self.meter.close()
