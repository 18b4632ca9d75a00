"""`homeport doctor`: the server on this machine, checked from inside; or its configuration, where none runs.

Exit codes:

    0   all is well, or there are notes
    1   there are warnings
    2   there are errors; also a wrong command line or configuration
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime

import click

from homeport.doctor.case import Case, Running
from homeport.doctor.examination import as_objects, examine, exit_code, report
from homeport.doctor.machine import ThisMachine
from homeport.events.console import wants_colour
from homeport.events.text import visible
from homeport.net.interfaces import Interfaces
from homeport.server.asking import AskingFailed, NotRunning, ask

from .settings import Settings, settle
from .state import State, state_option


@click.command(short_help="Check the server on this machine, and say what is wrong.")
@click.option("--config", "configuration", metavar="FILE", type=click.Path(), help="The server of this TOML file.")
@state_option
@click.option("--json", "as_object", is_flag=True, help="Print the findings as JSON.")
def command(configuration: str | None, state: str | None, as_object: bool) -> None:
    """Check the server on this machine from inside, and say what is wrong and how to mend it.

    A running server is found by its state directory (--state, or server.state of the --config FILE). Its ports are
    connected to, the firewall's rules are read; nothing is changed. As root more can be seen.

    The exit code is 0 where all is well, 1 where there are warnings, 2 where there are errors.
    """
    folder = os.curdir if configuration is None else None
    config = settle(Settings(folder=folder, configuration=configuration, state=state), State.at(state).folder)
    directory = config.server.state or State.at(state).folder
    running: Running | None = None
    why = ""
    try:
        running = Running.of(ask(directory, {"ask": "status"})["status"])
    except (NotRunning, AskingFailed) as error:
        why = visible(str(error))
    case = Case(
        config=config,
        state=directory,
        running=running,
        not_running=why,
        interfaces=Interfaces.read(),
        machine=ThisMachine(),
        now=datetime.now(UTC),
    )
    findings = examine(case)
    if as_object:
        click.echo(json.dumps(as_objects(findings), indent=2))
    else:
        click.echo(report(findings, colour=wants_colour(sys.stdout)), nl=False)
    raise click.exceptions.Exit(exit_code(findings))
