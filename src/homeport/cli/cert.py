"""`homeport cert`: the certificates of a server, shown, renewed or made anew.

A server that runs takes each change by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from homeport.events.text import visible
from homeport.net.certificates import CertificateUnusable, read_certificate
from homeport.net.renewal import IssueFailed
from homeport.net.selfsigned import make_own_certificate, own_paths
from homeport.net.store import Pair, Source, Status, status_of
from homeport.server.build import acme_authority
from homeport.server.certificates import configured_pairs, own_names, pairs_of, renewal_of
from homeport.server.config import Config
from homeport.server.listening import StartError

from .settings import Settings, settle
from .state import State, state_option

_CLOSE_DAYS = 30
_LABEL = 12


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say whose certificates are meant."""
    option = click.option(
        "--config", "configuration", metavar="FILE", type=click.Path(), help="Those of this configuration file."
    )
    return option(state_option(command))


def config_of(configuration: str | None, state: str | None) -> Config:
    """What `homeport serve` would run, as far as certificates go. FaultyConfiguration."""
    # Which folder is shared does not matter here, but `settle` wants to know one where there is no file.
    folder = "/" if configuration is None else None
    place = State.at(state).folder
    return settle(Settings(folder=folder, configuration=configuration, state=place if state else None), place)


@click.group(short_help="Show the certificates, renew one, or make a self-signed one.")
def group() -> None:
    """Show the certificates, renew one, or make a self-signed one.

    A server that is running takes every change within seconds, without a restart; sessions under way keep what
    they have.
    """


@group.command(short_help="Show which certificates clients get.")
@configured
def show(configuration: str | None, state: str | None) -> None:
    """Show which certificates clients get, whom they are for and how long they last.

    The exit code is 1 where one cannot be used or has run out.
    """
    config = config_of(configuration, state)
    now = datetime.now(UTC)
    found: list[Status] = []
    broken = False
    for pair in pairs_of(config):
        if pair.source is Source.SELF_SIGNED and found:
            continue  # it is shown to nobody as long as there is another
        try:
            found.append(status_of(pair, read_certificate(pair.certificate, pair.key), now))
        except CertificateUnusable as error:
            if pair.source is Source.CONFIGURED:
                broken = True
                click.echo(f"Error: {visible(str(error))}", err=True)
            else:
                click.echo(_yet_to_come(pair.source, str(error)), err=True)
    if found:
        click.echo("\n\n".join(describe(status) for status in found))
    if broken or any(status.days_left < 0 for status in found):
        raise click.exceptions.Exit(1)


@group.command(short_help="Ask for a new one by ACME now.")
@configured
def renew(configuration: str | None, state: str | None) -> None:
    """Ask for a new certificate by ACME now, whether it is time or not.

    It takes what [acme] says in the configuration file. A server asks by itself in time; authorities allow only a
    few certificates a week.
    """
    config = config_of(configuration, state)
    if not config.acme.enabled:
        raise click.ClickException(
            "there is nothing to renew: ACME is not enabled ([acme] in the configuration file). "
            "For a new self-signed certificate: homeport cert self-signed"
        )
    State.at(config.server.state).prepare()
    try:
        renewal = renewal_of(config, acme_authority)
        if renewal is None:
            raise AssertionError("ACME is enabled")
        click.echo(f"Asking for a certificate for {', '.join(renewal.names)} ...", err=True)
        certificate = renewal.renew(time.time(), time.sleep)
    except (IssueFailed, StartError) as error:
        raise click.ClickException(visible(str(error))) from error
    pair = next(pair for pair in pairs_of(config) if pair.source is Source.ACME)
    click.echo(describe(status_of(pair, certificate, datetime.now(UTC))))


@group.command("self-signed", short_help="Make a new self-signed one.")
@click.option("--name", "names", metavar="NAME", multiple=True, help="A host name or address that it is for.")
@configured
def self_signed(names: tuple[str, ...], configuration: str | None, state: str | None) -> None:
    """Make a new self-signed certificate, in place of the one that there is.

    Clients that have accepted the old one ask again. Without --name it is for all names and addresses of this
    machine.
    """
    config = config_of(configuration, state)
    place = State.at(config.server.state)
    place.prepare()
    wanted = names or own_names(config, config.listen.addresses)
    try:
        certificate = make_own_certificate(place.folder, wanted)
    except OSError as error:
        raise click.ClickException(f"the certificate cannot be written: {error.strerror}") from error
    click.echo(describe(status_of(Pair(*own_paths(place.folder), Source.SELF_SIGNED), certificate, datetime.now(UTC))))
    if configured_pairs(config) or config.acme.enabled:
        click.echo("It is shown only as long as there is no other one.", err=True)


def describe(status: Status) -> str:
    """A certificate, one fact a line."""
    days = status.days_left
    left = f"{days} days left" if days != 1 else "1 day left"
    if days < 0:
        left = "it has run out"
    elif days < _CLOSE_DAYS:
        left += ": soon"
    rows = [
        ("Names", ", ".join(status.names) or "none"),
        ("Issued by", "itself" if status.source is Source.SELF_SIGNED else status.issuer),
        ("Key", status.algorithm),
        ("SHA-256", status.fingerprint),
        ("Runs out", f"{status.expires:%Y-%m-%d %H:%M} UTC, {left}"),
        ("From", f"{status.source.value} ({status.file})"),
    ]
    return "\n".join(f"{label:<{_LABEL}}{visible(text)}" for label, text in rows)


def _yet_to_come(source: Source, why: str) -> str:
    if source is Source.ACME:
        return f"There is none of ACME yet ({visible(why)}); the server asks for it, or `homeport cert renew` does."
    return f"There is no self-signed one yet ({visible(why)}); the first start makes it."
