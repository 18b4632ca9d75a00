"""Bus: hands every event to those that asked for it, in the thread in which it happened."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .types import CommandAnswered, Event

Subscriber = Callable[[Event], None]

_log = logging.getLogger("homeport.events")


class Bus:
    """Subscribers are called one after another; one that raises is logged and does not stop the others."""

    __slots__ = ("_subscribers", "commands")

    def __init__(self) -> None:
        self._subscribers: tuple[Subscriber, ...] = ()
        self.commands = False
        """Whether CommandAnswered is wanted: it costs something on every command."""

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call *subscriber* with every event from now on. It must be quick, and safe for threads."""
        self._subscribers = (*self._subscribers, subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        # Compared by value: a bound method is another object each time that it is named.
        self._subscribers = tuple(one for one in self._subscribers if one != subscriber)

    @property
    def silent(self) -> bool:
        """Whether nobody listens, so that no event need be made."""
        return not self._subscribers

    def publish(self, event: Event) -> None:
        if isinstance(event, CommandAnswered) and not self.commands:
            return
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - a log that fails must not stop the session that it tells of
                _log.exception("an event subscriber failed on %s", type(event).__name__)
