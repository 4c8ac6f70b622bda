"""Finds the root of a program that is named by its script: the folder in which it runs and all of its files lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.bundle.arguments import paths_named
from coordinator.bundle.roots import above
from coordinator.bundle.sources import Collected, Selection, gather
from coordinator.bundle.told import missing_files
from coordinator.errors import BundleError

if TYPE_CHECKING:  # it reads settings, which takes as long as a small bundle
    from coordinator.bundle.image import Image

_MOST = 5
"""So many roots are tried."""


@dataclass(frozen=True)
class Program:
    """What is to be bundled."""

    root: Path
    """Where its modules lie; paths in the bundle are relative to it."""
    entry: str
    """A module's dotted name, or a script's path below the root."""
    is_script: bool
    arguments: tuple[str, ...] = ()
    """What it is started with."""
    path: tuple[str, ...] = ()
    """Folders below the root in which its modules are searched, too."""
    in_checkout: bool = True
    """Whether its files lie in the working directory while it runs; otherwise that holds the output only."""
    has_named_root: bool = False
    """Whether the user has named the root; otherwise it is found."""

    def at(self, root: Path) -> Program:
        """The same script with a root above its own."""
        below = self.root.relative_to(root)
        return replace(
            self,
            root=root,
            entry=(below / self.entry).as_posix(),
            path=tuple((below / folder).as_posix() for folder in self.path),
        )


def gathered(
    program: Program, selection: Selection, image: Callable[[], Image], say: Callable[[str], None]
) -> tuple[Program, Collected]:
    """The program with the root that it needs, and its files.

    A script's root is its folder, unless the program's modules or files lie above. Raises BundleError where the root
    was named, or where the program would not run in the folder in which the user is; and whatever `gather` raises.
    """
    moved = _where_arguments_are(program)
    told = list[str]()
    if moved != program.root:
        program = program.at(moved)
        told.append(f"the root is {_shown(moved)}: what the arguments name lies there")
    for _ in range(_MOST):
        said = list[str]()
        named = paths_named(program.arguments) if program.in_checkout else ()
        chosen = replace(selection, path=program.path, named=named, in_checkout=program.in_checkout)
        try:
            found = gather(program.root, program.entry, chosen, is_script=program.is_script, say=said.append)
        except BundleError:
            for line in (*told, *said):  # they may say why
                say(line)
            raise
        reason, folder = _above(program, found, image)
        if folder == program.root:
            break
        shown, here = _shown(folder), Path.cwd()
        if program.has_named_root or not program.is_script or (here != folder and here.is_relative_to(folder)):
            raise BundleError(
                f"{reason}: --root {shown}",
                hint="The program then runs in that folder: its relative names are those there.",
            )
        told = [f"the root is {shown}: {reason}"]
        program = program.at(folder)
    for line in (*told, *said):
        say(line)
    return program, found


def _where_arguments_are(program: Program) -> Path:
    """The working directory, if arguments name files that are there and not in the root."""
    here, root = Path.cwd(), program.root
    if program.has_named_root or not program.is_script or not root.is_relative_to(here) or not program.in_checkout:
        return root
    texts = [text for text, _ in paths_named(program.arguments)]
    is_here = any((here / text).exists() and not (root / text).exists() for text in texts)
    return here if is_here else root


def _above(program: Program, found: Collected, image: Callable[[], Image]) -> tuple[str, Path]:
    """(why, the folder above the root in which the program has something that it needs); the root itself if none."""
    root, here = program.root, Path.cwd()
    for each in found.elsewhere.values():
        if not each.folder.is_relative_to(root) and not image().has_module(each.name):
            return f"{each.where} imports {each.name}, which lies in {_shown(each.folder)}", _common(root, each.folder)
    for folder in found.configs_outside:
        if _common(root, folder) in above(root):
            return f"{program.entry} has its config in {_shown(folder)}", _common(root, folder)
    if program.is_script and not program.has_named_root and root != here and root.is_relative_to(here):
        for text, where in missing_files(found, program.entry, (), ()).nowhere:
            if (here / text).exists():
                return f"{where} opens {text}, which lies there", here
    return "", root


def _common(root: Path, folder: Path) -> Path:
    return Path(os.path.commonpath((root, folder)))


def _shown(path: Path) -> str:
    """The path as the user would type it."""
    return os.path.relpath(path)
