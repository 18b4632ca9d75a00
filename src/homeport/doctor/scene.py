"""Scene: who connects to whom, and where it stops. Values only; `picture.py` draws it in text, `drawing.py` in SVG.

Two machines stand at the ends, and between them the routers of which something is known. An arrow goes from the one
who dials towards the other; where a diagnosis says who stops it, it ends there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from homeport.advice.causes import Cause, Side

from .facts import translated
from .survey import State, Trial, View


class Tone(Enum):
    """How an arrow is meant."""

    GOOD = auto()
    DOUBTFUL = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Box:
    """A machine or a router."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One connection, made or tried."""

    label: str
    rightwards: bool
    """Whether the left one dials."""
    tone: Tone = Tone.GOOD
    stop: int | None = None
    """The box before which it ends; None: it arrives."""
    left: str = ""
    """The port at the left end."""
    right: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    boxes: tuple[Box, ...]
    """Two at least, from left to right."""
    arrows: tuple[Arrow, ...]


def scene_of(view: View) -> Scene:
    """What *view* shows: the client at the left."""
    here = view.local[0] if view.local is not None else "?"
    boxes = [Box("you", (here,))]
    sides = {Side.CLIENT: 0, Side.CLIENT_ROUTER: 0}
    diagnoses = [one.diagnosis for one in view.trials if one.diagnosis is not None]
    if translated(view) or (view.told is not None and view.told != here):
        sides[Side.CLIENT_ROUTER] = len(boxes)
        boxes.append(Box("your router", (view.told or "",)))
    announced = {one.announced[0] for one in view.trials if one.announced is not None} - {view.address[0]}
    inside = view.inside or next((one for one in sorted(announced)), None)
    if view.inside is not None or any(one.side is Side.SERVER_ROUTER for one in diagnoses):
        sides[Side.SERVER_ROUTER] = len(boxes)
        boxes.append(Box("its router", (view.address[0],)))
        boxes.append(Box("server", (inside or "",)))
    else:
        boxes.append(Box("server", (view.address[0], *(f"named {one}" for one in sorted(announced)))))
    last = len(boxes) - 1
    sides.setdefault(Side.SERVER_ROUTER, last)
    sides[Side.SERVER] = last
    sides[Side.NETWORK] = last if last == 1 else 1
    control = Arrow(
        label="control",
        rightwards=True,
        left=str(view.local[1]) if view.local is not None else "",
        right=str(view.address[1]),
        tone=Tone.GOOD if view.logged_in else Tone.BAD,
        stop=None if view.reached else last,
    )
    return Scene(tuple(boxes), (control, *(_arrow(one, sides, last) for one in view.trials if _drawn(one))))


def _drawn(trial: Trial) -> bool:
    return trial.state is not State.ABSENT


_NOWHERE = frozenset(
    {Cause.PRIVATE_ANNOUNCED, Cause.BRIDGE_ANNOUNCED, Cause.WRONG_ANNOUNCED, Cause.CARRIER_NAT, Cause.PASV_IPV6}
)
"""Where the address itself was wrong, the one who dialled it got no further than the network between."""


def _stop(trial: Trial, sides: dict[Side, int], last: int) -> int:
    """The box before which the connection ended: where it is stopped, which is not always where it is to be mended."""
    passive = trial.mode.passive
    target = last if passive else 0
    if trial.diagnosis is None:
        return target
    if trial.diagnosis.cause in _NOWHERE:
        return sides[Side.NETWORK]
    if trial.diagnosis.cause is Cause.PRIVATE_REQUESTED:
        return sides[Side.CLIENT_ROUTER]
    stop = sides[trial.diagnosis.side]
    # Who dials is not stopped by himself: what he does wrong shows at the other end.
    return target if stop == (0 if passive else last) else stop


def _arrow(trial: Trial, sides: dict[Side, int], last: int) -> Arrow:
    passive = trial.mode.passive
    stop = _stop(trial, sides, last) if trial.state is State.FAILS and trial.theirs is None else None
    tone = {State.WORKS: Tone.GOOD, State.FAILS: Tone.BAD}.get(trial.state, Tone.DOUBTFUL)
    ours, theirs = trial.ours or trial.requested, trial.theirs or trial.announced
    return Arrow(
        label=trial.mode.value,
        rightwards=passive,
        tone=tone,
        stop=stop,
        left=str(ours[1]) if ours is not None else "",
        right=str(theirs[1]) if theirs is not None else "",
    )
