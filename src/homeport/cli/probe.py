"""`homeport probe`: any FTP server, seen from here, in every mode.

Exit codes:

    0   every mode that the server offers works
    1   some fail
    2   there was no connection, or no login; also a wrong command line
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime

import click

from homeport.doctor.account import account, as_json
from homeport.doctor.drawing import drawing
from homeport.doctor.probe import Wishes, probe
from homeport.doctor.scene import scene_of
from homeport.doctor.survey import Survey
from homeport.doctor.target import Target, WrongTarget
from homeport.doctor.visit import Tls
from homeport.events.console import wants_colour

from .user import PASSWORD_VARIABLE


def parse_target(context: click.Context, parameter: click.Parameter, value: str) -> Target:
    """A callback of click."""
    try:
        return Target.parse(value)
    except WrongTarget as error:
        raise click.BadParameter(str(error), context, parameter) from None


def parse_ports(context: click.Context, parameter: click.Parameter, value: str | None) -> range | None:
    """A callback of click: LOW-HIGH."""
    if value is None:
        return None
    low, dash, high = value.partition("-")
    try:
        found = range(int(low), int(high if dash else low) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 1 or found[-1] > 65535:
        raise click.BadParameter("write two ports as 50000-50009", context, parameter)
    return found


@click.command(short_help="Try an FTP server in every mode, and say what is wrong.")
@click.argument("target", metavar="URL", callback=parse_target)
@click.option(
    "--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds that a wait may last."
)  # fmt: skip
@click.option(
    "--tls", type=click.Choice([one.value for one in Tls]), default=Tls.AUTO.value, show_default=True,
    help="Encrypt where it is offered, never, or in any case.",
)  # fmt: skip
@click.option("--active-ports", metavar="LOW-HIGH", callback=parse_ports, help="Where to listen in active mode.")
@click.option("--svg", metavar="FILE", type=click.Path(dir_okay=False), help="Write the picture as SVG, too.")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object instead of the report.")
def command(
    target: Target, timeout: float, tls: str, active_ports: range | None, svg: str | None, as_object: bool
) -> None:
    """Try the FTP server at URL from here: greeting, features, TLS, and a listing in each of PASV, EPSV, PORT, EPRT.

    URL is ftp://[user[:password]@]host[:port]/, or ftps:// where TLS begins at once. Without a user it logs in
    as anonymous; the password may also stand in HOMEPORT_PASSWORD. Nothing is changed on the server.

    The exit code is 0 where every mode that is offered works, 1 where some fail, 2 without a login.
    """
    password = os.environ.get(PASSWORD_VARIABLE)
    if password and not target.anonymous and not target.password:
        target = target.with_password(password)
    quiet = as_object or not sys.stderr.isatty()
    survey = probe(target, Wishes(timeout, Tls(tls), active_ports), _silent if quiet else _say)
    if not quiet:
        click.echo("\r\x1b[K", nl=False, err=True)
    if svg is not None:
        _write(svg, survey)
    if as_object:
        click.echo(json.dumps({**dict_of(survey), "exit_code": survey.exit_code}, indent=2))
    else:
        encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
        plain = not encoding.replace("-", "").startswith("utf")
        text = account(survey, colour=wants_colour(sys.stdout), ascii_only=plain, now=datetime.now(UTC))
        click.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False)
    raise click.exceptions.Exit(survey.exit_code)


def dict_of(survey: Survey) -> dict[str, object]:
    """For JSON."""
    found = as_json(survey)
    if not isinstance(found, dict):
        raise TypeError("a survey is an object")
    return found


def _write(path: str, survey: Survey) -> None:
    views = [view for view in survey.views if view.reached]
    if not views:
        click.echo("There is nothing to draw, so no SVG was written.", err=True)
        return
    # The address at which most goes wrong is the one that is worth a picture.
    view = max(views, key=lambda one: sum(trial.bad for trial in one.trials))
    try:
        with click.open_file(path, "w", encoding="utf-8") as file:
            file.write(drawing(scene_of(view), f"{survey.target} at {view.address[0]}"))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _say(text: str) -> None:
    click.echo(f"\r\x1b[K{text} ...", nl=False, err=True)


def _silent(text: str) -> None:
    """Where nobody waits before a terminal."""
