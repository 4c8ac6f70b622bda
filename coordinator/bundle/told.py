"""What only the far side would tell: files that a program opens and does not have, sources that are not attached."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.bundle.exclusions import Module
from coordinator.bundle.files import resolved
from coordinator.bundle.folders import CONFIG_DATA
from coordinator.bundle.ignore import EXCLUDE, Ignored
from coordinator.bundle.imports import parse
from coordinator.bundle.named import MAY_READ, Named, named_in
from coordinator.bundle.sources import Collected

_KINDS = ("datasets", "competitions", "notebooks", "models")
_INPUT = re.compile(r"(?:^|/kaggle|\.\.)/input/((?:[\w.-]+/)*[\w.-]*)")
_READABLE = CONFIG_DATA | {".csv", ".tsv", ".txt", ".parquet", ".feather", ".npy", ".npz", ".pkl", ".py"}


@dataclass(frozen=True)
class Told:
    """What is said about files before the program runs."""

    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Those of them about files that are in the program's tree and not in its bundle: it will not find them."""
    nowhere: tuple[tuple[str, str], ...] = ()
    """(path, place) of what is opened and not there at all."""


def missing_files(found: Collected, entry: str, named: Sequence[tuple[str, str]], exclude: Sequence[str]) -> Told:
    """Files that the program opens, or that arguments or values name (see `paths_named`), and that are not packed.

    Relative names are those of the root, in which the program runs. What it writes itself is not missing, and neither
    is what it first asks for (`os.path.exists`), or opens in a `try`.
    """
    modules = _of_program(found, entry)
    packed = {file.path for file in found.files}
    written = _Written(found.root, [named for _, named in modules])
    ignored = Ignored(found.root, exclude)
    warnings: dict[str, None] = {}
    left_out: dict[str, None] = {}
    nowhere: list[tuple[str, str]] = []

    def tell(text: str, where: str, says: str, *, whole: bool, is_sure: bool) -> None:
        path = resolved(found.root, text)
        if not path.is_relative_to(found.root) or path == found.root or text in written:
            return
        name = path.relative_to(found.root).as_posix()
        if name in packed or any(each.startswith(f"{name}/" if whole else name) for each in packed):
            return
        if whole and path.is_file():
            said = f"{where} {says} {name}, which is not packed ({path.stat().st_size:,} bytes): {_remedy(name)}"
            rule = ignored.rule(path)
            is_wanted = rule is not None and rule.source == EXCLUDE
            (warnings if is_wanted or not is_sure else left_out)[said] = None
        elif path.is_dir() or (not whole and path.parent.is_dir() and path.parent != found.root):
            folder = path if path.is_dir() else path.parent
            if any(folder.iterdir()):
                shown = folder.relative_to(found.root).as_posix()
                warnings[f"{where} {says} files of {shown}/, which are not packed: {_remedy(f'{shown}/**')}"] = None
        elif whole and is_sure:
            beside = found.root.joinpath(where).parent / text
            near = f": it lies beside {where.rpartition(':')[0]}, not there" if beside.is_file() else ""
            nowhere.append((text, where))
            warnings[f"{where} {says} {name}, and there is no such file in the program's folder{near}"] = None

    for module, each in modules:
        is_own = not module.package or module.package.partition(".")[0] == entry.partition(".")[0]
        for read in each.reads:
            if is_own or (read.whole and resolved(found.root, read.text).is_file()):
                is_sure = read.whole and not read.chosen and (is_own or module.source.path in found.reached)
                tell(read.text, f"{module.source.path}:{read.line}", "opens", whole=read.whole, is_sure=is_sure)
    for text, who in named:
        tell(text, who, "names", whole=True, is_sure=PurePosixPath(text).suffix in _READABLE)
    return Told((*warnings, *left_out), tuple(left_out), tuple(nowhere))


def _remedy(name: str) -> str:
    return f'include = ["{name}"] in [tool.coord] (--include) takes it in, and a data set can be attached instead'


class _Written:
    """What a program writes, makes, or has made by a command."""

    def __init__(self, root: Path, named: Sequence[Named]) -> None:
        texts = {text for each in named for text in each.written}
        self._commands = [text for text in texts if " " in text]
        self._paths = {os.path.relpath(resolved(root, text), root) for text in texts if text}

    def __contains__(self, text: str) -> bool:
        path = PurePosixPath(os.path.normpath(text))
        made = (str(each) in self._paths for each in (path, *path.parents) if str(each) not in (".", "/"))
        return any(made) or any(text in command for command in self._commands)


def _of_program(found: Collected, entry: str) -> list[tuple[Module, Named]]:
    """The modules that may name files, with what they name."""
    own = entry.partition(".")[0]
    modules = []
    for module in found.modules:
        data = module.source.data
        if not module.package or module.package.partition(".")[0] == own or MAY_READ.search(data):
            path = found.root / module.source.path
            modules.append((module, named_in(parse(data, module.source.path), path, found.root)))
    return modules


def missing_inputs(found: Collected, entry: str, attached: Collection[str] | None) -> tuple[str, ...]:
    """Attached sources that the program reads by their paths, and that are not attached.

    `attached` has the slugs; None if they are not known. Then every source is told.
    """
    told: dict[str, str] = {}
    own = entry.partition(".")[0]
    for module in found.modules:
        if b"/input/" not in module.source.data or (module.package and module.package.partition(".")[0] != own):
            continue
        for text, line in _whole_texts(parse(module.source.data, module.source.path)):
            slug = _slug(text)
            if slug and (attached is None or slug not in attached):
                told.setdefault(slug, f"{module.source.path}:{line} reads {text}")
    if attached is None:
        return tuple(f"{where}: attach {slug} to the kernel" for slug, where in told.items())
    return tuple(
        f"{where}, and no source with the slug {slug} is attached: name it in dataset_sources, competition_sources, "
        "kernel_sources or model_sources of [tool.coord.kernel]"
        for slug, where in told.items()
    )


def _whole_texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """String literals that are no parts of computed strings."""
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in parts:
                yield node.value, node.lineno
            elif "/" in node.value:  # its last part goes on
                yield node.value.rpartition("/")[0] + "/", node.lineno


def _slug(text: str) -> str | None:
    match = _INPUT.search(text) if len(text) < 300 and "\n" not in text else None
    parts = [part for part in match[1].split("/") if part] if match else []
    if parts and parts[0] in _KINDS:
        parts = parts[1:] if parts[0] == "competitions" else parts[2:]
    return parts[0] if parts else None
