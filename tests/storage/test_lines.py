"""The compiled scan writes what Python would: octet for octet, over whatever may lie in a directory.

The first entry of each class comes from Python in any case, so there are always two of a kind.
"""

from __future__ import annotations

import errno
import gc
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.protocol.listing import (
    FACTS,
    HALF_YEAR,
    FactLines,
    list_line,
    list_template,
    name_line,
    name_template,
    recent,
    time_value,
)
from homeport.protocol.path import ROOT, VirtualPath
from homeport.protocol.template import Field, Template
from homeport.storage import native
from homeport.storage.base import AccessDenied, Entry, Form, InputOutputError, Kind, NotFound
from homeport.storage.entries import LocalScan
from homeport.storage.local import LocalStorage

needs_compiled = pytest.mark.skipif(native.compiled() is None, reason="the compiled scan is not there")
NOW = 1_795_500_000.75
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""A file system that keeps the times of all years, where there is one."""


@dataclass
class LongForm:
    """As LIST has it."""

    now: float = NOW
    taught: int = 0
    names_only: bool = False

    @property
    def recent(self) -> tuple[int, int]:
        return recent(self.now)

    def template(self, entry: Entry) -> Template | None:
        self.taught += 1
        return list_template(entry.kind.name, entry.mode, f"u{entry.owner} x", f"g{entry.group}%s")

    def line(self, entry: Entry) -> bytes:
        return list_line(entry, f"u{entry.owner} x", f"g{entry.group}%s", self.now)


@dataclass
class NameForm:
    """As NLST has it."""

    prefix: str = ""
    names_only: bool = True
    recent: tuple[int, int] = (0, 0)

    def template(self, entry: Entry) -> Template | None:
        return name_template(self.prefix)

    def line(self, entry: Entry) -> bytes:
        return name_line(self.prefix + entry.name)


@dataclass
class FactForm:
    """As MLSD has it; entries of *cases* have no template."""

    facts: tuple[str, ...] = FACTS
    cases: frozenset[Kind] = frozenset()
    names_only: bool = False
    recent: tuple[int, int] = (0, 0)
    lines: FactLines = field(init=False)

    def __post_init__(self) -> None:
        self.lines = FactLines(self.facts)

    def template(self, entry: Entry) -> Template | None:
        return None if entry.kind in self.cases else self.lines.template(entry, entry.kind.name.lower(), "adfrw")

    def line(self, entry: Entry) -> bytes:
        return self.lines.line(entry, entry.kind.name.lower(), "adfrw")


def written(storage: LocalStorage, form: Form, ordered: int = 0, *, descending: bool = False) -> list[bytes]:
    scan = storage.scan(ROOT)
    assert isinstance(scan, LocalScan)
    lines = scan.lines(form, ordered, descending=descending)
    assert lines is not None, "the compiled scan is there"
    return [line + b"\n" for line in b"".join(lines).split(b"\n")[:-1]]


def described(storage: LocalStorage, form: Form) -> list[bytes]:
    return [form.line(entry) for entry in storage.scan(ROOT)]


def octets_of(entry: Entry) -> bytes:
    return os.fsencode(entry.name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def storage(root: Path) -> Iterator[LocalStorage]:
    local = LocalStorage(str(root), key=b"k")
    yield local
    local.close()


# -- the same octets ------------------------------------------------------------------------------------------------

NAMES = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text(min_size=1, max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b".h", b".Homeport-x", b".homeport-partial-a", b"..a", b"a\nb", b"a\rb", b"%d", b" ", b"-la"]),
    st.integers(0, 99).map(b"shared-beginning-%d".__mod__),
).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))

MODES = st.one_of(st.sampled_from([0o644, 0o600]), st.integers(0, 0o7777))
SECONDS = st.one_of(
    st.integers(int(NOW) - 40_000_000, int(NOW) + 1000),
    st.integers(-(2**33), 2**33),
    st.sampled_from([-30_610_224_001, -30_610_224_000, 253_402_300_799, 253_402_300_800]),  # years of four digits
    st.integers(-(2**40), 2**40),
)


@dataclass(frozen=True)
class Made:
    kind: str
    mode: int
    seconds: int
    size: int
    owner: int
    group: int


MADE = st.builds(
    Made,
    kind=st.sampled_from(["file", "file", "file", "directory", "link", "stray", "dangling", "fifo", "hard"]),
    mode=MODES,
    seconds=SECONDS,
    size=st.one_of(st.integers(0, 10_000), st.integers(0, 2**40)),
    owner=st.sampled_from([0, 1, 1000, 2**31, 2**32 - 2]),
    group=st.sampled_from([0, 100, 2**32 - 2]),
)


def make(directory: bytes, name: bytes, what: Made) -> None:
    path = os.path.join(directory, name)
    match what.kind:
        case "directory":
            os.mkdir(path)
        case "link":
            os.symlink(b".", path)
            return
        case "stray":
            os.symlink(b"/etc", path)
            return
        case "dangling":
            os.symlink(b"not there", path)
            return
        case "fifo":
            os.mkfifo(path)
        case "hard":
            first = os.path.join(directory, b"first")
            with open(first, "ab"):
                os.link(first, path)
        case _:
            with open(path, "wb") as file:
                file.truncate(what.size)
    if IS_ROOT:
        os.chown(path, what.owner, what.group)
    os.chmod(path, what.mode)
    try:
        os.utime(path, ns=(0, what.seconds * 10**9 + 999_999_999))
    except (OSError, OverflowError):
        pass  # not a time that this file system has


FORMS = st.one_of(
    st.builds(LongForm, now=st.sampled_from([NOW, 0.0, 2.0**31, -1e9])),
    st.builds(NameForm, prefix=st.sampled_from(["", "dir/", "é/\udcff/"])),
    st.builds(
        FactForm,
        facts=st.sets(st.sampled_from(FACTS)).map(tuple),
        cases=st.frozensets(st.sampled_from(Kind)),
    ),
)


@needs_compiled
@given(
    made=st.dictionaries(NAMES, MADE, max_size=12),
    form=FORMS,
    key=st.binary(max_size=64),
    ordered=st.sampled_from([0, 0, 3, 1000]),
    descending=st.booleans(),
)
def test_compiled_and_pure_give_the_same_octets(
    made: dict[bytes, Made], form: Form, key: bytes, ordered: int, descending: bool
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as home:
        made.pop(b"first", None)
        for name, what in made.items():
            for twin in (name, name + b"'"):  # the first of a class teaches, the second is filled in
                try:
                    make(os.fsencode(home), twin, what)
                except OSError as error:
                    # A name that this file system does not take, or its bound of sizes or links.
                    if error.errno not in (errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG, errno.EFBIG, errno.EEXIST):
                        raise
        storage = LocalStorage(home, key=key)
        try:
            entries = list(storage.scan(ROOT))
            got = written(storage, form, ordered, descending=descending)
        finally:
            storage.close()
    if ordered == 1000:
        entries.sort(key=octets_of, reverse=descending)
    expected = [form.line(entry) for entry in entries]
    if ordered == 3:  # which names are the first is the host's affair
        got.sort()
        expected.sort()
    assert b"".join(got) == b"".join(expected)


@needs_compiled
@given(seconds=st.integers(-30_610_224_000, 253_402_300_799), now=st.floats(-4e10, 3e11))
def test_every_day_has_the_same_date(seconds: int, now: float) -> None:
    """Beyond what the file system here can keep: the calendar alone, through a file whose time is told."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as home:
        for path in (os.path.join(home, "teaches"), os.path.join(home, "is filled in")):
            with open(path, "wb"):
                os.utime(path, (0, seconds))
        kept = os.stat(path).st_mtime_ns
        storage = LocalStorage(home)
        try:
            form = LongForm(now)
            assert written(storage, form) == described(storage, form)
            assert f"modify={time_value(kept)}; is filled in\r\n".encode() in written(storage, FactForm(("modify",)))
        finally:
            storage.close()


