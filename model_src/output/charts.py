"""Pictures of figures, drawn with Pillow alone, because a kernel's image may have no plotting library."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..files import replacing

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Color = tuple[int, int, int]

INK: Color = (32, 32, 32)
FAINT: Color = (120, 120, 120)
PAPER: Color = (255, 255, 255)
GAIN: Color = (0, 114, 178)
LOSS: Color = (213, 94, 0)
"""Blue and vermilion of Okabe and Ito's palette: told apart by everybody."""

CURVES: tuple[Color, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0))
"""More of the same palette, for curves side by side."""

PANEL = 180
"""Height of a panel of curves, in pixels."""
ROW, LABEL, BAR, VALUE, MARGIN = 30, 250, 420, 170, 24
"""Height of a row, widths of the three columns, and the border, in pixels."""


@dataclass(frozen=True)
class Bar:
    """One row of a chart, from `start` to `end` on its axis."""

    label: str
    start: float
    end: float
    text: str

    @property
    def color(self) -> Color:
        """Of what goes up, of what goes down, or of what stays."""
        return GAIN if self.end > self.start else LOSS if self.end < self.start else FAINT


def bar_chart(title: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> Image.Image:
    """Horizontal bars under headings; each group has its own axis, whose ends stand under it."""
    rows = sum(len(bars) + 3 for _, bars in groups)
    image = Image.new("RGB", (LABEL + BAR + VALUE + 2 * MARGIN, rows * ROW + 2 * MARGIN + ROW), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), title, INK, font(20))
    y = MARGIN + ROW + ROW // 2
    for heading, bars in groups:
        draw.text((MARGIN, y), heading, INK, font(16))
        y += ROW
        least = min(min(bar.start, bar.end) for bar in bars)
        most = max(max(bar.start, bar.end) for bar in bars)
        pad = (most - least or 1) * 0.05
        low, high = least - pad, most + pad

        def x(value: float, low: float = low, high: float = high) -> float:
            return MARGIN + LABEL + (value - low) / (high - low) * BAR

        bottom = y + len(bars) * ROW
        for tick in (least, most):
            draw.line((x(tick), y, x(tick), bottom), (225, 225, 225))
            draw.text((x(tick), bottom + 3), f"{tick:.4f}", FAINT, font(12), anchor="ma")
        for bar in bars:
            left, right = sorted((x(bar.start), x(bar.end)))
            draw.text((MARGIN, y + ROW / 2), bar.label, INK, font(14), anchor="lm")
            draw.rectangle((left, y + 6, max(right, left + 1), y + ROW - 6), bar.color)
            draw.text((MARGIN + LABEL + BAR + 16, y + ROW / 2), bar.text, INK, font(14), anchor="lm")
            y += ROW
        y += 2 * ROW
    return image


@dataclass(frozen=True)
class Line:
    """One curve: its name and its points (x, y), in the order of x."""

    label: str
    points: tuple[tuple[float, float], ...]


def line_chart(title: str, x_label: str, panels: Sequence[tuple[str, Sequence[Line]]]) -> Image.Image:
    """Panels below each other, each with a heading, its own vertical axis and one curve a line; one horizontal axis."""
    xs = [x for _, lines in panels for line in lines for x, _ in line.points]
    first, last = min(xs), max(xs)
    image = Image.new(
        "RGB", (LABEL + BAR + VALUE + 2 * MARGIN, MARGIN + 2 * ROW + len(panels) * (PANEL + 3 * ROW)), PAPER
    )
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), title, INK, font(20))
    left, right = MARGIN + 60, image.width - MARGIN - VALUE
    top = MARGIN + 2 * ROW
    for heading, lines in panels:
        ys = [y for line in lines for _, y in line.points]
        low, high = min(ys), max(ys)
        draw.text((MARGIN, top - ROW), heading, INK, font(16))

        def at(x: float, y: float, top: float = top, low: float = low, high: float = high) -> tuple[float, float]:
            across = (x - first) / (last - first or 1)
            return left + across * (right - left), top + PANEL - (y - low) / (high - low or 1) * PANEL

        for value in (low, high):
            draw.line((at(first, value), at(last, value)), (225, 225, 225))
            draw.text((left - 8, at(first, value)[1]), f"{value:.3f}", FAINT, font(12), anchor="rm")
        for x in (first, last):
            draw.text((at(x, low)[0], top + PANEL + 4), f"{x_label} {x:g}", FAINT, font(12), anchor="ma")
        for number, line in enumerate(lines):
            color = CURVES[number % len(CURVES)]
            points = [at(x, y) for x, y in line.points]
            draw.line(points, color, 3, joint="curve")
            for x, y in points:
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), color)
            draw.text((right + 16, top + number * 22), line.label, color, font(14))
        top += PANEL + 3 * ROW
    return image


@functools.cache
def font(size: int) -> Font:
    """Pillow's own font, which is there wherever Pillow is."""
    return ImageFont.load_default(size)


def save_png(path: Path, image: Image.Image) -> None:
    """Replace a PNG file; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        image.save(file, "PNG")
