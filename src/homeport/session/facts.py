"""Describer: the facts of MLSx for one user in one directory (RFC 3659 §7.5).

`perm` tells what this user may really do: the rights of the account, and what the store itself allows. Rights are
granted by path prefix, so as a rule all entries of a directory have the same ones, and they are looked up once.
"""

from __future__ import annotations

from homeport.accounts.model import Permission
from homeport.protocol.listing import FactLines, directory_permissions, file_permissions
from homeport.protocol.path import VirtualPath
from homeport.protocol.template import Template
from homeport.storage.base import Entry, Kind, StorageError

from .commands import Context

_DIRECTORY_RIGHTS = frozenset(
    {Permission.REMOVE_DIRECTORY, Permission.CREATE, Permission.MAKE_DIRECTORY, Permission.DELETE}
)


class Describer:
    """Lines for the entries of the directory `parent`. It is a Form, so that a storage may write them itself."""

    __slots__ = ("_context", "_lines", "_parent", "_perms", "_rights", "_same_rights", "_wants_perm", "_writable")

    names_only = False
    recent = (0, 0)
    """No line of facts has a WHEN."""

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
        return self._lines.line(entry, _kind(entry), self._perm(entry, None) if self._wants_perm else "")

    def template(self, entry: Entry) -> Template | None:
        """The line of all entries like *entry*; None where each must be looked at, or has rights of its own."""
        if not self._wants_perm:
            return self._lines.template(entry, _kind(entry), "")
        if not self._same_rights:
            return None
        may = self._context.storage.may(entry)
        if entry.kind is not Kind.DIRECTORY:
            return self._lines.template(entry, _kind(entry), self._file(self._rights, may))
        if self._writable and Permission.REMOVE_DIRECTORY in self._rights:
            return None  # whether it can be removed depends on what is in it
        perm = self._directory(self._rights, may, removable=self._writable, empty=False)
        return self._lines.template(entry, _kind(entry), perm)

    def text(self, entry: Entry, path: VirtualPath) -> str:
        """The entry line of MLST, its name the fully qualified path (RFC 3659 §7.3.1)."""
        return self._lines.entry(entry, _kind(entry), self._perm(entry, path) if self._wants_perm else "", path.text)

    def _perm(self, entry: Entry, path: VirtualPath | None) -> str:
        """*path* is that of *entry*; None for a child of the directory, which is not worked out for nothing."""
        may = self._context.storage.may(entry)
        if self._same_rights and entry.kind is not Kind.DIRECTORY:
            # Few combinations fill a listing.
            perm = self._perms.get(may)
            if perm is None:
                perm = self._perms[may] = self._file(self._rights, may)
            return perm
        if path is None:
            path = self._parent.child(entry.name)
        rights = self._rights if self._same_rights else self._context.rights(path)
        if entry.kind is not Kind.DIRECTORY:
            return self._file(rights, may)
        removable = self._writable and not path.is_root
        # Only what is empty can be removed; to look costs one open, so the cheap questions come first.
        empty = removable and Permission.REMOVE_DIRECTORY in rights and self._empty(entry, path)
        return self._directory(rights, may, removable=removable, empty=empty)

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
        self, rights: frozenset[Permission], may: tuple[bool, bool, bool], *, removable: bool, empty: bool
    ) -> str:
        readable, writable, enterable = may
        inside = writable and enterable
        return directory_permissions(
            create=inside and Permission.CREATE in rights,
            delete=removable and empty and Permission.REMOVE_DIRECTORY in rights,
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
