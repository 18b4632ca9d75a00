"""Underway: a command whose transfer waits for its client, while the session is parked and no thread works for it."""

from __future__ import annotations

import abc
from enum import Enum
from typing import Final

from homeport.data.plan import Plan, Result
from homeport.data.transfer import Transfer
from homeport.protocol.reply import Reply


class Wake(Enum):
    """Why a parked session goes on."""

    INPUT = "input"
    """On the control connection."""
    DATA = "data"
    """The data connection can go on."""
    DEADLINE = "deadline"
    """Nothing came for too long."""


class Underway(abc.ABC):
    """What a verb returns instead of its reply."""

    __slots__ = ("plan", "transfer")

    def __init__(self, transfer: Transfer, plan: Plan) -> None:
        self.transfer: Final = transfer
        self.plan: Final = plan

    @abc.abstractmethod
    def settle(self, result: Result) -> Reply:
        """The final reply of what has come to its end; raises what the verb might have raised."""

    def go_on(self, wake: Wake) -> Reply | None:
        """The final reply, or None if it still waits. Raises what the verb might have raised."""
        transfer = self.transfer
        try:
            if wake is Wake.DATA:
                result = transfer.advance()
            elif wake is Wake.INPUT:
                result = transfer.attend()
            else:
                result = transfer.expire()
        except BaseException:
            self.give_up()
            raise
        return None if result is None else self.settle(result)

    def give_up(self) -> None:
        """It will never go on. What was opened for it is closed, and nothing of it is kept."""
        self.transfer.abort()
        close(self.plan)


def close(plan: Plan) -> None:
    """Close what *plan* moves; an upload that has not come to its end leaves everything as it was."""
    if plan.writer is not None:
        plan.writer.abort(keep=False)
    elif plan.reader is not None:
        plan.reader.close()
