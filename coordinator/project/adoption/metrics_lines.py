"""Which lines with metrics a program prints, as patterns for `[tool.coord.metrics]`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.project.declaration.sources import SourceModule

_PRINTERS = ("print", "info", "echo", "log", "write", "debug", "secho", "rprint")
_HIGHER = (
    *("auc", "acc", "accuracy", "f1", "dice", "iou", "map", "score", "r2", "kappa", "qwk", "precision", "recall"),
    *("ndcg", "mcc", "cv"),
)
_LOWER = ("loss", "rmse", "mae", "mse", "error", "logloss", "rmsle", "mape", "crps", "perplexity", "wer")
_PLACES = ("fold", "epoch", "step", "seed")
_OF = ("train", "training", "val", "valid", "validation", "test", "oof", "best", "mean", "avg", "cv")
"""Words that belong to the name of the metric after them."""
_NUMBER = r"[-+.\deE]+"
_LABEL = re.compile(r"([A-Za-z][\w@]*(?:[ _/-][A-Za-z][\w@]*)?)([\s:=|(\[]*)$")

Pieces = list[str | ast.expr]


@dataclass(frozen=True)
class Line:
    """A printed line with a metric."""

    pattern: str
    metrics: tuple[str, ...]
    where: str
    places: frozenset[str]


def lines_printed(sources: Mapping[Path, SourceModule]) -> list[Line]:
    """Those that name a metric, with a fold and with an epoch first."""
    found: dict[str, Line] = {}
    for source in sources.values():
        printed: set[int] = set()
        for node in ast.walk(source.tree):  # a call comes before its arguments
            is_printer = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _PRINTERS
            pieces = _of_call(node) if is_printer and isinstance(node, ast.Call) else _of_text(node)
            if is_printer:
                printed |= {id(each) for each in ast.walk(node)}
            elif id(node) in printed:
                continue
            line = _line(pieces, source.place(node)) if pieces else None
            if line is not None and (is_printer or line.places):
                found.setdefault(line.pattern, line)
    return sorted(
        found.values(), key=lambda each: ("fold" not in each.places, "epoch" not in each.places, -len(each.metrics))
    )


def mode_of(metric: str) -> str | None:
    """The direction that a metric of that name usually has."""
    words = set(re.split(r"[^a-z0-9]+|_", metric.lower()))
    if words & {*_LOWER}:
        return "min"
    return "max" if words & {*_HIGHER} else None


def _of_call(node: ast.Call) -> Pieces:
    """What `print("auc", auc)` prints."""
    pieces: Pieces = []
    for argument in node.args:
        pieces += [*(_of_text(argument) or [argument]), " "]
    return pieces


def _of_text(node: ast.AST) -> Pieces:
    """The constant and the computed pieces of an expression that makes a text; empty if it makes none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        inner = [part.value for part in node.values if isinstance(part, ast.Constant | ast.FormattedValue)]
        return [part if isinstance(part, ast.expr) else str(part) for part in inner]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _of_text(node.left), _of_text(node.right)
        return [*(left or [node.left]), *(right or [node.right])] if left or right else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        return _interleaved(node.left, r"%[-+ 0-9.]*[a-z]", values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _interleaved(node.func.value, r"\{[^}]*\}", node.args)
    return []


def _interleaved(text: ast.expr, place: str, values: list[ast.expr]) -> Pieces:
    if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
        return []
    parts = re.split(place, text.value)
    pieces: Pieces = [parts[0]]
    for value, part in zip(values, parts[1:], strict=False):
        pieces += [value, part]
    return pieces


def _line(pieces: Pieces, where: str) -> Line | None:
    groups: list[str] = []
    pattern, before = "", ""
    for piece in pieces:
        if isinstance(piece, str):
            before += piece
            continue
        found = _group(before.rpartition("\n")[2])
        if "\n" in before:
            groups, pattern = [], ""
        if found is not None and found[0] not in groups:
            groups.append(found[0])
            number = r"\d+" if found[0] in _PLACES else _NUMBER
            pattern += f"{'.*' if pattern else ''}{found[1]}(?P<{found[0]}>{number})"
        before = ""
    metrics = tuple(name for name in groups if name not in _PLACES)
    if not metrics or "'" in pattern:
        return None
    return Line(pattern, metrics, where, frozenset(groups) & {*_PLACES})


def _group(before: str) -> tuple[str, str] | None:
    """(name, pattern of its label) of what is printed after a text: a place in the training, or a metric."""
    found = _LABEL.search(before)
    if found is None:
        return None
    words = re.split(r"[ _/-]", found[1])
    last = re.split(r"[ /-]", found[1])[-1]
    label = found[1] if len(words) > 1 and words[0].lower() in _OF else last
    name = re.sub(r"\W", "_", label).lower()
    if last.lower() in _PLACES:
        name, label = last.lower(), last
    elif mode_of(name) is None:
        return None
    start = re.sub(r"\\([ =:/@-])", r"\1", re.escape(label + found[2]))
    return name, re.sub(r"\\?[\t\r\f\v]", r"\\s", start)
