"""The storage's own files: what stands beside the clients' files under names that begin with ".homeport-".

    .homeport-upload-<random>   an upload under way, where the file system has no nameless files (O_TMPFILE)
    .homeport-create-<name>     the same for a new file: it also holds the name for whoever was first
    .homeport-partial-<name>    what is kept of an upload that broke off

Names that would become too long are hashed. Uploads under way are locked (flock), so that what a crash has left
can be told from what is in use: a lock ends with its process.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import stat
import sys

from .beneath import Directory

if sys.platform != "win32":
    import fcntl

_PREFIX = b".homeport-"
_RESERVED = "/.homeport-"
_LONGEST = 143
"""Octets of a name that even an encrypting file system keeps."""
_EFFECTIVE = os.access in os.supports_effective_ids
chance = random.Random()  # noqa: S311 - its numbers need not be secret
"""Our own, since a program around us may call `random.seed`: names would come again. A forked process begins anew."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=chance.seed)
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def is_reserved(path: str) -> bool:
    """Whether some name in *path* is one of ours, in any case of letters: some file systems do not tell them apart."""
    return "/." in path and _RESERVED in path.lower()


def upload_name() -> bytes:
    """A name that nobody has. It need not be secret."""
    return f".homeport-upload-{chance.getrandbits(64)}".encode()


def creation_name(name: bytes) -> bytes:
    return _derived(b"create", name)


def partial_name(name: bytes) -> bytes:
    return _derived(b"partial", name)


def _derived(what: bytes, name: bytes) -> bytes:
    derived = _PREFIX + what + b"-" + name
    if len(derived) > _LONGEST:  # a different sign, so that no hash can be another file's name
        return _PREFIX + what + b"~" + hashlib.blake2b(name, digest_size=20).hexdigest().encode()
    return derived


def is_own(name: bytes) -> bool:
    """The same for one name of the host."""
    return name[:1] == b"." and name.lower().startswith(_PREFIX)


def is_partial(name: bytes) -> bool:
    """Whether it is the name of kept partial data."""
    return name.startswith((_PREFIX + b"partial-", _PREFIX + b"partial~"))


def lock(descriptor: int) -> bool:
    """Take the lock of an open file until it is closed; False when somebody else has it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # a file system without locks: nobody can hold one
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                raise
    return True


def is_named(descriptor: int, directory: Directory, name: bytes) -> bool:
    """Whether *name* still is the open file."""
    try:
        status = os.stat(directory.at(name), dir_fd=directory.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(status, os.fstat(descriptor))


def remove_if_unused(directory: Directory, name: bytes) -> bool:
    """Remove one of our files unless somebody is writing it. True: it is gone."""
    if sys.platform == "win32":
        try:
            os.unlink(directory.at(name))
        except FileNotFoundError:
            return True
        except PermissionError:  # Windows itself keeps what is open
            return False
        return True
    try:
        descriptor = os.open(directory.at(name), _OPEN, dir_fd=directory.descriptor)
    except FileNotFoundError:
        return True
    try:
        # Only who holds the lock of what a name stands for may remove that name; so nobody's new file is hit.
        if not lock(descriptor) or not is_named(descriptor, directory, name):
            return False
        os.unlink(directory.at(name), dir_fd=directory.descriptor)
    finally:
        os.close(descriptor)
    return True


def holds_only_ours(directory: Directory) -> bool:
    """Whether nothing is in a directory but, perhaps, files of ours."""
    with os.scandir(directory.descriptor if directory.descriptor is not None else directory.at(b".")) as items:
        return all(os.fsencode(item.name).startswith(_PREFIX) for item in items)


def forget_partial(directory: Directory, name: bytes) -> None:
    """Remove what was kept for *name*, after something else has come of that name."""
    partial, held = partial_name(name), directory.descriptor
    try:
        # Asked first: mostly there is nothing, and a no is cheaper to hear than an error.
        if os.access(directory.at(partial), os.F_OK, dir_fd=held, effective_ids=_EFFECTIVE):
            remove_if_unused(directory, partial)
    except OSError:
        pass  # what matters is done, and must not be reported as failed for the sake of a leftover


def remove_leftovers(directory: Directory) -> bool:
    """Remove our unused files from a directory that holds nothing else. False, and nothing removed, if it does."""
    leftovers: list[bytes] = []
    with os.scandir(directory.descriptor if directory.descriptor is not None else directory.at(b".")) as items:
        for item in items:
            name = os.fsencode(item.name)
            if not name.startswith(_PREFIX) or not stat.S_ISREG(item.stat(follow_symlinks=False).st_mode):
                return False
            leftovers.append(name)
    return all(remove_if_unused(directory, name) for name in leftovers)
