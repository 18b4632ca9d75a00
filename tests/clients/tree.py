"""A tree of names that clients and servers get wrong, and the octet-by-octet comparison of two trees.

Every entry has a trait, the word by which a client's table says that it cannot express that name.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass

_OCTETS = random.Random(959)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file with its octets, or an empty directory where they are None; *path* has no leading slash."""

    trait: str
    path: bytes
    content: bytes | None


def _named(trait: str, path: str | bytes) -> Entry:
    octets = path if isinstance(path, bytes) else path.encode()
    return Entry(trait, octets, b"the file named " + octets + b"\n")


TREE: tuple[Entry, ...] = (
    # what is in files
    Entry("empty-file", b"empty", b""),
    Entry("binary", b"binary.bin", bytes(range(256)) + _OCTETS.randbytes((1 << 20) - 256)),
    Entry("crlf", b"crlf.txt", b"ended by CRLF\r\nby LF\nby CR\rand by nothing"),
    Entry("empty-directory", b"empty directory", None),
    # where files are
    _named("deep", "/".join(f"level {number}" for number in range(16)) + "/bottom.txt"),
    _named("directory-name", "[a] 'b' #c/inner file.txt"),
    _named("hidden", ".hidden"),
    # how files are named
    _named("plain", "plain.txt"),
    _named("space-inside", "two  words.txt"),
    _named("space-leading", " leading.txt"),
    _named("space-trailing", "trailing "),
    _named("quote-double", 'say "hi".txt'),
    _named("quote-single", "it's.txt"),
    _named("utf-8", "Grüße, 日本 🏠.txt"),
    _named("latin-1", b"caf\xe9.txt"),
    _named("brackets", "[x].txt"),
    _named("star", "st*r.txt"),
    _named("question", "wh?t.txt"),
    _named("braces", "{a,b}.txt"),
    _named("percent", "100%41.txt"),
    _named("hash", "a#b.txt"),
    _named("arrow", "a -> b"),
    _named("dash", "-rf"),
    _named("tilde", "~root"),
    _named("dollar", "$HOME;ls&.txt"),
    _named("pipe", "|cat.txt"),
    _named("backslash", "back\\slash.txt"),
    _named("equals", "type=file;size=1; name"),
)
TRAITS = frozenset(entry.trait for entry in TREE)


def without(traits: Mapping[str, str]) -> tuple[Entry, ...]:
    """The tree without the entries of those traits."""
    return tuple(entry for entry in TREE if entry.trait not in traits)


def plant(root: bytes, entries: tuple[Entry, ...]) -> None:
    """Makes the entries below *root*."""
    os.makedirs(root)
    for entry in entries:
        path = os.path.join(root, entry.path)
        if entry.content is None:
            os.makedirs(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(entry.content)


def differences(root: bytes, entries: tuple[Entry, ...]) -> list[str]:
    """What below *root* is missing, surplus or not the same octets; [] if the tree is exactly the entries."""
    wanted = {entry.path: entry.content for entry in entries}
    found: dict[bytes, bytes | None] = {}
    for directory, directories, files in os.walk(root):
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = file.read()
        if not directories and not files and directory != root:
            found[os.path.relpath(directory, root)] = None
    faults = [f"missing: {path!r}" for path in wanted.keys() - found.keys()]
    faults += [f"surplus: {path!r}" for path in found.keys() - wanted.keys()]
    for path in wanted.keys() & found.keys():
        there, want = found[path], wanted[path]
        if there != want:
            faults.append(f"differs: {path!r}: {_size(there)}, {_size(want)} expected")
    return sorted(faults)


def _size(content: bytes | None) -> str:
    return "an empty directory" if content is None else f"{len(content)} octets"