@needs_compiled
def test_the_turns_of_months_in_all_centuries() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as home:
        for year in range(1000, 10_000, 50):
            for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
                noon = datetime(year, month, day, 12, tzinfo=UTC)
                for seconds in (noon.timestamp(), noon.timestamp() + 86_400):
                    path = os.path.join(home, f"{year}-{month}-{day}-{seconds}")
                    with open(path, "wb"):
                        os.utime(path, (0, seconds))
        storage = LocalStorage(home)
        try:
            assert written(storage, LongForm()) == described(storage, LongForm())
            assert written(storage, FactForm(("modify",))) == described(storage, FactForm(("modify",)))
        finally:
            storage.close()


@needs_compiled
@pytest.mark.parametrize("now", [NOW, float(int(NOW))])
@pytest.mark.parametrize("age", [-1, 0, 1, HALF_YEAR - 1, HALF_YEAR, HALF_YEAR + 1])
def test_the_bounds_of_what_is_recent(root: Path, storage: LocalStorage, now: float, age: int) -> None:
    for name in ("teaches", "is filled in"):
        (root / name).touch()
        os.utime(root / name, (0, int(now) - age))
    assert written(storage, LongForm(now)) == described(storage, LongForm(now))


# -- what is handed back --------------------------------------------------------------------------------------------


@needs_compiled
def test_a_class_is_taught_once(root: Path, storage: LocalStorage) -> None:
    for number in range(3000):
        (root / f"{number}").touch()
    (root / "other").touch(0o600)
    form = LongForm()
    assert sorted(written(storage, form)) == sorted(described(storage, LongForm()))
    assert form.taught == 2


@needs_compiled
def test_more_classes_than_are_kept(root: Path, storage: LocalStorage) -> None:
    for number in range(0o1000):
        (root / f"{number}").touch(number)
        if IS_ROOT:
            for name, owner, group in (("owner", number, 7), ("group", 7, number)):
                (root / f"{name} {number}").touch()
                os.chown(root / f"{name} {number}", owner, group)
    assert sorted(written(storage, FactForm())) == sorted(described(storage, FactForm()))


