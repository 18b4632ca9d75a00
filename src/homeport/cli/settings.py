"""Settings: what `homeport serve` was told, and the Config that follows from it and from the configuration file.

What stands on the command line counts before what stands in the file. Nothing is opened here but that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from homeport.accounts.model import READ_ONLY, READ_WRITE, Grant, User
from homeport.events.text import visible
from homeport.protocol.path import ROOT
from homeport.server.config import AnonymousOptions, Config, port_conflicts, worker_conflicts
from homeport.server.load import ConfigurationError, load

FTP = 21
FALLBACKS = range(2121, 2141, 2)
"""Tried in this order where 21 cannot be had. Every second one: the port before it is the active data port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The command line. None: not given."""

    folder: str | None = None
    configuration: str | None = None
    state: str | None = None
    hosts: tuple[str, ...] = ()
    port: int | None = None
    passive_ports: tuple[int, ...] | None = None
    user: str | None = None
    password: str | None = None
    anonymous: bool = False
    read_only: bool = False
    json_file: str | None = None
    xferlog_file: str | None = None
    commands: bool = False

    def shared_user(self) -> User | None:
        """The user who gets at the folder; None where no folder was named."""
        if self.folder is None:
            return None
        access = READ_ONLY if self.read_only else READ_WRITE
        return User(self.user or "home", self.folder, (Grant(ROOT, access),))


class FaultyConfiguration(click.ClickException):
    """A configuration file with faults; the message is the whole report."""

    exit_code = 2

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(self.message, err=True)


def settle(settings: Settings, state: str) -> Config:
    """The configuration for *settings*, with *state* for its state directory where the file names none.

    FaultyConfiguration with everything that is wrong in the file; UsageError where the command line contradicts itself.
    """
    config = _loaded(settings.configuration)
    if settings.folder is None:
        if settings.configuration is None:
            raise click.UsageError("Which folder is to be shared? homeport serve DIR (or --config FILE)")
        if settings.user is not None:
            raise click.UsageError("--user is the name for the folder that is shared: name it, too")
    config = config.model_copy(
        update={
            "server": config.server.model_copy(update={"state": settings.state or config.server.state or state}),
            "listen": config.listen.model_copy(update=dict(_listen(settings))),
            "data": config.data.model_copy(update=dict(_data(settings))),
            "log": config.log.model_copy(update=dict(_log(settings))),
            "anonymous": _anonymous(settings, config.anonymous),
        }
    )
    conflicts = [*port_conflicts(config.listen, config.data), *worker_conflicts(config.server, config.data)]
    for conflict in conflicts:
        raise click.UsageError(f"{_named(conflict.key)}: {conflict.text}")
    return config


def _named(key: tuple[str | int, ...]) -> str:
    """An option as who reads it may have written it: in a file, or on the command line."""
    name = ".".join(str(part) for part in key)
    on_the_line = {"listen.port": "--port", "data.passive_ports": "--passive-ports"}.get(name)
    return f"{on_the_line} ({name})" if on_the_line is not None else name


def ports_to_try(settings: Settings, config: Config) -> tuple[int, ...]:
    """The control ports, in order. Only who named no port gets another one."""
    if settings.port is not None or "port" in config.listen.model_fields_set:
        return (config.listen.port,)
    return (FTP, *FALLBACKS)


def on_port(config: Config, port: int) -> Config:
    """*config* with another control port."""
    return config.model_copy(update={"listen": config.listen.model_copy(update={"port": port})})


def _loaded(path: str | None) -> Config:
    if path is None:
        return Config()
    try:
        return load(path)
    except ConfigurationError as error:
        raise FaultyConfiguration(error.report()) from error


def _listen(settings: Settings) -> Iterator[tuple[str, object]]:
    if settings.hosts:
        yield "addresses", settings.hosts
    if settings.port is not None:
        yield "port", settings.port


def _data(settings: Settings) -> Iterator[tuple[str, object]]:
    if settings.passive_ports is not None:
        # Empty is "any": the system chooses.
        yield "passive_ports", settings.passive_ports or None


def _log(settings: Settings) -> Iterator[tuple[str, object]]:
    if settings.json_file is not None:
        yield "json_file", settings.json_file
    if settings.xferlog_file is not None:
        yield "xferlog_file", settings.xferlog_file
    if settings.commands:
        yield "commands", True


def _anonymous(settings: Settings, configured: AnonymousOptions) -> AnonymousOptions:
    if not settings.anonymous:
        return configured
    home = settings.folder or configured.home
    if home is None:
        raise click.UsageError("--anonymous: which folder may everybody see? Name one, or anonymous.home in the file")
    return configured.model_copy(update={"enabled": True, "home": home})


def split_user(text: str) -> tuple[str, str | None]:
    """NAME[:PASSWORD] in its parts. UsageError where the name cannot be one."""
    from homeport.accounts.names import fault_in, is_anonymous

    name, colon, password = text.partition(":")
    fault = "use --anonymous for it" if is_anonymous(name) else fault_in(name)
    if fault is not None:
        raise click.UsageError(f"--user: {visible(name)!r} cannot be a user's name: {fault}")
    if colon and not password:
        raise click.UsageError("--user: the password behind the colon is empty")
    return name, password or None
