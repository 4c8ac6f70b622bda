"""The local modules that an entry reaches, parsed, with what their names stand for. Nothing of them is run."""

from __future__ import annotations

import ast
import functools
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator.errors import ProjectError
from coordinator.project.launch import is_script
from coordinator.project.project import Project
from coordinator.project.texts import Texts, additions_to_search_path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Computed(Exception):
    """A value that only the running program knows. Says which, and where."""


@dataclass(eq=False)
class SourceModule:
    """One module."""

    name: str
    """As messages name it: its path below the project."""
    path: Path
    tree: ast.Module
    folders: list[Path]
    """Where the program looks for modules; what it adds to sys.path, too."""
    package: Path
    defined: dict[str, Definition] = field(default_factory=dict)
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imported: dict[str, tuple[SourceModule, str]] = field(default_factory=dict)
    """Name -> the local module that it comes from, and its name there; empty if it is the module itself."""
    stars: list[SourceModule] = field(default_factory=list)
    """Modules of which all names are imported."""

    def resolve(self, node: ast.AST) -> tuple[SourceModule, Definition | ast.expr] | None:
        """What a name, or a name of a local module, stands for: a definition or a constant's expression."""
        if isinstance(node, ast.Attribute):
            module, name = self.imported.get(ast.unparse(node.value), (None, ""))
            return module.look_up(node.attr) if module is not None and not name else None
        return self.look_up(node.id) if isinstance(node, ast.Name) else None

    def look_up(self, name: str, depth: int = 0) -> tuple[SourceModule, Definition | ast.expr] | None:
        if name in self.defined:
            return self, self.defined[name]
        if name in self.constants:
            return self, self.constants[name]
        if name in self.imported and depth < 10:
            module, there = self.imported[name]
            return module.look_up(there, depth + 1) if there else None
        found = (module.look_up(name, depth + 1) for module in self.stars if depth < 10)
        return next(filter(None, found), None)

    def place(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 1)}"

    def value(self, node: ast.AST, depth: int = 0) -> Any:
        """The value of an expression of literals and constants. Raises Computed."""
        try:
            return self._value(node, depth)
        except (ArithmeticError, TypeError, ValueError, KeyError, RecursionError) as error:
            raise Computed(f"{self.place(node)}: {error}") from error

    def _value(self, node: ast.AST, depth: int) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.value(item, depth) for item in node.elts]
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return {self.value(key, depth): self.value(item, depth) for key, item in pairs if key is not None}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.value(node.operand, depth)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            return _OPERATIONS[type(node.op)](self.value(node.left, depth), self.value(node.right, depth))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _PURE and not node.keywords:
            return _PURE[ast.unparse(node.func)](*(self.value(each, depth) for each in node.args))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys":
            return list(self.value(node.func.value, depth))
        found = self.resolve(node)
        if found is not None and isinstance(found[1], ast.expr) and depth < 20:
            return found[0].value(found[1], depth + 1)
        raise Computed(f"{self.place(node)}: {ast.unparse(node)[:60]} is computed")


_OPERATIONS: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b if abs(b) < 1e6 else _refuse(),
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b if abs(b) < 100 else _refuse(),
}
_PURE: dict[str, Any] = {
    **{"float": float, "int": int, "str": str, "list": list, "tuple": list, "sorted": sorted, "Path": str},
    **{"range": lambda *each: list(range(*each)), "pathlib.Path": str, "os.path.join": posixpath.join},
}


def _refuse() -> Any:
    raise ValueError("too large a number")


def sources_of(project: Project, entry: str) -> tuple[SourceModule, dict[Path, SourceModule]]:
    """The entry, and all local modules that it reaches. Raises ProjectError if the entry is missing or malformed."""
    root = project.root
    modules = project.module_folders
    path = root / entry
    if not is_script(root, entry):
        places = [folder.joinpath(*entry.split(".")) for folder in modules]
        files = [file for place in places for file in (place.with_name(f"{place.name}.py"), place / "__main__.py")]
        path = next((file for file in files if file.is_file()), places[0])
    if not path.is_file():
        raise ProjectError(f'there is no entry "{entry}" in {root}')
    folders = list(dict.fromkeys([path.parent, *modules[1:], root] if is_script(root, entry) else modules))
    found: dict[Path, SourceModule] = {}
    try:
        top = _read(project, path, folders, found)
    except (SyntaxError, ValueError) as error:  # the latter: a NUL in the source, before Python 3.12
        place = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ProjectError(f"{project.relative(path)}{place}: {what}") from error
    return top, found


def _read(project: Project, path: Path, folders: list[Path], found: dict[Path, SourceModule]) -> SourceModule:
    if path in found:
        return found[path]
    stat = path.stat()
    parsed = _parsed(path, project.root, stat.st_mtime_ns, stat.st_size)
    source = found[path] = SourceModule(project.relative(path), path, parsed.tree, folders, path.parent)
    folders += [each for each in _added(parsed, project.root) if each not in folders]
    for node in parsed.imports:
        for name, module, there in _imported(node, source):
            try:
                read = _read(project, module, folders, found)
                if name == "*":
                    source.stars.append(read)
                else:
                    source.imported[name] = (read, there)
            except (SyntaxError, ValueError, OSError):
                continue  # the bundle tells of it; its flags are missing from the declaration
    for statement in _top_level(parsed.tree):
        if isinstance(statement, Definition):
            source.defined[statement.name] = statement
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            if isinstance(statement.targets[0], ast.Name):
                source.constants[statement.targets[0].id] = statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            source.constants[statement.target.id] = statement.value
    return source


def _added(parsed: _Parsed, root: Path) -> Iterator[Path]:
    """The folders of the project that a module adds to sys.path."""
    for text in parsed.added:
        place = (root / text).resolve()
        if place.is_dir() and place.is_relative_to(root):
            yield place


@dataclass(frozen=True)
class _Parsed:
    """What is found in all of a file. A sweep asks for the same files once for each of its experiments."""

    tree: ast.Module
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    added: tuple[str, ...]
    """What it adds to sys.path."""


@functools.lru_cache(maxsize=512)
def _parsed(path: Path, root: Path, _changed: int, _size: int) -> _Parsed:
    tree = ast.parse(path.read_bytes(), str(path))
    imports = tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return _Parsed(tree, imports, tuple(additions_to_search_path(tree, Texts(tree, path, root))))


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of the module, also in `if` and `try`."""
    todo: list[ast.stmt] = list(reversed(tree.body))
    while todo:
        statement = todo.pop()
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            todo += [each for each in ast.iter_child_nodes(statement) if isinstance(each, ast.stmt)]


def _imported(node: ast.Import | ast.ImportFrom, source: SourceModule) -> Iterator[tuple[str, Path, str]]:
    """(name in this module, file of the local module, name there) of an import statement."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if module := _file(source.folders, alias.name):
                yield alias.asname or alias.name, module, ""
        return
    folders = source.folders
    if node.level:
        above = source.package
        for _ in range(node.level - 1):
            above = above.parent
        folders = [above]
    for alias in node.names:
        as_module = _file(folders, f"{node.module}.{alias.name}" if node.module else alias.name)
        if as_module:
            yield alias.asname or alias.name, as_module, ""
        elif module := _file(folders, node.module) if node.module else None:
            yield alias.asname or alias.name, module, alias.name


def _file(folders: list[Path], module: str) -> Path | None:
    for folder in folders:
        place = folder.joinpath(*module.split("."))
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                return path
    return None
