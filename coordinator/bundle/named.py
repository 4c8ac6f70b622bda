"""What a module's source names without importing it: folders of modules, of config files, programs, files it opens."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from coordinator.project import Texts, additions_to_search_path, source_of

# Functions whose first argument is a file that they read. A dotted name is one of a module or a class.
_READ = re.compile(
    r"(?:.+\.)?(?:read_(?:csv|table|parquet|json|pickle|excel|feather|fwf|hdf|orc|ipc|image)|scan_(?:csv|parquet)"
    r"|loadtxt|genfromtxt|fromfile|imread|dcmread|loadmat|load_model|read_file|ZipFile|truetype)"
    r"|(?:np|numpy|torch|joblib|OmegaConf|cupy|librosa|nib|nibabel)\.load|(?:h5py\.)?File|Image\.open|sf\.read"
)
_READING_METHODS = frozenset({"read_text", "read_bytes"})
_OPEN = re.compile(r"(?:(?:io|codecs|gzip|bz2|lzma|tarfile|zipfile)\.)?open")
_WRITE = re.compile(
    r"to_\w+|save\w*|dump\w*|write\w*|mkdir|makedirs|copy\w*|move|rename|replace|touch|imwrite|extract\w*|unpack\w*"
    r"|urlretrieve|\w*download\w*|File\w*Handler|symlink\w*"
)
_WRITING_COMMAND = re.compile(
    r"!?(?:wget|curl|cp|mv|unzip|tar|7z|gdown|kaggle|gsutil|aws|touch|mkdir|ln|git|python3?|bash|sh)\b"
)
_ASKED = frozenset({"exists", "isfile", "is_file", "isdir", "is_dir", "lexists"})
_LISTS = frozenset({"glob", "iglob", "rglob", "listdir", "scandir", "walk", "iterdir"})
_CONFIG_FOLDERS = ("config_path", "config_dir")
_MISSING_FILE = frozenset({"OSError", "IOError", "FileNotFoundError", "Exception", "BaseException", "EnvironmentError"})

# Made once: `A | B` is a new type each time, and there are thousands of nodes.
_LISTED, _CHOICES = (ast.List, ast.Tuple), (ast.If, ast.IfExp)
_MADE, _TEXTS = (ast.JoinedStr, ast.BinOp, ast.Call), (ast.Constant, ast.JoinedStr)

MAY_NAME = re.compile(rb"sys\.path|addsitedir|config_path")
"""In sources of packages: only those that have one of these are read for the folders that they name."""
MAY_READ = re.compile(rb"(?:open|read_\w+|load|loadtxt|genfromtxt|imread|Path)\(\s*[rf]?[\"']")


@dataclass(frozen=True)
class Read:
    """A file that the source reads."""

    text: str
    line: int
    whole: bool
    """Whether that is the whole path; otherwise its beginning."""
    chosen: bool
    """Whether it is in a branch of an `if`, and another run may not read it."""


@dataclass
class Named:
    """All that one source names; each text with its line."""

    additions: list[str] = field(default_factory=list)
    """Folders that it adds to sys.path."""
    folders: list[tuple[str, int]] = field(default_factory=list)
    """Folders that it reads files of."""
    beside: list[tuple[str, int]] = field(default_factory=list)
    """The same, relative to the module's own folder."""
    programs: list[tuple[str, int]] = field(default_factory=list)
    """Words of commands that may be the paths of scripts."""
    modules: list[tuple[str, int]] = field(default_factory=list)
    """Modules of commands such as `python -m pack.train`."""
    reads: list[Read] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    """Paths, or beginnings of paths, that it writes or makes; and whole commands."""


