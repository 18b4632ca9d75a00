"""Homeport beside vsftpd, ProFTPD, Pure-FTPd and pyftpdlib: CPU and wall time per operation, memory of a session.

    python bench/run.py                 all rows, seven rounds, about ten minutes
    python bench/run.py --quick         three short rounds, a smaller file, below two minutes
    python bench/run.py --only retr     the rows whose name contains a word; repeatable
    python bench/run.py --write-docs    puts the table into docs/performance.md

All servers run during the whole measurement. In every round every row is measured once on every server, in an order
shuffled anew, so that what disturbs the machine for a while disturbs all. The table holds medians over the rounds.
bench/README.md tells what each figure is and how CPU is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import importlib.metadata
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apart
import work as workload
from meter import Meter
from peers import PASSWORD, SERVERS, USER, CannotRun, Running, certificate
from work import GIB, Work

HERE = Path(__file__).resolve().parent
BUILD = HERE / "work"
DOCS = HERE.parent / "docs" / "performance.md"
SEED = 959
PASSIVE_PORTS = 1600  # for each server; all of them below the range from which the kernel takes client ports
PROTECTED_PORTS = 450  # for each server's second process, which has one client only
MEMORY_PORTS = (18000, 19999)
BLOCKS = {False: "bench", True: "bench:tls"}
"""The parts of that page for the rows in clear and for those with TLS; one whose rows were not measured stays."""


class Failed(Exception):
    """A server did not do what was asked; the cell has no figure and the notes say why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: CPU of the server's tree and wall time, seconds per operation (or per GiB); 425 replies to EPSV
    per operation, whose cost is contained."""

    cpu: float
    wall: float
    retries: float = 0.0


@dataclass(slots=True)
class Results:
    """Samples by row and server, memory of an idle session by server, and what could not be measured."""

    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, row: str, server: str, sample: Sample) -> None:
        self.samples.setdefault(row, {}).setdefault(server, []).append(sample)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            print(f"  note: {text}", file=sys.stderr)


@dataclass(slots=True)
class Loop:
    """One of the bare loops of client.c, measured like a server."""

    process: subprocess.Popen[str]
    meter: Meter
    port: int


class Load:
    """One run of the load client: made when all sessions are logged in, gone when they have quit."""

    def __init__(
        self, port: int, work: Work, seconds: float, verb: str | None = None, content: Path | None = None
    ) -> None:
        limit = 1 if work.once else 1 << 40
        argv = [str(BUILD / "client"), "load", "127.0.0.1", str(port), USER, PASSWORD, verb or work.verb]
        argv += [str(work.sessions), str(seconds), str(limit), work.argument, str(work.size)]
        argv += ["tls" if work.protected else "clear", str(content or "-")]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            self._line("ready")
        except Failed:
            self.process.wait()
            raise

    def _line(self, word: str) -> list[str]:
        assert self.process.stdout
        line = self.process.stdout.readline().split()
        if not line or line[0] != word:
            assert self.process.stderr
            raise Failed(self.process.stderr.read().strip() or "the load client ended without a word")
        return line[1:]

    def _go(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def work(self) -> tuple[int, float, int]:
        """Operations done, the seconds they took, and how often EPSV had to be said again after a 425."""
        self._go()
        operations, nanoseconds, retries = self._line("done")
        return int(operations), int(nanoseconds) / 1e9, int(retries)

    def quit(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._go()
        self.process.communicate(timeout=60)


def measure(
    meter: Meter, port: int, work: Work, seconds: float, verb: str | None = None, content: Path | None = None
) -> Sample:
    """One cell once. The clock is read when the sessions stand, and again when the work is done and the tree is quiet;
    logging in and quitting are outside, except where they are the work."""
    load = Load(port, work, seconds, verb, content)
    try:
        before = meter.settled()
        operations, wall, retries = load.work()
        cpu = meter.settled() - before
    finally:
        load.quit()
    return Sample(cpu / operations / work.divisor, wall / operations / work.divisor, retries / operations)


def memory(name: str, root: Path, sessions: int) -> float:
    """KiB of memory that one idle session adds to a server that was started for this and has served
    a few sessions: what was allocated for good at the first is not charged to the rest. Read when it no longer falls,
    since a server may hand memory back, or park the session, a moment after its last command."""
    server = Running(f"{name}-memory", name, root, BUILD, MEMORY_PORTS)
    try:
        Load(server.port, Work("idle", "", "idle", sessions=4), 0).quit()
        server.meter.settled()
        before = server.meter.memory()
        load = Load(server.port, Work("idle", "", "idle", sessions=sessions), 0)
        try:
            low, quiet, end = server.meter.memory(), 0, time.monotonic() + 8
            while quiet < 3 and time.monotonic() < end:
                time.sleep(0.4)
                now = server.meter.memory()
                quiet = quiet + 1 if now > low * 0.995 else 0
                low = min(low, now)
        finally:
            load.quit()
    finally:
        server.stop()
    return (low - before) / sessions / 1024


def compile_client(name: str, *libraries: str) -> None:
    BUILD.mkdir(exist_ok=True)
    argv = ["cc", "-O2", "-Wall", "-Wextra", "-pthread", "-o", str(BUILD / name), str(HERE / f"{name}.c"), *libraries]
    subprocess.run(argv, check=True)


def room_for(octets: int) -> Path:
    """A directory in memory if there is room, so that the disk is not what is measured; below bench/work otherwise."""
    shared = Path("/dev/shm")
    if shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > octets:
        available = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024
        if available > octets * 1.5:
            return shared / f"homeport-bench-{os.getpid()}"
    return BUILD / "tree"


@contextlib.contextmanager
def loops(root: Path, rows: list[Work]) -> Iterator[dict[str, Loop]]:
    """The bare loops that the rows ask for, started and in the end stopped."""
    running: dict[str, Loop] = {}
    arguments = {"retr": ["serve-file", str(root / "large")], "stor": ["swallow", str(root / "in" / "large-0")]}
    try:
        for kind in sorted({row.floor for row in rows if row.floor}):
            meter = Meter(f"floor-{kind}")
            process = subprocess.Popen(
                [str(BUILD / "client"), *arguments[kind]],
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=meter.enter,  # noqa: PLW1509 - one thread here, as in peers.py
            )
            assert process.stdout
            meter.pids.append(process.pid)
            running[kind] = Loop(process, meter, int(process.stdout.readline()))
        yield running
    finally:
        for loop in running.values():
            loop.process.kill()
            loop.process.wait()
            loop.meter.close()


@contextlib.contextmanager
def servers(names: list[str], rows: list[Work], root: Path, results: Results) -> Iterator[list[Running]]:
    """One process of each server for the rows in clear, one for those with TLS."""
    running: list[Running] = []
    try:
        for protected in sorted({row.protected for row in rows}):
            count, low = (PROTECTED_PORTS, 30000) if protected else (PASSIVE_PORTS, 20000)
            shown = certificate(BUILD) if protected else None
            for name in names:
                ports = (low, low + count - 1)
                low += count
                try:
                    running.append(Running(f"{name}-tls" if protected else name, name, root, BUILD, ports, shown))
                except CannotRun as reason:
                    results.note(f"{SERVERS[name][0]}{' with TLS' if protected else ''} {reason}")
        yield running
    finally:
        for server in running:
            server.stop()


def one_cell(server: Running, row: Work, root: Path, seconds: float, results: Results) -> None:
    if row.verb == "stor":
        workload.clear_uploads(root)
    try:
        content = root / row.argument if row.protected and row.verb == "retr" else None
        sample = measure(server.meter, server.port, row, seconds, content=content)
    except Failed as error:
        results.note(f"{server.title}, {row.title}: {error}")
        return
    if row.verb == "stor" and (wrong := workload.uploaded(root, row)):
        results.note(f"{server.title}, {row.title}: {wrong}")
        return
    if sample.retries:
        results.note(f"{server.title} answered EPSV with 425 now and then; it was tried again, which is in the figures")
    results.add(row.name, server.kind, sample)


def rounds(options: argparse.Namespace, rows: list[Work], root: Path, results: Results) -> None:
    order = random.Random(SEED)
    with servers(options.servers, rows, root, results) as running, loops(root, rows) as floors:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for row in rows:
                floor = [row.floor] if row.floor else []
                targets: list[Running | str] = [*(s for s in running if s.protected == row.protected), *floor]
                for target in order.sample(targets, len(targets)):
                    if isinstance(target, str):
                        workload.clear_uploads(root)
                        loop = floors[target]
                        results.add(row.name, "floor", measure(loop.meter, loop.port, row, 0, f"raw-{target}"))
                    elif target.kind not in row.lacking:
                        one_cell(target, row, root, options.seconds, results)
            if options.sessions and number < options.memory_rounds:
                plain = [server for server in running if not server.protected]
                for server in order.sample(plain, len(plain)):
                    try:
                        kib = memory(server.name, root, options.sessions)
                        results.memory.setdefault(server.name, []).append(kib)
                    except Failed as error:
                        results.note(f"{server.title}, memory of {options.sessions} sessions: {error}")
        if any(server.meter.clock == "proc" for server in running):
            results.note("CPU by /proc: no control groups here, forking servers' figures are a lower bound")


def scale(seconds: float) -> str:
    """A time with three digits that mean something."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.01:
        return f"{seconds * 1e3:.0f} ms"
    if seconds >= 0.001:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-5 else f"{seconds * 1e6:.0f} µs"


