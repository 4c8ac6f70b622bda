"""Strings and paths of a module, as far as its source tells: literals, constants, and what is made of __file__."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

Text = tuple[str, bool]
"""(the known text at the start of a string or path, whether that is all of it)."""
_UNKNOWN: Text = ("", False)

_SAME = frozenset({"str", "Path", "PurePath", "PosixPath", "fspath", "normpath", "expanduser"})
_SAME_METHODS = frozenset({"as_posix", "expanduser", "__str__"})
_ABSOLUTE = frozenset({"abspath", "realpath", "resolve", "absolute"})
_DEEPEST = 20
# Made once: `A | B` is a new type each time, and there are thousands of nodes.
_CHANGED, _ASSIGNED = (ast.arg, ast.AugAssign, ast.NamedExpr), (ast.Assign, ast.AugAssign)


_PYTHON_PATH = re.compile(r"sys\.path\b|site\.addsitedir")


class Texts:
    """Works out expressions of one module. A relative path is one of the program's working directory, the root."""

    def __init__(self, tree: ast.Module, file: Path, root: Path) -> None:
        self._file = file
        self._root = root
        self._known: dict[str, Text] = {}
        self._values: dict[str, list[ast.expr]] = {}
        """What is assigned to each name, anywhere in the module."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, [node.value])
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._assign(node.target, [node.value])
            elif isinstance(node, ast.For):
                items = node.iter.elts if isinstance(node.iter, ast.List | ast.Tuple) else [node.iter, node.iter]
                self._assign(node.target, items)
            elif isinstance(node, _CHANGED):
                target = ast.Name(node.arg) if isinstance(node, ast.arg) else node.target
                self._assign(target, [ast.Name(""), ast.Name("")])  # what else may be in it is not known

    def _assign(self, target: ast.expr, values: list[ast.expr]) -> None:
        if isinstance(target, ast.Name):
            self._values.setdefault(target.id, []).extend(values)

    def every(self, node: ast.expr) -> Iterator[str]:
        """The whole texts that the expression may have: those of a list, and of a name that a loop gives items of."""
        if isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                yield from self.every(item)
        elif isinstance(node, ast.Starred):
            yield from self.every(node.value)
        elif isinstance(node, ast.Name) and node.id in self._values and node.id != "__file__":
            for value in self._values[node.id]:
                if not (isinstance(value, ast.Name) and value.id == node.id):
                    yield from filter(None, [self.whole(value)])
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.left, ast.List):
            yield from self.every(node.left)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.right, ast.List):
            yield from self.every(node.right)
        else:
            yield from filter(None, [self.whole(node)])

    def whole(self, node: ast.expr) -> str | None:
        text, whole = self.beginning(node)
        return text if whole else None

    def beginning(self, node: ast.AST, depth: int = 0) -> Text:
        """The known text at the start of what the expression gives."""
        if depth > _DEEPEST:
            return _UNKNOWN
        match node:
            case ast.Constant(value=str(text)):
                return text, True
            case ast.Name(id="__file__"):
                return str(self._file), True
            case ast.Name(id=name):
                return self._constant(name, depth)
            case ast.JoinedStr(values=parts):
                return self._concatenated(parts, depth)
            case ast.FormattedValue(value=value, format_spec=None, conversion=-1):
                return self.beginning(value, depth + 1)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._concatenated([left, right], depth)
            case ast.BinOp(left=left, op=ast.Mod()):
                text, _ = self.beginning(left, depth + 1)
                return text.partition("%")[0], False
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._joined([left, right], depth)
            case ast.Attribute(value=value, attr="parent"):
                return self._above(value, 1, depth)
            case ast.Attribute(attr="pardir"):
                return os.pardir, True
            case ast.Attribute(attr="curdir"):
                return os.curdir, True
            case ast.Attribute(attr="sep"):
                return os.sep, True
            case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(index))):
                return self._above(value, index + 1, depth)
            case ast.Subscript(value=ast.Attribute(attr="path"), slice=ast.Constant(value=0)):  # sys.path[0]
                return str(self._file.parent), True
            case ast.Call():
                return self._call(node, depth)
        return _UNKNOWN

    def _constant(self, name: str, depth: int) -> Text:
        if name not in self._known:
            values = self._values.get(name, [])
            self._known[name] = _UNKNOWN  # while it is worked out: it may be made of itself
            self._known[name] = self.beginning(values[0], depth + 1) if len(values) == 1 else _UNKNOWN
        return self._known[name]

    def _call(self, node: ast.Call, depth: int) -> Text:
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        name = node.func.attr if isinstance(node.func, ast.Attribute) else source_of(node.func)
        is_of_module = receiver is not None and source_of(receiver) in ("os", "os.path", "path", "osp", "pathlib")
        if name in ("getcwd", "cwd"):
            return str(self._root), True
        if name == "format" and receiver is not None:
            return self.beginning(receiver, depth + 1)[0].partition("{")[0], False
        if name == "join" and (is_of_module or receiver is None):
            return self._joined(node.args, depth)
        if name == "joinpath" and receiver is not None:
            return self._joined([receiver, *node.args], depth)
        inner = node.args[0] if node.args and (is_of_module or receiver is None) else receiver
        if name == "Path" and len(node.args) > 1:
            return self._joined(node.args, depth)
        if name == "dirname" and node.args:
            return self._above(node.args[0], 1, depth)
        if inner is None:
            return _UNKNOWN
        if name in _ABSOLUTE or name in _SAME or name in _SAME_METHODS:
            text, whole = self.beginning(node.args[0] if node.args and name in _ABSOLUTE | _SAME else inner, depth + 1)
            return (_join(str(self._root), text), True) if whole and name in _ABSOLUTE else (text, whole)
        return _UNKNOWN

    def _above(self, node: ast.AST, levels: int, depth: int) -> Text:
        text, whole = self.beginning(node, depth + 1)
        if not whole:
            return _UNKNOWN
        for _ in range(levels):
            text = str(Path(text).parent)
        return text, True

    def _concatenated(self, parts: list[ast.expr], depth: int) -> Text:
        known = ""
        for part in parts:
            text, whole = self.beginning(part, depth + 1)
            known += text
            if not whole:
                return known, False
        return known, True

    def _joined(self, parts: list[ast.expr], depth: int) -> Text:
        known = ""
        for part in parts:
            text, whole = self.beginning(part, depth + 1)
            if known or text:
                known = _join(known, text)
            if not whole:
                return known, False
        return known, True


def _join(path: str, more: str) -> str:
    """As os.path.join does: with an empty `more` the path ends with a slash."""
    return more if not path or more.startswith("/") else f"{path.rstrip('/')}/{more}"


def source_of(node: ast.expr) -> str:
    """The source of an expression. A name with dots is put together here: `ast.unparse` takes ten times as long."""
    attributes: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        attributes.append(inner.attr)
        inner = inner.value
    return ".".join([inner.id, *reversed(attributes)]) if isinstance(inner, ast.Name) else ast.unparse(node)


def additions_to_search_path(tree: ast.Module, texts: Texts) -> Iterator[str]:
    """The folders that a module adds to sys.path, as far as its source tells them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _PYTHON_PATH.match(source_of(node.func)):
            for argument in (*node.args, *(each.value for each in node.keywords)):
                yield from texts.every(argument)
        elif isinstance(node, _ASSIGNED):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_PYTHON_PATH.match(source_of(each)) for each in targets):
                yield from texts.every(node.value)
