"""Build: from a Config to the parts of a server, opened and wired, but not yet running.

The only place where services are made. Everything is undone if a step fails, so that a start that failed leaves
nothing: no socket, no file, no subscriber. Starred modules (see ARCHITECTURE.md) are imported here, inside the
branch that asks for them.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.util import find_spec

from homeport.accounts.database import AccountError, Database
from homeport.accounts.limits import LoginThrottle, SessionLimits
from homeport.accounts.passwords import Passwords
from homeport.accounts.providers import Accounts, AnonymousAccount, DatabaseAccounts, Provider, StaticAccounts
from homeport.data.address import Announcement, Rule, Rules
from homeport.data.destination import PrivatePort
from homeport.data.throttle import MakeLimit, Pace, Rates
from homeport.events import jsonlog, xferlog
from homeport.events.bus import Bus
from homeport.events.logfile import LogFile
from homeport.events.types import Warned
from homeport.net.background import Background, Patience
from homeport.net.exchange import Endpoint
from homeport.net.listener import text_of
from homeport.net.renewal import Authority
from homeport.net.router import Router
from homeport.session.conversation import Conversation
from homeport.session.services import Clock, Policy, Services
from homeport.session.stopping import Stopping
from homeport.storage.closed import real_places
from homeport.storage.entries import KEY_OCTETS
from homeport.storage.local import LocalStorage

from .admission import Converse
from .certificates import Certification, acme_directory, open_certificates
from .config import Config
from .console import ConsoleSocket, ConsoleUnavailable
from .dataports import open_passive_ports, trust, try_active_port
from .homes import Homes
from .introduced import Proxies
from .listening import NONE_KEPT, Kept, StartError, open_listeners
from .operation import Parts
from .outside import Adapters, Outside, fixed_address, open_outside
from .partials import partial_sweep
from .post import SharedPost
from .protection import contexts_of, tls_policy_of

ChooseProviders = Callable[[Sequence[Provider]], Sequence[Provider]]

STOP_SECONDS = 2.0
"""For what runs beside the sessions to end."""
USERS_FILE = "users.sqlite"
"""The database of users in the state directory."""


def build(config: Config, events: Bus, clock: Clock | None = None, providers: ChooseProviders | None = None) -> Parts:
    """Open everything that *config* asks for. Raises StartError, and nothing is open then.

    *providers* gets the sources of accounts that follow from *config* and returns those that are asked.

    The state directory is used only if *config* names it: what it is otherwise is for `homeport serve` to say. Logging
    to the console is, too.
    """
    timing = clock if clock is not None else Clock()
    stopping = Stopping()

    def warn(text: str) -> None:
        events.publish(Warned(at=timing.time(), text=text))

    with ExitStack() as undo:
        control, port = open_control(config, NONE_KEPT)
        for listener in control:
            undo.callback(listener.close)
        addresses = addresses_of(control, port)
        logs = open_logs(config, undo)
        subscribe_all(logs, config, events, undo)
        ports = open_passive_ports(addresses, config, events, timing, warn)
        undo.callback(ports.close)
        try_active_port(addresses, policy_of(config, port).active_port, warn)
        if config.server.state is not None:
            state_directory(config.server.state)
        certification = open_certificates(config, addresses, timing, warn, acme_authority)
        if certification is not None:
            undo.callback(certification.close)
        store = certification.store if certification is not None else None
        console = open_console(config, events, timing)
        if console is not None:
            undo.callback(console.close)
        check_library_of_router(config)
        announcement = Announcement(policy_of(config, port).announce)
        outside = make_outside(config, control, addresses, ports.ports, announcement, events, timing)
        undo.callback(outside.close)
        post = SharedPost()
        database = open_database(config, undo)
        sweeping = partial_sweep(config, database, shut_places(config), events, timing)
        if sweeping is not None:
            undo.callback(sweeping.stop, STOP_SECONDS)
        homes = homes_of(config, fresh_key())
        undo.callback(homes.close)
        services = Services(
            accounts=open_accounts(config, database, passwords_of(timing, post), providers),
            throttle=LoginThrottle(timing.monotonic),
            ports=ports,
            events=events,
            storage_for=homes.storage_for,
            tls=contexts_of(config, store),
            policy=policy_of(config, port),
            clock=timing,
            rates=rates_of(config, timing),
            post=post,
            stopping=stopping,
            announcement=announcement,
        )
        return Parts(
            listeners=control,
            passive=ports,
            limits=SessionLimits(config.limits.sessions, config.limits.sessions_per_address),
            converse=converse_of(config, services),
            events=events,
            clock=timing,
            post=post,
            homes=homes,
            stopping=stopping,
            console=console,
            facts=lambda: facts_of(config, services.policy, announcement.rules, outside),
            proxies=proxies_of(config),
            certificates=store,
            begin=lambda: _begin(certification, outside, sweeping),
            reopen=lambda: reopen_all(logs),
            close=undo.pop_all().close,
        )
    raise AssertionError  # the type checker believes that an ExitStack may swallow an exception


def converse_of(config: Config, services: Services) -> Converse:
    """All that differs between the two control ports is what is asked of TLS, and the data port beside."""
    implicit_port = config.listen.implicit_tls_port
    at_once = replace(services, policy=policy_of(config, implicit_port, implicit=True))

    def converse(connection: socket.socket, number: int, peer: tuple[str, int], local: tuple[str, int]) -> Conversation:
        chosen = at_once if implicit_port and local[1] == implicit_port else services
        return Conversation(connection, number, peer, local, chosen)

    return converse


def passwords_of(clock: Clock, post: SharedPost) -> Passwords:
    return Passwords(clock=clock.monotonic, before=post.give_way)


def fresh_key() -> bytes:
    """One key for all: what is unique in MLSx stays so for a session that logs in anew (RFC 3659 §7.5.2)."""
    return secrets.token_bytes(KEY_OCTETS)


def homes_of(config: Config, key: bytes) -> Homes:
    sync, closed = config.uploads.sync, real_places(shut_places(config))
    return Homes(lambda directory: LocalStorage(directory, sync=sync, key=key, shut=closed))


def shut_places(config: Config) -> list[str]:
    """Who shares the folder that the state lies in does not share hashes and private keys with it."""
    return [path for path in (config.server.state, config.tls.key) if path is not None]


def policy_of(config: Config, control_port: int, *, implicit: bool = False) -> Policy:
    """How sessions behave on *control_port*, the one that is really open; *implicit*: where TLS begins at once."""
    options = config.data
    # Beside a port that the system chose there is no data port that anybody could expect or that would be ours.
    chosen = config.listen.port == 0 and options.active_port is None
    return Policy(
        software="Homeport" if config.server.identify else "",
        banner=config.server.greeting,
        login_seconds=config.limits.login,
        idle_seconds=config.limits.idle,
        idle_seconds_most=config.limits.idle_most,
        data_seconds=config.limits.data,
        login_tries=config.limits.login_tries,
        active_port=0 if chosen else options.source_port(control_port),
        allow_foreign=options.allow_foreign,
        private_port=PrivatePort(options.private_port),
        announce=Rules(
            explicit=tuple(Rule(network, address) for network, address in options.announce.items()),
            external=fixed_address(options.external_address),
            ports=dict(zip(options.passive_ports or (), options.passive_ports_external or (), strict=False)),
        ),
        keep_partial=config.uploads.partial == "keep",
        line_octets=config.limits.command_length,
        host_names=config.server.host_names,
        tls=tls_policy_of(config, implicit=implicit),
    )


def state_directory(path: str) -> str:
    """Make sure that the state directory *path* exists, closed to others. Raises StartError."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"The state directory {path} cannot be made: {error.strerror}. Make it, or name another (server.state)."
        ) from error
    return path


