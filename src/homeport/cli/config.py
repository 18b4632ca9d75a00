"""`homeport config`: check a configuration file, print one to start from, hash a password for it."""

from __future__ import annotations

import sys

import click


@click.group(name="config")
def group() -> None:
    """Check a configuration file, or print one to start from."""


@group.command()
@click.argument("file", type=click.Path())
def check(file: str) -> None:
    """Say what is wrong with FILE, as `homeport serve` would, without starting.

    The exit code is 0 where nothing is wrong and 1 where something is.
    """
    from homeport.server.load import ConfigurationError, load

    try:
        load(file)
    except ConfigurationError as error:
        click.echo(error.report(), err=True)
        raise click.exceptions.Exit(1) from None
    click.echo(f"{file} is good.")


@group.command()
def sample() -> None:
    """Print a configuration file with every option and its default, as comments."""
    from homeport.server import reference as page

    click.echo(page.sample(), nl=False)


@group.command()
def reference() -> None:
    """Print the reference of all options, in Markdown."""
    from homeport.server import reference as page

    click.echo(page.reference(), nl=False)


@group.command(name="hash")
def hash_() -> None:
    """Print the hash of a password, to stand as `password` in a configuration file.

    The password is asked for, or read from the standard input where that is a pipe: on the command line
    everybody could see it.
    """
    from homeport.accounts.passwords import Passwords

    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.UsageError("there is no password on the standard input")
    click.echo(Passwords().hash(password))