def cell(values: list[float], reference: float | None, digits: bool = True) -> str:
    """Median, half the distance of the quartiles as a share of it, and what Homeport needs in proportion."""
    median = statistics.median(values)
    text = scale(median) if digits else f"{median:.0f} KiB"
    if len(values) >= 3 and median:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        text += f" ±{(high - low) / 2 / median * 100:.0f}%"
    if reference is not None and median > 0:
        text += f" ({reference / median:.2f})"
    return text


def grid(results: Results, rows: list[Work], names: list[str], what: str) -> list[list[str]]:
    columns = [*names, *(["floor"] if what == "cpu" else [])]
    lines = [["", *(SERVERS[name][0] if name in SERVERS else "bare C loop" for name in columns)]]
    for row in rows:
        samples = results.samples.get(row.name, {})
        ours = [getattr(s, what) for s in samples.get("homeport", [])]
        reference = statistics.median(ours) if ours else None
        line = [row.title]
        for name in columns:
            values = [getattr(s, what) for s in samples.get(name, [])]
            line.append(cell(values, None if name == "homeport" else reference) if values else "–")
        lines.append(line)
    if what == "cpu" and results.memory and not all(row.protected for row in rows):
        ours = results.memory.get("homeport", [])
        reference = statistics.median(ours) if ours else None
        line = ["memory of an idle session"]
        for name in columns:
            values = results.memory.get(name, [])
            line.append(cell(values, None if name == "homeport" else reference, digits=False) if values else "–")
        lines.append(line)
    return lines


