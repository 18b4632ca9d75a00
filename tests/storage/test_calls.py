"""The calls in C and those by ctypes do the same."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.storage import native
from homeport.storage.foreign import Foreign
from homeport.storage.linux import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, Calls, has_openat2
from homeport.storage.status import Status, figures

BENEATH = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="these calls are Linux's")
needs_openat2 = pytest.mark.skipif(sys.platform != "linux" or not has_openat2(), reason="there is no openat2")


@pytest.fixture(params=["c", "ctypes"])
def calls(request: pytest.FixtureRequest) -> Calls:
    if request.param == "ctypes":
        return Foreign()
    found = native.calls()
    if found is None:
        pytest.skip("the compiled calls are not there")
    return found


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    """A directory with something in it, open."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def no(number: int) -> pytest.RaisesExc[OSError]:
    return pytest.RaisesExc(OSError, check=lambda error: (error.errno, error.strerror) == (number, os.strerror(number)))


class TestStatus:
    @pytest.mark.parametrize("name", ["file", "directory", "link", "dangling", "pipe"])
    def test_of_a_name(self, calls: Calls, here: int, name: str) -> None:
        assert calls.status_at(here, os.fsencode(name), False) == figures(
            os.stat(name, dir_fd=here, follow_symlinks=False)
        )

    def test_where_a_link_leads(self, calls: Calls, here: int) -> None:
        assert calls.status_at(here, b"link", True) == calls.status_at(here, b"file", False)
        assert calls.status_at(here, b"dangling", True) is None

    def test_of_what_is_open(self, calls: Calls, here: int) -> None:
        left, right = socket.socketpair()
        with left, right, open("/dev/null", "rb") as null:
            for descriptor in (here, left.fileno(), null.fileno()):
                assert calls.status(descriptor) == figures(os.fstat(descriptor))

    def test_of_a_large_file(self, calls: Calls, here: int, tmp_path: Path) -> None:
        os.truncate(tmp_path / "file", (1 << 40) + 5)
        found = calls.status_at(here, b"file", False)
        assert found is not None
        assert found[1] == (1 << 40) + 5

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
    def test_the_largest_owner(self, calls: Calls, here: int, tmp_path: Path) -> None:
        os.chown(tmp_path / "file", (1 << 32) - 2, (1 << 32) - 2)
        found = calls.status_at(here, b"file", False)
        assert found is not None
        assert found[2:4] == ((1 << 32) - 2, (1 << 32) - 2)

    def test_of_nothing(self, calls: Calls, here: int) -> None:
        assert calls.status_at(here, b"nothing", False) is None
        assert calls.status_at(here, b"dangling/", False) is None
        with no(errno.ENOTDIR):
            calls.status_at(here, b"file/below", False)
        with no(errno.ENAMETOOLONG):
            calls.status_at(here, b"x" * 256, False)

    def test_of_no_descriptor(self, calls: Calls) -> None:
        closed = os.dup(0)
        os.close(closed)
        with no(errno.EBADF):
            calls.status(closed)
        with no(errno.EBADF):
            calls.status(-1)
        with no(errno.EBADF):
            calls.status_at(closed, b"file", False)

    def test_kinds(self, calls: Calls, here: int) -> None:
        def status(name: bytes) -> Status:
            found = calls.status_at(here, name, False)
            assert found is not None
            return Status(*found)

        kinds = {name: status(name) for name in (b"file", b"directory", b"link", b"pipe")}
        assert [name for name, one in kinds.items() if one.is_file] == [b"file"]
        assert [name for name, one in kinds.items() if one.is_directory] == [b"directory"]
        assert [name for name, one in kinds.items() if one.is_link] == [b"link"]
        os.link("file", "other", src_dir_fd=here, dst_dir_fd=here)
        assert status(b"other").is_same(kinds[b"file"])
        assert not status(b"other").is_same(kinds[b"link"])


