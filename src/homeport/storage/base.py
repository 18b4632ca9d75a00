"""The contract of a storage: Storage, Entry, Reader, Writer, and the errors they raise.

A Storage is one user's tree; "/" is its root. Nothing outside of the root can be reached through it,
by no spelling, link, rename or race. All calls block, and may be made from many threads at once.

A Writer is a transaction. What is written stands beside the target until `commit()` publishes it
in one step; `abort()` leaves the target as it was. Between the two nobody sees half a file. Octets for the end of an
old file are the exception that a storage may make: they may be seen as they come, and an abort takes them away.

Kept partial data: an upload that broke off may be kept (`abort(keep=True)`), under no name that a client can
list. `partial_size(path)` tells how much is there, and opening a Writer with `offset` or APPEND goes on from it
as long as no file of that name exists. So REST and APPE resume what was lost, and a half file is never shown.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Protocol, Self

from homeport.protocol.path import VirtualPath
from homeport.protocol.template import Template

_CHUNK_OCTETS = 256 * 1024


class StorageError(Exception):
    """What a storage raises; `path` is the client's own spelling, never a path of the host."""

    def __init__(self, path: VirtualPath | None = None, detail: str = "") -> None:
        super().__init__(detail or type(self).__name__)
        self.path = path
        self.detail = detail


class NotFound(StorageError):
    """No such file or directory."""


class AlreadyExists(StorageError):
    """The name is taken."""


class NotADirectory(StorageError):
    """A directory was needed, and it is something else."""


class IsADirectory(StorageError):
    """A file was needed, and it is a directory."""


class NotAFile(StorageError):
    """Neither file nor directory: a device, a socket, a pipe."""


class DirectoryNotEmpty(StorageError):
    """RMD of a directory that has entries."""


class AccessDenied(StorageError):
    """The operating system, or the wall around the root, says no."""


class Busy(StorageError):
    """In use; the same call may succeed later."""


class NoSpace(StorageError):
    """The disk is full."""


class QuotaExceeded(StorageError):
    """The owner's quota is used up."""


class NameNotAllowed(StorageError):
    """The name cannot be used: too long, reserved, or holds what the store cannot keep."""


class BadOffset(StorageError):
    """The offset lies beyond the end of what is there."""


class NotSupported(StorageError):
    """This storage has no such operation."""


class InputOutputError(StorageError):
    """Reading or writing failed; anything that has no name of its own above."""


class Kind(Enum):
    """What an entry is, links followed."""

    FILE = auto()
    DIRECTORY = auto()
    OTHER = auto()


@dataclass(slots=True)
class Entry:
    """One object in a directory, as a listing shows it. Not changed once made."""

    name: str
    """One path element; octets that are no UTF-8 as surrogate escapes."""
    kind: Kind
    size: int
    """Octets of a file; what the host says of others."""
    modified_ns: int
    """Nanoseconds since 1970, UTC."""
    mode: int
    """The permission bits, 0o0000 to 0o7777."""
    links: int
    owner: int
    group: int
    unique: str
    """Equal for all names of one object and for no others; a token (RFC 3659 §7.5.2), no raw inode."""
    target: str | None = None
    """Of a symbolic link: its text, as `ls -l` shows behind the arrow. All else is of what it points to."""


class Form(Protocol):
    """What the lines of one listing look like, for a scan that writes them itself."""

    @property
    def names_only(self) -> bool:
        """Whether the lines hold nothing but names and texts that depend on the kind alone."""

    @property
    def recent(self) -> tuple[int, int]:
        """The seconds since 1970 after which, and until which, WHEN shows the time of day."""

    def template(self, entry: Entry) -> Template | None:
        """The line of all entries of the same kind, mode, owner and group that are no links; None: each is a case."""

    def line(self, entry: Entry) -> bytes:
        """The line of *entry* with its end."""


class LineScan(Iterator[Entry]):
    """A scan that may be able to write the lines of a listing itself, without an Entry for each.

    Only for a storage whose `may` asks for nothing but the mode, the owner and the group of an entry.
    """

    __slots__ = ()

    @abc.abstractmethod
    def lines(self, form: Form, ordered: int = 0, *, descending: bool = False) -> Iterator[bytes] | None:
        """The lines of all entries, some at a time; None if it cannot. To be asked before the first entry is taken.

        The first *ordered* names of the directory come sorted by their octets. Octets as of `form.line` for each entry.
        """


class Access(Enum):
    """How a Writer starts."""

    CREATE = auto()
    """A new file; AlreadyExists if the name is taken, be it in the meantime (STOU, and who may not overwrite)."""
    REPLACE = auto()
    """A new file, or a new content for an old one (STOR)."""
    APPEND = auto()
    """At the end of what is there, the kept partial data included (APPE)."""


@dataclass(frozen=True, slots=True)
class Space:
    """Octets that may still be written, and in all."""

    free: int
    total: int


