"""State: the folder in which Homeport keeps what it must not forget: its users, and the certificate that it made.

By default it is where the platform keeps the state of programs (`~/.local/state/homeport` on Linux, XDG). Nobody but
its owner may look into it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from homeport.accounts.database import AccountError, Database
from homeport.events.text import visible


@dataclass(frozen=True, slots=True)
class State:
    """The folder. It need not exist before `prepare`."""

    folder: str

    @classmethod
    def at(cls, folder: str | None) -> State:
        """The one at *folder*, or the platform's."""
        if folder is None:
            from platformdirs import user_state_dir

            folder = user_state_dir("homeport", appauthor=False)
        return cls(os.path.abspath(folder))

    @property
    def users(self) -> str:
        """The database of users."""
        return os.path.join(self.folder, "users.sqlite")

    def prepare(self) -> None:
        """Make the folder, readable by its owner only. ClickException where that cannot be."""
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            # Windows has no such bits and shows all of them set.
            if hasattr(os, "geteuid") and stat.S_IMODE(os.stat(self.folder).st_mode) & 0o022:
                raise click.ClickException(
                    f"others may write to the state directory {visible(self.folder)}: chmod go-w it"
                )
        except OSError as error:
            raise click.ClickException(
                f"the state directory {visible(self.folder)} cannot be made: {error.strerror}. "
                "Name another with --state."
            ) from error

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The users, for as long as the block lasts. What fails in it ends as one message."""
        self.prepare()
        try:
            database = Database(self.users)
            try:
                yield database
            finally:
                database.close()
        except AccountError as error:
            raise click.ClickException(str(error)) from error


state_option = click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where users and certificate are kept, instead of the platform's directory for that.",
)
