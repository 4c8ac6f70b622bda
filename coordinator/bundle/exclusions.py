"""What is ignored inside a program's packages: it is said, and refused where the program imports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.bundle.files import SourceFile
from coordinator.bundle.ignore import COORDIGNORE, Rule
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
    """Feed it what is ignored; `check` it when all modules of the bundle are known."""

    root: Path
    say: Callable[[str], None]
    modules: dict[str, tuple[Path, Rule]] = field(default_factory=dict)
    """Dotted names of modules in the bundle's packages that are ignored."""
    paths: list[str] = field(default_factory=list)
    """Paths in those packages that are ignored."""

    def check(self, bundled: Iterable[Module]) -> None:
        """Says what is ignored inside packages. Raises BundleError if modules that went in import some of it."""
        if self.paths:
            shown, more = ", ".join(self.paths[:5]), len(self.paths) - 5
            self.say(f"left out as ignored: {shown}{f' and {more} more' if more > 0 else ''}")
        last = {name.rpartition(".")[2] for name in self.modules}
        for module in bundled:
            path, data = module.source.path, module.source.data
            if not may_import(data, last):
                continue
            for imported in imports_of(parse(data, path), module.package, data).imports:
                for name, (ignored, rule) in self.modules.items():
                    if f"{imported.name}.".startswith(f"{name}."):
                        self.refuse_or_say(ignored, rule, imported, f"{path}:{imported.line}")

    def refuse_or_say(self, path: Path, rule: Rule, imported: Import, where: str) -> None:
        """Raises BundleError unless the import is one that may fail; that it will is said."""
        name = path.relative_to(self.root).as_posix() + "/" * path.is_dir()
        said = f"{where} imports {imported.name}, but {name} is ignored by {rule}"
        if not imported.optional:
            raise BundleError(said, hint=f'To bundle it, write "!/{name}" into {COORDIGNORE} in {self.root}.')
        self.say(f"left out: {said}")
