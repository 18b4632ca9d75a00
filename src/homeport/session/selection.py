"""Selection: which entries a listing command means: options, a path or a pattern, and the order (LIST, NLST, STAT).

RFC 959 says "a directory or other group of files"; clients add the options of `ls` (D-01) and patterns (D-27).
A name that exists is always meant literally, even one that begins with "-" or holds a "*".

Entries come straight from the storage's scan, so that a directory of any size costs the same memory. People want
them sorted, so the first `_SORTED` of a directory are held back and sorted; what lies beyond follows as it comes.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from homeport.accounts.model import Permission
from homeport.protocol.argument import ListingRequest
from homeport.protocol.path import PathError, VirtualPath
from homeport.protocol.reply import Code
from homeport.storage.base import Entry, Form, Kind, LineScan, NotFound, StorageError

from .commands import Context
from .refusal import Refusal

_SORTED = 10_000
_DEEPEST = 32
"""How far down -R goes."""
_PATTERN = frozenset("*?[")


class Item(NamedTuple):
    """One entry to list. `name` is how the client may name it from its directory; None begins a group (-R)."""

    name: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What one listing command asked for."""

    options: frozenset[str]
    path: VirtualPath
    """The directory to list, or the one object."""
    entry: Entry
    """What `path` is."""
    shown: str
    """How the client named it; empty for the current directory."""
    pattern: str | None = None
    """Only entries of the directory `path` whose names match."""

    @property
    def single(self) -> bool:
        """Whether `path` itself is the one entry to list: a file, or a directory under -d."""
        return self.pattern is None and (self.entry.kind is not Kind.DIRECTORY or "d" in self.options)

    @property
    def prefix(self) -> str:
        """What makes an entry's name usable from the working directory (RFC 1123 §4.1.2.7)."""
        if not self.shown or self.shown == ".":
            return ""
        return self.shown if self.shown.endswith("/") else f"{self.shown}/"

    def items(self, context: Context) -> Iterator[Item]:
        """The entries in order. The directory is open when this returns, so errors come before 150."""
        if self.single:
            return iter((Item(self.shown or ".", self.entry),))
        return self._items(context, context.storage.scan(self.path))

    def lines(self, context: Context, form: Form, line: Callable[[Item], bytes]) -> Iterator[bytes]:
        """The lines of the items, some at a time: by *line*, or by the storage itself, as *form* has them."""
        if self.single:
            return map(line, self.items(context))
        scan = context.storage.scan(self.path)
        # A pattern, an order by time and a descent need the entries themselves.
        if isinstance(scan, LineScan) and self.pattern is None and self.options.isdisjoint("Rt"):
            lines = scan.lines(form, _SORTED, descending="r" in self.options)
            if lines is not None:
                return lines
        return map(line, self._items(context, scan))

    def _items(self, context: Context, entries: Iterator[Entry]) -> Iterator[Item]:
        prefix = self.prefix
        if self.pattern is not None:
            match = _matcher(self.pattern)
            entries = (entry for entry in entries if match(entry.name))
            return (Item(prefix + entry.name, entry) for entry in _ordered(entries, self.options))
        if "R" in self.options:
            return self._descend(context, self.path, prefix, entries, _DEEPEST)
        return (Item(prefix + entry.name, entry) for entry in _ordered(entries, self.options))

    def _descend(
        self, context: Context, path: VirtualPath, prefix: str, entries: Iterator[Entry], levels: int
    ) -> Iterator[Item]:
        below: list[str] = []
        for entry in _ordered(entries, self.options):
            yield Item(prefix + entry.name, entry)
            # A link is not followed: it could lead back up.
            if entry.kind is Kind.DIRECTORY and entry.target is None and len(below) < _SORTED:
                below.append(entry.name)
        if levels == 0:
            return
        for name in below:
            child = path.child(name)
            if Permission.LIST not in context.rights(child):
                continue
            try:
                scan = context.storage.scan(child)
            except StorageError:
                continue  # it vanished, or may not be read: the rest of the tree is still worth listing
            yield Item(prefix + name, None)
            yield from self._descend(context, child, f"{prefix}{name}/", scan, levels - 1)


def select(context: Context, request: ListingRequest) -> Selection:
    """Find what *request* means. Raises NotFound, or Refusal where the user may not list."""
    place = context.session.place
    if request.raw is not None and request.raw != request.path:
        literal = _literal(context, request.raw)
        if literal is not None:
            return literal
    if request.path is None:
        return _directory(context, request.options, place, "")
    path = _parse(request.path, place)
    try:
        return _directory(context, request.options, path, request.path)
    except NotFound:
        if _PATTERN.isdisjoint(path.name):
            raise
    head, slash, pattern = request.path.rstrip("/").rpartition("/")
    parent = _directory(context, request.options, path.parent, head + slash)
    return Selection(parent.options, parent.path, parent.entry, parent.shown, pattern)


def _directory(context: Context, options: frozenset[str], path: VirtualPath, shown: str) -> Selection:
    context.permit(Permission.LIST, path)
    return Selection(options, path, context.storage.stat(path), shown)


def _literal(context: Context, raw: str) -> Selection | None:
    """The object whose very name is *raw*, if there is one: `LIST -a` may mean a file called "-a"."""
    try:
        return _directory(context, frozenset(), VirtualPath.parse(raw, context.session.place), raw)
    except (PathError, StorageError, Refusal):
        return None


def _parse(text: str, place: VirtualPath) -> VirtualPath:
    try:
        return VirtualPath.parse(text, place)
    except PathError as error:
        raise Refusal(Code.NAME_NOT_ALLOWED, str(error)) from None


def _matcher(pattern: str) -> Callable[[str], object]:
    """Shell pattern; a leading dot must be matched by a dot, as in a shell."""
    match = re.compile(fnmatch.translate(pattern)).match
    if pattern.startswith("."):
        return match
    return lambda name: not name.startswith(".") and match(name)


def _ordered(entries: Iterator[Entry], options: frozenset[str]) -> Iterator[Entry]:
    """By name, or newest first (-t); -r turns it round. Names that hold a line feed cannot be sent (RFC 3659 §2.2)."""
    entries = (entry for entry in entries if "\n" not in entry.name)
    first = list(islice(entries, _SORTED))
    if "t" in options:
        first.sort(key=_newest, reverse="r" in options)
    else:
        first.sort(key=_name, reverse="r" in options)
    yield from first
    yield from entries


def _name(entry: Entry) -> bytes:
    """By octets, as a storage sorts that writes the lines itself."""
    return entry.name.encode("utf-8", "surrogateescape")


def _newest(entry: Entry) -> tuple[int, bytes]:
    return -entry.modified_ns, _name(entry)
