"""What the log hears of a change of the tree that is no transfer."""

from __future__ import annotations

from homeport.events.types import Change, TreeChanged
from homeport.protocol.path import VirtualPath

from .commands import Context


def changed(context: Context, change: Change, path: VirtualPath, target: VirtualPath | None = None) -> None:
    """The client has just made *change* at *path*; *target* is the new name of what it renamed."""
    context.services.events.publish(
        TreeChanged(
            at=context.services.clock.time(),
            session=context.session.number,
            user=context.user.name,
            change=change,
            path=path.text,
            target=target.text if target is not None else None,
        )
    )
