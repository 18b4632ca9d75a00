"""Moving about and changing the tree: CWD CDUP PWD MKD RMD DELE RNFR RNTO, and their X-twins (RFC 775)."""

from __future__ import annotations

from homeport.accounts.model import Permission
from homeport.events.types import Change
from homeport.protocol.path import VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.session.changes import changed
from homeport.session.commands import Context, Verb
from homeport.session.refusal import PERMISSION_DENIED, Refusal
from homeport.storage.base import AlreadyExists, Kind, NotADirectory, NotFound, Storage


def cwd(context: Context, path: VirtualPath) -> Reply:
    """CWD: changes neither login nor transfer parameters (RFC 959 §4.1.1).

    Any right below it is enough to enter: an incoming directory may be one that can be written and not listed.
    """
    if not context.rights(path):
        raise Refusal(Code.UNAVAILABLE, f"{path}: {PERMISSION_DENIED}")
    entry = context.storage.stat(path)
    if entry.kind is not Kind.DIRECTORY:
        raise NotADirectory(path)
    if not context.storage.may(entry)[2]:
        raise Refusal(Code.UNAVAILABLE, f"{path}: {PERMISSION_DENIED}")
    context.session.place = path
    return Reply(Code.FILE_ACTION_OK, f"The current directory is {path}")


def cdup(context: Context, _: None) -> Reply:
    """CDUP: CWD to the parent; the root is its own. 250, as §4.1.1 and Appendix II have it."""
    return cwd(context, context.session.place.parent)


def pwd(context: Context, _: None) -> Reply:
    """PWD: in double quotes, usable as the argument of CWD from anywhere (RFC 959 Appendix II)."""
    return Reply(Code.PATH_CREATED, f"{context.session.place.quoted()} is the current directory")


def mkd(context: Context, path: VirtualPath) -> Reply:
    """MKD: 257 names the new directory's absolute path."""
    if path.is_root:
        raise AlreadyExists(path)
    context.storage.make_directory(path, 0o777 & ~context.session.umask)
    changed(context, Change.DIRECTORY_MADE, path)
    return Reply(Code.PATH_CREATED, f"{path.quoted()} created")


def rmd(context: Context, path: VirtualPath) -> Reply:
    """RMD: an empty directory, never the root."""
    context.storage.remove_directory(path)
    changed(context, Change.DIRECTORY_REMOVED, path)
    return Reply(Code.FILE_ACTION_OK, f"{path} removed")


def dele(context: Context, path: VirtualPath) -> Reply:
    """DELE: a file, or a link itself."""
    context.storage.remove_file(path)
    changed(context, Change.DELETED, path)
    return Reply(Code.FILE_ACTION_OK, f"{path} deleted")


def rnfr(context: Context, path: VirtualPath) -> Reply:
    """RNFR: must be there now, and RNTO must follow at once (NOOP aside, which affects nothing)."""
    if path.is_root:
        raise Refusal(Code.UNAVAILABLE, "The root cannot be renamed")
    context.storage.stat(path)
    context.session.rename_from = path
    return Reply(Code.NEED_MORE, f"{path} is there; send RNTO with the new name")


def rnto(context: Context, target: VirtualPath) -> Reply:
    """RNTO: needs RENAME at both ends, and OVERWRITE where it replaces a file."""
    source, context.session.rename_from = context.session.rename_from, None
    if source is None:
        raise Refusal(Code.BAD_SEQUENCE, "Please send RNFR first")
    storage = context.storage
    _check_rights(context, source, target)
    if source != target and _exists(storage, target):
        context.permit(Permission.OVERWRITE, target)
    if target.starts_with(source) and target != source:
        raise Refusal(Code.NAME_NOT_ALLOWED, f"{source} cannot be moved into itself")
    storage.rename(source, target)
    changed(context, Change.RENAMED, source, target)
    return Reply(Code.FILE_ACTION_OK, f"{source} is now {target}")


def _check_rights(context: Context, source: VirtualPath, target: VirtualPath) -> None:
    """A rename must not be a way around rights that hold from a path down.

    Nothing goes to where the user may do more with it; and nothing goes away from above a place that has rights of its
    own, or comes to lie above one.
    """
    grants = context.user.grants
    if len(grants) < 2:
        return
    ends = [context.storage.resolve(path.parent).child(path.name) for path in (source, target)]
    if any(grant.prefix not in ends and grant.prefix.starts_with(end) for grant in grants for end in ends):
        raise Refusal(Code.UNAVAILABLE, f"{source}: {PERMISSION_DENIED}")
    if not context.rights(target, itself=True) <= context.rights(source, itself=True):
        raise Refusal(Code.UNAVAILABLE, f"{target}: {PERMISSION_DENIED}")


def _exists(storage: Storage, path: VirtualPath) -> bool:
    try:
        storage.stat(path)
    except NotFound:
        return False
    return True


VERBS = (
    Verb("CWD", cwd),
    Verb("XCWD", cwd),
    Verb("CDUP", cdup),
    Verb("XCUP", cdup),
    Verb("PWD", pwd),
    Verb("XPWD", pwd),
    Verb("MKD", mkd, permission=Permission.MAKE_DIRECTORY),
    Verb("XMKD", mkd, permission=Permission.MAKE_DIRECTORY),
    Verb("RMD", rmd, permission=Permission.REMOVE_DIRECTORY),
    Verb("XRMD", rmd, permission=Permission.REMOVE_DIRECTORY),
    Verb("DELE", dele, permission=Permission.DELETE),
    Verb("RNFR", rnfr, permission=Permission.RENAME),
    Verb("RNTO", rnto, permission=Permission.RENAME, keeps_rename=True),
)
