"""LogFile: whole lines, from many threads, across a reopen."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from homeport.events.logfile import LogFile
from homeport.events.types import Event


def nothing(_: Event) -> None:
    """Of what is written here only the lines count."""


def test_what_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogFile(tmp_path / "missing" / "log", nothing)


def test_a_reopen_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    with LogFile(folder / "log", nothing) as log:
        folder.rename(tmp_path / "moved")
        with pytest.raises(FileNotFoundError):
            log.reopen()
        log.append(b"still here\n")
    assert (tmp_path / "moved" / "log").read_bytes() == b"still here\n"


def test_the_path_stays_when_the_directory_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with LogFile("log", nothing) as log:
        monkeypatch.chdir("/")
        log.reopen()
        log.append(b"x\n")
    assert (tmp_path / "log").read_bytes() == b"x\n"


class ByHalves(io.BytesIO):
    """A file that takes at most three octets at once, as a full disk may."""

    def write(self, data: object) -> int:
        return super().write(bytes(data)[:3])  # type: ignore[call-overload] # any buffer is meant


def test_a_write_that_took_less_is_finished() -> None:
    stream = ByHalves()
    LogFile(stream, nothing).append(b"a whole line\n")
    assert stream.getvalue() == b"a whole line\n"


def test_lines_of_many_threads_and_a_reopen_are_all_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    line = b"x" * 300 + b"\n"
    with LogFile(path, nothing) as log:

        def fifty() -> None:
            for _ in range(50):
                log.append(line)

        threads = [threading.Thread(target=fifty) for _ in range(4)]
        for thread in threads:
            thread.start()
        path.rename(tmp_path / "log.1")
        log.reopen()
        for thread in threads:
            thread.join()
    assert ((tmp_path / "log.1").read_bytes() + path.read_bytes()).split(b"\n") == [b"x" * 300] * 200 + [b""]
