"""Files over the data connection: RETR STOR APPE STOU, and what prepares them: REST ALLO TYPE STRU MODE ABOR.

A file is opened before 150 is said, so that a 550 costs no data connection. An upload is a transaction of the
storage: published when its end was proven, and otherwise the old file stays as it was.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final

from homeport.accounts.model import Permission
from homeport.data.plan import Plan
from homeport.protocol.argument import Representation
from homeport.protocol.codec import AsciiDecoder, AsciiEncoder, locate
from homeport.protocol.path import VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.session.commands import Context, Verb
from homeport.session.exchange import exchange
from homeport.session.refusal import PERMISSION_DENIED, Refusal
from homeport.session.underway import Underway
from homeport.storage.base import Access, AlreadyExists, BadOffset, Kind, NotFound, Reader, Writer

_EITHER: Final = frozenset({Permission.CREATE, Permission.OVERWRITE})
_REPLACE: Final = Access.REPLACE
"""A name in an enum takes Python 3.11 as long as to make a dozen objects."""
_UNIQUE_TRIES: Final = 20


def retr(context: Context, path: VirtualPath) -> Reply | Underway:
    """RETR: a copy of the file, from the REST offset on; the offset counts octets of the transfer (RFC 3659 §5.3)."""
    session = context.session
    offset, binary = session.take_restart(), session.binary
    reader = context.storage.open_read(path)
    if offset:
        _check_restart(context, path, reader, offset)
    plan = Plan(
        reader=reader,
        offset=offset if binary else 0,
        codec=None if binary else AsciiEncoder(skip=offset),
        stall=context.services.policy.data_seconds,
    )
    opening = f"Sending {path.name} in {f'BINARY ({plan.length} bytes)' if binary else 'ASCII'} mode"
    return exchange(context, plan, path.text, opening, "Sent")


def _check_restart(context: Context, path: VirtualPath, reader: Reader, offset: int) -> None:
    """Refused before 150 (RFC 1123 §4.1.3.4). In TYPE A the length on the wire has to be counted for that."""
    fits = False
    try:
        if context.session.binary:
            fits = offset <= reader.size
        else:
            fits = locate(_counted(context, reader), offset) is not None
    finally:
        if not fits:
            reader.close()
    if not fits:
        raise BadOffset(path)


def stor(context: Context, path: VirtualPath) -> Reply | Underway:
    """STOR: a new file, or a new content for an old one; with REST the octets before the offset stay."""
    offset = context.session.take_restart()
    rights = context.rights(path)
    if not offset and rights >= _EITHER:
        # Whether the name is there makes no difference then: one look less at the disk for nearly all uploads.
        return _upload(context, path, _REPLACE, 0, existing=False)
    existing = _existing(context, path, rights & _EITHER)
    context.permit(Permission.OVERWRITE if existing else Permission.CREATE, path)
    # What is new for somebody who may not overwrite must be new at the end of the transfer, too.
    access = Access.REPLACE if existing or Permission.OVERWRITE in rights else Access.CREATE
    return _upload(context, path, access, offset, existing=existing)


def appe(context: Context, path: VirtualPath) -> Reply | Underway:
    """APPE: at the end of the file, or a new one. After REST it acts like STOR (RFC 3659 §5.3)."""
    offset = context.session.take_restart()
    rights = context.rights(path)
    change = Permission.OVERWRITE if offset else Permission.APPEND
    existing = _existing(context, path, rights & {Permission.CREATE, change})
    context.permit(change if existing else Permission.CREATE, path)
    if not existing and Permission.OVERWRITE not in rights:
        # As APPEND would do, goes on from what was kept.
        kept = 0 if offset else context.storage.partial_size(path) or 0
        return _upload(context, path, Access.CREATE, offset or kept, existing=False, stored=kept > 0)
    return _upload(context, path, Access.REPLACE if offset else Access.APPEND, offset, existing=existing)


def stou(context: Context, hint: VirtualPath | None) -> Reply | Underway:
    """STOU: under a name that is unique here, told in 150 exactly as RFC 1123 §4.1.2.9 wants it.

    An argument is taken as the base of the name (many clients send one, D-06); the file is made in the current
    directory (RFC 959 §4.1.3), whatever directory stands before it. The same rights as for STOR (RFC 949).
    A REST before it means nothing (RFC 3659 §5.3).
    """
    session = context.session
    base = session.place.child(hint.name if hint is not None and not hint.is_root else "upload")
    context.permit(Permission.CREATE, base)
    for attempt in range(_UNIQUE_TRIES):
        path = base if attempt == 0 and hint is not None else base.parent.child(f"{base.name}.{secrets.token_hex(4)}")
        try:
            writer = _open(context, path, Access.CREATE, 0)
        except AlreadyExists:
            continue
        return _receive(context, path, writer, f"FILE: {path.name}", appended=False)
    raise Refusal(Code.FILE_BUSY, "No unique name was found, try again")


def _existing(context: Context, path: VirtualPath, rights: frozenset[Permission]) -> bool:
    """Whether there is a file; not for somebody who has none of the *rights* that matter to learn."""
    if not rights:
        raise Refusal(Code.UNAVAILABLE, f"{path}: {PERMISSION_DENIED}")
    try:
        return context.storage.stat(path).kind is not Kind.DIRECTORY
    except NotFound:
        return False


def _open(context: Context, path: VirtualPath, access: Access, offset: int) -> Writer:
    return context.storage.open_write(path, access, offset, 0o666 & ~context.session.umask)


def _upload(
    context: Context, path: VirtualPath, access: Access, offset: int, *, existing: bool, stored: bool = False
) -> Reply | Underway:
    """*stored*: the offset counts octets of the file and not of the transfer."""
    session = context.session
    after_cr = False
    if offset and not stored and not session.binary:
        offset, after_cr = _stored_position(context, path, offset)
    writer = _open(context, path, access, offset)
    appended = existing and (access is Access.APPEND or offset > 0)
    begin = f" from byte {writer.position}" if writer.position else ""
    opening = f"Ready to receive {path.name}{begin}"
    return _receive(context, path, writer, opening, appended=appended, after_cr=after_cr)


def _stored_position(context: Context, path: VirtualPath, offset: int) -> tuple[int, bool]:
    """In TYPE A the REST offset counts octets of the transfer: where that is in the file (RFC 3659 §5.3)."""
    try:
        with context.storage.open_read(path) as reader:
            position = locate(_counted(context, reader), offset)
    except NotFound:
        raise BadOffset(path) from None
    if position is None:
        raise BadOffset(path)
    return position.stored, position.after_cr


def _counted(context: Context, reader: Reader) -> Iterator[memoryview]:
    """The content of a file that has to be read to count, be it terabytes: for as long as the client wants to know."""
    for chunk in reader.chunks():
        if context.interrupted():
            raise Refusal(Code.TRANSFER_ABORTED, "Aborted before the place to begin at was found")
        yield chunk


def _receive(
    context: Context, path: VirtualPath, writer: Writer, opening: str, *, appended: bool, after_cr: bool = False
) -> Reply | Underway:
    plan = Plan(
        writer=writer,
        codec=None if context.session.binary else AsciiDecoder(after_cr=after_cr),
        stall=context.services.policy.data_seconds,
    )
    return exchange(context, plan, path.text, opening, f"{path.name} stored", appended=appended)


def rest(context: Context, offset: int) -> Reply:
    """REST: only saved; whether the offset fits is for the transfer to say (RFC 3659 §5.3)."""
    context.session.restart = offset
    return Reply(Code.NEED_MORE, f"The next transfer begins at byte {offset}")


def allo(context: Context, octets: int) -> Reply:
    """ALLO: nothing is set aside, but a file that cannot fit is refused before it is sent."""
    space = context.storage.space(context.session.place)
    if octets > space.free:
        raise Refusal(Code.NO_SPACE, f"Only {space.free} bytes are free")
    return Reply(Code.OK, f"There is room for {octets} bytes")


def type_(context: Context, wanted: Representation) -> Reply:
    """TYPE: A (N or T), I, L 8. Without its second parameter the form is N again (RFC 959 §4.1.2)."""
    if wanted.type == "E" or wanted.form == "C" or (wanted.type == "L" and wanted.size != 8):
        raise Refusal(Code.BAD_PARAMETER, "TYPE A, A N, A T, I and L 8 are possible here")
    if wanted.type == "A" and wanted.form is None:
        wanted = Representation("A", "N", None)
    context.session.representation = wanted
    return Reply(Code.OK, f"The type is {describe(wanted)}")


def describe(representation: Representation) -> str:
    """As TYPE would set it: "A N", "I", "L 8"."""
    return " ".join(str(part) for part in representation if part is not None)


def stru(_: Context, structure: str) -> Reply:
    """STRU: files only; hosts whose files have no records need no other (RFC 1123 §4.1.2.4)."""
    if structure != "F":
        raise Refusal(Code.BAD_PARAMETER, "Only STRU F is possible here")
    return Reply(Code.OK, "The structure is F")


def mode(_: Context, wanted: str) -> Reply:
    """MODE: stream only."""
    if wanted != "S":
        raise Refusal(Code.BAD_PARAMETER, "Only MODE S is possible here")
    return Reply(Code.OK, "The mode is S")


def abor(context: Context, _: None) -> Reply:
    """ABOR without a transfer, or right after one that it ended: the data connection is closed now (226)."""
    context.session.release_data()
    return Reply(Code.DATA_CLOSING, "Nothing is being transferred")


VERBS = (
    Verb("RETR", retr, permission=Permission.READ, transfers=True),
    Verb("STOR", stor, transfers=True),
    Verb("APPE", appe, transfers=True),
    Verb("STOU", stou, transfers=True),
    Verb("REST", rest),
    Verb("ALLO", allo),
    Verb("TYPE", type_),
    Verb("STRU", stru),
    Verb("MODE", mode),
    Verb("ABOR", abor, login=False),
)