def open_database(config: Config, undo: ExitStack) -> Database | None:
    """The users of the state directory, if there is one."""
    if config.server.state is None:
        return None
    try:
        database = Database(os.path.join(state_directory(config.server.state), USERS_FILE))
    except AccountError as error:
        raise StartError(f"The user database cannot be used: {error}") from error
    undo.callback(database.close)
    return database


def open_accounts(
    config: Config, database: Database | None, passwords: Passwords, choose: ChooseProviders | None
) -> Accounts:
    """Those of the configuration, then those of the state directory, then everybody."""
    for name, home in [*((user.name, user.home) for user in config.users), ("anonymous", config.anonymous.home)]:
        if home is not None and not os.path.isdir(home):
            raise StartError(f"The home of {name}, {home}, is not a directory. Make it, or name another.")
    providers: list[Provider] = []
    if config.users:
        providers.append(StaticAccounts([(user.user(), user.password) for user in config.users], passwords))
    if database is not None:
        providers.append(DatabaseAccounts(database, passwords))
    anonymous = config.anonymous.user()
    if anonymous is not None:
        providers.append(AnonymousAccount(anonymous))
    return Accounts(choose(providers) if choose is not None else providers, passwords)


def open_console(config: Config, events: Bus, clock: Clock) -> ConsoleSocket | None:
    """Where `homeport sessions` asks. A server without one serves as well."""
    if config.server.state is None:
        return None
    try:
        return ConsoleSocket(config.server.state)
    except ConsoleUnavailable as error:
        events.publish(Warned(at=clock.time(), text=f"`homeport sessions` cannot ask this server: {error}."))
        return None


