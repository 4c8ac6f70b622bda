"""Ignored files inside a program's packages: they are reported, and an error where the program imports them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.bundle.files import SourceFile
from coordinator.bundle.ignore import COORDIGNORE, IgnoreRule
from coordinator.bundle.imports import Import, imports_of, may_import, parse
from coordinator.errors import BundleError


@dataclass(frozen=True)
class Module:
    """A Python source of the bundle, and the package (dotted; empty at the top) in which its imports are relative."""

    source: SourceFile
    folder: Path
    package: str


@dataclass
class LeftOut:
    """Collects what is ignored; call `check` when all modules of the bundle are known."""

    root: Path
    say: Callable[[str], None]
    modules: dict[str, tuple[Path, IgnoreRule]] = field(default_factory=dict)
    """Dotted names of modules in the bundle's packages that are ignored."""
    paths: list[str] = field(default_factory=list)
    """Paths in those packages that are ignored."""
    leftovers: list[str] = field(default_factory=list)
    """Paths in those packages that an editor or a system has left."""

    def check(self, bundled: Iterable[Module]) -> None:
        """Reports what is ignored inside packages. Raises BundleError if modules of the bundle import some of it."""
        for reason, paths in (("as ignored", self.paths), ("as left by an editor or a system", self.leftovers)):
            if paths:
                shown, more = ", ".join(paths[:5]), len(paths) - 5
                self.say(f"left out {reason}: {shown}{f' and {more} more' if more > 0 else ''}")
        last = {name.rpartition(".")[2] for name in self.modules}
        for module in bundled:
            path, data = module.source.path, module.source.data
            if not may_import(data, last):
                continue
            for imported in imports_of(parse(data, path), module.package, data).imports:
                for name, (ignored, rule) in self.modules.items():
                    if f"{imported.name}.".startswith(f"{name}."):
                        self.refuse_or_say(ignored, rule, imported, f"{path}:{imported.line}")

    def refuse_or_say(self, path: Path, rule: IgnoreRule, imported: Import, where: str) -> None:
        """Raises BundleError, or reports that the import will fail where the program allows that."""
        name = path.relative_to(self.root).as_posix() + "/" * path.is_dir()
        said = f"{where} imports {imported.name}, but {name} is ignored by {rule}"
        if not imported.optional:
            raise BundleError(said, hint=f'To bundle it, write "!/{name}" into {COORDIGNORE} in {self.root}.')
        self.say(f"left out: {said}")
