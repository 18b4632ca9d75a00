"""Drawing: a Scene as an SVG file that needs nothing else, and is read in the dark as well.

Arrows that arrive are green, those that do not red and end in a cross: form and colour say the same.
"""

from __future__ import annotations

from html import escape

from .scene import Arrow, Scene, Tone

_BOX, _GAP, _LINE, _MARGIN, _HEAD = 170, 190, 34, 20, 58
"""Width of a box, room between two, height of an arrow's row, margin, height of a box's title and addresses."""
_CLASSES = {Tone.GOOD: "good", Tone.DOUBTFUL: "doubtful", Tone.BAD: "bad"}
_STYLE = """\
text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1d2733 }
.title { font-weight: 600 }
.port, .address { font-family: ui-monospace, monospace; font-size: 12px }
.box { fill: #f4f6f8; stroke: #8b98a5 }
.arrow { stroke-width: 2; fill: none }
.good { stroke: #1a7f4b } .doubtful { stroke: #a86400 } .bad { stroke: #c22f2f }
text.good { fill: #1a7f4b; stroke: none }
text.doubtful { fill: #a86400; stroke: none }
text.bad { fill: #c22f2f; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6ebf0 } .box { fill: #1e2833; stroke: #66727e }
  .good { stroke: #4cc38a } .doubtful { stroke: #e0a030 } .bad { stroke: #ff7b72 }
  text.good { fill: #4cc38a } text.doubtful { fill: #e0a030 } text.bad { fill: #ff7b72 }
}
"""


def drawing(scene: Scene, title: str) -> str:
    """The SVG document; *title* is what a screen reader says first."""
    extra = max(len(box.lines) for box in scene.boxes) - 1
    head = _HEAD + 18 * extra
    count = len(scene.boxes)
    width = 2 * _MARGIN + count * _BOX + (count - 1) * _GAP
    inner = head + _LINE * len(scene.arrows) + 6
    height = 2 * _MARGIN + inner
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}</style>",
    ]
    for index, box in enumerate(scene.boxes):
        left = _left(index)
        parts.append(f'<rect class="box" x="{left}" y="{_MARGIN}" width="{_BOX}" height="{inner}" rx="8"/>')
        parts.append(_text(left + 12, _MARGIN + 22, box.title, "title"))
        parts += [
            _text(left + 12, _MARGIN + 42 + 18 * number, line, "address") for number, line in enumerate(box.lines)
        ]
    for number, arrow in enumerate(scene.arrows):
        parts += _arrow(arrow, _MARGIN + head + _LINE * number + _LINE // 2, count)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _left(index: int) -> int:
    return _MARGIN + index * (_BOX + _GAP)


def _arrow(arrow: Arrow, y: int, count: int) -> list[str]:
    kind = _CLASSES[arrow.tone]
    begin, end = _left(0) + _BOX, _left(count - 1)
    if arrow.rightwards:
        tail, tip, step = begin, end if arrow.stop is None else _left(arrow.stop), -1
    else:
        tail, tip, step = end, begin if arrow.stop is None else _left(arrow.stop) + _BOX, 1
    tip += step * 4
    parts = [f'<path class="arrow {kind}" d="M{tail} {y}H{tip + step * (8 if arrow.stop is not None else 0)}"/>']
    if arrow.stop is None:
        parts.append(f'<path class="arrow {kind}" d="M{tip + step * 8} {y - 5}L{tip} {y}L{tip + step * 8} {y + 5}"/>')
    else:
        x, top, bottom = tip + step * 8, y - 6, y + 6
        cross = f"M{x - 6} {top}L{x + 6} {bottom}M{x - 6} {bottom}L{x + 6} {top}"
        parts.append(f'<path class="arrow {kind}" d="{cross}"/>')
    middle = tail - step * (_GAP // 2)
    parts.append(_text(middle, y - 6, arrow.label, kind, anchor="middle"))
    if arrow.left:
        parts.append(_text(begin - 10, y + 4, arrow.left, "port", anchor="end"))
    if arrow.right:
        parts.append(_text(end + 10, y + 4, arrow.right, "port"))
    return parts


def _text(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
