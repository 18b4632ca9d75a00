"""Listings over the data connection: LIST NLST MLSD (RFC 959 §4.1.3, RFC 1123 §4.1.2.7, RFC 3659 §7).

Lines are made while the directory is read and go out in chunks, so the first arrive at once and a directory of
a million entries costs the memory of one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from homeport.accounts.model import Permission
from homeport.data.transfer import Plan
from homeport.events.types import Direction
from homeport.protocol.argument import ListingRequest
from homeport.protocol.listing import list_text, name_line
from homeport.protocol.path import VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.exchange import Account, completed, exchange
from homeport.session.facts import Describer
from homeport.session.refusal import Refusal
from homeport.session.selection import Item, Selection, select
from homeport.storage.base import Kind

_CHUNK_LINES = 500
"""Lines a chunk: about 32 KiB of LIST."""


def list_(context: Context, request: ListingRequest) -> Reply:
    """LIST: one line an entry in the form of `ls -l`, which clients know how to read (D-03)."""
    selection = select(context, request)
    if "1" in selection.options and "l" not in selection.options:
        return _send_names(context, selection)
    return _send_long(context, selection)


def nlst(context: Context, request: ListingRequest) -> Reply:
    """NLST: names only, each usable in a later command from the same place (RFC 1123 §4.1.2.7)."""
    selection = select(context, request)
    return _send_long(context, selection) if "l" in selection.options else _send_names(context, selection)


def _send_long(context: Context, selection: Selection) -> Reply:
    line = long_lines(context, selection)
    items = selection.items(context)
    lines = (_group(line(item)) if item.entry is None else _octets(line(item)) for item in items)
    return _send(context, lines, selection.path, f"Sending the list of {selection.path}")


def _octets(line: str) -> bytes:
    return f"{line}\r\n".encode("utf-8", "surrogateescape")


def _group(line: str) -> bytes:
    """The head of a directory under -R, set off by an empty line as `ls` does."""
    return b"\r\n" + _octets(line)


def _send_names(context: Context, selection: Selection) -> Reply:
    names = (name_line(item.name) for item in selection.items(context) if item.entry is not None)
    return _send(context, names, selection.path, f"Sending the names in {selection.path}")


def mlsd(context: Context, path: VirtualPath | None) -> Reply:
    """MLSD: facts and bare names, as TYPE L 8 whatever is set (RFC 3659 §7.2); 501 for what is no directory."""
    where = context.session.place if path is None else path
    entry = context.storage.stat(where)
    if entry.kind is not Kind.DIRECTORY:
        raise Refusal(Code.BAD_ARGUMENT, f"{where} is not a directory; MLST describes it")
    describe = Describer(context, where).line
    entries = context.storage.scan(where)
    lines = (describe(entry) for entry in entries if "\n" not in entry.name)
    # No name in the text of 150: it may hold visible ASCII only (RFC 3659 §7.2).
    return _send(context, lines, where, "Sending the facts")


def _send(context: Context, lines: Iterator[bytes], path: VirtualPath, opening: str) -> Reply:
    plan = Plan(chunks=_chunks(lines), stall=context.services.policy.data_seconds)
    result = exchange(context, plan, Account(Direction.LISTING, path.text), opening)
    return completed(result, "Sent")


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines joined into chunks; a few first, so that a client sees something at once."""
    chunk: list[bytes] = []
    most = 50
    for line in lines:
        chunk.append(line)
        if len(chunk) >= most:
            yield b"".join(chunk)
            chunk.clear()
            most = _CHUNK_LINES
    if chunk:
        yield b"".join(chunk)


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


VERBS = (
    Verb("LIST", list_, transfers=True),
    Verb("NLST", nlst, transfers=True),
    Verb("MLSD", mlsd, permission=Permission.LIST, transfers=True),
)
