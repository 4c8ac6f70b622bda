"""Charts as inline SVG, which use the page's colours and fonts, light and dark, and need no library.

A plotting library would be the largest dependency, and would write fixed colours into the picture. Colours are CSS
classes (`line0` to `line7`), which also differ in their dashes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from markupsafe import Markup

_WIDTH, _HEIGHT = 420.0, 220.0
_WIDE = 920.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 10.0, 32.0
_COLOURS = 8
_ROW = 26.0  # height of one row of the chart of spreads
_NAMES, _LETTERS = 230.0, 36  # where its names end, and how long they may be
_HUGE = 1e300
_POINTS = 150  # dots in a chart of lines
_MOST = 120  # points of one line

Points = Sequence[tuple[float, float]]


def lines(
    title: str,
    series: Mapping[str, Points],
    *,
    x_label: str,
    bands: Mapping[str, Sequence[tuple[float, float, float]]] = MappingProxyType({}),
    is_wide: bool = False,
) -> Markup:
    """A line for each series, with a point at each value whose tooltip names it; empty without values.

    `bands` has (x, lowest, highest) by the name of a series. With many values, only the last one has a point, and a
    line goes through the extremes of its sections: the page stays small, and peaks are kept.
    """
    points = [point for line in series.values() for point in line]
    if not points:
        return Markup("")
    width, height = (_WIDE, _HEIGHT * 1.4) if is_wide else (_WIDTH, _HEIGHT)
    across = _Axis(
        [x for x, _ in points], _LEFT, width - _RIGHT, is_whole=all(float(x).is_integer() for x, _ in points)
    )
    edges = [value for band in bands.values() for _, *both in band for value in both]
    up = _Axis([*(y for _, y in points), *edges], height - _BOTTOM, _TOP)
    parts = [_frame(across, up, x_label, width, height)]
    styles = {name: f"line{number % _COLOURS}" for number, name in enumerate(series)}
    for name, band in bands.items():
        thin = _thinned([(x, low) for x, low, _ in band]), _thinned([(x, high) for x, _, high in reversed(band)])
        outline = " ".join(f"{across(x):.1f},{up(y):.1f}" for side in thin for x, y in side)
        parts.append(Markup('<polygon class="band {}" points="{}"/>').format(styles[name], outline))
    for name, line in series.items():
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in _thinned(line))
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(styles[name], path))
        for x, y in line if len(points) <= _POINTS else line[-1:]:
            tip = f"{name}, {x_label} {x:g}: {y:.4g}"
            parts.append(_dot(styles[name], across(x), up(y), tip, 2.5))
    last = "; ".join(f"{name} ends at {line[-1][1]:.4g}" for name, line in series.items() if line)
    return _svg(height, f"{title}: {last}", parts, width) + legend(list(series))


def strip(values: Sequence[float], mean: float, low: float, high: float) -> Markup:
    """A config's values as dots and its mean as a stroke, for a table cell; `low` to `high` is the column's range."""
    across = _Axis([low, high], 4, 136)
    dots = [Markup('<circle class="dot line0" cx="{:.1f}" cy="9" r="3.5"/>').format(across(value)) for value in values]
    return Markup(
        '<svg class="strip" viewBox="0 0 140 18" aria-hidden="true"><line class="grid" x1="0" x2="140" y1="9" y2="9"/>'
        '{}<line class="mean" x1="{:.1f}" x2="{:.1f}" y1="2" y2="16"/></svg>'
    ).format(Markup("").join(dots), across(mean), across(mean))


def spread(title: str, rows: Sequence[tuple[str, Sequence[tuple[str, float]], float | None]]) -> Markup:
    """A row for each (name, values of folds, mean): a dot for each fold, a stroke at the mean."""
    values = [value for _, folds, mean in rows for value in (*(v for _, v in folds), *([] if mean is None else [mean]))]
    if not values:
        return Markup("")
    height = _TOP + _ROW * len(rows) + _BOTTOM
    across = _Axis(values, _NAMES + 10, _WIDE - _RIGHT - 8)
    parts = [
        Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(across(at), _TOP, height - 28)
        + _words(across(at), height - 12, f"{at:g}", "middle")
        for at in across.ticks
    ]
    for number, (name, folds, mean) in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        parts.append(_words(_NAMES, y + 4, _short(name), "end", full=name))
        if mean is not None:
            parts.append(
                Markup('<line class="mean" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>').format(
                    across(mean), y - 10, y + 10
                )
            )
        parts += [_dot("line0", across(value), y, f"{name}, {fold}: {value:.4g}", 4.5) for fold, value in folds]
    means = "; ".join(f"{name} {mean:.4g}" for name, _, mean in rows if mean is not None)
    return _svg(height, f"{title}, means: {means}", parts, _WIDE)


def scatter(title: str, points: Sequence[tuple[str, float, float]], *, x_label: str) -> Markup:
    """A numbered dot for each (name, x, y), and a list of their names."""
    if not points:
        return Markup("")
    across = _Axis([x for _, x, _ in points], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([y for _, _, y in points], _HEIGHT - _BOTTOM, _TOP + 8)
    texts = [f"{name}: {x:.4g}, {y:.4g}" for name, x, y in points]
    dots = [_dot("line0", across(x), up(y), text, 5) for (_, x, y), text in zip(points, texts, strict=True)]
    # Dots in one place show the number of the first one.
    places = {(round(across(x)), round(up(y))): number for number, (_, x, y) in reversed(list(enumerate(points, 1)))}
    numbers = [_words(x, y - 8, str(number), "middle") for (x, y), number in places.items()]
    listed = Markup('<ol class="dots">{}</ol>').format(Markup("").join(Markup("<li>{}</li>").format(t) for t in texts))
    return _svg(_HEIGHT, f"{title}: {'; '.join(texts)}", [_frame(across, up, x_label), *dots, *numbers]) + listed


def spark(values: Sequence[float]) -> Markup:
    """A small curve without axes, for a table cell; its last value has a dot. Empty for less than two values."""
    if len(values) < 2:
        return Markup("")
    line = _thinned([(float(at), value) for at, value in enumerate(values)])
    across, up = _Axis([x for x, _ in line], 2, 92), _Axis([y for _, y in line], 20, 2)
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
    return Markup(
        '<svg class="spark" viewBox="0 0 96 22" aria-hidden="true"><polyline class="line line0" points="{}"/>'
        '<circle class="dot line0" cx="{:.1f}" cy="{:.1f}" r="2.5"/></svg>'
    ).format(path, across(line[-1][0]), up(line[-1][1]))


def bar(share: float | None) -> Markup:
    """A small bar, for a table cell; `share` is from 0 to 1."""
    length = 100 * min(1.0, max(0.0, share or 0.0))
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" aria-hidden="true"><rect class="track" width="100" height="8"/>'
        '<rect class="fill" width="{:.1f}" height="8"/></svg>'
    ).format(length)


def legend(names: Sequence[str]) -> Markup:
    """The names of the lines; empty for a single one."""
    if len(names) < 2:
        return Markup("")
    entry = Markup(
        '<li><svg viewBox="0 0 26 8" aria-hidden="true"><line class="line line{}" x1="0" x2="26" y1="4" y2="4"/>'
        "</svg>{}</li>"
    )
    entries = Markup("").join(entry.format(number % _COLOURS, name) for number, name in enumerate(names))
    return Markup('<ul class="legend">{}</ul>').format(entries)


def _thinned(line: Points) -> Points:
    """The first, lowest, highest and last point of each section of a long line."""
    if len(line) <= _MOST:
        return line
    size = math.ceil(len(line) / (_MOST / 4))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(line), size):
        part = line[start : start + size]
        found = {0, len(part) - 1, *(choose(range(len(part)), key=lambda at: part[at][1]) for choose in (min, max))}
        kept += [part[at] for at in sorted(found)]
    return kept


def _short(name: str) -> str:
    """A long name without its middle: names of one sweep differ at their ends."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS // 3]}…{name[-(_LETTERS - _LETTERS // 3 - 1) :]}"


