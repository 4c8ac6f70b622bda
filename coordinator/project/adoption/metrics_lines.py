"""Which lines with metrics a program prints, as patterns for `[tool.coord.metrics]`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.project.declaration.sources import SourceModule

_PRINTERS = ("print", "info", "echo", "log", "write", "debug", "secho")
_HIGHER = (
    *("auc", "acc", "f1", "dice", "iou", "map", "score", "r2", "kappa", "qwk"),
    *("precision", "recall", "ndcg", "mcc"),
)
_LOWER = ("loss", "rmse", "mae", "mse", "error", "logloss", "rmsle", "mape", "crps", "perplexity", "wer")
_PLACES = ("fold", "epoch", "step", "seed")
_NUMBER = r"[-+.\deE]+"
_LAST_WORD = re.compile(r"([A-Za-z][\w/@ -]*?)[\s:=|]*$")


@dataclass(frozen=True)
class Line:
    """A printed line with a metric."""

    pattern: str
    metrics: tuple[str, ...]
    where: str
    has_fold: bool


def lines_printed(sources: Mapping[Path, SourceModule]) -> list[Line]:
    """Those that name a metric, with a fold first."""
    found: dict[str, Line] = {}
    for source in sources.values():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _PRINTERS:
                for argument in node.args:
                    line = _line(argument, source)
                    if line is not None:
                        found.setdefault(line.pattern, line)
    return sorted(found.values(), key=lambda each: not each.has_fold)


def mode_of(metric: str) -> str | None:
    """The direction that a metric of that name usually has."""
    words = re.split(r"[^a-z0-9]+", metric.lower())
    if any(word.startswith(each) or word.endswith(each) for word in words for each in _LOWER):
        return "min"
    return "max" if any(word.startswith(each) or word.endswith(each) for word in words for each in _HIGHER) else None


def _line(node: ast.expr, source: SourceModule) -> Line | None:
    if isinstance(node, ast.JoinedStr):
        pieces = [part.value if isinstance(part, ast.Constant) else part for part in node.values]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        text = node.func.value
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
            return None
        parts = re.split(r"\{[^}]*\}", text.value)
        pieces = [each for pair in zip(parts, [*node.args, None], strict=False) for each in pair if each is not None]
    else:
        return None
    groups: dict[str, str] = {}
    pattern, before = "", ""
    for piece in pieces:
        if isinstance(piece, str):
            before += piece
            continue
        expression = piece.value if isinstance(piece, ast.FormattedValue) else piece
        name = _name(before, ast.unparse(expression) if isinstance(expression, ast.expr) else "")
        if name and name not in groups:
            number = r"\d+" if name in _PLACES else _NUMBER
            label = re.search(r"[A-Za-z][\w/@-]*[\s:=|]*$", before)
            start = re.sub(r"\\([ =:/@])", r"\1", re.escape(label[0])) if label else ""
            pattern += f"{'.*' if pattern else ''}{start}(?P<{name}>{number})"
            groups[name] = number
        before = ""
    metrics = tuple(name for name in groups if name not in _PLACES)
    if not metrics or "'" in pattern:
        return None
    return Line(pattern, metrics, source.place(node), "fold" in groups)


def _name(before: str, expression: str) -> str | None:
    """The name of what is printed after a text: a place in the training, a metric, or None."""
    last = _LAST_WORD.search(before)
    words = re.split(r"[^A-Za-z0-9_]+", last[1].lower()) if last else []
    label = words[-1] if words else ""
    for place in _PLACES:
        if label == place or (not label and expression == place):
            return place
    for text in (label, "_".join(words[-2:]), expression if expression.isidentifier() else ""):
        if text and mode_of(text) is not None and re.fullmatch(r"[A-Za-z_]\w*", text):
            return text
    return None
