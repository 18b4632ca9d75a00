"""Facts about one object: MLST SIZE MDTM, and MFMT MFCT MFF which set them (RFC 3659, draft-somers-ftp-mfxx-03)."""

from __future__ import annotations

from homeport.accounts.model import Permission
from homeport.protocol.argument import FactsPath, TimePath
from homeport.protocol.codec import encoded_size
from homeport.protocol.listing import parse_time, time_value
from homeport.protocol.path import PathError, VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.facts import Describer
from homeport.session.refusal import Refusal
from homeport.storage.base import IsADirectory, Kind, NotAFile, NotFound

from .site import permission_bits, set_mode, set_modified


def mlst(context: Context, path: VirtualPath | None) -> Reply:
    """MLST: one object, named fully, on the control connection (RFC 3659 §7.2)."""
    where = context.session.place if path is None else path
    entry = context.storage.stat(where)
    line = Describer(context, where.parent).text(entry, where)
    # No name in the first line: it may hold visible ASCII only (RFC 3659 §7.2).
    return Reply(Code.FILE_ACTION_OK, "Facts", (f" {line}",), "End")


def size(context: Context, path: VirtualPath) -> Reply:
    """SIZE: the octets that RETR would send now, exactly, and nothing else in the reply (RFC 3659 §4).

    For a file that does not exist but whose upload broke off: how much is kept, which is what a client asks for
    before it resumes with REST or APPE.
    """
    storage = context.storage
    try:
        entry = storage.stat(path)
    except NotFound:
        kept = storage.partial_size(path)
        if kept is None or not context.session.binary:
            raise
        return Reply(Code.FILE_STATUS, str(kept))
    if entry.kind is Kind.DIRECTORY:
        raise IsADirectory(path)
    if entry.kind is not Kind.FILE:
        raise NotAFile(path)
    if context.session.binary:
        return Reply(Code.FILE_STATUS, str(entry.size))
    most = context.services.policy.ascii_size_octets
    if entry.size > most:
        # No estimate may be given (§4), and to count means to read it all.
        raise Refusal(Code.UNAVAILABLE, f"{path}: too large to be counted in TYPE A; use TYPE I")
    with storage.open_read(path) as reader:
        return Reply(Code.FILE_STATUS, str(encoded_size(reader.chunks())))


def mdtm(context: Context, path: VirtualPath) -> Reply:
    """MDTM: when the content last changed, in UTC. The whole argument is the pathname (RFC 3659 §3.1)."""
    return Reply(Code.FILE_STATUS, _time(path, context.storage.stat(path).modified_ns))


def mfmt(context: Context, argument: TimePath) -> Reply:
    """MFMT: set the modification time; the reply has the one that was really set, and the name as it was given."""
    path = _path(context, argument.path)
    kept = set_modified(context, path, argument.modified_ns)
    return Reply(Code.FILE_STATUS, f"Modify={_time(path, kept)}; {argument.path}")


def mff(context: Context, argument: FactsPath) -> Reply:
    """MFF: set several facts; an unknown one is 504 and nothing is set (§5.5)."""
    path = _path(context, argument.path)
    for name, _ in argument.facts:
        if name not in ("modify", "unix.mode"):
            raise Refusal(Code.BAD_PARAMETER, f"The fact {name} cannot be set here")
    bits = {value: permission_bits(value) for name, value in argument.facts if name == "unix.mode"}
    told: list[str] = []
    for name, value in argument.facts:
        if name == "modify":
            told.append(f"Modify={_time(path, set_modified(context, path, parse_time(value)))};")
        else:
            set_mode(context, path, bits[value])
            told.append(f"UNIX.mode={bits[value]:04o};")
    return Reply(Code.FILE_STATUS, f"{''.join(told)} {argument.path}")


def _time(path: VirtualPath, modified_ns: int) -> str:
    text = time_value(modified_ns)
    if text is None:
        raise Refusal(Code.UNAVAILABLE, f"{path}: the time lies outside of the years 1000 to 9999")
    return text


def _path(context: Context, text: str) -> VirtualPath:
    try:
        return VirtualPath.parse(text, context.session.place)
    except PathError as error:
        raise Refusal(Code.NAME_NOT_ALLOWED, str(error)) from None


VERBS = (
    Verb("MLST", mlst, permission=Permission.LIST),
    Verb("SIZE", size, permission=Permission.LIST),
    Verb("MDTM", mdtm, permission=Permission.LIST),
    Verb("MFMT", mfmt),
    Verb("MFF", mff),
)
