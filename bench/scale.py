"""Many at once: thousands of idle sessions and slow transfers, a very large directory, and how fast a server starts.

    python bench/scale.py                 everything at full size, about ten minutes
    python bench/scale.py --small         the same with some hundreds, a minute or two
    python bench/scale.py --only slow --servers homeport --add      the rest of the table is that of the last run
    python bench/scale.py --write-docs    puts the table into docs/performance.md

The parts are idle, slow, listing and start. Idle sessions are logged in by crowd.c, from several addresses of
loopback; what a small RETR costs beside them is compared with a second process of the same server that has none, in
turns. The slow transfers run beside the idle sessions, after as many further ones have logged in, and every octet is
compared. A server that makes a process for each session gets fewer of both.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apart
from meter import Meter
from peers import COMPILED, PASSWORD, SERVERS, USER, CannotRun, Running
from run import BUILD, HERE, Failed, about_system, compile_client, markdown, measure, plain, room_for, scale, write_docs
from work import Work

BLOCK = "bench:scale"
PARTS = ("idle", "slow", "listing", "start")
FORKING = ("vsftpd", "proftpd", "pure-ftpd")
MEASURED = [name for name in SERVERS if name != "interpreted"]
PORTS = 500
"""The passive range of a server: Homeport keeps its listening sockets open, and descriptors are short here."""
PORTS_FORKING = 2600
"""Likewise where they cost nothing; Pure-FTPd takes half as many users as it has ports."""
SOURCES = 40
"""Addresses of loopback that the sessions come from."""
SPARE = 200
"""Descriptors that a server needs for itself."""
OCTETS = 2 << 20
"""Of a slow transfer: more than what may lie in the socket buffers, so that the server is at work for all at once."""
PATIENCE = 120.0
REST = 12.0
"""Seconds: Homeport lets a thread go that had nothing to do for ten."""
SMALL = Work("retr-1", "RETR 1 KiB", "retr", "small", 1024)

BARS = {
    "memory": "≤ 10 KiB",
    "threads": "< 40",
    "beside": "≤ 1.2",
    "slow-memory": "≤ 40 KiB",
    "slow-complete": "all",
    "first-octet": "≤ 100 ms",
    "listing-memory": "< 20 MiB",
    "start": "≤ 0.4 s",
    "version": "≤ 0.15 s",
}
TITLES = {
    "idle": "idle sessions",
    "login": "a log in, wall time",
    "memory": "memory of an idle session",
    "arrivals": "threads (processes) when they have just logged in",
    "threads": "threads (processes) when they rest",
    "retr": "RETR 1 KiB beside them, CPU",
    "beside": "... as a multiple of that without them",
    "slow": "slow transfers at once, beside them",
    "slow-complete": "... complete and equal, at most at once",
    "slow-memory": "... memory of each above its idle session",
    "slow-threads": "... threads (processes) with them",
    "slow-cpu": "... CPU of each",
    "slow-wall": "... from the first EPSV to the last 226",
    "entries": "entries of a directory, by MLSD (vsftpd: LIST)",
    "first-octet": "... to the first octet",
    "listing-wall": "... to 226",
    "listing-cpu": "... CPU",
    "listing-memory": "... most memory above idle",
    "start": "exec to the first 220",
    "version": "`homeport --version`",
    "bare": "for comparison: Python that does nothing",
}


@dataclass(slots=True)
class Figures:
    """Texts for the table and numbers for the file, by row and server; and what could not be measured."""

    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, row: str, server: str, number: float, text: str) -> None:
        self.texts.setdefault(row, {})[server] = text
        self.numbers.setdefault(row, {})[server] = number
        print(f"  {SERVERS[server][0]}: {TITLES[row]}: {text}", file=sys.stderr)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            print(f"  note: {text}", file=sys.stderr)


class Crowd:
    """crowd.c at work on one server."""

    def __init__(self, port: int) -> None:
        argv = [str(BUILD / "crowd"), "127.0.0.1", str(port), USER, PASSWORD, str(SOURCES)]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def _tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _hear(self, word: str) -> list[str]:
        assert self.process.stdout
        line = self.process.stdout.readline().split()
        if not line or line[0] != word:
            assert self.process.stderr
            raise Failed(self.process.stderr.read().strip() or "the crowd ended without a word")
        return line[1:]

    def log_in(self, count: int) -> float:
        """Seconds until *count* more are logged in."""
        self._tell(f"login {count}")
        return int(self._hear("in")[1]) / 1e9

    def begin(self, count: int, name: str, file: Path, rate: int) -> float:
        """Let *count* fetch a file slowly; seconds until each has its first octet."""
        self._tell(f"retr {count} {name} {file} {rate}")
        return int(self._hear("flowing")[0]) / 1e9

    def finish(self) -> tuple[float, int]:
        """Wait for those: seconds from the first EPSV to the last 226, and the most that were under way at once."""
        nanoseconds, most = self._hear("done")
        return int(nanoseconds) / 1e9, int(most)

    def quit(self) -> None:
        """Let all say QUIT; one that has failed already is only waited for."""
        with contextlib.suppress(BrokenPipeError):
            self._tell("quit")
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


@contextlib.contextmanager
def running(kind: str, suffix: str, root: Path, *, second: bool = False) -> Iterator[Running]:
    """A server of its own for one part, with a passive range of its own if it is the *second* at the same time."""
    ports = PORTS_FORKING if kind in FORKING else PORTS
    low = 20000 + ports * second
    server = Running(f"{kind}-{suffix}", kind, root, BUILD, (low, low + ports - 1))
    try:
        yield server
    finally:
        server.stop()


def lowest(meter: Meter) -> int:
    """Memory at rest: a server keeps threads for some seconds after their last work, and hands memory back late."""
    time.sleep(REST)
    low, quiet, end = meter.memory(), 0, time.monotonic() + REST
    while quiet < 4 and time.monotonic() < end:
        time.sleep(0.5)
        now = meter.memory()
        quiet = quiet + 1 if now > low * 0.998 else 0
        low = min(low, now)
    return low


def warm(server: Running) -> None:
    """What is allocated for good at the first sessions and transfers is not charged to the rest."""
    measure(server.meter, server.port, Work("retr-4", "", "retr", "small", 1024, 4), 0.2)


def affordable(kind: str, options: argparse.Namespace, figures: Figures) -> tuple[int, int]:
    """How many idle sessions and slow transfers: those wanted, if the limits of the system allow them."""
    if kind in FORKING:
        return options.peer_idle, options.peer_slow
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    idle, slow = options.idle, options.slow if "slow" in options.parts else 0
    # The control connection, the data connection and the file of each; Homeport's listening passive ports besides.
    needed = idle + 3 * slow + PORTS + SPARE
    if hard != resource.RLIM_INFINITY and needed > hard:
        share = (hard - PORTS - SPARE) / (needed - PORTS - SPARE)
        idle, slow = int(idle * share), int(slow * share)
        figures.note(
            f"{SERVERS[kind][0]}: {idle} idle sessions and {slow} transfers, no more: a process may have {hard} "
            f"descriptors here (ulimit -Hn), and {needed} would be needed"
        )
    return idle, slow


def multitude(kind: str, root: Path, options: argparse.Namespace, figures: Figures) -> None:
    """The rows of idle sessions and of slow transfers beside them."""
    idle, slow = affordable(kind, options, figures)
    with running(kind, "alone", root) as alone, running(kind, "crowded", root, second=True) as crowded:
        meter = crowded.meter
        for server in (alone, crowded):
            warm(server)
        empty = lowest(meter)
        crowd = Crowd(crowded.port)
        try:
            seconds = crowd.log_in(idle)
            figures.put("idle", kind, idle, f"{idle:,}")
            figures.put("login", kind, seconds / idle, scale(seconds / idle))
            threads_row(meter, "arrivals", kind, figures)
            full = lowest(meter)
            kib = (full - empty) / idle / 1024
            figures.put("memory", kind, kib, f"{kib:.1f} KiB")
            threads_row(meter, "threads", kind, figures)
            beside(kind, alone, crowded, options.rounds, figures)
            if "slow" in options.parts:
                transfers(kind, crowd, meter, slow, root, options, figures)
        finally:
            crowd.quit()


def threads_row(meter: Meter, row: str, kind: str, figures: Figures) -> None:
    processes, threads = meter.threads()
    figures.put(row, kind, threads, f"{threads:,} ({processes:,})")


def beside(kind: str, alone: Running, crowded: Running, rounds: int, figures: Figures) -> None:
    """A small RETR on the server with the crowd and on the one without, in turns."""
    with_them, without = [], []
    for number in range(rounds):
        turns = [(crowded, with_them), (alone, without)]
        for server, samples in turns if number % 2 else reversed(turns):
            samples.append(measure(server.meter, server.port, SMALL, 0.4).cpu)
    cpu, ratio = statistics.median(with_them), statistics.median(with_them) / statistics.median(without)
    figures.put("retr", kind, cpu, scale(cpu))
    figures.put("beside", kind, ratio, f"{ratio:.2f}")


def transfers(
    kind: str, crowd: Crowd, meter: Meter, slow: int, root: Path, options: argparse.Namespace, figures: Figures
) -> None:
    """As many further sessions, and as many slow transfers; memory is read when each has had its first octet."""
    crowd.log_in(slow)
    resting = lowest(meter)
    before = meter.settled()
    crowd.begin(slow, "slow", root / "slow", options.rate * 1024)
    time.sleep(1)  # what setting up needed is given back, and all still run
    busy = meter.memory()
    figures.put("slow", kind, slow, f"{slow:,}")
    threads_row(meter, "slow-threads", kind, figures)
    seconds, most = crowd.finish()
    cpu = (meter.settled() - before) / slow
    if most < slow:
        figures.note(f"{SERVERS[kind][0]}: only {most} of {slow} transfers were under way at the same time")
    figures.put("slow-complete", kind, most, f"{slow:,}, {most:,}")
    kib = (busy - resting) / slow / 1024
    figures.put("slow-memory", kind, kib, f"{kib:.1f} KiB")
    figures.put("slow-cpu", kind, cpu, scale(cpu))
    figures.put("slow-wall", kind, seconds, scale(seconds))


@dataclass(frozen=True, slots=True)
class Listing:
    """How one listing came."""

    first: float
    wall: float
    lines: int


def fetch_listing(port: int, verb: str, watch: Meter | None = None) -> tuple[Listing, int]:
    """One listing of the large directory; *watch*: the most memory that the server had meanwhile."""
    buffer, most = bytearray(1 << 20), 0
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as control, control.makefile("rb") as replies:

        def answer(expected: bytes) -> bytes:
            while (line := replies.readline())[3:4] != b" " or not line[:3].isdigit():
                if not line:
                    raise Failed("the control connection was closed")
            if line[:1] != expected:
                raise Failed(f"{verb}: {line.decode(errors='replace').strip()}")
            return line

        def ask(command: str, expected: bytes) -> bytes:
            control.sendall(command.encode() + b"\r\n")
            return answer(expected)

        answer(b"2")
        ask(f"USER {USER}", b"3")
        ask(f"PASS {PASSWORD}", b"2")
        where = int(ask("EPSV", b"2").split(b"|||")[1].split(b"|")[0])
        with socket.create_connection(("127.0.0.1", where), PATIENCE) as data:
            began, first, lines, look = time.monotonic(), 0.0, 0, 0.0
            control.sendall(f"{verb} million\r\n".encode())
            while octets := data.recv_into(buffer):
                first = first or time.monotonic() - began
                lines += buffer.count(b"\n", 0, octets)
                if watch and time.monotonic() > look:
                    most = max(most, watch.memory())
                    look = time.monotonic() + 0.05
        answer(b"1")
        answer(b"2")
        wall = time.monotonic() - began
        ask("QUIT", b"2")
    return Listing(first, wall, lines), most


def listing(kind: str, root: Path, options: argparse.Namespace, figures: Figures) -> None:
    """Three times for the time and CPU; then once more for the memory, since looking at it costs some."""
    verb = "LIST" if kind == "vsftpd" else "MLSD"
    with running(kind, "listing", root) as server:
        warm(server)
        resting = lowest(server.meter)
        taken, cpu = [], []
        for _ in range(options.listings):
            before = server.meter.settled()
            one, _ = fetch_listing(server.port, verb)
            cpu.append(server.meter.settled() - before)
            taken.append(one)
            if one.lines < options.entries:
                raise Failed(f"{one.lines} lines came, {options.entries} expected")
        _, most = fetch_listing(server.port, verb, server.meter)
    figures.put("entries", kind, options.entries, f"{options.entries:,}")
    first, wall = (statistics.median(getattr(one, what) for one in taken) for what in ("first", "wall"))
    figures.put("first-octet", kind, first, scale(first))
    figures.put("listing-wall", kind, wall, scale(wall))
    figures.put("listing-cpu", kind, statistics.median(cpu), scale(statistics.median(cpu)))
    mib = max(most - resting, 0) / (1 << 20)
    figures.put("listing-memory", kind, mib, f"{mib:.1f} MiB")


def start_once(server: Running) -> float:
    """Seconds from exec to the first octet of a greeting. A server is tried again every two milliseconds."""
    began = time.monotonic()
    with server.log.open("wb") as output:
        process = subprocess.Popen(
            server.launch.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **server.launch.environment},
            preexec_fn=server.meter.enter,  # noqa: PLW1509 - one thread here, as in peers.py
            start_new_session=True,
        )
    server.meter.pids.append(process.pid)
    server.process = process
    while time.monotonic() < began + 15:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 5) as control:
            if control.recv(3):
                return time.monotonic() - began
        if process.poll() is not None:
            break
        time.sleep(0.002)
    raise Failed("it did not start again")


def starting(kind: str, root: Path, options: argparse.Namespace, figures: Figures) -> None:
    """Each start is of the same configuration; the first, which fills the caches, is left out."""
    times = []
    for _ in range(options.rounds):
        with running(kind, "start", root) as server:
            server.end_tree()
            times.append(start_once(server))
    figures.put("start", kind, statistics.median(times), scale(statistics.median(times)))
    if kind == "homeport":
        script = Path(sys.executable).with_name("homeport")
        ours = [str(script)] if script.exists() else [sys.executable, "-m", "homeport.cli.main"]
        for row, argv in (("version", [*ours, "--version"]), ("bare", [sys.executable, "-c", ""])):
            times = [seconds_of(argv) for _ in range(options.rounds + 1)][1:]
            figures.put(row, kind, statistics.median(times), scale(statistics.median(times)))


def seconds_of(argv: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(COMPILED)})
    return time.monotonic() - began


def plant(root: Path, entries: int) -> None:
    """The tree of all servers; what is there already and of the right size is left."""
    (root / "million").mkdir(parents=True, exist_ok=True)
    root.chmod(0o777)
    (root / "small").write_bytes(os.urandom(1024))
    (root / "slow").write_bytes(os.urandom(OCTETS))
    if entries and sum(1 for _ in os.scandir(root / "million")) != entries:
        shutil.rmtree(root / "million")
        (root / "million").mkdir()
        subprocess.run([str(BUILD / "crowd"), "fill", str(root / "million"), str(entries)], check=True)


def table(figures: Figures, names: list[str]) -> list[list[str]]:
    lines = [["", "bar", *(SERVERS[name][0] for name in names)]]
    for row, title in TITLES.items():
        if texts := figures.texts.get(row):
            lines.append([title, BARS.get(row, ""), *(texts.get(name, "–") for name in names)])
    return lines


def earlier(path: Path) -> Figures:
    """The figures of the last run; its notes have been read."""
    found = json.loads(path.read_text())
    return Figures(found["texts"], found["numbers"])


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="FTP servers with very many sessions, and very many files.")
    parser.add_argument("--small", action="store_true", help="some hundreds of everything, three rounds")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; repeatable (slow needs idle)")
    parser.add_argument(
        "--servers",
        default=",".join(MEASURED),
        metavar="A,B",
        help="which servers (default: all)",
    )
    parser.add_argument("--idle", type=int, help="idle sessions (default 10000)")
    parser.add_argument("--slow", type=int, help="slow transfers (default 2000)")
    parser.add_argument("--peer-idle", type=int, help="for servers that fork for each session (default 1000)")
    parser.add_argument("--peer-slow", type=int, help="likewise (default 200)")
    parser.add_argument("--rate", type=int, default=64, help="KiB a second of a slow transfer (default 64)")
    parser.add_argument("--entries", type=int, help="entries of the large directory (default 1000000)")
    parser.add_argument("--listings", type=int, default=3, help="how often it is listed (default 3)")
    parser.add_argument("--rounds", type=int, help="of small RETRs and of starts (default 9)")
    parser.add_argument("--tree", type=Path, metavar="DIR", help="where the files are, and stay for the next run")
    parser.add_argument("--json", type=Path, default=BUILD / "scale.json", metavar="FILE", help="where figures go")
    parser.add_argument("--add", action="store_true", help="keep the last run's figures that are not measured anew")
    parser.add_argument("--write-docs", action="store_true", help="rewrite the table in docs/performance.md")
    options = parser.parse_args(arguments)
    options.servers = options.servers.split(",")
    unknown = sorted(set(options.servers) - set(SERVERS))
    if unknown:
        parser.error(f"no such server: {', '.join(unknown)}; there are {', '.join(SERVERS)}")
    options.parts = set(options.only or PARTS)
    if "slow" in options.parts:
        options.parts.add("idle")
    small = options.small
    options.idle = options.idle or (300 if small else 10_000)
    options.slow = options.slow or (100 if small else 2_000)
    options.peer_idle = min(options.peer_idle or (50 if small else 1_000), options.idle)
    options.peer_slow = min(options.peer_slow or (20 if small else 200), options.slow)
    options.entries = options.entries or (20_000 if small else 1_000_000)
    options.rounds = options.rounds or (3 if small else 9)
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the servers inherit it
    # Python's servers start from compiled files, as an installed program does, wherever the sources lie.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(BUILD / "pycache")
    compile_client("client", "-lssl", "-lcrypto")
    compile_client("crowd")
    if set(FORKING) & set(options.servers):
        subprocess.run([str(HERE.parent / "tools" / "peers.sh")], check=True)
    network = apart.enter()
    figures = earlier(options.json) if options.add else Figures()
    root = options.tree or room_for(1 << 30)
    work = [("listing", listing), ("start", starting), ("idle", multitude)]
    try:
        plant(root, options.entries if "listing" in options.parts else 0)
        for part, carry_out in work:
            for kind in options.servers if part in options.parts else ():
                print(f"{part}: {SERVERS[kind][0]}", file=sys.stderr)
                try:
                    carry_out(kind, root, options, figures)
                except (Failed, CannotRun, OSError) as error:
                    figures.note(f"{SERVERS[kind][0]}, {part}: {error}")
    finally:
        if not options.tree:
            shutil.rmtree(root, ignore_errors=True)
    about = f"{about_system()} On {network}."
    lines = table(figures, MEASURED if options.add else options.servers)
    notes = "".join(f"- {note}\n" for note in figures.notes)
    print(about, plain(lines), notes, sep="\n\n")
    options.json.write_text(json.dumps({"about": about, **dataclasses.asdict(figures)}, indent=1))
    if options.write_docs:
        write_docs(BLOCK, f"{about}\n\n{markdown(lines)}" + (f"\n\n{notes.rstrip()}" if notes else ""))
    return 1 if any(note.startswith("Homeport") for note in figures.notes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