class Reader(abc.ABC):
    """An open file for reading. Closing it twice does nothing."""

    __slots__ = ()

    size: int
    """Octets in the whole file when it was opened."""

    @abc.abstractmethod
    def fileno(self) -> int | None:
        """A file descriptor that sendfile may read at any offset, or None."""

    @abc.abstractmethod
    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read at *offset* into *buffer*; the number of octets read, 0 at the end."""

    @abc.abstractmethod
    def close(self) -> None: ...

    def chunks(self) -> Iterator[memoryview]:
        """The whole content, piece by piece. A piece is overwritten by the next."""
        buffer = memoryview(bytearray(min(_CHUNK_OCTETS, max(self.size, 1))))
        offset = 0
        while octets := self.read_into(buffer, offset):
            yield buffer[:octets]
            offset += octets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Writer(abc.ABC):
    """An upload under way: a transaction that ends in exactly one of `commit` and `abort`.

    Left as a context manager without either, it aborts and keeps nothing. After a failed `write` there is no commit.
    """

    __slots__ = ()

    position: int
    """Where the next octet goes, counted from the start of the file."""

    @abc.abstractmethod
    def write(self, data: memoryview) -> None:
        """Write all of *data*; NoSpace, QuotaExceeded or InputOutputError if that cannot be."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Publish the file under its name, in one step. What was written is the file from now on.

        If that cannot be, the StorageError says why and the upload is over, as after an abort.
        """

    @abc.abstractmethod
    def abort(self, *, keep: bool) -> None:
        """Leave the target as it was. With *keep*, what was written stays for a resume. Never raises.

        Kept are octets for the end of a file that exists, in that file itself; and those of a file that does not exist,
        as its partial data. Octets meant to replace an existing file are not kept: a resume would go on from that file.
        """

    def __enter__(self) -> Self:
        return self

    @abc.abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Storage(abc.ABC):
    """A tree of files. Every method raises a StorageError for what cannot be."""

    __slots__ = ()

    @abc.abstractmethod
    def stat(self, path: VirtualPath) -> Entry:
        """The object at *path*, links inside the root followed."""

    def resolve(self, path: VirtualPath) -> VirtualPath:
        """Where *path* leads when the links in it are followed; of names that are not there, where they would be.

        For rights that hold from a path down: a link must not lead around them. Raises nothing; what cannot be told is
        *path* itself. A storage without links need not have this.
        """
        return path

    @abc.abstractmethod
    def scan(self, path: VirtualPath) -> Iterator[Entry]:
        """The entries of a directory in no order, without "." and "..", constant memory.

        The directory is opened before the iterator is returned: NotFound, NotADirectory and AccessDenied come at once.
        Entries that vanish meanwhile, links that lead out or nowhere, and the storage's own files are left out.
        The iterator has `close()`; closing it ends the scan.
        """

    def is_empty(self, path: VirtualPath) -> bool:
        """Whether a directory could be removed: what a scan leaves out counts, the storage's own files do not."""
        return next(self.scan(path), None) is None

    @abc.abstractmethod
    def open_read(self, path: VirtualPath) -> Reader:
        """Open a regular file. IsADirectory, NotAFile, NotFound, AccessDenied. Never blocks on a pipe."""

    @abc.abstractmethod
    def open_write(self, path: VirtualPath, access: Access, offset: int = 0, mode: int = 0o666) -> Writer:
        """Begin an upload.

        With REPLACE and *offset* > 0 the first *offset* octets of what is there (the file, else the kept
        partial data) stay and what follows is replaced; BadOffset when that is shorter. *mode* is that of a new
        file, the umask already taken off; an old file keeps its own. The parent must exist. With an offset
        APPEND is REPLACE (RFC 3659 §5.3), and CREATE goes on from kept partial data.
        """

    @abc.abstractmethod
    def partial_size(self, path: VirtualPath) -> int | None:
        """Octets of kept partial data for a file that does not exist; None when there are none."""

    @abc.abstractmethod
    def make_directory(self, path: VirtualPath, mode: int = 0o777) -> None:
        """Make one directory. *mode* is exact, the umask already taken off."""

    @abc.abstractmethod
    def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory, never the root. A link to a directory is not one."""

    @abc.abstractmethod
    def remove_file(self, path: VirtualPath) -> None:
        """Remove a file, or a link itself, and any kept partial data of that name. IsADirectory for directories."""

    @abc.abstractmethod
    def rename(self, source: VirtualPath, target: VirtualPath) -> None:
        """Move within the tree; a file at *target* is replaced in one step, a directory is not replaced."""

    @abc.abstractmethod
    def set_modified(self, path: VirtualPath, modified_ns: int) -> int:
        """Set the modification time; returns the time that the store really kept."""

    @abc.abstractmethod
    def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set the permission bits (0 to 0o777)."""

    @abc.abstractmethod
    def may(self, entry: Entry) -> tuple[bool, bool, bool]:
        """Whether the store itself lets us read, write and enter what *entry* describes (RFC 3659 §7.5.5)."""

    @abc.abstractmethod
    def space(self, path: VirtualPath) -> Space:
        """Room where *path* would be stored."""

    def in_place(self) -> bool:
        """Whether this is what one would get who opened it anew: not if something else has the name of its root now."""
        return True

    def close(self) -> None:  # noqa: B027 - a storage that holds nothing need not say so
        """Give back what the storage holds. Calls after it fail."""
