"""Reads a kernel back, from disk or from Kaggle, without running a line of it.

The kernel's call of `run(files=..., archive=..., config=..., entry=..., experiment=...)` says what it holds, and that
of `StartOptions(...)` inside how the program is started. Each value is taken from the literals that it names, so a
project's own template reads back as well as coord's.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.bundle import bootstrap
from coordinator.bundle.beside import SOURCES_FILE, archive_in
from coordinator.bundle.files import SourceFile
from coordinator.bundle.notebook import script_in
from coordinator.bundle.script import Form, Wheels
from coordinator.bundle.sizes import SLOW_CODECS, unpacked_max
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.names import confined, is_plain

_ARGUMENTS = ("files", "archive", "config", "entry", "experiment")
_NOTEBOOK_MAX = 4 * SOURCE_MAX
"""The most bytes of a file that is read as a kernel. Its script has SOURCE_MAX at most: a tree of Python's objects
takes hundreds of times the memory of its text."""
_TEXT = rb'\s*+"(?:[^"\\]|\\.)*+"\s*+'
_PACKED = re.compile(rb"\s*+\{(?:%b:\s*+\[%b,%b,%b\]\s*+,?)*+\s*+\}\s*+" % (_TEXT, _TEXT, _TEXT, _TEXT), re.DOTALL)
_NONE_OF_OURS = "This is no kernel that coord made, or it was damaged."


@dataclass(frozen=True)
class Kernel:
    """What a kernel holds."""

    text: str
    """With a newline alone at the end of each line, whatever it was when it was read."""
    stamp: Mapping[str, str]
    """The first line: `run`, `digest`, perhaps `git`; empty if there is none."""
    experiment: str
    entry: str
    config: dict[str, Any] | None
    form: Form
    listed: Mapping[str, str]
    """Path -> SHA-256 that the kernel states, of all files."""
    files: tuple[SourceFile, ...]
    """Sorted by path; none if they lie in a data set that is not here."""
    arguments: tuple[str, ...]
    path: tuple[str, ...]
    in_checkout: bool
    delivery: dict[str, Any] | None
    needs: dict[str, str]
    """See `script.Content`."""
    wheels: Wheels | None
    damaged: Mapping[str, str]
    """Path -> the SHA-256 that the kernel states, for files that have another: such a kernel refuses to run."""

    @property
    def digest(self) -> str:
        """Computed from the text as it is now; the stamp may have another."""
        return bootstrap.digest_of(self.text)

    @property
    def is_edited(self) -> bool:
        """Whether it was changed after it was built, its first line included."""
        return self.stamp.get("digest") != self.digest


def read_kernel(data: bytes, name: str, folder: Path | None = None) -> Kernel:
    """The kernel in `data`; `name` is for messages, and in `folder` the data set with its sources may lie.

    Raises BundleError, with the line, if coord did not make it.
    """
    _check_size(data, _NOTEBOOK_MAX, name)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BundleError(f"{name}:{line}: it is not UTF-8", hint=_NONE_OF_OURS) from error
    # coord writes no carriage returns; a kernel that was stored with CRLF line ends still runs.
    text = script_in(text.replace("\r\n", "\n"))
    _check_size(text.encode("utf-8", "surrogatepass"), SOURCE_MAX, name)
    values = _Values(name, _parsed(text, name), folder)
    files = []
    damaged = {}
    packed = values.packed()
    for path, (sha256, encoding, content) in sorted(packed.items()):
        if values.is_away:
            break
        try:
            file = SourceFile(path, _decoded(encoding, content))
        except (ValueError, LookupError) as error:
            raise values.error("files", f"{path} cannot be decoded ({error})") from error
        files.append(file)
        if file.sha256 != sha256:
            damaged[path] = sha256
    return Kernel(
        text=text,
        stamp=bootstrap.stamp_of(text),
        experiment=values.string("experiment"),
        entry=values.string("entry"),
        config=values.config(),
        form=values.form,
        listed={path: sha256 for path, (sha256, _, _) in packed.items()},
        files=tuple(files),
        arguments=values.texts("arguments"),
        path=values.texts("path"),
        in_checkout=values.launch("place") is not None,
        delivery=values.table("deliver", 1),
        needs=values.needs(),
        wheels=values.wheels(),
        damaged=damaged,
    )


def _check_size(data: bytes, most: int, name: str) -> None:
    if len(data) > most:
        raise BundleError(
            f"{name}: it has {len(data):,} bytes, where a kernel has {most:,} at most", hint=_NONE_OF_OURS
        )


def _decoded(encoding: str, content: str) -> bytes:
    if encoding.partition(" ")[0].lower() in SLOW_CODECS:
        raise ValueError(f"no source is written in {encoding}")
    return bootstrap.decoded(encoding, content)


def _parsed(text: str, name: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in the sources, if the kernel was edited by hand
            return ast.parse(text)
    except SyntaxError as error:
        raise BundleError(f"{name}:{error.lineno or 1}: {error.msg}", hint=_NONE_OF_OURS) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BundleError(f"{name}:1: {str(error) or type(error).__name__}", hint=_NONE_OF_OURS) from error


def _archived(archive: str) -> Any:
    """What an archive holds. Raises ValueError for one that is made to fill the memory, before it does."""
    most = unpacked_max(len(archive))
    text = bootstrap.archive_text(archive, most + 1)
    if len(text) > most:
        raise ValueError(f"it holds more than {most:,} bytes")
    if not _PACKED.fullmatch(text):  # lists in lists take seventy times the memory of their text
        raise ValueError("it is no JSON object of texts")
    return json.loads(text)


class _Values:
    """The arguments of the kernel's call of `run`, and of those before it."""

    def __init__(self, name: str, tree: ast.Module, folder: Path | None) -> None:
        self._name = name
        self._tree = tree
        self._call = self._arguments()
        self._beside = self._data_set()
        self._sources = folder / self._beside / SOURCES_FILE if folder and self._beside else None

    @property
    def form(self) -> Form:
        return "dataset" if self._beside else "archive" if self.archive() else "text"

    @property
    def is_away(self) -> bool:
        """Whether the sources lie in a data set that is not here."""
        return bool(self._beside) and not (self._sources and self._sources.is_file())

    def archive(self) -> str:
        if not self._beside:
            return self.string("archive")
        return "" if self._sources is None or self.is_away else self._sources.read_text("ascii", errors="replace")

    def wheels(self) -> Wheels | None:
        """The arguments of `install(SLUG, TABLE)`, if the kernel calls it."""
        call = self._call_of("install")
        if call is None or len(call.args) != 2:
            return None
        slug, listed = (self._named("entry", each) for each in call.args)
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise self.error("entry", "the wheels before it are not a list of tables", call.lineno)
        return Wheels(str(slug), tuple(listed))

    def _data_set(self) -> str:
        """The data set that `archive=archive_in(SLUG)` names; empty if there is none."""
        given = self._call["archive"]
        if not isinstance(given, ast.Call) or len(given.args) != 1 or ast.unparse(given.func) != archive_in.__name__:
            return ""
        slug = str(self._literal("archive", given.args[0]))
        if not is_plain(slug):
            raise self.error("archive", f"{slug!r} is the name of no data set")
        return slug

    def string(self, argument: str) -> str:
        value = self.value(argument)
        if not isinstance(value, str):
            raise self.error(argument, "it is not a string")
        return value

    def config(self) -> dict[str, Any] | None:
        value = self.value("config")
        if not isinstance(value, dict | None):
            raise self.error("config", "it is neither a dictionary nor None")
        return value

    def launch(self, name: str) -> ast.expr | None:
        """An argument of `StartOptions(...)`; None if it is not given."""
        call = self._call.get("launch")
        given = {each.arg: each.value for each in call.keywords} if isinstance(call, ast.Call) else {}
        return given.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        node = self.launch(name)
        found = [] if node is None else self._literal("launch", node)
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self.error("launch", f"{name} is not a list of strings")
        return tuple(found)

    def table(self, name: str, position: int) -> dict[str, Any] | None:
        """The table that a function of `StartOptions(...)` is called with, after so many arguments of its own."""
        given = self.launch(name)
        call = given.body if isinstance(given, ast.Lambda) else None
        if not isinstance(call, ast.Call) or len(call.args) != position + 1:
            return None
        found = self._named("launch", call.args[position])
        if not isinstance(found, dict):
            raise self.error("launch", f"the table of {name} is not a dictionary")
        return found

    def needs(self) -> dict[str, str]:
        found = self.table("fill", 2) or {}
        if not all(isinstance(each, str) for each in found.values()):
            raise self.error("launch", "a need is not a string")
        return found

    def value(self, argument: str) -> Any:
        return self._named(argument, self._call[argument])

    def _named(self, argument: str, given: ast.expr) -> Any:
        """The value of a literal, or of a name to which literals are assigned."""
        if not isinstance(given, ast.Name):
            return self._literal(argument, given)
        assignments = list(self._assignments(given.id))
        if not assignments:
            raise self.error(argument, f"nothing is assigned to {given.id}")
        value: Any = None
        for key, assigned in assignments:
            read = self._literal(argument, assigned)
            if key is None:
                value = read
            elif isinstance(value, dict):
                value[self._literal(argument, key)] = read
        return value

    def packed(self) -> dict[str, tuple[str, str, str]]:
        """(path -> (sha256, encoding, text), "text" or "archive").

        Beside an archive, `files` may list what is in it: then a file must have the digest given there.
        """
        files, archive = self.value("files"), self.archive()
        if not isinstance(files, dict):
            raise self.error("files", "it is not a dictionary")
        try:
            packed = {**files, **(_archived(archive) if archive else {})}
        except Exception as error:  # a damaged archive: base 64, compression and JSON each have errors of their own
            raise self.error("archive", str(error)) from error
        for path, file in (*files.items(), *packed.items()):
            if not (isinstance(path, str) and len(file) == 3 and all(isinstance(part, str) for part in file)):
                raise self.error("files", f"{path!r} is not (SHA-256, encoding, text)")
            try:
                confined(path)
            except ValueError as error:
                raise self.error("files", f"{path!r}: {error}") from None
        return {path: (files.get(path, file)[0], *file[1:]) for path, file in packed.items()}

    def error(self, argument: str, what: str, line: int | None = None) -> BundleError:
        place = f"{self._name}:{line or self._call[argument].lineno}"
        return BundleError(f"{place}: {argument} cannot be read: {what}", hint=_NONE_OF_OURS)

    def _literal(self, argument: str, node: ast.expr) -> Any:
        """The value of a literal, or of `json.loads(literal)`."""
        try:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "json.loads" and len(node.args) == 1:
                return json.loads(ast.literal_eval(node.args[0]))
            return ast.literal_eval(node)
        except (ValueError, TypeError, RecursionError) as error:  # json's errors are ValueErrors
            what = str(error).partition(": <")[0]  # without the address of a node
            raise self.error(argument, what, node.lineno) from error

    def _assignments(self, name: str) -> Iterator[tuple[ast.expr | None, ast.expr]]:
        """(key or None, value) of every `name = value` and `name[key] = value`."""
        for statement in self._tree.body:
            if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
                continue
            target = statement.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                yield None, statement.value
            elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id == name:
                yield target.slice, statement.value

    def _arguments(self) -> dict[str, ast.expr]:
        """Those of the call of `run`."""
        call = self._call_of("run")
        if call is None:
            last = max((statement.end_lineno or 1 for statement in self._tree.body), default=1)
            raise BundleError(f"{self._name}:{last}: it ends without a call of run()", hint=_NONE_OF_OURS)
        arguments = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        missing = [name for name in _ARGUMENTS if name not in arguments]
        if missing:
            what = f"{self._name}:{call.lineno}: the call of run() lacks {', '.join(missing)}"
            raise BundleError(what, hint=_NONE_OF_OURS)
        return arguments

    def _call_of(self, function: str) -> ast.Call | None:
        """The first call of that function by a statement of the script's own or of an `if`."""
        for statement in self._tree.body:
            for inner in statement.body if isinstance(statement, ast.If) else [statement]:
                call = inner.value if isinstance(inner, ast.Expr) else None
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function:
                    return call
        return None
