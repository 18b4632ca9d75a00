"""Virtual paths. That none leads out of the root is a property in test_argument.py."""

from __future__ import annotations

import pytest

from homeport.protocol.path import ROOT, PathError, VirtualPath


@pytest.mark.standard("3659-6.2-FQ", "3659-6.2-REL", "3659-6.2-ROOT", "3659-6.2.1-DOTS", "3659-6.2.1-DSLASH")
@pytest.mark.parametrize(
    ("text", "base", "path"),
    [
        ("/", "/a", "/"),
        ("/a/b", "/x", "/a/b"),
        ("c/p", "/x", "/x/c/p"),
        ("c", "/", "/c"),
        ("..", "/a/b", "/a"),
        ("../../../..", "/a/b", "/"),
        ("/../../etc/passwd", "/", "/etc/passwd"),
        ("a//b/./c/", "/", "/a/b/c"),
        ("...", "/", "/..."),
        (" ", "/", "/ "),
        ("a\\..\\b", "/", "/a\\..\\b"),
    ],
)
def test_parse(text: str, base: str, path: str) -> None:
    assert VirtualPath.parse(text, VirtualPath(base)) == VirtualPath(path)


@pytest.mark.parametrize("text", ["", "a\x00b", "a\nb", "\n", "\x00"])
def test_refused(text: str) -> None:
    with pytest.raises(PathError):
        VirtualPath.parse(text, ROOT)


def test_parts() -> None:
    path = VirtualPath("/a/b")
    assert (path.names, path.name, path.parent, path.is_root) == (("a", "b"), "b", VirtualPath("/a"), False)
    assert (ROOT.names, ROOT.name, ROOT.parent, ROOT.is_root) == ((), "", ROOT, True)
    assert path.parent.parent == ROOT
    assert ROOT.child("x") == VirtualPath("/x")
    assert path.child("x") == VirtualPath("/a/b/x")
    assert len({path, VirtualPath("/a/b")}) == 1
    assert path != "/a/b"


def test_prefixes_end_at_a_name() -> None:
    assert VirtualPath("/a/b").starts_with(VirtualPath("/a"))
    assert VirtualPath("/a").starts_with(VirtualPath("/a"))
    assert VirtualPath("/a").starts_with(ROOT)
    assert not VirtualPath("/ab").starts_with(VirtualPath("/a"))
    assert not ROOT.starts_with(VirtualPath("/a"))


@pytest.mark.standard("959-4.2.1-257", "959-A2-QUOTE")
def test_quotes_are_doubled() -> None:
    assert VirtualPath('/a "b"').quoted() == '"/a ""b"""'