class _Axis:
    """Values to positions, with round ticks; an `is_whole` one has nothing between its values, as epochs."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, is_whole: bool = False) -> None:
        low, high = _held(min(values)), _held(max(values))
        room = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
        self._low, self._high = low - room, high + room
        self._start, self._end = start, end
        step = max(_round_step((self._high - self._low) / 5), 1.0 if is_whole else 0.0)
        first = math.ceil(self._low / step)
        # Rounded, so that a tick reads 0.3 and not 0.30000000000000004.
        self.ticks = [round(n * step, 12) for n in range(first, math.floor(self._high / step) + 1)][:12]

    def __call__(self, value: float) -> float:
        return self._start + (_held(value) - self._low) / (self._high - self._low) * (self._end - self._start)


def _held(value: float) -> float:
    """The value, limited so that differences do not overflow."""
    return min(max(value, -_HUGE), _HUGE)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-300 else 1.0
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)


def _frame(across: _Axis, up: _Axis, x_label: str, width: float = _WIDTH, height: float = _HEIGHT) -> Markup:
    right, bottom = width - _RIGHT, height - _BOTTOM
    parts = [
        Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(_LEFT, right, up(at))
        + _words(_LEFT - 6, up(at) + 4, f"{at:g}", "end")
        for at in up.ticks
    ]
    parts += [_words(across(at), bottom + 14, f"{at:g}", "middle") for at in across.ticks]
    parts.append(_words((_LEFT + right) / 2, height - 3, x_label, "middle"))
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
