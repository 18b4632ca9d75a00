"""What a verb is: a plain blocking function of a Context and its parsed argument that returns its one final reply.

One whose transfer waits for its client returns that instead (`underway.py`), and its reply is made later.

Each module of `verbs/` ends in a tuple of `Verb` rows; `dispatch` puts them into one table. A verb says an expected
"no" by raising Refusal or letting a StorageError pass, and a preliminary 1yz through `Context.announce`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeport.accounts.model import Permission, User
from homeport.data.watch import Watch
from homeport.protocol.path import VirtualPath
from homeport.protocol.reply import Code, Reply
from homeport.storage.base import Storage

from .protection import Switch
from .refusal import PERMISSION_DENIED, Refusal
from .services import Services
from .state import Session
from .underway import Underway

if TYPE_CHECKING:
    from homeport.events.types import CloseReason


_OF_NAMES = frozenset({Permission.DELETE, Permission.RENAME, Permission.MAKE_DIRECTORY, Permission.REMOVE_DIRECTORY})
"""Rights to do something to a name, even to that of a link; all others are about what it leads to."""


class Context:
    """What a verb receives: its session, the services, and a way to speak. One per conversation."""

    __slots__ = (
        "announce", "closing", "interrupted", "services", "session", "started", "switch", "verb", "verbs", "watch",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        services: Services,
        announce: Callable[[Reply], bool],
        interrupted: Callable[[], bool],
        watch: Watch,
        verbs: Mapping[str, Verb],
    ) -> None:
        self.session = session
        self.services = services
        self.announce = announce
        """Send a preliminary reply now; False if ABOR had come together with the command."""
        self.interrupted = interrupted
        """For work that takes long, and comes before 1yz: whether ABOR has come meanwhile. Does not wait."""
        self.watch = watch
        """The control connection, for waiting beside a data connection."""
        self.verbs = verbs
        """All that are implemented."""
        self.verb = ""
        """The verb that runs."""
        self.started = False
        """Whether it has said 1yz."""
        self.closing: CloseReason | None = None
        """Set by a verb after whose reply the connection is to be closed."""
        self.switch: Switch | None = None
        """Set by a verb after whose reply TLS begins or ends on the control connection."""

    @property
    def storage(self) -> Storage:
        """The logged-in user's files."""
        storage = self.session.storage
        if storage is None:
            raise Refusal(Code.NOT_LOGGED_IN, "Please log in with USER and PASS")
        return storage

    @property
    def user(self) -> User:
        """Who is logged in."""
        user = self.session.user
        if user is None:
            raise Refusal(Code.NOT_LOGGED_IN, "Please log in with USER and PASS")
        return user

    def rights(self, path: VirtualPath, *, itself: bool = False) -> frozenset[Permission]:
        """What the user may do at *path*: only what he may do there and where its links lead.

        *itself*: the last name is meant as a name, and where it leads, if it is a link, does not matter.
        """
        user = self.user
        rights = user.permissions(path)
        if len(user.grants) > 1 and rights:
            storage = self.storage
            where = storage.resolve(path.parent).child(path.name) if itself else storage.resolve(path)
            if where != path:
                rights &= user.permissions(where)
        return rights

    def permit(self, permission: Permission, path: VirtualPath) -> None:
        """Refuse with 550 unless the user has *permission* at *path*."""
        if permission not in self.rights(path, itself=permission in _OF_NAMES):
            raise Refusal(Code.UNAVAILABLE, f"{path}: {PERMISSION_DENIED}")


Run = Callable[[Context, Any], Reply | Underway]
"""The argument is what the grammar's row says: parsed by `protocol.argument`, pathnames made VirtualPath."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of the table of verbs that are implemented."""

    name: str
    run: Run
    login: bool = True
    """Whether it needs somebody to be logged in."""
    permission: Permission | None = None
    """The right it needs at its path."""
    keeps_rename: bool = False
    """Whether RNFR is still remembered after it (RFC 959 §4.1.3 NOOP)."""
    transfers: bool = False
    """Whether it moves octets over a data connection, whose protection must be what the server asks for."""
