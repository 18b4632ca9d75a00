"""Sequence diagrams as SVG: places side by side, and below them who says what to whom, or connects, and where it stops.

    Picture("Title", (Place("Client", ("203.0.113.66",)), Place("Server", ("198.51.100.66",))), (Step(0, 1, "PASV"),))

Drawn for light and dark pages alike: colours follow the reader's preference, the ground is left transparent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from html import escape

_SPACING = 220
_BOX = 180
_MARGIN = 100
_LETTER, _BOLD = 6.6, 8.2
"""How wide a letter is at most, on average: nothing is measured here."""
_LINE = 15
_HEAD = 36
"""Above the boxes: the title."""
_STEP = 34

_SVG = "http://www.w3.org/2000/svg"
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 14px; }
.small { font-size: 11px; fill: #59636e; }
.box { fill: #f6f8fa; stroke: #818b98; }
.life { stroke: #c8cdd3; stroke-dasharray: 3 4; }
.say { stroke: #0969da; } .say-end { fill: #0969da; }
.data { stroke: #1a7f37; stroke-width: 3; } .data-end { fill: #1a7f37; }
.fail { stroke: #cf222e; stroke-width: 3; } .fail-text { fill: #cf222e; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .small { fill: #9198a1; }
  .box { fill: #151b23; stroke: #656c76; } .life { stroke: #3d444d; }
  .say { stroke: #4493f8; } .say-end { fill: #4493f8; }
  .data { stroke: #3fb950; } .data-end { fill: #3fb950; }
  .fail { stroke: #f85149; } .fail-text { fill: #f85149; }
}
"""


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    lines: tuple[str, ...] = ()
    """Addresses and what else is to be known of it."""


class Line(Enum):
    """What an arrow stands for. The value is its class in the style."""

    SAY = "say"
    """Something on the control connection."""
    DATA = "data"
    """The data connection, from the one who dials."""
    FAIL = "fail"
    """A connection that gets no further."""


@dataclass(frozen=True, slots=True)
class Step:
    """An arrow from one place to another, by their positions."""

    begin: int
    end: int
    text: str
    line: Line = Line.SAY


@dataclass(frozen=True, slots=True)
class Picture:
    title: str
    places: tuple[Place, ...]
    steps: tuple[Step, ...]

    def svg(self) -> str:
        """The whole file."""
        lines = max(len(place.lines) for place in self.places)
        box = 24 + _LINE * lines
        top = _HEAD + box
        height = top + _STEP * len(self.steps) + 24
        width = round(max(self._widths()))
        said = "; ".join(step.text for step in self.steps)
        parts = [
            f'<svg xmlns="{_SVG}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
            f"<title>{escape(self.title)}</title>",
            f"<desc>{escape(said)}</desc>",
            f"<style>{_STYLE}</style>",
            f'<text class="title" x="{_MARGIN - _BOX // 2}" y="20">{escape(self.title)}</text>',
            *self._places(box, height - 12),
            *(part for number, step in enumerate(self.steps, 1) for part in _arrow(step, top + _STEP * number)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _widths(self) -> Iterator[float]:
        """What has to have room."""
        yield _MARGIN * 2 + _SPACING * (len(self.places) - 1)
        yield _MARGIN - _BOX // 2 + _BOLD * len(self.title)
        for step in self.steps:
            if step.end >= step.begin:
                yield _x(step.begin) + 12 + _LETTER * len(step.text)

    def _places(self, box: int, bottom: int) -> Iterator[str]:
        for position, place in enumerate(self.places):
            x = _x(position)
            yield f'<line class="life" x1="{x}" y1="{_HEAD + box}" x2="{x}" y2="{bottom}"/>'
            yield (
                f'<rect class="box" x="{x - _BOX // 2}" y="{_HEAD}" width="{_BOX}" height="{box}" rx="6"/>'
                f'<text x="{x}" y="{_HEAD + 17}" text-anchor="middle">{escape(place.name)}</text>'
            )
            for number, line in enumerate(place.lines, 1):
                y = _HEAD + 17 + _LINE * number
                yield f'<text class="small" x="{x}" y="{y}" text-anchor="middle">{escape(line)}</text>'


def _x(position: int) -> int:
    return _MARGIN + _SPACING * position


def _arrow(step: Step, y: int) -> Iterator[str]:
    begin, end = _x(step.begin), _x(step.end)
    way = 1 if end >= begin else -1
    kind = step.line.value
    if step.line is Line.FAIL:
        yield f'<line class="fail" x1="{begin}" y1="{y}" x2="{end - 9 * way}" y2="{y}"/>'
        yield f'<path class="fail" fill="none" d="M{end - 6} {y - 6} l12 12 m-12 0 l12 -12"/>'
    else:
        yield f'<line class="{kind}" x1="{begin}" y1="{y}" x2="{end - 8 * way}" y2="{y}"/>'
        yield f'<path class="{kind}-end" d="M{end} {y} l{-9 * way} -5 v10 z"/>'
    # A long text on a short arrow goes on beyond it; it begins where the arrow does.
    anchor, x = ("start", begin + 8) if way > 0 else ("end", begin - 8)
    shade = ' class="fail-text"' if step.line is Line.FAIL else ""
    yield f'<text{shade} x="{x}" y="{y - 7}" text-anchor="{anchor}">{escape(step.text)}</text>'
