"""The CPU clock and the memory of a whole process tree.

A server that forks a process for each session spends its time in children, most of them dead when one looks, and
adding up /proc/PID/stat loses them: the time of a dead child reaches its parent only if that parent waits for it
(proc(5): cutime, cstime), and never if it ignores SIGCHLD. Therefore every server is started in a control group of
its own. The kernel charges what any member runs to the group, to the nanosecond, and the charge stays when the
process is gone. Membership is inherited across fork and cannot be left by setsid, chroot, namespaces or a change of
user. cgroup v2 keeps `cpu.stat` in every group without any controller; where only v1 is mounted `cpuacct` says so too.

Without control groups (not root, or a read-only /sys) the sum over /proc is taken, with the dead children that were
waited for; the table then says so, and figures of forking servers are a lower bound in ticks of 10 ms.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil


def _mounts(kind: str, option: str | None = None) -> list[Path]:
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, what, options, *_ = line.split(" ")
        if what == kind and (option is None or option in options.split(",")):
            found.append(Path(where))
    return found


@dataclass(slots=True)
class Meter:
    """One server's processes: CPU seconds used since its start, and memory now."""

    name: str
    group: Path | None = None
    clock: str = "proc"
    pids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        directory = f"homeport-bench-{os.getpid()}-{self.name}"
        places = [(p, "v2") for p in _mounts("cgroup2")] + [(p, "v1") for p in _mounts("cgroup", "cpuacct")]
        for place, version in places:
            try:
                (place / directory).mkdir()
            except OSError:
                continue  # no right or no room for a group here: the next hierarchy, and /proc last
            self.group, self.clock = place / directory, f"cgroup {version}"
            break

    def enter(self) -> None:
        """Called in the child between fork and exec: from here on it and all it ever forks are counted."""
        if self.group:
            (self.group / "cgroup.procs").write_text("0")

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all processes that ever lived in the group."""
        match self.clock:
            case "cgroup v2":
                assert self.group
                return int((self.group / "cpu.stat").read_text().split()[1]) / 1e6
            case "cgroup v1":
                assert self.group
                return int((self.group / "cpuacct.usage").read_text()) / 1e9
        return self._by_proc()

    def _by_proc(self) -> float:
        total = 0.0
        for process in self.processes():
            try:
                total += sum(process.cpu_times()[:4])  # user, system, and the waited-for children's
            except psutil.NoSuchProcess:
                continue  # it ended just now; its parent may have its time
        return total

    def processes(self) -> list[psutil.Process]:
        if self.group:
            pids = [int(p) for p in (self.group / "cgroup.procs").read_text().split()]
        else:
            pids = list(self.pids)
            for pid in self.pids:
                with contextlib.suppress(psutil.NoSuchProcess):
                    pids += [child.pid for child in psutil.Process(pid).children(recursive=True)]
        found = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end while we look
                found.append(psutil.Process(pid))
        return found

    def settled(self, patience: float = 20.0) -> float:
        """CPU seconds once the tree is quiet: what an operation leaves to be done afterwards (reaping a child,
        writing a log line) belongs to it. Quiet is less than 0.5 ms in 20 ms, so that a server's ticking does not
        keep this waiting."""
        end = time.monotonic() + patience
        before = self.cpu()
        while time.monotonic() < end:
            time.sleep(0.02)
            after = self.cpu()
            if after - before < 0.0005:
                return after
            before = after
        return before

    def memory(self) -> int:
        """Octets of memory that are the tree's own: the proportional set size of what is not backed by a file. A page
        shared after a fork counts once in all. Program text is left out: it is the same for one session and for a
        thousand, and its share would change whenever another program on the machine maps the same library."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(OSError):  # it may end while we look
                for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                        total += int(line.split()[1]) * 1024
        return total

    def threads(self) -> tuple[int, int]:
        """The processes of the tree, and the threads in all of them."""
        processes = threads = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end while we look
                threads += process.num_threads()
                processes += 1
        return processes, threads

    def close(self) -> None:
        """Removes the group; all its processes must have ended."""
        if self.group:
            end = time.monotonic() + 5
            while True:
                try:
                    self.group.rmdir()
                    return
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)
