"""What is measured: one row of the table each, and the tree of files that it needs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Work:
    """One row. `verb` and `argument` go to the load client; `size` is what RETR must bring, STOR sends, or the lines a
    listing must have. `per` divides: 1 for figures per operation, octets moved in GiB for the large transfers.
    `floor` names the bare loop that is measured beside the servers. `protected`: AUTH TLS and PROT P."""

    name: str
    title: str
    verb: str
    argument: str = "-"
    size: int = 0
    sessions: int = 1
    once: bool = False
    per_gib: bool = False
    floor: str | None = None
    lacking: tuple[str, ...] = ()
    protected: bool = False

    @property
    def divisor(self) -> float:
        return self.size / GIB if self.per_gib else 1.0


def table(large: int) -> list[Work]:
    """All rows; `large` is the size of the large file, its figures are given per GiB whatever it is."""
    small = 1024
    rows = [
        Work("login", "log in and quit", "login"),
        Work("noop", "NOOP", "noop"),
    ]
    for sessions in (1, 4, 64, 512):
        word = "client" if sessions == 1 else "clients"
        rows.append(Work(f"retr-{sessions}", f"RETR 1 KiB, {sessions} {word}", "retr", "small", small, sessions))
    rows += [
        Work("stor-1", "STOR 1 KiB, 1 client", "stor", "in/up", small),
        Work("stor-64", "STOR 1 KiB, 64 clients", "stor", "in/up", small, 64),
        Work("retr-large", "RETR large, per GiB", "retr", "large", large, once=True, per_gib=True, floor="retr"),
        Work("stor-large", "STOR large, per GiB", "stor", "in/large", large, once=True, per_gib=True, floor="stor"),
        Work("list", "LIST of 10,000 entries", "list", "many", ENTRIES),
        Work("mlsd", "MLSD of 10,000 entries", "mlsd", "many", ENTRIES, lacking=("vsftpd",)),
        Work("tls-login", "log in and quit, TLS", "login", protected=True),
        Work("tls-retr-1", "RETR 1 KiB, TLS, 1 client", "retr", "small", small, protected=True),
        Work(
            "tls-retr-large",
            "RETR large, TLS, per GiB",
            "retr",
            "large",
            large,
            once=True,
            per_gib=True,
            protected=True,
        ),
        Work(
            "tls-stor-large",
            "STOR large, TLS, per GiB",
            "stor",
            "in/large",
            large,
            once=True,
            per_gib=True,
            protected=True,
        ),
    ]
    return rows


def plant(root: Path, large: int) -> None:
    """Makes the tree that every server serves; all of it may be read and written by everybody, since the servers run
    their sessions as different users."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    root.chmod(0o777)
    (root / "small").write_bytes(os.urandom(1024))
    block = os.urandom(1 << 20)
    with (root / "large").open("wb") as file:
        for _ in range(large >> 20):
            file.write(block)
    (root / "many").mkdir()
    for number in range(ENTRIES):
        (root / "many" / f"entry-{number:05d}.dat").write_bytes(b"x" * (number % 7))
    clear_uploads(root)


def clear_uploads(root: Path) -> None:
    uploads = root / "in"
    shutil.rmtree(uploads, ignore_errors=True)
    uploads.mkdir()
    uploads.chmod(0o777)


def uploaded(root: Path, work: Work) -> str | None:
    """Whether what STOR was told to be stored is there, after the fact: None, or what is wrong."""
    prefix = work.argument.rpartition("/")[2] + "-"
    files = [f for f in (root / "in").iterdir() if f.name.startswith(prefix)]
    if len(files) != work.sessions:
        return f"{len(files)} files were stored, {work.sessions} expected"
    wrong = [f.name for f in files if f.stat().st_size != work.size]
    return f"of wrong size: {wrong[:3]}" if wrong else None
