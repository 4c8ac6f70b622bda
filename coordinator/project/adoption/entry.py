"""Which program of a repository is the one to run."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.errors import UsageError, did_you_mean
from coordinator.project.adoption.commands import Command, commands_in
from coordinator.project.adoption.tree import Tree

_NAMES = (("train",), ("main",), ("run",), ("pipeline",), ("training", "trainer", "fit", "experiment"))
"""Words in the name of a program that trains, the likeliest first."""
_OTHERS = {
    *("infer", "inference", "predict", "prediction", "test", "tests", "eval", "evaluate", "submit", "submission"),
    *(
        "prepare",
        "preprocess",
        "preprocessing",
        "preprocessor",
        "download",
        "setup",
        "conftest",
        "make",
        "create",
        "build",
    ),
    *("convert", "plot", "visualize", "visualise", "app", "demo", "export", "upload", "server", "utils", "util"),
    *("config", "dataset", "data", "model", "models", "loss", "losses", "metric", "metrics", "ensemble", "blend"),
}
_SHOWN = 8


@dataclass(frozen=True)
class ProgramEntry:
    """What runs."""

    name: str
    """A script's path below the repository, or a module's name."""
    why: str
    """How it was found."""
    command: Command | None = None
    """The document's command that runs it."""
    others: tuple[str, ...] = ()
    """Other programs that the documents name."""


def find_entry(tree: Tree, given: str | None) -> ProgramEntry:
    """Raises UsageError if there is no program, or several that are equally likely."""
    commands = commands_in(tree)
    if given is not None:
        name = _given(tree, given)
        command = _best([each for each in commands if each.entry in (name, given)])
        return ProgramEntry(name, "--from", command, _others(commands, name))
    if not any(name.endswith(".py") for name in tree.files) and not commands and not _executables(tree):
        raise UsageError(
            f"no Python script was found in {tree.root}",
            hint="Name the program: coord init . --from PATH; or make a new project: coord init NEW_FOLDER",
        )
    named = list(dict.fromkeys(each.entry for each in commands))
    chosen = _likeliest(named)
    by_name, why = _by_name(tree)
    if not any(_may_train(each) for each in chosen) and any(_may_train(each) for each in by_name):
        chosen = []  # the documents show how the data are prepared
    if len(chosen) == 1:
        command = _best([each for each in commands if each.entry == chosen[0]])
        assert command is not None
        if command.folder:
            raise UsageError(
                f"{command.where} runs {chosen[0]} in {command.folder}/, where its relative paths start",
                hint=f"Make that folder the project: coord init {os.path.relpath(tree.root / command.folder)}; "
                f"or run it from here: --from {chosen[0]}",
            )
        return ProgramEntry(chosen[0], f"{command.where}", command, _others(commands, chosen[0]))
    if not chosen:
        chosen = by_name
        if len(chosen) == 1:
            return ProgramEntry(
                _as_module(tree, chosen[0]), why, None, tuple(each for each in named if each != chosen[0])
            )
    if not chosen:
        raise UsageError(
            f"no script in {tree.root} looks like the one that runs: none is in the README, and none has the name of "
            "a program or an `if __name__` line",
            hint="Name it: coord init . --from PATH",
        )
    shown = ", ".join(chosen[:_SHOWN]) + f", and {len(chosen) - _SHOWN} more" * (len(chosen) > _SHOWN)
    raise UsageError(f"several programs could be the one to run: {shown}", hint=f"Name one: --from {chosen[0]}")


def _given(tree: Tree, given: str) -> str:
    for base in (tree.root, Path.cwd()):
        path = (base / given).resolve()
        if path.is_relative_to(tree.root.resolve()):
            name = path.relative_to(tree.root.resolve()).as_posix()
            if path.is_file():
                return name
            if (path / "__main__.py").is_file():
                return f"{name}/__main__.py".removeprefix("./")
    module = given.replace(".", "/")
    if re.fullmatch(r"[A-Za-z_][\w.]*", given) and any(
        f"{place}{module}{end}" in tree.files for place in ("", "src/") for end in (".py", "/__main__.py")
    ):
        return given
    near = did_you_mean(given, [name for name in tree.files if name.endswith(".py")])
    raise UsageError(f"--from {given}: there is no such script or module in {tree.root}{near}")


def _best(commands: Sequence[Command]) -> Command | None:
    """The first that can be run as it stands, or else the first."""
    return next((each for each in commands if not each.has_placeholder), commands[0] if commands else None)


def _others(commands: Sequence[Command], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.entry for each in commands if each.entry != name))


def _words(name: str) -> set[str]:
    """The words of a program's name; those of its folders do not count."""
    stem = PurePosixPath(name).stem if "/" in name or name.endswith(".py") else name.rpartition(".")[2]
    if stem == "__main__":
        return {"main"}
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
    return {word for word in re.split(r"[^a-z]+", spaced.lower()) if word}


def _likeliest(names: Sequence[str]) -> list[str]:
    """Of several programs those that most likely train: one if it is clear."""
    if len(names) < 2:
        return list(names)
    for words in _NAMES:
        found = [each for each in names if _words(each) & {*words}]
        exact = [each for each in found if not _words(each) - {*words}]
        for chosen in (exact, [each for each in found if not _words(each) & _OTHERS], found):
            if chosen:
                return chosen
    return [each for each in names if not _words(each) & _OTHERS] or list(names)


def _as_module(tree: Tree, name: str) -> str:
    """The module's name of a script that imports relatively: it runs with `python -m` only."""
    source = (tree.root / name).read_bytes()
    if not re.search(rb"^\s*from\s+\.", source, re.MULTILINE) or "/" not in name:
        return name
    return name.removesuffix(".py").replace("/", ".")


def _may_train(name: str) -> bool:
    return not _words(name) & _OTHERS or bool(_words(name) & {*_NAMES[0]})


def _by_name(tree: Tree) -> tuple[list[str], str]:
    """The programs that could be meant, and what tells them."""
    scripts = [name for name in (*tree.files, *_executables(tree)) if name.endswith(".py") or "." not in name]
    scripts = list(dict.fromkeys([each for each in scripts if each.endswith(".py")] + _executables(tree)))
    by_depth = [[name for name in scripts if len(PurePosixPath(name).parts) == depth] for depth in (1, 2, 3)]
    for here in by_depth:
        for words in _NAMES:
            found = [name for name in here if _words(name) & {*words} and not _words(name) & _OTHERS]
            exact = [name for name in found if not _words(name) - {*words}]
            if found:
                return (exact or found), "its name"
    for are_others in (False, True):
        for here in by_depth:
            those = [name for name in here if bool(_words(name) & _OTHERS) == are_others and name.endswith(".py")]
            guarded = [name for name in those if _is_guarded(tree.root / name)]
            if guarded:
                return guarded, "its `if __name__` line"
        if len(by_depth[0]) == 1 and bool(_words(by_depth[0][0]) & _OTHERS) == are_others:
            return by_depth[0], "the only script"
    return [], ""


def _executables(tree: Tree) -> list[str]:
    """Scripts whose first line names Python, without .py."""
    found = []
    for name in tree.files:
        path = PurePosixPath(name)
        if not path.suffix and len(path.parts) < 3 and 0 < tree.files[name] < 1_000_000:
            try:
                with (tree.root / name).open("rb") as file:
                    first = file.readline(200)
            except OSError:
                continue  # it could not be run, either
            if first.startswith(b"#!") and b"python" in first:
                found.append(name)
    return found


def _is_guarded(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return False
    return any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in tree.body)