@needs_compiled
def test_what_vanishes_meanwhile_is_left_out(root: Path, storage: LocalStorage) -> None:
    for number in range(200):
        (root / f"{number:03}").touch()
    scan = storage.scan(ROOT)
    assert isinstance(scan, LocalScan)
    lines = scan.lines(LongForm(), 1000)
    assert lines is not None
    shown = [next(lines), next(lines)]
    for path in root.iterdir():
        if path.name != "199":
            path.unlink()
    text = b"".join([*shown, *lines])
    assert text.endswith(b" 199\r\n")
    assert len(text.splitlines()) < 200


@needs_compiled
def test_a_directory_that_cannot_be_read_fails_like_a_scan(
    root: Path, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __init__(self, *_: object) -> None: ...
        def close(self) -> None: ...
        def read(self, _: int) -> None:
            raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("homeport.storage.entries.compiled", lambda: Failing)
    with pytest.raises(InputOutputError) as caught:
        written(storage, LongForm())
    assert caught.value.path == ROOT


@needs_compiled
def test_a_directory_without_the_right_to_enter(root: Path, storage: LocalStorage) -> None:
    """Names can be read, and nothing behind them: an error as ever, not an empty list."""
    (root / "f").touch()
    root.chmod(0o444)
    if IS_ROOT:
        os.seteuid(65534)
    try:
        with pytest.raises(AccessDenied):
            list(storage.scan(ROOT))
        with pytest.raises(AccessDenied):
            written(storage, LongForm())
    finally:
        if IS_ROOT:
            os.seteuid(0)
        root.chmod(0o700)


def test_what_is_not_there_comes_at_once(storage: LocalStorage) -> None:
    with pytest.raises(NotFound):
        storage.scan(VirtualPath("/nothing"))


def test_without_the_compiled_scan_there_are_entries(
    root: Path, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.storage.entries.compiled", lambda: None)
    (root / "f").touch()
    scan = storage.scan(ROOT)
    assert isinstance(scan, LocalScan)
    assert scan.lines(LongForm()) is None
    assert [entry.name for entry in scan] == ["f"]


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    native.compiled.cache_clear()
    monkeypatch.setenv("HOMEPORT_PURE", "1")
    try:
        assert native.compiled() is None
    finally:
        native.compiled.cache_clear()


# -- descriptors, threads, memory -----------------------------------------------------------------------------------


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@needs_compiled
@pytest.mark.parametrize("taken", [0, 1, 3])
def test_lines_that_are_left_hold_nothing(root: Path, storage: LocalStorage, taken: int) -> None:
    for number in range(5000):
        (root / f"{number}").touch()
    before = open_descriptors()
    scan = storage.scan(ROOT)
    assert isinstance(scan, LocalScan)
    lines = scan.lines(LongForm())
    assert lines is not None
    for _ in range(taken):
        next(lines)
    del lines, scan
    gc.collect()
    assert open_descriptors() == before


@needs_compiled
def test_a_closed_or_exhausted_reader(root: Path) -> None:
    compiled = native.compiled()
    assert compiled is not None
    descriptor = os.open(root, os.O_RDONLY)
    lines = compiled(descriptor, b"", False, 0, 0)
    os.close(descriptor)  # it has one of its own
    assert lines.read(10) == (b"", None)
    assert lines.read(10) is None
    lines.close()
    lines.close()
    with pytest.raises(ValueError, match="closed"):
        lines.read(1)
    with pytest.raises(OSError, match="descriptor"):
        compiled(descriptor, b"", False, 0, 0)


@needs_compiled
@pytest.mark.parametrize(
    "parts", [(int(max(Field)) + 1,), (-1,), ("text",), (b"x" * 65537,), tuple(range(7)) * 10, (2**70,)]
)
def test_a_template_that_is_none(root: Path, parts: tuple[bytes | int, ...]) -> None:
    compiled = native.compiled()
    assert compiled is not None
    descriptor = os.open(root, os.O_RDONLY)
    try:
        lines = compiled(descriptor, b"", False, 0, 0)
        with pytest.raises((ValueError, TypeError, OverflowError)):
            lines.teach(stat.S_IFREG, 0, 0, parts)
        with pytest.raises(ValueError, match="64 octets"):
            compiled(descriptor, b"x" * 65, False, 0, 0)
        lines.close()
    finally:
        os.close(descriptor)


@needs_compiled
def test_two_threads_do_not_read_the_same_lines_at_once(root: Path, storage: LocalStorage) -> None:
    compiled = native.compiled()
    assert compiled is not None
    for number in range(3000):
        (root / f"{number}").touch()
    descriptor = os.open(root, os.O_RDONLY)
    lines = compiled(descriptor, b"", True, 0, 0)
    os.close(descriptor)
    lines.teach(stat.S_IFREG, 0, 0, (0,))
    got: list[bytes] = []

    def read() -> None:
        while True:
            try:
                found = lines.read(7)
            except RuntimeError:
                continue  # the other one is at it
            if found is None:
                return
            got.append(found[0])

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.close()
    assert sorted(b"".join(got).split()) == sorted(b"%d" % number for number in range(3000))
