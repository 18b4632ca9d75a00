"""`homeport user`: who may log in. A server that is running takes every change from the next login."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import click

from homeport.accounts.database import Account
from homeport.accounts.model import READ_ONLY, READ_WRITE, Grant, Permission, User
from homeport.accounts.names import fault_in, is_anonymous
from homeport.accounts.passwords import Passwords, generate_password
from homeport.events.text import visible
from homeport.protocol.path import ROOT

from .state import State, state_option

PASSWORD_VARIABLE = "HOMEPORT_PASSWORD"  # noqa: S105 - the name of a variable
_ACCESS = {"read": READ_ONLY, "read-write": READ_WRITE}


def parse_access(context: click.Context, parameter: click.Parameter, value: str) -> frozenset[Permission]:
    """A callback of click: `read`, `read-write`, or permissions with commas between them."""
    if value in _ACCESS:
        return _ACCESS[value]
    try:
        return frozenset(Permission(name.strip()) for name in value.split(","))
    except ValueError:
        known = ", ".join(permission.value for permission in Permission)
        raise click.BadParameter(
            f"{value!r} is neither read nor read-write, nor a list of: {known}", context, parameter
        ) from None


generate_option = click.option("--generate", is_flag=True, help="Make a password and print it.")


@click.group(short_help="Add, list and remove users, and set their passwords.")
def group() -> None:
    """Add, list and remove users, and set their passwords.

    A password is asked for without being shown. Where there is no terminal it is the first line of the
    standard input; HOMEPORT_PASSWORD, if set, comes before both. A server that is running takes every
    change from the next login.
    """


@group.command()
@click.argument("name")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--access",
    callback=parse_access,
    metavar="ACCESS",
    default="read-write",
    show_default=True,
    help="read, read-write, or permissions such as list,read,create.",
)
@generate_option
@state_option
def add(name: str, directory: str, access: frozenset[Permission], generate: bool, state: str | None) -> None:
    """Let NAME log in, with DIR as the root of what NAME sees."""
    refuse_name(name)
    user = User(name, os.path.abspath(directory), (Grant(ROOT, access),))
    with State.at(state).database() as database:
        if database.find(name) is not None:
            raise click.ClickException(f"there is a user named {visible(name)} already")
        database.add(user, Passwords().hash(_new_password(generate)))
    click.echo(f"{visible(name)} may log in now.")


@group.command("list")
@state_option
def list_users(state: str | None) -> None:
    """Show who may log in."""
    with State.at(state).database() as database:
        accounts = database.list()
    if not accounts:
        click.echo("There are no users yet; add one: homeport user add NAME DIR", err=True)
    for line in table(accounts):
        click.echo(line)


@group.command()
@click.argument("name")
@generate_option
@state_option
def password(name: str, generate: bool, state: str | None) -> None:
    """Set a new password for NAME."""
    with State.at(state).database() as database:
        if database.find(name) is None:
            raise click.ClickException(f"there is no user named {visible(name)}")
        database.set_password(name, Passwords().hash(_new_password(generate)))
    click.echo(f"The password of {visible(name)} is set; it counts from the next login.")


@group.command()
@click.argument("name")
@state_option
def remove(name: str, state: str | None) -> None:
    """Let NAME log in no more. Files are left alone."""
    with State.at(state).database() as database:
        database.remove(name)
    click.echo(f"{visible(name)} may log in no more; all files are left as they are.")


def refuse_name(name: str) -> None:
    """ClickException where nobody may have *name*."""
    fault = "everybody who is anonymous has that name" if is_anonymous(name) else fault_in(name)
    if fault is not None:
        raise click.ClickException(f"{visible(name)!r} cannot be a user's name: {fault}")


def table(accounts: Sequence[Account]) -> list[str]:
    """One line per account: name, access, when the password or a right last changed, home."""
    rows = [
        (visible(one.user.name), _access(one), time.strftime("%Y-%m-%d", time.localtime(one.changed)), one.user.home)
        for one in accounts
    ]
    names = max((len(row[0]) for row in rows), default=0)
    rights = max((len(row[1]) for row in rows), default=0)
    return [f"{name:<{names}}  {access:<{rights}}  {changed}  {visible(home)}" for name, access, changed, home in rows]


def _access(account: Account) -> str:
    if not account.enabled:
        return "disabled"
    permissions = account.user.permissions(ROOT)
    for name, known in _ACCESS.items():
        if permissions == known:
            return name
    return ",".join(permission.value for permission in Permission if permission in permissions) or "nothing"


def _new_password(generate: bool) -> str:
    if generate:
        made = generate_password()
        click.echo(f"Password: {made}", err=True)
        return made
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is None:
        if sys.stdin.isatty():
            given = click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
        else:
            given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise click.ClickException("the password is empty")
    return given
