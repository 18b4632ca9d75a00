"""`homeport firewall`: the rules that let a server's connections through, ready to be pasted or loaded.

Nothing is changed on this machine.
"""

from __future__ import annotations

import os

import click

from homeport.advice.firewall import Format, Needs, rules_for
from homeport.server.config import Config

from .serve import parse_range
from .settings import Settings, settle

ALL = "all"


@click.command(short_help="Print what a firewall or a router must let through.")
@click.option("--config", "configuration", metavar="FILE", type=click.Path(), help="For the server of this TOML file.")
@click.option("--port", type=click.IntRange(0, 65535), help="The control port, where it is another.")
@click.option(
    "--passive-ports", metavar="PORTS", callback=parse_range, help="The passive ports, where they are others."
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*(one.value for one in Format), ALL]),
    default=ALL,
    show_default=True,
    help="For which firewall, router or container engine.",
)
def command(configuration: str | None, port: int | None, passive_ports: tuple[int, ...] | None, form: str) -> None:
    """Print the rules that a firewall, a router or a container engine needs for this server.

    With one --format the output is a file or script as it is, the reasons in its comments. Nothing on this
    machine is changed.
    """
    folder = os.curdir if configuration is None else None
    settings = Settings(folder=folder, configuration=configuration, port=port, passive_ports=passive_ports)
    needs = needs_of(settle(settings, os.curdir), _inside_address())
    if form != ALL:
        click.echo(rules_for(needs, Format(form)), nl=False)
        return
    click.echo(
        "\n".join(f"== {one.title} (--format {one.value})\n\n{rules_for(needs, one)}" for one in Format), nl=False
    )


def needs_of(config: Config, inside: str | None) -> Needs:
    """What of *config* matters here. *inside*: this machine's address in its network."""
    listen, data = config.listen, config.data
    return Needs(
        control=tuple(port for port in (listen.port, listen.implicit_tls_port) if port),
        passive=data.passive_ports or (),
        active=data.source_port(listen.port),
        addresses=listen.addresses,
        inside=inside,
        external=data.external_address not in ("auto", "none"),
    )


def _inside_address() -> str | None:
    # psutil takes its time to import.
    from homeport.net.interfaces import Interfaces

    return Interfaces.read().lan_address()
