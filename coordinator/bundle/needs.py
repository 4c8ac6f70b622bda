"""The absolute imports of a module: what must be there, where it says so, and whether it can do without."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True)
class Need:
    """One imported module."""

    module: str
    """Its top-level name."""
    line: int
    optional: bool
    """It stands in a `try` that catches ImportError, in `suppress(ImportError)`, or under `if TYPE_CHECKING`."""


# `from X import`, or `import X, Y as Z` up to its end, wherever they stand in a line: in texts, too.
_STATEMENT = re.compile(rb"\bfrom\b([\w. \t\f]*?)\bimport\b|\bimport\b([\w., \t\f]+)")


def may_need(source: bytes) -> set[str] | None:
    """Top-level names among which are all those of the module's absolute imports; None if only its tree tells.

    A plain search, in a hundredth of the time that a tree takes. Python normalises names (NFKC) and a declared encoding
    may spell them in any way: those sources need their tree.
    """
    if not source.isascii() or b"coding" in source[:200]:
        return None
    lines = source.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines()
    names = set()
    for match in _STATEMENT.finditer(b"\n".join(line for line in lines if b"import" in line)):
        for name in (match[1] if match[2] is None else match[2]).split(b","):
            first = name.split(maxsplit=1)[:1]
            if first and not first[0].startswith(b"."):
                names.add(first[0].partition(b".")[0].decode("ascii"))
    return names


def needs(source: bytes) -> Iterator[Need]:
    """Absolute imports wherever in the module they stand. The source is one that Python can read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are told when the program runs
        tree = ast.parse(source)
    yield from _needs(tree.body, optional=False)


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
