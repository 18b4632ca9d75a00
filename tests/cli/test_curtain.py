"""The curtain: nothing before it rises, everything after, in order."""

from __future__ import annotations

from homeport.cli.curtain import Curtain
from homeport.events.types import Event, ServerStopped, Warned


def test_events_wait_for_the_curtain() -> None:
    seen: list[Event] = []
    curtain = Curtain(seen.append)
    early = [Warned(at=0, text="one"), Warned(at=1, text="two")]
    for event in early:
        curtain(event)
    assert seen == []
    curtain.rise()
    assert seen == early
    late = ServerStopped(at=2)
    curtain(late)
    assert seen == [*early, late]
    curtain.rise()
    assert len(seen) == 3
