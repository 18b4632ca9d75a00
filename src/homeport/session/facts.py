"""Describer: the facts of MLSx for one user in one directory (RFC 3659 §7.5).

`perm` tells what this user may really do: the rights of the account, and what the store itself allows. Rights are
granted by path prefix, so as a rule all entries of a directory have the same ones, and they are looked up once.
"""

from __future__ import annotations

from homeport.accounts.model import Permission
from homeport.protocol.listing import FactLines, directory_permissions, file_permissions
from homeport.protocol.path import VirtualPath
from homeport.storage.base import Entry, Kind, StorageError

from .commands import Context

_DIRECTORY_RIGHTS = frozenset(
    {Permission.REMOVE_DIRECTORY, Permission.CREATE, Permission.MAKE_DIRECTORY, Permission.DELETE}
)


class Describer:
    """Lines for the entries of the directory `parent`."""

    __slots__ = ("_context", "_lines", "_parent", "_perms", "_rights", "_same_rights", "_wants_perm", "_writable")

    def __init__(self, context: Context, parent: VirtualPath) -> None:
        owners, user = context.services.owners, context.user
        facts = context.session.facts
        self._context = context
        self._parent = parent
        self._lines = FactLines(facts, owner=owners.user, group=owners.group)
        self._wants_perm = "perm" in facts
        self._rights = context.rights(parent)
        self._same_rights = not any(
            grant.prefix.starts_with(parent) and grant.prefix != parent for grant in user.grants
        )
        self._writable = self._parent_writable()
        self._perms: dict[tuple[bool, bool, bool], str] = {}

    def _parent_writable(self) -> bool:
        """Whether the store lets us remove and rename names in the directory."""
        if not self._wants_perm:
            return False
        storage = self._context.storage
        return storage.may(storage.stat(self._parent))[1]

    def line(self, entry: Entry) -> bytes:
        """One line of MLSD; its name is bare (RFC 3659 §7.3.1)."""
        return self._lines.line(
            entry, _kind(entry), self._perm(entry, self._parent.child(entry.name)) if self._wants_perm else ""
        )

    def text(self, entry: Entry, path: VirtualPath) -> str:
        """The entry line of MLST, its name the fully qualified path (RFC 3659 §7.3.1)."""
        return self._lines.entry(entry, _kind(entry), self._perm(entry, path) if self._wants_perm else "", path.text)

    def _perm(self, entry: Entry, path: VirtualPath) -> str:
        rights = self._rights if self._same_rights else self._context.rights(path)
        may = self._context.storage.may(entry)
        if entry.kind is Kind.DIRECTORY:
            return self._directory(entry, path, rights, may)
        if not self._same_rights:
            return self._file(rights, may)
        # Few combinations fill a listing.
        perm = self._perms.get(may)
        if perm is None:
            perm = self._perms[may] = self._file(rights, may)
        return perm

    def _file(self, rights: frozenset[Permission], may: tuple[bool, bool, bool]) -> str:
        readable, writable, _ = may
        return file_permissions(
            append=writable and Permission.APPEND in rights,
            delete=self._writable and Permission.DELETE in rights,
            rename=self._writable and Permission.RENAME in rights,
            read=readable and Permission.READ in rights,
            # A new content is written beside the old file and put in its place: the directory must allow that, too.
            write=writable and self._writable and Permission.OVERWRITE in rights,
        )

    def _directory(
        self, entry: Entry, path: VirtualPath, rights: frozenset[Permission], may: tuple[bool, bool, bool]
    ) -> str:
        readable, writable, enterable = may
        inside = writable and enterable
        removable = self._writable and not path.is_root
        return directory_permissions(
            create=inside and Permission.CREATE in rights,
            # Only what is empty can be removed; to look costs one open, so the cheap questions come first.
            delete=removable and Permission.REMOVE_DIRECTORY in rights and self._empty(entry, path),
            enter=enterable and bool(rights),
            rename=removable and Permission.RENAME in rights,
            list_=readable and Permission.LIST in rights,
            make=inside and Permission.MAKE_DIRECTORY in rights,
            purge=inside and Permission.DELETE in rights,
        )

    def _empty(self, entry: Entry, path: VirtualPath) -> bool:
        if entry.links > 2 or entry.target is not None:
            return False  # it has subdirectories, or is a link, which RMD does not remove
        try:
            return self._context.storage.is_empty(path)
        except StorageError:
            return False


def _kind(entry: Entry) -> str:
    match entry.kind:
        case Kind.FILE:
            return "file"
        case Kind.DIRECTORY:
            return "dir"
        case _:
            return "OS.unix=special"