def plain(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def markdown(lines: list[list[str]]) -> str:
    head, *rest = lines
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *rest])


def about_system() -> str:
    """When, on what, and which versions."""
    versions = BUILD / "peers" / "versions"
    packages = dict(line.split() for line in versions.read_text().splitlines()) if versions.exists() else {}
    peers = [f"{name} {packages[name]}" for name in ("vsftpd", "proftpd-core", "pure-ftpd") if name in packages]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        peers.append(f"pyftpdlib {importlib.metadata.version('pyftpdlib')}")
    return (
        f"{dt.date.today().isoformat()}, {os.cpu_count()} CPUs, Linux {platform.release().split('-')[0]}, "
        f"{platform.python_implementation()} {platform.python_version()}; {', '.join(peers)}."
    )


def circumstances(options: argparse.Namespace, root: Path, network: str) -> str:
    place = "in memory (tmpfs)" if root.parent == Path("/dev/shm") else "on disk"
    return (
        f"{about_system()} Medians of {options.rounds} rounds, ± half the distance of the quartiles; "
        f"the large file has {options.large / GIB:g} GiB, {place}; {network}."
    )


def write_docs(block: str, text: str) -> None:
    page = DOCS.read_text()
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    DOCS.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmarks of FTP servers side by side.")
    parser.add_argument("--quick", action="store_true", help="three short rounds, 256 MiB, no row of 512 clients")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="rows whose name has WORD in it")
    parser.add_argument("--servers", default=",".join(SERVERS), metavar="A,B", help="which servers (default: all)")
    parser.add_argument("--rounds", type=int, help="rounds (default 7; 3 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds a small cell works (default 0.5; 0.2 with --quick)")
    parser.add_argument("--large", type=int, metavar="MIB", help="of the large file (default 1024; 256 with --quick)")
    parser.add_argument("--sessions", type=int, help="idle sessions for the memory row (default 200; 50 with --quick)")
    parser.add_argument("--json", type=Path, default=BUILD / "results.json", metavar="FILE", help="where samples go")
    parser.add_argument("--write-docs", action="store_true", help="rewrite the tables in docs/performance.md")
    options = parser.parse_args(arguments)
    options.servers = options.servers.split(",")
    unknown = sorted(set(options.servers) - set(SERVERS))
    if unknown:
        parser.error(f"no such server: {', '.join(unknown)}; there are {', '.join(SERVERS)}")
    quick = options.quick
    options.rounds = options.rounds or (3 if quick else 7)
    options.seconds = options.seconds or (0.2 if quick else 0.5)
    options.large = (options.large or (256 if quick else 1024)) << 20
    options.sessions = options.sessions or (50 if quick else 200)
    options.memory_rounds = 1 if quick else 3
    if options.only and not any("memory".startswith(word) for word in options.only):
        options.sessions = 0
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    rows = [row for row in workload.table(options.large) if not options.quick or row.sessions < 512]
    if options.only:
        rows = [row for row in rows if any(word in row.name for word in options.only)]
    compile_client("client", "-lssl", "-lcrypto")
    if {"vsftpd", "proftpd", "pure-ftpd"} & set(options.servers):
        subprocess.run([str(HERE.parent / "tools" / "peers.sh")], check=True)
    network = apart.enter()
    results = Results()
    root = room_for(options.large * 3)
    try:
        workload.plant(root, options.large)
        rounds(options, rows, root, results)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    about = circumstances(options, root, network)
    cpu, wall = (grid(results, rows, options.servers, what) for what in ("cpu", "wall"))
    notes = "".join(f"- {note}\n" for note in results.notes)
    print(about, "\nServer CPU, whole process tree (in brackets: Homeport's share of it)", plain(cpu), sep="\n")
    print("\nWall time", plain(wall), sep="\n")
    print(f"\n{notes}" if notes else "")
    options.json.write_text(json.dumps({"about": about, **dataclasses.asdict(results)}, indent=1))
    if options.write_docs:
        for protected, block in BLOCKS.items():
            if chosen := [row for row in rows if row.protected == protected]:
                cpu, wall = (grid(results, chosen, options.servers, what) for what in ("cpu", "wall"))
                tables = f"**Server CPU, whole process tree**\n\n{markdown(cpu)}\n\n**Wall time**\n\n{markdown(wall)}"
                write_docs(block, f"{about}\n\n{tables}" + (f"\n\n{notes.rstrip()}" if notes else ""))
    return 1 if any(note.startswith("Homeport") for note in results.notes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
