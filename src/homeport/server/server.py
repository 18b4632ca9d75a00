"""Server: what a program embeds, a test starts and `homeport serve` runs.

    with homeport.Server("/srv/files", user="bob", password="secret") as server:
        print(server.url)          # ftp://127.0.0.1:40213/
        ...                        # clients come and go in threads of the server's own

Any number of them run in one process; nothing is shared between them. All methods may be called from any thread.
What is to happen is told by the arguments, which become a Config, or by a whole Config; building is
`build.py`'s business and running is `operation.py`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from homeport.events.bus import Bus, Subscriber
from homeport.events.types import Warned
from homeport.net.store import Status
from homeport.session.services import Clock

from .build import ChooseProviders, build
from .config import Config
from .listening import StartError
from .operation import Operation
from .quick import Directory, UserLike, quick
from .view import SessionView
from .workers import POSSIBLE, count_of

if TYPE_CHECKING:
    from .supervisor import Supervisor

DRAIN = 5.0
"""Seconds that transfers under way get when the server stops."""


class Server:
    """An FTP server. Runs from `start` to `stop`, or for as long as a `with` block lasts; may be started again."""

    def __init__(
        self,
        root: Directory | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        anonymous: bool = False,
        read_only: bool = False,
        users: Sequence[UserLike] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        passive_ports: str | Sequence[int] | None = None,
        state: Directory | None = None,
        config: Config | None = None,
        clock: Clock | None = None,
        providers: ChooseProviders | None = None,
    ) -> None:
        """Serve the directory *root*, to *user* or to everybody (*anonymous*) or to both; or as *config* says.

        A user without a *password* gets a random one, and without anybody who may log in there is a user "home": both
        are told by the attributes of these names. *users* are more of them, each a UserOptions or a mapping with
        `name`, `password`, `home` (by default *root*) and what else UserOptions has. Port 0, and passive ports None,
        are chosen by the system. *state* is a directory for what must last: the database of users, the certificate.

        *providers* gets the sources of accounts that follow from all that, and returns those that are really asked.

        Nothing is opened before `start`. Raises ValueError for what cannot be.
        """
        self.user: str | None = None
        """The quick user's name, if there is one."""
        self.password: str | None = None
        """The quick user's password."""
        if config is None:
            made = quick(
                root, user=user, password=password, anonymous=anonymous, read_only=read_only, users=users, host=host,
                port=port, passive_ports=passive_ports, state=state,
            )  # fmt: skip
            self.user, self.password, config = made.user, made.password, made.config
        elif root is not None or user is not None or password is not None or anonymous or read_only or users:
            raise ValueError("a config tells everything: the other arguments have their place in it")
        self.config = config
        self._clock = clock
        self._providers = providers
        self._events = Bus()
        self._lock = threading.Lock()
        self._operation: Operation | None = None
        self._supervisor: Supervisor | None = None
        """The operation, where there are several workers."""

    # -- from start to stop --------------------------------------------------------------------------

    def start(self) -> Self:
        """Open all sockets and serve. Returns when clients can connect.

        Raises StartError (PortInUse, PortForbidden, AddressUnavailable, ...) and has opened nothing then; RuntimeError
        if it runs already.
        """
        with self._lock:
            if self.running:
                raise RuntimeError("the server runs already")
            self._operation = self._supervisor = None
            try:
                self._operate()
            except (OSError, RuntimeError) as error:
                raise StartError(f"The system refuses what a server needs: {error}") from error
        return self

    def _operate(self) -> None:
        wanted = self.config.server.workers
        if count_of(wanted) > 1:
            if self._clock is not None:
                raise StartError("A clock of one's own cannot be shared by several workers.")
            from .supervisor import Supervisor  # who serves alone needs nothing of it

            self._supervisor = Supervisor(self.config, self._events, self._providers)
            return
        if wanted is not None and wanted > 1 and not POSSIBLE:
            text = "Several workers cannot be on this system: one process serves (server.workers)."
            self._events.publish(Warned(at=time.time(), text=text))
        self._operation = Operation(build(self.config, self._events, self._clock, self._providers))

    @property
    def reloadable(self) -> bool:
        """Whether it runs in several processes, so that `reload` can be."""
        return self._supervisor is not None

    def reload(self, config: Config, providers: ChooseProviders | None = None) -> None:
        """Serve as *config* says from now on, without a moment in which nobody can connect; only with several workers.

        Transfers under way are finished as they were begun; sessions between two commands hear 421, and may connect
        again. *providers*: as in the constructor, if it is to be another.

        Raises StartError where *config* cannot be used, and RuntimeError in a server of one process; nothing has
        changed then.
        """
        if self._supervisor is None:
            raise RuntimeError("a server of one process cannot read its configuration anew; start it again")
        chosen = providers if providers is not None else self._providers
        self._supervisor.reload(config, chosen)
        self.config, self._providers = config, chosen

    def stop(self, timeout: float = DRAIN) -> bool:
        """Stop: admit nobody, let idle sessions go with 421, and give transfers under way *timeout* seconds to finish.

        Returns when all is over, some seconds after *timeout* at the latest; True if every thread has ended. A second
        call, from any thread, ends everything at once. A server that does not run has stopped already.
        """
        operation = self._runs
        return operation is None or operation.stop(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until somebody stops the server, at most *timeout* seconds; whether it has stopped."""
        operation = self._runs
        return operation is None or operation.wait(timeout)

    @property
    def running(self) -> bool:
        """Whether it was started, and has not stopped altogether."""
        operation = self._runs
        return operation is not None and not operation.over

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who leaves because something failed does not want to wait for anybody's transfer.
        self.stop(DRAIN if kind is None else 0.0)

    # -- where it is ---------------------------------------------------------------------------------

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """All addresses and ports on which clients can connect; empty before the start."""
        operation = self._runs
        return operation.addresses if operation is not None else ()

    @property
    def host(self) -> str:
        """An address at which a client on this machine reaches it."""
        address = self._running().addresses[0][0]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)

    @property
    def port(self) -> int:
        """The control port."""
        return self._running().addresses[0][1]

    @property
    def passive_ports(self) -> tuple[int, ...]:
        """The ports of passive data connections."""
        return self._running().passive_ports

    @property
    def url(self) -> str:
        """`ftp://127.0.0.1:40213/`: for a client on this machine, without name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp://{host}:{self.port}/"

    @property
    def certificates(self) -> tuple[Status, ...]:
        """The certificates that clients are shown by TLS, the first to those that name no host."""
        operation = self._runs
        return operation.certificates() if operation is not None else ()

    # -- what happens ----------------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call *subscriber* with every event (homeport.events.types), in the thread in which it happens.

        It must be quick and safe for threads; before `start`, it hears of the start too.
        """
        self._events.subscribe(subscriber)
        operation = self._runs
        if operation is not None:
            operation.hear()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Do not call *subscriber* any more."""
        self._events.unsubscribe(subscriber)

    @property
    def sessions(self) -> tuple[SessionView, ...]:
        """Who is connected at this moment, the oldest first."""
        operation = self._runs
        return operation.view() if operation is not None else ()

    def end_session(self, number: int) -> bool:
        """End the session with this number, whatever it does; whether there is one."""
        operation = self._runs
        return operation is not None and operation.kick(number)

    def reopen_logs(self) -> None:
        """Go on in new log files of the same names, after something moved the old ones away. Raises OSError."""
        self._running().reopen_logs()

    @property
    def _runs(self) -> Operation | Supervisor | None:
        return self._supervisor if self._supervisor is not None else self._operation

    def _running(self) -> Operation | Supervisor:
        operation = self._runs
        if operation is None:
            raise RuntimeError("the server has not been started")
        return operation
