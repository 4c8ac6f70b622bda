"""Charts as inline SVG: text that takes the page's colours and fonts, light and dark, and needs no library to show.

A plotting library would be the base install's largest dependency, and writes its colours into the picture.
Colours are CSS classes (`line0` to `line7`), which differ in their dashes, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 420.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 10.0, 32.0
_COLOURS = 8
_ROW = 30.0  # height of one row of the chart of spreads

Points = Sequence[tuple[float, float]]


def lines(title: str, series: Mapping[str, Points], *, x_label: str) -> Markup:
    """A line a series, with a point at each value that says what it is; empty without a value."""
    points = [point for line in series.values() for point in line]
    if not points:
        return Markup("")
    across = _Axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(across, up, x_label)]
    for number, (name, line) in enumerate(series.items()):
        style = f"line{number % _COLOURS}"
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(style, path))
        for x, y in line:
            tip = f"{name}, {x_label} {x:g}: {y:.4f}"
            parts.append(_dot(style, across(x), up(y), tip, 2.5))
    last = "; ".join(f"{name} ends at {line[-1][1]:.4f}" for name, line in series.items() if line)
    return _svg(_HEIGHT, f"{title}: {last}", parts) + legend(list(series))


def spread(title: str, rows: Sequence[tuple[str, Sequence[tuple[str, float]], float | None]]) -> Markup:
    """A row for each (name, folds, mean): a dot a fold, a stroke at the mean."""
    values = [value for _, folds, mean in rows for value in (*(v for _, v in folds), *([] if mean is None else [mean]))]
    if not values:
        return Markup("")
    height = _TOP + _ROW * len(rows) + _BOTTOM
    across = _Axis(values, 180.0, 720.0 - _RIGHT - 8)
    parts = [
        Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(across(at), _TOP, height - 28)
        + _words(across(at), height - 12, f"{at:g}", "middle")
        for at in across.ticks
    ]
    for number, (name, folds, mean) in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        shown = name if len(name) <= 26 else name[:25] + "…"
        parts.append(_words(170, y + 4, shown, "end", full=name))
        if mean is not None:
            parts.append(
                Markup('<line class="mean" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>').format(
                    across(mean), y - 10, y + 10
                )
            )
        parts += [_dot("line0", across(value), y, f"{name}, fold {fold}: {value:.4f}", 4.5) for fold, value in folds]
    means = "; ".join(f"{name} {mean:.4f}" for name, _, mean in rows if mean is not None)
    return _svg(height, f"{title}, means: {means}", parts, width=720.0)


def scatter(title: str, points: Sequence[tuple[str, float, float]], *, x_label: str) -> Markup:
    """A dot for each (name, x, y)."""
    if not points:
        return Markup("")
    across = _Axis([x for _, x, _ in points], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([y for _, _, y in points], _HEIGHT - _BOTTOM, _TOP)
    dots = [_dot("line0", across(x), up(y), f"{name}: {x:.4f}, {y:.4f}", 5) for name, x, y in points]
    words = "; ".join(f"{name} {x:.4f} and {y:.4f}" for name, x, y in points)
    return _svg(_HEIGHT, f"{title}: {words}", [_frame(across, up, x_label), *dots])


def bar(share: float | None) -> Markup:
    """A small bar, for a table's cell; `share` is 0 to 1."""
    length = 100 * min(1.0, max(0.0, share or 0.0))
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" aria-hidden="true"><rect class="track" width="100" height="8"/>'
        '<rect class="fill" width="{:.1f}" height="8"/></svg>'
    ).format(length)


def legend(names: Sequence[str]) -> Markup:
    """Which line is which; nothing to say about a single one."""
    if len(names) < 2:
        return Markup("")
    entry = Markup(
        '<li><svg viewBox="0 0 26 8" aria-hidden="true"><line class="line line{}" x1="0" x2="26" y1="4" y2="4"/>'
        "</svg>{}</li>"
    )
    entries = Markup("").join(entry.format(number % _COLOURS, name) for number, name in enumerate(names))
    return Markup('<ul class="legend">{}</ul>').format(entries)


class _Axis:
    """Values to positions, with round ticks."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        room = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
        self._low, self._high = low - room, high + room
        self._start, self._end = start, end
        step = _round_step((self._high - self._low) / 5)
        first = math.ceil(self._low / step)
        # Rounded, so that a tick reads 0.3 and not 0.30000000000000004.
        self.ticks = [round(n * step, 12) for n in range(first, math.floor(self._high / step) + 1)][:12]

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) / (self._high - self._low) * (self._end - self._start)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-300 else 1.0
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)


def _frame(across: _Axis, up: _Axis, x_label: str) -> Markup:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(_LEFT, right, up(at))
        + _words(_LEFT - 6, up(at) + 4, f"{at:g}", "end")
        for at in up.ticks
    ]
    parts += [_words(across(at), bottom + 14, f"{at:g}", "middle") for at in across.ticks]
    parts.append(_words((_LEFT + right) / 2, _HEIGHT - 3, x_label, "middle"))
    return Markup("").join(parts)


def _dot(style: str, x: float, y: float, tip: str, radius: float) -> Markup:
    return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>').format(
        style, x, y, radius, tip
    )


def _words(x: float, y: float, text: str, anchor: str, full: str = "") -> Markup:
    title = Markup("<title>{}</title>").format(full) if full else ""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}{}</text>').format(x, y, anchor, text, title)


def _svg(height: float, label: str, parts: Sequence[Markup], width: float = _WIDTH) -> Markup:
    return Markup('<svg class="chart{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        " wide" if width > _WIDTH else "", width, height, label, Markup("").join(parts)
    )
