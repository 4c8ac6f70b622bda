"""What a module's source imports: by statement, by a literal name, or by a name that is computed at run time."""

from __future__ import annotations

import ast
import re
import symtable
import unicodedata
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import BundleError
from coordinator.progress import Count
from coordinator.system import CAN_FORK, interrupts_held_back, processors

# Functions that import the module that their first argument names, and such that run the file that an argument names.
# A module that calls one contains its name.
_CALLS = frozenset({"import_module", "__import__", "run_module", "find_spec", "resolve_name"})
_CALLS_IN_SOURCE = [name.encode() for name in _CALLS]
_FILE_CALLS = frozenset({"run_path", "spec_from_file_location", "SourceFileLoader"})
_FILE_CALLS_IN_SOURCE = [name.encode() for name in _FILE_CALLS]
_NAME_KEYWORDS = ("name", "mod_name", "path_name", "path")

# PEP 263: a comment in one of the first two lines.
_ENCODING = re.compile(rb"(?:[ \t\f]*(?:#[^\r\n]*)?\r?\n)?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)")

# Handlers that let a failed import pass; "" is a bare `except:`.
_CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException", ""})

# `from X import`, or `import X, Y as Z` up to its end, anywhere in a line: in string literals, too.
_STATEMENT = re.compile(rb"\bfrom\b([\w. \t\f]*?)\bimport\b|\bimport\b([\w., \t\f]+)")

_SHEBANG = re.compile(rb"#!.*\b(?:python|pypy|uv run)")

# Below this many bytes, starting processes takes longer than they save.
_PARALLEL = 4_000_000


@dataclass(frozen=True)
class Import:
    """A module that a source imports; of `from a import b` both `a` and `a.b`, because b may be a module."""

    name: str
    """Absolute dotted name."""
    line: int
    optional: bool
    """Whether the program can go on without it: it is in a `try` that catches ImportError, its handlers or its `else`,
    in `suppress(ImportError)`, or for type checkers only."""


@dataclass(frozen=True)
class Imports:
    """All that one source imports."""

    imports: tuple[Import, ...]
    computed: tuple[int, ...]
    """Lines that import a name that is known only when the program runs."""
    files: tuple[tuple[str, int], ...] = ()
    """(text, line): what may be the path of a file that is run."""


def parse(source: bytes, path: str) -> ast.Module:
    """The syntax tree of a source. Raises BundleError, with file and line, on a syntax error."""
    with warnings.catch_warnings():
        # Warnings, of invalid escapes for example, are shown when the program runs.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source, filename=path)
        except (SyntaxError, ValueError) as error:
            raise syntax_error(path, error) from error


def check_syntax(source: bytes, path: str) -> None:
    """Raises the errors of `parse`, in half the time: no tree of Python objects is made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            symtable.symtable(source, path, "exec")  # type: ignore[arg-type]  # takes bytes, with their encoding
        except (SyntaxError, ValueError) as error:
            raise syntax_error(path, error) from error


def is_shebang_of_python(source: bytes) -> bool:
    """Whether the first line names Python as what runs the file."""
    return _SHEBANG.match(source) is not None


def is_python_script(file: Path) -> bool:
    """Whether a file's first line names Python as what runs it, and its content is Python. Raises OSError."""
    with file.open("rb") as opened:
        if not is_shebang_of_python(opened.readline(200)):
            return False
        opened.seek(0)
        try:
            check_syntax(opened.read(), file.name)
        except BundleError:
            return False
    return True


def syntax_errors(sources: Sequence[tuple[str, bytes]], count: Count) -> Iterator[tuple[str, BundleError]]:
    """(path, error) of each (path, source) that `check_syntax` refuses; many are checked in several processes.

    The 1,500 modules of sympy take 3.7 seconds of a processor: on two of them a bundle is done a quarter sooner.
    """
    if sum(len(source) for _, source in sources) < _PARALLEL or not CAN_FORK:
        return _check_each(count.each(sources))
    return _check_in_processes(sources, count)


