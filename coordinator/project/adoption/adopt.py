"""The verb init in a repository that was not written for coord: all that it finds, and the three files that say so."""

from __future__ import annotations

import signal
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import ProjectError, UsageError
from coordinator.files import write_atomically
from coordinator.project.adoption.base_experiment import BASE_MARK, Base, base_text
from coordinator.project.adoption.data import ignore_lines
from coordinator.project.adoption.entry import ProgramEntry, find_entry
from coordinator.project.adoption.findings import data_of, found_lines, unknown_lines
from coordinator.project.adoption.metrics_lines import lines_printed
from coordinator.project.adoption.program_config import ProgramConfig, program_config
from coordinator.project.adoption.settings_text import Tables, appended, tables_text
from coordinator.project.adoption.tree import Tree, read_tree
from coordinator.project.init import check_names, check_not_inside
from coordinator.system import ENDING

_BASE = "base"
_MADE = (".coord", "build", "results")


@dataclass(frozen=True)
class Adoption:
    """What was found and written."""

    directory: Path
    experiment: str
    """The first experiment."""
    written: tuple[str, ...]
    """Files, relative to the directory; empty if it is a project already."""
    found: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """What only the owner knows."""
    to_fill: tuple[str, ...] = ()
    """Values that the program requires and nothing gives."""


@dataclass(frozen=True)
class Wish:
    """What the command says."""

    entry: str | None = None
    owner: str | None = None
    competition: str | None = None
    is_nested: bool = False
    """The folder may lie in another project."""


def is_repository(directory: Path) -> bool:
    """Whether the folder has something in it beside `.git`."""
    return directory.is_dir() and any(each.name != ".git" for each in directory.iterdir())


def adopt(directory: Path, wish: Wish) -> Adoption:
    """Writes `[tool.coord]`, experiments/base.yaml and .coordignore: all of them or none, and no other file changes.

    Nothing is written if the folder is a project already. Raises UsageError if no program, or several are found, or
    the folder lies in another project and is not meant to.
    """
    check_names(wish.owner, wish.competition)
    root = directory.resolve()
    if not root.is_dir():
        raise UsageError(f"there is no folder {directory}")
    pyproject = root / "pyproject.toml"
    before = _read(pyproject)
    if _has_table(before, pyproject):
        return Adoption(directory, _BASE, ())
    if not wish.is_nested:
        check_not_inside(root, "give that project an experiment with `entry:` for this program")
    tree = read_tree(root)
    entry = find_entry(tree, wish.entry)
    config = program_config(tree, entry)
    files, result = _plan(tree, entry, config, wish, before)
    # What coord makes there later is no part of the repository.
    made = [name for name in _MADE if not (root / name).exists()]
    _write(root, {**{f"{name}/.gitignore": b"# Made by coord.\n*\n" for name in made}, **files})
    return Adoption(directory, _BASE, tuple(files), *result)


def _plan(
    tree: Tree, entry: ProgramEntry, config: ProgramConfig, wish: Wish, before: bytes
) -> tuple[dict[str, bytes], tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    """(path -> content of the files to write, what was found, what is not known, what is to be filled in)."""
    data = data_of(tree, config)
    folder = _experiments_folder(tree)
    tables = Tables(
        name=tree.root.name,
        entry=entry.name,
        args=config.args,
        config=config.setting,
        config_python=config.python,
        path=config.path,
        experiments=folder,
        owner=wish.owner,
        competition=wish.competition,
        inputs=data.inputs,
        large=data.large,
        lines=lines_printed(config.sources),
        remarks=config.remarks,
    )
    text, to_fill = base_text(Base(config.declared, config.values, _about(tree, entry), config.what))
    ignored = ignore_lines(tree)
    files = {
        f"{folder}/{_BASE}.yaml": text.encode("utf-8"),
        ".coordignore": ("\n".join(ignored) + "\n").encode("utf-8"),
        # Last: without it the others mean nothing.
        "pyproject.toml": appended(before, tables_text(tables)),
    }
    kept = [name for name in (f"{folder}/{_BASE}.yaml", ".coordignore") if name in tree.files]
    for name in kept:
        del files[name]
    unknown = unknown_lines(entry, config, data, wish.competition)
    found = [*found_lines(entry, config, ignored), *([f"kept     {' '.join(kept)}"] if kept else [])]
    return files, (tuple(found), tuple(unknown), () if f"{folder}/{_BASE}.yaml" in kept else tuple(to_fill))


def _about(tree: Tree, entry: ProgramEntry) -> str:
    return f"{entry.name} as {entry.command.where} runs it" if entry.command else f"{entry.name} of {tree.root.name}"


def _experiments_folder(tree: Tree) -> str:
    """`experiments`, unless the repository has its own files of that kind there."""
    names = [name for name in tree.files if name.startswith("experiments/") and name.endswith((".yaml", ".yml"))]
    base = f"experiments/{_BASE}.yaml"
    is_ours = base in names and BASE_MARK.encode() in _read(tree.root / base)  # of an init before this one
    return "experiments" if is_ours or (not names and "experiments" not in tree.files) else "coord_experiments"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.exists() else b""
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _has_table(data: bytes, file: Path) -> bool:
    try:
        tool = tomllib.loads(data.decode("utf-8")).get("tool")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file} is not valid TOML: {error}") from error
    return isinstance(tool, dict) and "coord" in tool


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    """All of them, or none: Ctrl-C waits until they are written, and what fails is undone."""
    before = {name: _read(root / name) for name in files if (root / name).exists()}
    made: list[Path] = []
    with _uninterrupted():
        try:
            for name, data in files.items():
                path = root / name
                if not path.parent.is_dir():
                    path.parent.mkdir()
                    made.append(path.parent)
                write_atomically(path, data)
        except OSError as error:
            for name in files:
                if name in before:
                    write_atomically(root / name, before[name])
                else:
                    (root / name).unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()
            raise UsageError(f"{root} cannot be written: {error.strerror or error}") from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that end the program wait for the end of the context."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {each: signal.getsignal(each) for each in ENDING}
    for each in before:
        signal.signal(each, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in arrived[:1]:
            signal.raise_signal(number)
