"""Brief: all that a worker process is told before it begins. It travels as a pickle, so all in it must be able to.

Connections, passive ports and news follow as orders (`supervisor.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homeport.accounts.providers import Provider
from homeport.data.address import Rules

from .config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    config: Config
    port: int
    """The control port that is really open."""
    addresses: tuple[str, ...]
    """Where clients connect."""
    rules: Rules
    """What PASV announces, as known so far."""
    key: bytes
    """For what is unique in MLSx: the same for all workers, and for those after them."""
    providers: Callable[[Sequence[Provider]], Sequence[Provider]] | None
    memory: int
    """The descriptor of the memory in which the workers keep limits together (`data/sharedrate.py`)."""
    level: int
    """From which on log records are wanted (`logging`)."""
    relay: bool
    """Whether somebody wants to hear of events."""
    commands: bool
    """Whether also of each command."""