def _check_in_processes(sources: Sequence[tuple[str, bytes]], count: Count) -> Iterator[tuple[str, BundleError]]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    batches = [sources[start : start + 50] for start in range(0, len(sources), 50)]
    with ProcessPoolExecutor(processors(), mp_context=get_context("fork")) as pool:
        # Workers ignore Ctrl-C: one that ended with it might hold a lock, and the pool would wait for ever.
        with interrupts_held_back():
            results = pool.map(_refused, batches)  # starts the workers, which inherit that
        refused = set[str]()
        for batch, found in zip(batches, results, strict=True):
            refused.update(found)
            count.advance(len(batch))
    # Once more here: an error from another process has lost its cause.
    yield from _check_each([(path, source) for path, source in sources if path in refused])


def _refused(sources: Sequence[tuple[str, bytes]]) -> list[str]:
    return [path for path, _ in _check_each(sources)]


def _check_each(sources: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, BundleError]]:
    for path, source in sources:
        try:
            check_syntax(source, path)
        except BundleError as error:
            yield path, error


def syntax_error(path: str, error: SyntaxError | ValueError) -> BundleError:
    """What Python says about a source, with file and line."""
    line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return BundleError(
        f"{path}{line}: {message}", hint="If it is no module of the program, leave it out: name it in .coordignore."
    )


def may_import(source: bytes, names: Collection[str]) -> bool:
    """Whether the source could import a module of one of these names, in any package; False only if it does not.

    A plain search for the names, so that the thousand modules of a package that goes in whole need no tree.
    """
    if not names:
        return False
    if source.isascii() and not _ENCODING.match(source):
        return any(name.encode() in source for name in names)
    try:
        text = unicodedata.normalize("NFKC", _decoded(source))  # as Python does with the names in it
    except (UnicodeDecodeError, LookupError):
        return True  # a syntax error, most likely: the parser will report it
    return any(unicodedata.normalize("NFKC", name) in text for name in names)


def may_import_top_level(source: bytes, names: Collection[str]) -> bool:
    """The same for top-level modules, whose names must stand in statements: a short one stands in every source."""
    if not may_import(source, names):
        return False
    imported = names_imported(source)
    return imported is None or not imported.isdisjoint(names) or any(word in source for word in _CALLS_IN_SOURCE)


def names_imported(source: bytes) -> set[str] | None:
    """Top-level names that absolute import statements may name, and perhaps more; None if only the tree can tell.

    A plain search, in a hundredth of the time that a tree takes. Python normalises names (NFKC), and a declared
    encoding may write them in any way: sources with either need their tree.
    """
    if b"coding" in source[:200]:
        return None
    statements = b"\n".join(_lines_with_import(source))
    if not statements.isascii():
        return None
    names = set()
    for match in _STATEMENT.finditer(statements):
        for name in (match[1] if match[2] is None else match[2]).split(b","):
            first = name.split(maxsplit=1)[:1]
            if first and not first[0].startswith(b"."):
                names.add(first[0].partition(b".")[0].decode("ascii"))
    return names


def _lines_with_import(source: bytes) -> Iterator[bytes]:
    """The lines that have the word, which is always written in ASCII: most lines are not looked at."""
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    source = source.replace(b"\\\n", b" ")
    at = source.find(b"import")
    while at >= 0:
        end = source.find(b"\n", at)
        end = len(source) if end < 0 else end
        yield source[source.rfind(b"\n", 0, at) + 1 : end]
        at = source.find(b"import", end)


def _decoded(source: bytes) -> str:
    found = _ENCODING.match(source)
    return source.decode(found[1].decode() if found else "utf-8")


def imports_of(tree: ast.Module, package: str, source: bytes) -> Imports:
    """What a module imports that lies in `package` (dotted name; empty for a script or a top-level module)."""
    found = list(statement_imports(tree, package))
    computed: list[int] = []
    for name, call in _calls(tree, _CALLS) if any(word in source for word in _CALLS_IN_SOURCE) else ():
        text, whole = _beginning(name)
        text = text.partition(":")[0]  # "module:object"
        if text.startswith("."):
            continue  # of its own package, which goes in whole
        known = text if whole else text.rpartition(".")[0]
        if known:
            found.append(Import(known, call.lineno, True))
        elif not whole:
            computed.append(call.lineno)
    files = (text for call in _file_calls(tree, source) for text in named_texts(call))
    return Imports(tuple(found), tuple(computed), tuple(files))


