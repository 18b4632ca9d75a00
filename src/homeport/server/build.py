"""Build: from a Config to the parts of a server, opened and wired, but not yet running.

The only place where services are made. Everything is undone if a step fails, so that a start that failed leaves
nothing: no socket, no file, no subscriber. Starred modules (see ARCHITECTURE.md) are imported here, inside the
branch that asks for them.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
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
from homeport.data.throttle import Pace, Rates
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
from homeport.storage.closed import real_places
from homeport.storage.entries import KEY_OCTETS
from homeport.storage.local import LocalStorage

from .certificates import Certification, acme_directory, open_certificates
from .config import Config
from .console import ConsoleSocket, ConsoleUnavailable
from .dataports import open_passive_ports, trust, try_active_port
from .homes import Homes
from .introduced import Proxies
from .listening import StartError, open_listeners
from .operation import Parts
from .outside import Adapters, Outside, fixed_address, open_outside
from .partials import partial_sweep
from .post import SharedPost
from .protection import contexts_of, tls_policy_of

ChooseProviders = Callable[[Sequence[Provider]], Sequence[Provider]]

_STOP_SECONDS = 2.0
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
    stopping = threading.Event()

    def warn(text: str) -> None:
        events.publish(Warned(at=timing.time(), text=text))

    with ExitStack() as undo:
        listeners = open_listeners(config.listen.addresses, config.listen.port)
        implicit = _open_implicit(config)
        for listener in (*listeners, *implicit):
            undo.callback(listener.close)
        port: int = listeners[0].getsockname()[1]
        addresses = [text_of(listener.getsockname())[0] for listener in listeners]
        logs = _open_logs(config, events, undo)
        ports = open_passive_ports(addresses, config, events, timing, warn)
        undo.callback(ports.close)
        try_active_port(addresses, policy_of(config, port).active_port, warn)
        if config.server.state is not None:
            state_directory(config.server.state)
        certification = open_certificates(config, addresses, timing, warn, acme_authority)
        if certification is not None:
            undo.callback(certification.close)
        post = SharedPost()
        passwords = Passwords(clock=timing.monotonic, before=post.give_way)
        database = _open_database(config, undo)
        accounts = _open_accounts(config, database, passwords, providers)
        sync = config.uploads.sync
        # One key for all: what is unique in MLSx stays so for a session that logs in anew (RFC 3659 §7.5.2).
        key = secrets.token_bytes(KEY_OCTETS)
        # Who shares the folder that the state lies in does not share hashes and private keys with it.
        shut = [path for path in (config.server.state, config.tls.key) if path is not None]
        closed = real_places(shut)
        homes = Homes(lambda directory: LocalStorage(directory, sync=sync, key=key, shut=closed))
        console = _open_console(config, events, timing, undo)
        _check_library_of_router(config)
        policy = policy_of(config, port)
        announcement = Announcement(policy.announce)
        control_ports = {listener.getsockname()[1] for listener in (*listeners, *implicit)}
        outside = open_outside(
            config, addresses, [*control_ports, *ports.ports], announcement, _ADAPTERS, events, timing, warn
        )
        undo.callback(outside.close)
        sweeping = partial_sweep(config, database, shut, events, timing)
        if sweeping is not None:
            undo.callback(sweeping.stop, _STOP_SECONDS)
        services = Services(
            accounts=accounts,
            throttle=LoginThrottle(timing.monotonic),
            ports=ports,
            events=events,
            storage_for=homes.storage_for,
            tls=contexts_of(config, certification.store if certification is not None else None),
            policy=policy,
            clock=timing,
            rates=rates_of(config, timing),
            post=post,
            stopping=stopping,
            announcement=announcement,
        )
        implicit_port = config.listen.implicit_tls_port
        at_once = replace(services, policy=policy_of(config, implicit_port, implicit=True))

        def converse(
            connection: socket.socket, number: int, peer: tuple[str, int], local: tuple[str, int]
        ) -> Conversation:
            """All that differs between the two control ports is what is asked of TLS, and the data port beside."""
            chosen = at_once if implicit and local[1] == implicit_port else services
            return Conversation(connection, number, peer, local, chosen)

        return Parts(
            listeners=(*listeners, *implicit),
            passive=ports,
            limits=SessionLimits(config.limits.sessions, config.limits.sessions_per_address),
            converse=converse,
            events=events,
            clock=timing,
            post=post,
            stopping=stopping,
            console=console,
            facts=lambda: _facts(config, policy, announcement.rules, outside),
            proxies=_proxies(config),
            certificates=certification.store if certification is not None else None,
            begin=lambda: _begin(certification, outside, sweeping),
            reopen=lambda: _reopen(logs),
            close=undo.pop_all().close,
        )
    raise AssertionError  # the type checker believes that an ExitStack may swallow an exception


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


def _open_database(config: Config, undo: ExitStack) -> Database | None:
    """The users of the state directory, if there is one."""
    if config.server.state is None:
        return None
    try:
        database = Database(os.path.join(state_directory(config.server.state), USERS_FILE))
    except AccountError as error:
        raise StartError(f"The user database cannot be used: {error}") from error
    undo.callback(database.close)
    return database


def _open_accounts(
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


def _open_console(config: Config, events: Bus, clock: Clock, undo: ExitStack) -> ConsoleSocket | None:
    """Where `homeport sessions` asks. A server without one serves as well."""
    if config.server.state is None:
        return None
    try:
        console = ConsoleSocket(config.server.state)
    except ConsoleUnavailable as error:
        events.publish(Warned(at=clock.time(), text=f"`homeport sessions` cannot ask this server: {error}."))
        return None
    undo.callback(console.close)
    return console


def _facts(config: Config, policy: Policy, rules: Rules, outside: Outside) -> dict[str, object]:
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


def rates_of(config: Config, clock: Clock) -> Rates:
    """How fast transfers may be."""
    rates = config.rates
    return Rates(
        server=Pace(rates.server_download, rates.server_upload),
        session=Pace(rates.session_download, rates.session_upload),
        clock=clock.monotonic,
    )


def _open_logs(config: Config, events: Bus, undo: ExitStack) -> tuple[LogFile, ...]:
    logs: list[LogFile] = []
    try:
        if config.log.json_file is not None:
            logs.append(undo.enter_context(LogFile(config.log.json_file, jsonlog.render)))
        if config.log.xferlog_file is not None:
            logs.append(undo.enter_context(LogFile(config.log.xferlog_file, xferlog.render)))
    except OSError as error:
        raise StartError(f"The log file {error.filename} cannot be opened: {error.strerror}.") from error
    for log in logs:
        events.subscribe(log)
        undo.callback(events.unsubscribe, log)
    if config.log.commands:
        events.commands = True
    return tuple(logs)


def _reopen(logs: Sequence[LogFile]) -> None:
    for log in logs:
        log.reopen()


def _begin(certification: Certification | None, outside: Outside, sweeping: Background | None) -> None:
    if certification is not None:
        certification.start()
    outside.start()
    if sweeping is not None:
        sweeping.start()


def _proxies(config: Config) -> Proxies | None:
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


def _check_library_of_router(config: Config) -> None:
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


def _open_implicit(config: Config) -> tuple[socket.socket, ...]:
    """The listening sockets of the port where TLS begins at once, if there is to be one."""
    if not config.listen.implicit_tls_port:
        return ()
    return open_listeners(config.listen.addresses, config.listen.implicit_tls_port)
