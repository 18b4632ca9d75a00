"""`homeport serve`: share a folder, or run the server of a configuration file, in the foreground.

What is printed before the first event is `summary.py`'s, what the command line means `settings.py`'s, what signals do
`running.py`'s, and who the user of a shared folder is `share.py`'s. Here they are put together.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

import click

import homeport
from homeport.accounts.database import Database
from homeport.accounts.model import Permission
from homeport.accounts.passwords import Passwords
from homeport.events.console import Console
from homeport.events.text import visible
from homeport.events.types import Warned
from homeport.net.interfaces import Interfaces
from homeport.net.store import Source
from homeport.protocol.path import ROOT
from homeport.server.build import ChooseProviders, policy_of
from homeport.server.config import Config
from homeport.server.descriptors import raise_limit, shortage
from homeport.server.listening import ListenError, PortForbidden, PortInUse, StartError
from homeport.server.server import Server
from homeport.server.values.addresses import parse_address
from homeport.server.values.ports import parse_ports
from homeport.server.values.text import OptionError
from homeport.server.workers import count_of

from .curtain import Curtain
from .running import run, signals
from .settings import Settings, on_port, ports_to_try, settle, split_user
from .share import Asked, Share, asked
from .state import State, state_option
from .summary import Login, Place, Summary, render
from .user import PASSWORD_VARIABLE

_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def parse_hosts(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """A callback of click: IP addresses."""
    try:
        return tuple(parse_address(value) for value in values)
    except OptionError as error:
        raise click.BadParameter(str(error), context, parameter) from None


def parse_range(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """A callback of click: ports; empty for any."""
    if value is None:
        return None
    try:
        return parse_ports(value) or ()
    except OptionError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command(short_help="Share a folder over FTP, or run a configured server.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False))
@click.option("--config", "configuration", metavar="FILE", type=click.Path(), help="Run what this TOML file describes.")
@click.option("--read-only", is_flag=True, help="Nobody may change anything, whatever else they may.")
@click.option("--anonymous", is_flag=True, help="Anybody may log in as anonymous and read.")
@click.option(
    "--user",
    metavar="NAME[:PASSWORD]",
    help="Who may get at DIR, instead of home. The password may also stand in HOMEPORT_PASSWORD, where other users "
    "of this machine cannot see it; without one, it is generated at the first start.",
)
@click.option("--host", "hosts", metavar="ADDRESS", multiple=True, callback=parse_hosts, help="Listen there only.")
@click.option("--port", type=click.IntRange(0, 65535), help="The control port: 21, else 2121; 0 is any.")
@click.option("--passive-ports", metavar="PORTS", callback=parse_range, help="50000-50019 by default; or any.")
@state_option
@click.option("--log-json", metavar="FILE", type=click.Path(dir_okay=False), help="Write each event as a JSON object.")
@click.option("--xferlog", metavar="FILE", type=click.Path(dir_okay=False), help="Write each transfer as wu-ftpd did.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors, and a password that is shown once.")
@click.option("--debug", is_flag=True, help="Print every command and its reply, and the traces of failures.")
def command(
    folder: str | None,
    configuration: str | None,
    read_only: bool,
    anonymous: bool,
    user: str | None,
    hosts: tuple[str, ...],
    port: int | None,
    passive_ports: tuple[int, ...] | None,
    state: str | None,
    log_json: str | None,
    xferlog: str | None,
    quiet: bool,
    debug: bool,
) -> None:
    """Share the folder DIR over FTP. Nothing needs to be configured.

    A user `home` may read and write; the password is printed at the first start. Users of `homeport user`
    may log in, too. Ctrl-C (or SIGTERM) lets transfers finish, a second one stops at once; SIGHUP opens
    the log files anew, and with several workers reads the configuration anew.
    """
    name, password = split_user(user) if user is not None else (None, None)
    settings = Settings(
        folder=os.path.abspath(folder) if folder is not None else None,
        configuration=configuration,
        state=os.path.abspath(state) if state is not None else None,
        hosts=hosts,
        port=port,
        passive_ports=passive_ports,
        user=name,
        password=password if password is not None else os.environ.get(PASSWORD_VARIABLE) or None,
        anonymous=anonymous,
        read_only=read_only,
        json_file=os.path.abspath(log_json) if log_json is not None else None,
        xferlog_file=os.path.abspath(xferlog) if xferlog is not None else None,
        commands=debug,
    )
    _set_up_logging(debug=debug)
    config = settle(settings, State.at(state).folder)
    serve(settings, config, quiet=quiet or not config.log.console, debug=debug)


@dataclass(frozen=True, slots=True)
class _Started:
    """A server that runs."""

    server: Server
    curtain: Curtain | None
    """What holds its first events back; None where nobody wants to see any."""
    why_port: str | None
    """Why it is not on the port that was to be expected."""


def serve(settings: Settings, config: Config, *, quiet: bool, debug: bool) -> None:
    """Run *config* until a signal ends it. ClickException where it cannot start."""
    descriptors = raise_limit()
    with ExitStack() as stack:
        database = stack.enter_context(State.at(config.server.state).database())
        # Signals are caught from before the start, so that none ends the server without a word.
        wishes = stack.enter_context(signals())
        user = settings.shared_user()
        share = Share(user, settings.password, database, Passwords()) if user is not None else None

        providers: ChooseProviders
        if count_of(config.server.workers) > 1:
            providers = _for_workers(settings, config)
        else:
            providers = partial(asked, share, read_only=settings.read_only)
        started = _start(settings, config, providers, None if quiet else Console(sys.stderr, traces=debug))
        stack.callback(started.server.stop, 0.0)
        login = _login(share)
        if not quiet:
            click.echo(render(_summary(settings, started, login, database)), nl=False)
        elif login is not None and login.password is not None:
            click.echo(f"Password of {visible(login.name)}: {login.password}")
        if started.curtain is not None:
            few = _shortage(started.server, descriptors)
            if few is not None:
                started.curtain(Warned(at=time.time(), text=few))
            started.curtain.rise()
        say = _keep_silent if quiet else _say
        renew = partial(_reload, settings, started.server, _say) if started.server.reloadable else None
        run(started.server, wishes, say, renew)


def _shortage(server: Server, descriptors: int | None) -> str | None:
    config, addresses = server.config, {address for address, _ in server.addresses}
    ports = len(server.passive_ports) * len(addresses)
    return shortage(descriptors, config.limits.sessions, ports, count_of(config.server.workers))


def _for_workers(settings: Settings, config: Config) -> ChooseProviders:
    users = State.at(config.server.state).users
    return Asked(settings.shared_user(), settings.password, users, settings.read_only)


def _reload(settings: Settings, server: Server, say: Callable[[str], None]) -> None:
    """Serve as the configuration file says now, if it is good."""
    try:
        config = settle(settings, server.config.server.state or State.at(settings.state).folder)
        if len(ports_to_try(settings, config)) > 1:
            config = on_port(config, server.config.listen.port)
        server.reload(config, _for_workers(settings, config))
    except click.ClickException as fault:
        say(f"{fault.format_message()}\nThe configuration stays as it was.")
    except StartError as fault:
        say(f"{fault} The configuration stays as it was.")


def _start(
    settings: Settings,
    config: Config,
    providers: ChooseProviders,
    console: Console | None,
) -> _Started:
    why: str | None = None
    ports = ports_to_try(settings, config)
    for port in ports:
        server = Server(config=on_port(config, port), providers=providers)
        curtain = Curtain(console) if console is not None else None
        if curtain is not None:
            server.subscribe(curtain)
        try:
            server.start()
        except (PortForbidden, PortInUse) as error:
            if port == ports[-1]:
                raise click.ClickException(str(error)) from error
            why = why or _why(error)
            continue
        except StartError as error:
            raise click.ClickException(str(error)) from error
        return _Started(server, curtain, f"{why}, so this is port {server.port}." if why is not None else None)
    raise AssertionError("there is always a port to try")


def _why(error: ListenError) -> str:
    if isinstance(error, PortForbidden):
        return f"Port {error.port} may not be opened by this user"
    return f"Port {error.port} is in use by another program"


def _login(share: Share | None) -> Login | None:
    if share is None:
        return None
    share.keep()
    user = share.user
    writes = Permission.CREATE in user.permissions(ROOT)
    return Login(
        user.name,
        share.secret,
        share.password,
        read_only=not writes,
        unwritable=writes and not os.access(user.home, os.W_OK),
    )


def _summary(settings: Settings, started: _Started, login: Login | None, database: Database) -> Summary:
    server, config = started.server, started.server.config
    interfaces = Interfaces.read()
    here, network = places(server.addresses, interfaces)
    internet = outside(config, server.port, network)
    certificate = next(iter(server.certificates), None)
    known = {user.name for user in config.users} | {account.user.name for account in database.list() if account.enabled}
    return Summary(
        version=homeport.__version__,
        folder=settings.folder,
        configuration=settings.configuration,
        here=here,
        network=tuple(place for place in network if place != internet),
        internet=internet,
        behind_router=bool(network) and not any(ip_address(place.address).is_global for place in network),
        login=login,
        users=len(known - {login.name if login is not None else None}),
        anonymous=config.anonymous.home if config.anonymous.enabled else None,
        anonymous_writes=Permission.CREATE in config.anonymous.access and not settings.read_only,
        control_port=server.port,
        passive_ports=server.passive_ports,
        active_port=policy_of(config, server.port).active_port,
        state=settings.state,
        fingerprint=certificate.fingerprint if certificate is not None else None,
        vouched_for=certificate is not None and certificate.source is not Source.SELF_SIGNED,
        why_port=started.why_port,
    )


def places(addresses: Sequence[tuple[str, int]], interfaces: Interfaces) -> tuple[Place | None, tuple[Place, ...]]:
    """Where to connect from this machine, and from its network, to a server that listens on *addresses*."""
    here: list[Place] = []
    network: list[Place] = []
    for address, port in addresses:
        if address in _HERE:
            here.append(Place(_HERE[address], port))
            neighbours = interfaces.lan_address(6 if ":" in address else 4)
            if neighbours is not None:
                network.append(Place(neighbours, port))
        elif ip_address(address.partition("%")[0]).is_loopback:
            here.append(Place(address, port))
        else:
            network.append(Place(address, port))
    # What listens on one address of the network only is reached there from this machine, too.
    return next(iter(here or network), None), tuple(network)


def outside(config: Config, port: int, network: Sequence[Place]) -> Place | None:
    """Where to connect from the internet, as far as that is known."""
    external = config.data.external_address
    if external not in ("auto", "none"):
        return Place(external, port)
    return next((place for place in network if ip_address(place.address).is_global), None)


def _say(text: str) -> None:
    # The terminal has written "^C" at the start of the line; go over it.
    click.echo(f"\r{text}" if sys.stderr.isatty() else text, err=True)


def _keep_silent(text: str) -> None:
    """What --quiet says."""


class _OneLine(logging.Formatter):
    """A record on one line, without its trace."""

    def format(self, record: logging.LogRecord) -> str:
        text = visible(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        return f"{text}: {type(error).__name__}: {visible(str(error))}" if error is not None else text


def _set_up_logging(*, debug: bool) -> None:
    """What the code logs, beside the events: faults of subscribers and the like. Traces only with --debug."""
    handler = logging.StreamHandler(sys.stderr)
    if not debug:
        handler.setFormatter(_OneLine())
    logger = logging.getLogger("homeport")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