def facts_of(config: Config, policy: Policy, rules: Rules, outside: Outside) -> dict[str, object]:
    """For the console: what is announced, and why."""
    return {
        "active_port": policy.active_port,
        "external": rules.external,
        "external_origin": rules.external_origin if rules.external is not None else None,
        "sessions_limit": config.limits.sessions,
        "router": [
            {**asdict(state), "trouble": state.trouble.value if state.trouble is not None else None}
            for state in outside.announcing.states
        ],
    }


def rates_of(config: Config, clock: Clock, make: MakeLimit | None = None) -> Rates:
    """How fast transfers may be."""
    rates = config.rates
    return Rates(
        server=Pace(rates.server_download, rates.server_upload),
        session=Pace(rates.session_download, rates.session_upload),
        clock=clock.monotonic,
        make=make,
    )


def open_logs(config: Config, undo: ExitStack) -> tuple[LogFile, ...]:
    """Those that *config* names. Raises StartError."""
    logs: list[LogFile] = []
    try:
        if config.log.json_file is not None:
            logs.append(undo.enter_context(LogFile(config.log.json_file, jsonlog.render)))
        if config.log.xferlog_file is not None:
            logs.append(undo.enter_context(LogFile(config.log.xferlog_file, xferlog.render)))
    except OSError as error:
        raise StartError(f"The log file {error.filename} cannot be opened: {error.strerror}.") from error
    return tuple(logs)


def subscribe_all(logs: Sequence[LogFile], config: Config, events: Bus, undo: ExitStack) -> None:
    for log in logs:
        events.subscribe(log)
        undo.callback(events.unsubscribe, log)
    if config.log.commands:
        events.commands = True


def reopen_all(logs: Sequence[LogFile]) -> None:
    for log in logs:
        log.reopen()


def _begin(certification: Certification | None, outside: Outside, sweeping: Background | None) -> None:
    if certification is not None:
        certification.start()
    outside.start()
    if sweeping is not None:
        sweeping.start()


def proxies_of(config: Config) -> Proxies | None:
    """Who introduces clients on the control connection."""
    options = config.proxy
    if not options.control:
        return None
    return Proxies(trust(config), options.header, options.data == "proxy", config.server.host_names)


def _pcp(gateway: Endpoint, patience: Patience, tries: int | None, source: str | None) -> Router:
    from homeport.net.pcp import TRIES, Pcp

    return Pcp(gateway, patience, tries=TRIES if tries is None else tries, source=source)


def _upnp(own: str | None) -> Router | None:
    try:
        from homeport.net.upnp import Upnp
    except ImportError:  # with "auto" it is one protocol less, and with "upnp" there was a StartError
        return None
    return Upnp(own=own)


def check_library_of_router(config: Config) -> None:
    if config.router.map == "upnp" and find_spec("miniupnpc") is None:
        raise StartError("UPnP needs a library that is not installed (miniupnpc): pip install 'homeport[upnp]'.")


_ADAPTERS = Adapters(_pcp, _upnp)


def acme_authority(config: Config) -> Authority:
    """The authority of ACME. Raises StartError where its library is not installed."""
    try:
        from homeport.net.acme import AcmeAuthority, Order
    except ImportError as error:
        raise StartError(
            f"ACME needs a library that is not installed ({error.name}): pip install 'homeport[acme]'."
        ) from error
    options = config.acme
    order = Order(
        directory_url=options.directory,
        email=options.email,
        challenge=options.challenge,
        addresses=config.listen.addresses,
        port=options.port,
        trust=options.directory_trust,
    )
    return AcmeAuthority(order, acme_directory(config.server.state or "", options))


def open_control(config: Config, open_already: Kept) -> tuple[tuple[socket.socket, ...], int]:
    """The listening sockets of control connections, those where TLS begins at once behind the others; and the port."""
    listeners = open_listeners(config.listen.addresses, config.listen.port, open_already)
    port: int = listeners[0].getsockname()[1]
    if not config.listen.implicit_tls_port:
        return listeners, port
    try:
        return (
            *listeners,
            *open_listeners(config.listen.addresses, config.listen.implicit_tls_port, open_already),
        ), port
    except BaseException:
        for listener in listeners:
            if listener not in open_already.values():
                listener.close()
        raise


def addresses_of(control: Sequence[socket.socket], port: int) -> list[str]:
    """Where clients connect."""
    names = [listener.getsockname() for listener in control]
    return [text_of(name)[0] for name in names if name[1] == port]


def make_outside(
    config: Config,
    control: Sequence[socket.socket],
    addresses: Sequence[str],
    passive: Sequence[int],
    announcement: Announcement,
    events: Bus,
    clock: Clock,
) -> Outside:
    def warn(text: str) -> None:
        events.publish(Warned(at=clock.time(), text=text))

    ports = {listener.getsockname()[1] for listener in control}
    return open_outside(config, addresses, [*ports, *passive], announcement, _ADAPTERS, events, clock, warn)
