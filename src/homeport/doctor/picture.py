"""Picture: a Scene in text.

    ┌ you ──────────┐                  ┌ its router ──┐                  ┌ server ───────┐
    │ 203.0.113.66  │                  │ 198.51.100.20│                  │ 192.168.50.10 │
    │               │                  │              │                  │               │
    │         40213 ├─── control ──────┼──────────────┼─────────────────▶│ 21            │
    │               ├─── PASV ────────╳│              │                  │ 50003         │
    │         40217 │◀─── PORT ────────┼──────────────┼──────────────────┤ 20            │
    └───────────────┘                  └──────────────┘                  └───────────────┘

A terminal that lacks these characters gets others in their place (`ascii_only`).
"""

from __future__ import annotations

from .scene import Arrow, Box, Scene

_WIDE, _NARROW = 18, 14
"""Columns between two boxes, and between more than two."""
_PLAIN = str.maketrans("┌┐└┘├┤┼─│▶◀╳", "+++++++-|><X")


def picture(scene: Scene, *, ascii_only: bool = False) -> str:
    """The text, LF at the end of each line, none wider than it must be."""
    widths = [_width(scene, index) for index in range(len(scene.boxes))]
    gap = _WIDE if len(widths) == 2 else _NARROW
    lefts = [0]
    for width in widths[:-1]:
        lefts.append(lefts[-1] + width + 2 + gap)
    canvas = _Canvas(lefts[-1] + widths[-1] + 2)
    canvas.row()
    for left, width, box in zip(lefts, widths, scene.boxes, strict=True):
        canvas.put(left, "┌" + f" {box.title} ".ljust(width, "─") + "┐")
    for number in range(max(len(box.lines) for box in scene.boxes)):
        canvas.row()
        for left, width, box in zip(lefts, widths, scene.boxes, strict=True):
            text = box.lines[number] if number < len(box.lines) else ""
            canvas.put(left, f"│ {text}".ljust(width + 1) + "│")
    _walls(canvas, lefts, widths)
    for arrow in scene.arrows:
        _walls(canvas, lefts, widths)
        _draw(canvas, arrow, lefts, widths)
    canvas.row()
    for left, width in zip(lefts, widths, strict=True):
        canvas.put(left, "└" + "─" * width + "┘")
    text = canvas.text()
    return text.translate(_PLAIN) if ascii_only else text


def _width(scene: Scene, index: int) -> int:
    """Columns between the walls of a box."""
    box: Box = scene.boxes[index]
    texts = [*box.lines]
    if index == 0:
        texts += [arrow.left for arrow in scene.arrows]
    if index == len(scene.boxes) - 1:
        texts += [arrow.right for arrow in scene.arrows]
    return max(len(box.title) + 3, *(len(text) + 2 for text in texts))


def _walls(canvas: _Canvas, lefts: list[int], widths: list[int]) -> None:
    """A new row with the walls of all boxes."""
    canvas.row()
    for left, width in zip(lefts, widths, strict=True):
        canvas.put(left, "│" + " " * width + "│")


def _draw(canvas: _Canvas, arrow: Arrow, lefts: list[int], widths: list[int]) -> None:
    begin, end = widths[0] + 1, lefts[-1]
    canvas.put(begin - 1 - len(arrow.left), arrow.left)
    canvas.put(end + 2, arrow.right)
    inner = range(1, len(lefts) - 1)
    walls = {column for index in inner for column in (lefts[index], lefts[index] + widths[index] + 1)}
    if arrow.rightwards:
        stop = end if arrow.stop is None else lefts[arrow.stop]
        columns, head = range(begin + 1, stop), stop - 1
        canvas.put(begin, "├")
    else:
        stop = begin if arrow.stop is None else lefts[arrow.stop] + widths[arrow.stop] + 1
        columns, head = range(stop + 1, end), stop + 1
        canvas.put(end, "┤")
    for column in columns:
        canvas.put(column, "┼" if column in walls else "─")
    label = f" {arrow.label} "
    # Beside the one who dials, where the line is there in any case.
    canvas.put(begin + 4 if arrow.rightwards else end - 3 - len(label), label)
    canvas.put(head, "╳" if arrow.stop is not None else "▶" if arrow.rightwards else "◀")


class _Canvas:
    """Rows of characters."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: list[list[str]] = []

    def row(self) -> None:
        """Begin a new row."""
        self._rows.append([" "] * self._width)

    def put(self, column: int, text: str) -> None:
        """Write over what is there in the last row."""
        self._rows[-1][column : column + len(text)] = text

    def text(self) -> str:
        return "".join("".join(row).rstrip() + "\n" for row in self._rows)