def named_in(tree: ast.Module, file: Path, root: Path) -> Named:
    """What the module at `file` names; the program runs in `root`."""
    texts = Texts(tree, file, root)
    found = Named(additions=list(additions_to_search_path(tree, texts)))
    asked: set[str] = set()
    for node, guarded, chosen in _nodes(tree):
        if isinstance(node, ast.Call):
            _call(node, texts, found, asked, guarded=guarded, chosen=chosen)
        elif isinstance(node, _LISTED):
            found.modules += _after_m([each.value for each in node.elts if isinstance(each, ast.Constant)], node.lineno)
        if isinstance(node, _MADE):
            text, whole = texts.beginning(node)
            if not whole and "/" in text and not text.endswith("://"):
                found.folders.append((text.rpartition("/")[0] or "/", node.lineno))
        if isinstance(node, _TEXTS):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            command = "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in parts)
            named = named_in_command(command, node.lineno)
            found.programs += named.programs
            found.modules += named.modules
            found.written |= named.written
    found.reads = sorted((read for read in found.reads if read.text not in asked), key=lambda read: read.line)
    found.folders = [
        (text, line)
        for text, line in found.folders
        if not any(f"{written}/".startswith(f"{text.rstrip('/')}/") for written in found.written)
    ]
    return found


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, bool, bool]]:
    """(node, whether a `try` around it goes on where a file is missing, whether it is in a branch of an `if`)."""
    todo = [(tree, False, False)]
    while todo:
        node, guarded, chosen = todo.pop()
        yield node, guarded, chosen
        goes_on = isinstance(node, ast.Try) and any(_goes_on(handler) for handler in node.handlers)
        is_choice = isinstance(node, _CHOICES) and "__name__" not in ast.unparse(node.test)
        for child in ast.iter_child_nodes(node):
            if child._fields:  # the others (`ast.Load`, `ast.Add`) name nothing, and are a third of all nodes
                inner = goes_on and isinstance(node, ast.Try) and child in node.body
                todo.append((child, guarded or inner, chosen or is_choice))


def _goes_on(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind).rpartition(".")[2] in _MISSING_FILE for kind in kinds)


def _call(node: ast.Call, texts: Texts, found: Named, asked: set[str], *, guarded: bool, chosen: bool) -> None:
    function = source_of(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else function
    arguments = [*node.args, *(each.value for each in node.keywords)]
    for keyword in node.keywords:
        if keyword.arg in _CONFIG_FOLDERS and (text := texts.whole(keyword.value)):
            found.beside.append((text, node.lineno))
    if name in _LISTS or function.rpartition(".")[2] in ("Path", "Environment", "FileSystemLoader"):
        for argument in (*node.args, *([receiver] if receiver is not None and name in _LISTS else [])):
            if text := texts.whole(argument):
                head = re.split(r"[*?\[]", text)[0]
                found.folders.append((head if head == text else head.rpartition("/")[0], node.lineno))
    path = _path_read(node, function, receiver)
    mode = _mode(node, is_method=receiver is not None and path is receiver)
    of_paths = [*arguments, *([receiver] if receiver is not None else [])]
    if name in _ASKED:
        asked.update(texts.beginning(each)[0] for each in of_paths)
    elif _WRITE.fullmatch(name) or (path is not None and mode and set(mode) & set("wax+")):
        found.written.update(filter(None, (texts.beginning(each)[0] for each in of_paths)))
    elif path is not None and mode is not None and not guarded:
        text, whole = texts.beginning(path)
        if text and "://" not in text:
            found.reads.append(Read(text, node.lineno, whole, chosen))


def _path_read(node: ast.Call, function: str, receiver: ast.expr | None) -> ast.expr | None:
    """The path that a call reads, or opens; None for other calls."""
    name = function.rpartition(".")[2] if function else node.func.attr if isinstance(node.func, ast.Attribute) else ""
    first = node.args[0] if node.args else next((each.value for each in node.keywords if each.arg in _FIRST), None)
    if _READ.fullmatch(function) or _OPEN.fullmatch(function):
        return first
    return receiver if name in _READING_METHODS or name == "open" else None


_FIRST = ("file", "path", "filepath_or_buffer", "filename", "fname", "io", "f")


def _mode(node: ast.Call, *, is_method: bool) -> str | None:
    """The mode of an `open`; None if it is computed, "r" where there is none."""
    given = next((each.value for each in node.keywords if each.arg == "mode"), None)
    place = 0 if is_method else 1
    if given is None and source_of(node.func).rpartition(".")[2] == "open" and len(node.args) > place:
        given = node.args[place]
    if given is None:
        return "r"
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def named_in_command(text: str, line: int) -> Named:
    """Scripts and modules in a command that is one text, such as "python train.py --lr 0.1"."""
    words = [word.strip("'\"") for word in text.split()]
    if len(words) < 2 or len(text) > 2000:
        return Named()
    programs = [(word, line) for word in words if word.endswith((".py", ".sh"))]
    return Named(
        programs=programs,
        modules=_after_m(words, line),
        written={text} if _WRITING_COMMAND.match(text) else set(),
    )


def _after_m(words: Sequence[object], line: int) -> list[tuple[str, int]]:
    return [(name, line) for flag, name in pairwise(words) if flag == "-m" and isinstance(name, str) and name.isascii()]
