"""Which files are left out because .gitignore, .coordignore or the command line says so.

The rules are git's, at all levels: of one file the last line that matches counts, of several files the one that lies
deepest, what lies in an ignored folder stays ignored, and what is tracked is not ignored. `.coordignore` in the root
has the same syntax and comes last. Git's own lists outside the work tree (core.excludesFile, .git/info/exclude) differ
between machines and are not read, so that the same sources make the same bundle everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coordinator.errors import BundleError
from coordinator.project import git

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

COORDIGNORE = ".coordignore"
EXCLUDE = "--exclude"


@dataclass(frozen=True)
class IgnoreRule:
    """A line of an ignore file, or an option, that leaves something out."""

    source: str
    """The file that has it, relative to the root, or `--exclude`."""
    line: int
    pattern: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line} ({self.pattern})" if self.line else f"{self.source} {self.pattern}"


@dataclass(frozen=True)
class _Rules:
    """The rules of one file, for paths below `base`."""

    base: Path
    spec: GitIgnoreSpec
    rules: Sequence[IgnoreRule]

    def verdict(self, path: Path, *, directory: bool) -> IgnoreRule | Literal[False] | None:
        """The rule that ignores the path; False if a rule takes it in again; None if no rule matches."""
        found = self.spec.check_file(path.relative_to(self.base).as_posix() + "/" * directory)
        if found.index is None:
            return None
        return self.rules[found.index] if found.include else False

    def takes_in(self) -> bool:
        return any(rule.pattern.startswith("!") for rule in self.rules)


class Ignored:
    """Answers for the paths below `root`; ignore files are read when a path first needs them."""

    def __init__(self, root: Path, exclude: Sequence[str] = ()) -> None:
        self._root = root
        self._top = work_tree(root)
        self._gitignores: dict[Path, _Rules | None] = {}
        self._folders: dict[Path, IgnoreRule | None] = {}
        self._excluded = _rules(root, [IgnoreRule(EXCLUDE, 0, pattern) for pattern in exclude])
        self._own = self._read(root / COORDIGNORE)

    def rule(self, path: Path, *, directory: bool = False) -> IgnoreRule | None:
        """The rule that leaves the path (below the root) out; None if it may go in."""
        for rules in (self._excluded, self._own):
            found = rules.verdict(path, directory=directory) if rules else None
            if isinstance(found, IgnoreRule):
                return found
            if found is False:
                return None
        rule = self._by_git(path, directory=directory)
        return None if rule and path in self._tracked else rule

    @functools.cached_property
    def _tracked(self) -> frozenset[Path]:
        """Asked only when something is ignored: it takes a process."""
        return git.tracked_though_ignored(self._top)

    def whole_folder(self, path: Path) -> IgnoreRule | None:
        """The rule that leaves a folder out with everything in it, so that nobody has to look into it."""
        if self._own and self._own.takes_in():
            return None
        return self.rule(path, directory=True)

    def _by_git(self, path: Path, *, directory: bool) -> IgnoreRule | None:
        above = self._folder(path.parent)
        if above is not None:
            return above
        folder = path.parent
        while True:
            rules = self._gitignore(folder)
            found = rules.verdict(path, directory=directory) if rules else None
            if found is not None:
                return found if isinstance(found, IgnoreRule) else None
            if folder in (self._top, folder.parent):
                return None
            folder = folder.parent

    def _folder(self, folder: Path) -> IgnoreRule | None:
        if folder == self._top or self._top not in folder.parents:
            return None
        if folder not in self._folders:
            self._folders[folder] = self._by_git(folder, directory=True)
        return self._folders[folder]

    def _gitignore(self, folder: Path) -> _Rules | None:
        if folder not in self._gitignores:
            self._gitignores[folder] = self._read(folder / ".gitignore")
        return self._gitignores[folder]

    def _read(self, file: Path) -> _Rules | None:
        if not file.is_file():
            return None
        name = file.relative_to(self._root).as_posix() if file.is_relative_to(self._root) else str(file)
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise BundleError(f"{name} is no text in UTF-8: {error}") from error
        return _rules(
            file.parent,
            [
                IgnoreRule(name, number, line.strip("\r"))
                for number, line in enumerate(lines, 1)
                if line.strip() and not line.startswith("#")
            ],
        )


def _rules(base: Path, rules: Sequence[IgnoreRule]) -> _Rules | None:
    if not rules:
        return None
    # It takes longer to import than everything else here: only where there is a rule.
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines([rule.pattern for rule in rules])
    except ValueError as error:
        raise BundleError(f"{rules[0].source}: {error}") from error
    return _Rules(base, spec, rules)


def work_tree(root: Path) -> Path:
    """The top of the git work tree that the root lies in; the root itself outside of one."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
