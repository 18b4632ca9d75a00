from __future__ import annotations

import pytest

from homeport.events.types import Change, TreeChanged

from .harness import USER, Harness, Troubled

CHANGES = [
    ("MKD /new", Change.DIRECTORY_MADE, "/new", None),
    ("RMD /empty", Change.DIRECTORY_REMOVED, "/empty", None),
    ("DELE file", Change.DELETED, "/file", None),
    ("RNTO other", Change.RENAMED, "/file", "/other"),
    ("SITE CHMOD 600 file", Change.MODE_SET, "/file", None),
    ("SITE UTIME 20200102030405 file", Change.TIME_SET, "/file", None),
    ("MFMT 20200102030405 file", Change.TIME_SET, "/file", None),
    ("MFF Modify=20200102030405; file", Change.TIME_SET, "/file", None),
]


@pytest.mark.parametrize(("line", "change", "path", "target"), CHANGES, ids=[line for line, *_ in CHANGES])
def test_each_change_is_told_once(line: str, change: Change, path: str, target: str | None) -> None:
    storage = Troubled()
    storage.put("/file", b"x")
    with Harness(storage) as harness, harness.client() as client:
        client.ask("MKD /empty", 257)
        client.ask("RNFR file", 350)
        harness.events.clear()
        assert client.ask(line).code // 100 == 2
        (event,) = (event for event in harness.events if isinstance(event, TreeChanged))
    assert (event.change, event.path, event.target) == (change, path, target)
    assert (event.user, event.session) == (USER, 1)


@pytest.mark.parametrize("line", ["MKD /empty", "RMD /none", "DELE none", "RNTO /empty", "SITE CHMOD 600 none"])
def test_what_was_refused_is_no_change(line: str) -> None:
    with Harness() as harness, harness.client() as client:
        client.ask("MKD /empty", 257)
        harness.events.clear()
        assert client.ask(line).code // 100 == 5
        assert harness.events == []
