"""Listings over the data connection: LIST NLST MLSD (RFC 959 §4.1.3, RFC 1123 §4.1.2.7, RFC 3659 §7).

Lines are made while the directory is read and go out in chunks, so the first arrive at once and a directory of
a million entries costs the memory of one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from homeport.accounts.model import Permission
from homeport.data.plan import Plan
from homeport.protocol.argument import ListingRequest
from homeport.protocol.listing import list_line, list_template, list_text, name_line, name_template, recent
from homeport.protocol.path import VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.protocol.template import Template
from homeport.session.commands import Context, Verb
from homeport.session.exchange import exchange
from homeport.session.facts import Describer
from homeport.session.refusal import Refusal
from homeport.session.selection import Item, Selection, select
from homeport.session.underway import Underway
from homeport.storage.base import Entry, Kind, LineScan

_FIRST_OCTETS = 4 * 1024
_CHUNK_OCTETS = 64 * 1024
"""Of a chunk; the first is small, so that a client sees something at once."""


def list_(context: Context, request: ListingRequest) -> Reply | Underway:
    """LIST: one line an entry in the form of `ls -l`, which clients know how to read (D-03)."""
    selection = select(context, request)
    if "1" in selection.options and "l" not in selection.options:
        return _send_names(context, selection)
    return _send_long(context, selection)


def nlst(context: Context, request: ListingRequest) -> Reply | Underway:
    """NLST: names only, each usable in a later command from the same place (RFC 1123 §4.1.2.7)."""
    selection = select(context, request)
    return _send_long(context, selection) if "l" in selection.options else _send_names(context, selection)


def _send_long(context: Context, selection: Selection) -> Reply | Underway:
    line = long_lines(context, selection)

    def octets(item: Item) -> bytes:
        # The head of a directory under -R is set off by an empty line, as `ls` does it.
        head = "" if item.entry is not None else "\r\n"
        return f"{head}{line(item)}\r\n".encode("utf-8", "surrogateescape")

    lines = selection.lines(context, LongForm(context), octets)
    return _send(context, lines, selection.path, f"Sending the list of {selection.path}")


def _send_names(context: Context, selection: Selection) -> Reply | Underway:
    def octets(item: Item) -> bytes:
        return b"" if item.entry is None else name_line(item.name)

    lines = selection.lines(context, NameForm(selection.prefix), octets)
    return _send(context, lines, selection.path, f"Sending the names in {selection.path}")


def mlsd(context: Context, path: VirtualPath | None) -> Reply | Underway:
    """MLSD: facts and bare names, as TYPE L 8 whatever is set (RFC 3659 §7.2); 501 for what is no directory."""
    where = context.session.place if path is None else path
    entry = context.storage.stat(where)
    if entry.kind is not Kind.DIRECTORY:
        raise Refusal(Code.BAD_ARGUMENT, f"{where} is not a directory; MLST describes it")
    form = Describer(context, where)
    scan = context.storage.scan(where)
    lines = scan.lines(form) if isinstance(scan, LineScan) else None
    if lines is None:
        lines = (form.line(entry) for entry in scan if "\n" not in entry.name)
    # No name in the text of 150: it may hold visible ASCII only (RFC 3659 §7.2).
    return _send(context, lines, where, "Sending the facts")


def _send(context: Context, lines: Iterator[bytes], path: VirtualPath, opening: str) -> Reply | Underway:
    plan = Plan(chunks=_chunks(lines), stall=context.services.policy.data_seconds)
    return exchange(context, plan, path.text, opening, "Sent")


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines joined into chunks."""
    chunk: list[bytes] = []
    octets, most = 0, _FIRST_OCTETS
    for line in lines:
        chunk.append(line)
        octets += len(line)
        if octets >= most:
            yield _joined(chunk)
            octets, most = 0, _CHUNK_OCTETS
    if chunk:
        yield _joined(chunk)


def _joined(chunk: list[bytes]) -> bytes:
    """*chunk* in one, and emptied: while a slow client takes it, nothing is kept twice."""
    text = b"".join(chunk)
    chunk.clear()
    return text


def long_lines(context: Context, selection: Selection) -> Callable[[Item], str]:
    """How an item looks in LIST and STAT, without its line end.

    A directory's entries have their bare names, as in `ls -l dir`; a file or a pattern shows the path that was
    asked for.
    """
    owners, now = context.services.owners, context.services.clock.time()
    bare = not selection.single and selection.pattern is None

    def line(item: Item) -> str:
        entry = item.entry
        if entry is None:
            return f"{item.name}:"
        shown = None if bare else item.name
        return list_text(entry, owners.user(entry.owner), owners.group(entry.group), now, shown)

    return line


class LongForm:
    """The Form of LIST in a directory: bare names, as in `ls -l dir`."""

    __slots__ = ("_now", "_owners", "recent")

    names_only = False

    def __init__(self, context: Context) -> None:
        self._owners = context.services.owners
        self._now = context.services.clock.time()
        self.recent = recent(self._now)

    def template(self, entry: Entry) -> Template:
        owners = self._owners
        return list_template(entry.kind.name, entry.mode, owners.user(entry.owner), owners.group(entry.group))

    def line(self, entry: Entry) -> bytes:
        return list_line(entry, self._owners.user(entry.owner), self._owners.group(entry.group), self._now)


class NameForm:
    """The Form of NLST in a directory."""

    __slots__ = ("_prefix",)

    names_only = True
    recent = (0, 0)
    """No line of names has a WHEN."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def template(self, _entry: Entry) -> Template:
        return name_template(self._prefix)

    def line(self, entry: Entry) -> bytes:
        return name_line(self._prefix + entry.name)


VERBS = (
    Verb("LIST", list_, transfers=True),
    Verb("NLST", nlst, transfers=True),
    Verb("MLSD", mlsd, permission=Permission.LIST, transfers=True),
)
