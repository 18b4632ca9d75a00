"""The `homeport` command: which commands there are, and how a failure is told.

A command's module is imported when the command runs, so that `homeport --version` and `homeport --help` cost no
more than click itself.

Exit codes:

    0    done; also a server that was asked to stop and did
    1    it could not be done, and the message says why
    2    a wrong command line, or a configuration file with faults
    70   a fault in Homeport itself; `--debug` shows the trace
    130  ended by Ctrl-C where there was nothing to finish
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from homeport import __version__

FAILED = 1
WRONG_USE = 2
INTERNAL = 70
INTERRUPTED = 130

COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("homeport.cli.serve", "command", "Share a folder over FTP, or run a configured server."),
    "user": ("homeport.cli.user", "group", "Add, list and remove users, and set their passwords."),
    "config": ("homeport.cli.config", "group", "Check a configuration file, or print one to start from."),
    "cert": ("homeport.cli.cert", "group", "Show the certificates, renew one, or make a self-signed one."),
    "firewall": ("homeport.cli.firewall", "command", "Print what a firewall or a router must let through."),
    "doctor": ("homeport.cli.doctor", "command", "Check the server on this machine, and say what is wrong."),
    "probe": ("homeport.cli.probe", "command", "Try an FTP server in every mode, and say what is wrong."),
    "sessions": ("homeport.cli.sessions", "command", "Show who is connected, and both connections of each."),
}
"""Name of the command: module, name in it, and what the overview says."""


_CODES = (
    "Exit codes: 0 done, 1 it could not be done, 2 wrong command line or configuration, 70 a fault in Homeport, "
    "130 interrupted."
)


class LazyGroup(click.Group):
    """A group whose commands are imported one by one, each when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{module}.{name} is no command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])


@click.command(
    cls=LazyGroup, epilog=_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", prog_name="homeport", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the trace of a failure.")
def cli(debug: bool) -> None:
    """Homeport, the FTP server that gets its connections right.

    `homeport serve DIR` shares a folder; nothing else is needed.
    """
    # `run` has read it from the arguments, because a failure may come before click has parsed them.
    del debug


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. A failure is one message on the standard error output."""
    try:
        # With standalone_mode off, click returns what a command returned, or the code of `ctx.exit`.
        outcome = cli.main(list(arguments), prog_name="homeport", standalone_mode=False)
    except click.ClickException as failure:
        failure.show()
        return failure.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone; Python must not complain about it once more while it flushes at exit.
        sys.stdout = None
        return FAILED
    except Exception as fault:
        if debugging(arguments):
            raise
        click.echo(f"Error: {type(fault).__name__}: {fault}", err=True)
        click.echo("This is a fault in Homeport. Run the same again with --debug to see where it happened.", err=True)
        return INTERNAL
    return outcome if isinstance(outcome, int) else 0


def debugging(arguments: Sequence[str]) -> bool:
    """Whether `--debug` stands among *arguments*, before any `--`."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--debug" in options


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
