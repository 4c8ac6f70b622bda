"""Renders a report as one HTML page that loads nothing: styles, script, charts and pictures are part of it.

Its Content-Security-Policy allows only its own style and script, by their hashes. So text that was not escaped by
mistake could not load or run anything either.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from coordinator.comparison import figure, percent
from coordinator.project import Recorded
from coordinator.report import charts, views
from coordinator.report.boards import Board
from coordinator.report.material import Item, elsewhere
from coordinator.text import in_one_line

_LISTED = 500  # configs without a line that are named
_TEMPLATES = ("components.html.j2", "report.html.j2")


@dataclass(frozen=True)
class Page:
    """All that the page shows."""

    title: str
    boards: Sequence[Board]
    items: Sequence[Item]
    """The runs of the boards, and others: those that are shown one by one."""
    left_out: int
    """How many more runs it counts."""
    recorded: Mapping[str, Sequence[Recorded]]
    """By experiment."""
    settings: views.SettingsTable | None
    agreements: Sequence[str]
    """How well CV ranks submissions, a sentence for each metric and score."""
    rows: str
    """What a metric is measured on, in the plural: images."""
    made_at: str
    version: str
    """Of coord."""


def render(page: Page) -> str:
    """The page's text. Equal pages give the same text."""
    style, script = report_file("report.css"), report_file("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            **template_values(page),
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def new_environment(*others: jinja2.BaseLoader) -> jinja2.Environment:
    """The template engine, with the report's templates (the parts are in components.html.j2) and those of `others`."""
    found = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FunctionLoader(_template), *others]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "figure": _figure,
        "one_line": in_one_line,
        "signed": _signed,
        "span": _span,
        "percent": percent,
        "apart": figure,
        "link": lambda anchor: anchor if anchor.startswith("/") else f"#{anchor}",
    }
    return found


@functools.cache
def _environment() -> jinja2.Environment:
    """That of a report alone: it keeps the templates that it has compiled."""
    return new_environment()


def template_values(page: Page) -> dict[str, Any]:
    """What the parts of a page refer to."""
    boards, items = page.boards, page.items
    by_id = {item.run.id: item for item in items}
    shown = views.with_a_line(boards, items)
    return {
        "title": page.title,
        "made_at": page.made_at,
        "version": page.version,
        "items": items,
        "item_of": by_id,
        "boards": boards,
        "rows": page.rows,
        "runs_left_out": page.left_out,
        "listed": _LISTED,
        "without": [item for item in items if item.run.id not in shown],
        "recorded": elsewhere(page.recorded),
        "settings": page.settings,
        "learning": [(board, views.learning(board, by_id)) for board in boards],
        "spread": [(board, *views.folds(board)) for board in boards],
        "against": [(board, views.against(board, by_id)) for board in boards],
        "lost": [(board, *views.lost(board, by_id)) for board in boards],
        "agreements": page.agreements,
        "has_score": any(item.score.public is not None for item in items),
        "curves": views.run_curves,
        "strip": views.strip,
        "score_of": views.score,
        "bar": charts.bar,
    }


def _figure(value: Any) -> str:
    """Four decimals; four significant digits if the value is very small or very large."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:.4f}" if value == 0 or 1e-4 <= abs(value) < 1e5 else f"{value:.4g}"


def _signed(value: float | None) -> str:
    return "" if value is None else ("+" if value >= 0 else "\N{MINUS SIGN}") + _figure(abs(value))


def _span(seconds: float | None) -> str:
    """45 s, 12 min, 3.4 h."""
    if seconds is None:
        return ""
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _template(name: str) -> str | None:
    return report_file(name) if name in _TEMPLATES else None


def report_file(name: str) -> str:
    """The text of a file of this package: a template, a style or a script."""
    return resources.files("coordinator.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