def statement_imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Those of `imports_of` that are statements: all without which the module fails."""
    for node, optional in _statements(tree.body):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, optional) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            if base:
                names = [base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")]
                yield from (Import(name, node.lineno, optional) for name in names)


def _absolute(module: str, level: int, package: str) -> str:
    """`from ..module import` in `package`, as an absolute name; empty where that leads above the top."""
    if level == 0:
        return module
    above = package.split(".")[: len(package.split(".")) - level + 1] if package else []
    return ".".join([*above, module] if module else above) if above else ""


def _statements(body: Sequence[ast.stmt], *, optional: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement below, and whether the program can do without it. Expressions are not visited, to save time."""
    for node in body:
        yield node, optional
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign):
            continue
        guarded = optional or _is_guard(node)
        yield from _statements(getattr(node, "body", ()), optional=guarded)
        for name in ("handlers", "cases"):
            for part in getattr(node, name, ()):
                yield from _statements(part.body, optional=guarded)
        # The `else` of a `try` runs only after its body did; that of an `if TYPE_CHECKING` is what runs.
        yield from _statements(getattr(node, "orelse", ()), optional=optional if isinstance(node, ast.If) else guarded)
        yield from _statements(getattr(node, "finalbody", ()), optional=optional)


def _is_guard(node: ast.stmt) -> bool:
    """`try` with a handler for ImportError (or more), `with suppress(ImportError)`, or `if TYPE_CHECKING`."""
    if isinstance(node, ast.Try | ast.TryStar):
        return any(not _CAUGHT.isdisjoint(_names(handler.type)) for handler in node.handlers)
    if isinstance(node, ast.With | ast.AsyncWith):
        return any(_suppresses(item.context_expr) for item in node.items)
    return isinstance(node, ast.If) and "TYPE_CHECKING" in _names(node.test)


def _suppresses(context: ast.expr) -> bool:
    return (
        isinstance(context, ast.Call)
        and "suppress" in _names(context.func)
        and any(not _CAUGHT.isdisjoint(_names(each)) for each in context.args)
    )


def _names(node: ast.expr | None) -> list[str]:
    """The last parts of the names in an expression like `a.B` or `(A, B)`; an empty one for no expression."""
    if node is None:
        return [""]
    if isinstance(node, ast.Tuple):
        return [name for part in node.elts for name in _names(part)]
    return [node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else "?"]


def may_run_files(source: bytes) -> bool:
    """Whether the source could run a file by its path; False only if it certainly does not."""
    return any(word in source for word in _FILE_CALLS_IN_SOURCE)


def _file_calls(tree: ast.Module, source: bytes) -> Iterator[ast.Call]:
    for _, call in _calls(tree, _FILE_CALLS) if may_run_files(source) else ():
        yield call


def _calls(tree: ast.Module, of: Collection[str]) -> Iterator[tuple[ast.expr, ast.Call]]:
    """(the first argument, the call) of each call of one of the functions, which may have another name here."""
    functions = set(of)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            functions |= {alias.asname for alias in node.names if alias.name in of and alias.asname}
        elif isinstance(node, ast.Call) and not functions.isdisjoint(_names(node.func)):
            named = (keyword.value for keyword in node.keywords if keyword.arg in _NAME_KEYWORDS)
            first = node.args[0] if node.args else next(named, None)
            if first is not None:
                yield first, node


def _beginning(node: ast.expr) -> tuple[str, bool]:
    """(the known text at the start of a string expression, whether that is the whole string)."""
    match node:
        case ast.Constant(value=str(text)):
            return text, True
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text, False
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            text, whole = _beginning(left)
            more, all_of_it = _beginning(right) if whole else ("", False)
            return text + more, whole and all_of_it
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return text.partition("%")[0], False
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text.partition("{")[0], False
    return "", False


def named_texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(text, line) of every string literal, and of literals joined to a path by `/`, join() or joinpath()."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield text, node.lineno
            case ast.BinOp(op=ast.Div()):
                yield _joined(_parts(node)), node.lineno
            case ast.Call(func=ast.Attribute(attr="join" | "joinpath") | ast.Name(id="join"), args=arguments):
                yield _joined(arguments), node.lineno


def _parts(node: ast.expr) -> list[ast.expr]:
    """a, b, c of `a / b / c`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [*_parts(node.left), node.right]
    return [node]


def _joined(parts: Sequence[ast.expr]) -> str:
    """The literals at the end of a path; empty if there is none."""
    texts: list[str] = []
    for part in reversed(parts):
        if not (isinstance(part, ast.Constant) and isinstance(part.value, str)):
            break
        texts.insert(0, part.value)
    return "/".join(texts)