@needs_openat2
class TestOpenat2:
    def test_it_opens(self, calls: Calls, here: int) -> None:
        descriptor = calls.openat2(here, b"./link", os.O_RDONLY | os.O_CLOEXEC, BENEATH)
        assert os.read(descriptor, 100) == b"content"
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)

    @pytest.mark.parametrize(
        ("path", "number"),
        [(b"../x", errno.EXDEV), (b"/", errno.EXDEV), (b"nothing", errno.ENOENT), (b"file\0", errno.EINVAL)],
    )
    def test_it_refuses(self, calls: Calls, here: int, path: bytes, number: int) -> None:
        with no(number):
            calls.openat2(here, path, os.O_RDONLY, BENEATH)

    def test_flags_that_it_does_not_know(self, calls: Calls, here: int) -> None:
        with no(errno.EINVAL):
            calls.openat2(here, b"file", 1 << 60, BENEATH)

    def test_a_signal_does_not_end_it(self, calls: Calls, here: int) -> None:
        """A pipe that nobody writes: the open waits, and goes on to wait."""
        seen: list[int] = []
        before = signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
        writer = threading.Timer(0.3, lambda: os.close(os.open("pipe", os.O_WRONLY, dir_fd=here)))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            writer.start()
            os.close(calls.openat2(here, b"pipe", os.O_RDONLY, BENEATH))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            writer.join()
        assert seen == [signal.SIGALRM]

    def test_what_a_signal_raises_ends_it(self, calls: Calls, here: int) -> None:
        def enough(number: int, frame: object) -> None:
            raise InterruptedError

        before = signal.signal(signal.SIGALRM, enough)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(InterruptedError):
                calls.openat2(here, b"pipe", os.O_RDONLY, BENEATH)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


@needs_linux
class TestNames:
    def test_rename_new(self, calls: Calls, here: int, tmp_path: Path) -> None:
        calls.rename_new(here, b"file", here, b"new")
        assert (tmp_path / "new").read_bytes() == b"content"
        for taken in (b"directory", b"dangling", b"new"):
            with no(errno.EEXIST):
                calls.rename_new(here, b"new", here, taken)
        with no(errno.ENOENT):
            calls.rename_new(here, b"file", here, b"newer")
        for old, new in ((b"new\0", b"x"), (b"new", b"x\0")):
            with no(errno.EINVAL):
                calls.rename_new(here, old, here, new)
        assert sorted(os.listdir(tmp_path)) == ["dangling", "directory", "link", "new", "pipe"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="before Linux 6.10 only root may")
    def test_link_open(self, calls: Calls, here: int, tmp_path: Path) -> None:
        descriptor = os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY, 0o600)
        os.write(descriptor, b"nameless")
        for taken in (b"file", b"directory", b"dangling"):
            with no(errno.EEXIST):
                calls.link_open(descriptor, here, taken)
        with no(errno.EINVAL):
            calls.link_open(descriptor, here, b"new\0")
        with no(errno.EBADF):
            calls.link_open(descriptor, 1 << 20, b"new")
        calls.link_open(descriptor, here, b"new")
        os.close(descriptor)
        assert (tmp_path / "new").read_bytes() == b"nameless"


class TestArguments:
    """No client's data comes here unchecked; a mistake must not bring the server down."""

    def test_in_c(self) -> None:
        compiled = native.calls()
        if compiled is None:
            pytest.skip("the compiled calls are not there")
        for name, arguments in {
            "openat2": (0, b".", 0, 0),
            "link_open": (0, 0, b"x"),
            "rename_new": (0, b"x", 0, b"y"),
            "status_at": (0, b"x", False),
        }.items():
            call = getattr(compiled, name)
            for wrong in (arguments[:-1], (*arguments, 1), ()):
                with pytest.raises(TypeError):
                    call(*wrong)
            for place in range(len(arguments)):
                if isinstance(arguments[place], bool):
                    continue  # anything is true or not
                with pytest.raises(TypeError):
                    call(*arguments[:place], None, *arguments[place + 1 :])
                if isinstance(arguments[place], int):
                    with pytest.raises(OverflowError):
                        call(*arguments[:place], 1 << 70, *arguments[place + 1 :])
        with pytest.raises(TypeError):
            getattr(compiled, "status")(b"x")  # noqa: B009 - the type checker would see it
        with pytest.raises(OverflowError):
            compiled.status(1 << 40)


def test_without_the_extension() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from homeport.storage import linux; print(type(linux._calls).__name__)"],
        env={**os.environ, "HOMEPORT_PURE": "1"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert told.stdout == "Foreign\n"
