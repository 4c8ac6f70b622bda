"""The absolute imports of a module: what must be there, where it says so, and whether it can do without."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.bundle.syntax import parse

if TYPE_CHECKING:
    from coordinator.bundle.sources import SourceFile

_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True)
class Need:
    """One imported module."""

    module: str
    """Its top-level name."""
    line: int
    optional: bool
    """It stands in a `try` that catches ImportError, in `suppress(ImportError)`, or under `if TYPE_CHECKING`."""


@functools.lru_cache(maxsize=4096)
def needs(source: SourceFile, python: str | None = None) -> tuple[Need, ...]:
    """Absolute imports wherever in the module they stand. Kept, because more than one step of a build asks.

    Raises BundleError if Python `python` ("3.12"; None: the one that runs here) cannot read the module.
    """
    return tuple(_needs(parse(source, python).body, optional=False))


def _needs(statements: list[ast.stmt], *, optional: bool) -> Iterator[Need]:
    # Statements only: an import is one, and most of a tree is expressions.
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (Need(alias.name.partition(".")[0], node.lineno, optional) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield Need(node.module.partition(".")[0], node.lineno, optional)
        elif isinstance(node, ast.Try | ast.TryStar):
            caught = optional or any(_catches(handler.type) for handler in node.handlers)
            inside = [*node.body, *(each for handler in node.handlers for each in handler.body), *node.orelse]
            yield from _needs(inside, optional=caught)
            yield from _needs(node.finalbody, optional=optional)
        elif isinstance(node, ast.If):
            yield from _needs(node.body, optional=optional or _is_named(node.test, {"TYPE_CHECKING"}))
            yield from _needs(node.orelse, optional=optional)
        elif isinstance(node, ast.With | ast.AsyncWith):
            yield from _needs(node.body, optional=optional or any(_suppresses(item) for item in node.items))
        elif isinstance(node, ast.Match):
            for case in node.cases:
                yield from _needs(case.body, optional=optional)
        else:
            for field in ("body", "orelse"):
                yield from _needs(getattr(node, field, []), optional=optional)


def _catches(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    return any(_is_named(each, _CAUGHT) for each in (caught.elts if isinstance(caught, ast.Tuple) else [caught]))


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    return (
        isinstance(call, ast.Call)
        and _is_named(call.func, {"suppress"})
        and any(_is_named(each, _CAUGHT) for each in call.args)
    )


def _is_named(node: ast.expr, names: set[str]) -> bool:
    """Whether the expression is one of the names, or that attribute of something."""
    return (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names)
