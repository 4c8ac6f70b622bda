"""The files of a bundle as import statements lead to them, from the entry on.

Packages go in whole, with modules that are imported by computed names and with their data. Which local packages and
modules go in follows from the import statements, from the entry on. They are looked for in Python's own order: in the
folder of the entry script first, then in the other roots; and in folders that the program adds to sys.path.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from coordinator.bundle.exclusions import LeftOut, Module
from coordinator.bundle.files import (
    SourceFile,
    checked,
    entries,
    is_skipped,
    located,
    names_in,
    read,
    resolved,
)
from coordinator.bundle.ignore import EXCLUDE, Ignored, IgnoreRule
from coordinator.bundle.imports import (
    Import,
    Imports,
    imports_of,
    is_python_script,
    may_import_top_level,
    may_run_files,
    parse,
    syntax_errors,
)
from coordinator.bundle.named import MAY_NAME, Named, named_in
from coordinator.bundle.secrets import Guard
from coordinator.bundle.sizes import Sizes
from coordinator.errors import BundleError
from coordinator.files import is_leftover
from coordinator.names import is_confined
from coordinator.progress import Count
from coordinator.project import shipped

STAGES = 6
"""A file is read, checked for its syntax, for what it imports, for secrets and for what it opens, and written."""
LOG_MODULE = "coord_log"
"""The module with which any program may report to coord; it comes with coord, so a bundle brings it."""


_ATTACHED = re.compile(r"/kaggle/|(?:\.\./)+input/")


@dataclass(frozen=True)
class Selection:
    """Which files go in besides those that imports and packages bring, and which do not."""

    include: Sequence[str] = ()
    """Globs of further files."""
    exclude: Sequence[str] = ()
    """Patterns as in .gitignore."""
    reached_only: bool = False
    """Of packages, only the modules that import statements reach, and the data beside them."""
    output: Path | None = None
    """Where the bundle will be written: an older one there is no part of the program."""
    path: Sequence[str] = ()
    """Folders below the root in which modules are searched, too, as PYTHONPATH names them."""
    named: Sequence[tuple[str, str]] = ()
    """(text, what says it): arguments and config values that may be the paths of files."""
    in_checkout: bool = False
    """Whether the program runs where its files lie: relative names in the entry's package are those of the root."""
    count: Count = field(default_factory=lambda: Count("bundling"), compare=False)
    """Counts the files in each of the `STAGES` of a bundle, for whoever shows how far it is."""


class Collection:
    """The files so far, and the modules whose imports are still to be followed."""

    def __init__(self, root: Path, folders: Sequence[Path], selection: Selection, say: Callable[[str], None]) -> None:
        self.files: dict[str, SourceFile] = {}
        self.folders = tuple(folders)
        """Where Python searches for modules."""
        self.added: list[Path] = []
        """Folders below the root that the program adds to those."""
        self.outside: list[Path] = []
        """Such folders that do not lie below the root."""
        self.configs_outside: list[Path] = []
        """Folders of config files that do not."""
        self.attached: list[str] = []
        """Such folders that only the kernel has: attached sources."""
        self.imports: dict[str, tuple[Import, str]] = {}
        """Every module that is imported, and where; not by chance an optional import."""
        self.taken: set[str] = set()
        """Top-level names that are in the bundle."""
        self.modules: list[Module] = []
        self.unparsed: dict[str, Module] = {}
        """Modules that import nothing that could be taken."""
        self.broken: dict[str, BundleError] = {}
        """Paths of modules that are no Python, and why."""
        self.left_out = LeftOut(root, say)
        self.guard = Guard(root)
        self._root = root
        self._ignored = Ignored(root, selection.exclude)
        self._asked: set[Path] = set()
        """Files that were asked for, and the folders that they lie in."""
        self._sizes = Sizes(root)
        self._reached_only = selection.reached_only
        self._in_checkout = selection.in_checkout
        self._own = ""
        """The package whose modules name files of the root, as scripts do."""
        self._packages: dict[str, list[Path]] = {}
        """Folders of top-level packages of which only the modules that imports reach go in."""
        self._reached: set[str] = set()
        self._reached_folders: set[Path] = set()
        self._output = selection.output
        self._say = say
        self.count = selection.count
        self._todo: deque[Module] = deque()
        self._open = {LOG_MODULE, *(name for folder in folders for name in names_in(folder))}
        """Top-level names that could be imported and are not in the bundle yet."""

    # ------------------------------------------------------------------ what goes in

    def add(self, path: Path, package: str = "", *, is_source: bool | None = None) -> None:
        """Adds one file; if it is a Python source, its imports will be followed."""
        name = path.relative_to(self._root).as_posix()
        if name in self.files:
            return
        if not name.isprintable():  # it would break the script that shows it
            raise BundleError(f"{name!a}: rename it, its name holds what cannot be printed")
        if not is_confined(name):  # a kernel with it could not be read back
            raise BundleError(f"{name}: rename it, not every system takes this name")
        source = replace(read(self._root, path), is_source=is_source)
        self.files[name] = source
        if path.stem in self._open and path.parent in self.folders and located(self.folders, path.stem) == [path]:
            self._open.discard(path.stem)
            self.taken.add(path.stem)
        if source.is_python:
            module = Module(source, path.parent, package)
            self.modules.append(module)
            self._todo.append(module)

    def add_named(self, path: Path) -> None:
        """Adds a file that something names: data, or a script, which its first line may tell where its name doesn't."""
        self.add(path, is_source=True if path.suffix != ".py" and is_python_script(path) else None)

    def _add_found(self, files: Iterable[tuple[Path, str]]) -> None:
        """Adds files that imports bring in, each with its package. None is read if they are too large: BundleError."""
        found = list(files)
        self._sizes.add(path for path, _ in found if path not in self._asked)
        for path, package in found:
            self.add(path, package)

    def add_entry_module(self, entry: str) -> None:
        parts = entry.split(".")
        places = [place for folder in self.folders for place in _places(folder, parts)]
        if not any(place.is_file() for place in places):
            raise BundleError(
                f'there is no entry module "{entry}": {places[0].relative_to(self._root)} is missing',
                hint='Set entry = "package.module" in [tool.coord]; path = ["src"] there names a folder of packages.',
            )
        self._own = parts[0] if self._in_checkout else ""
        self._take(parts[0], Import(entry, 0, False), "the entry")
        self._reach(entry)

    def ask(self, pattern: str) -> list[Path]:
        """The files that match, which go in even if they are ignored or large: they were asked for."""
        try:
            whole = pattern.endswith("**") or (self._root / pattern).is_dir()
            below = f"{pattern.removesuffix('**')}/**/*".lstrip("/") if whole else pattern
            found = sorted(self._root.glob(below))
        except (ValueError, NotImplementedError) as error:
            raise BundleError(f"--include {pattern}: {error}") from error
        files = [path for path in found if checked(self._root, path).is_file()]
        if not files:
            raise BundleError(f"--include {pattern}: no file in {self._root} matches")
        named = PurePosixPath(pattern).parts  # a leftover only by its own name: "data/*" does not mean it
        asked = [
            path
            for path in files
            if path != self._output
            and not any(
                is_skipped(part) or (is_leftover(part) and part not in named)
                for part in path.relative_to(self._root).parts
            )
        ]
        for path in asked:
            self._asked.update((path, *path.parents))
        return asked

    def follow_imports(self) -> None:
        """Adds what the modules import, what those import, and so on. A module with a syntax error is `broken`."""
        while self._todo:
            self.count.expect(STAGES * len(self.modules))
            self._follow(self._todo.popleft())
            self.count.advance()
            if not self._todo:
                self.follow_computed_names()
        self.count.advance(len(self.modules) - len(self.unparsed))
        sources = [(path, module.source.data) for path, module in self.unparsed.items()]
        self.broken.update(syntax_errors(sources, self.count))

    def _follow(self, module: Module) -> None:
        path, data = module.source.path, module.source.data
        at_top = self.names_files(module)
        is_plain = not at_top and not self._reached_only
        may_name = MAY_NAME.search(data) is not None
        if is_plain and not may_import_top_level(data, self._open) and not may_run_files(data) and not may_name:
            self.unparsed[path] = module
            return
        try:
            tree = parse(data, path)
        except BundleError as error:
            self.broken[path] = error
            return
        named = named_in(tree, self._root / path, self._root) if at_top or may_name else Named()
        for text in named.additions:
            self._search_in(text)
        found = imports_of(tree, module.package, data)
        for imported in found.imports:
            self._import(imported, f"{path}:{imported.line}")
        self.follow_names(module, tree, named, found)

    def names_files(self, module: Module) -> bool:
        """Whether literals of the module may name files of the root."""
        return not module.package or module.package.partition(".")[0] == self._own

    def follow_arguments(self) -> None:
        """Adds what arguments name: nothing here."""

    def follow_names(self, module: Module, tree: ast.Module, named: Named, found: Imports) -> None:
        """Adds what a module names without an import statement: nothing here."""

    def follow_computed_names(self) -> None:
        """Adds what computed names may lead to, when all else is there: nothing here."""

    def _import(self, imported: Import, where: str) -> None:
        known = self.imports.get(imported.name)
        if known is None or known[0].optional:
            self.imports[imported.name] = (imported, where)
        self._take(imported.name.partition(".")[0], imported, where)
        self._reach(imported.name)

    def _search_in(self, text: str) -> None:
        """Modules are searched in this folder, too: what was imported and lies in it goes in."""
        if _ATTACHED.match(text):
            self.attached.append(text)
        folder = resolved(self._root, text)
        if folder in (*self.folders, *self.added, *self.outside) or not folder.is_dir():
            return
        if not folder.is_relative_to(self._root):
            self.outside.append(folder)
            return
        if any(map(is_skipped, folder.relative_to(self._root).parts)):
            return
        self.added.append(folder)
        names = set(names_in(folder))
        self._open |= names
        again = [module for module in self.unparsed.values() if may_import_top_level(module.source.data, names)]
        for module in again:
            del self.unparsed[module.source.path]
            self._todo.append(module)
        for name, (imported, place) in list(self.imports.items()):
            if name.partition(".")[0] in names:
                self._take(name.partition(".")[0], imported, place)
                self._reached.discard(name)
                self._reach(name)

    def _take(self, name: str, imported: Import, where: str) -> None:
        """The local top-level module or package of that name, if there is one."""
        if name not in self._open:
            return
        self._open.discard(name)
        groups = [self.folders, *((folder,) for folder in self.added)]
        places = [places for folders in groups if (places := located(folders, name))]
        if name == LOG_MODULE and not places:
            self.files[f"{name}.py"] = SourceFile(
                f"{name}.py", shipped(f"{name}.py").read_bytes().replace(b"\r\n", b"\n")
            )
        for group in places:  # which one Python finds depends on when the program adds its folders
            self._take_places(group, name, imported, where)

    def _take_places(self, places: Sequence[Path], name: str, imported: Import, where: str) -> None:
        for path in places:
            rule = self._rule(path, directory=path.is_dir())
            if rule:
                if rule.source != EXCLUDE:
                    # A folder without __init__.py may only share its name with a library: build/, for example.
                    doubtful = path.is_dir() and not (path / "__init__.py").is_file()
                    self.left_out.refuse_or_say(
                        path, rule, replace(imported, optional=imported.optional or doubtful), where
                    )
                self._open.add(name)  # another import of it may not be optional
                return
        for path in places:
            checked(self._root, path)
            self.taken.add(name)
            if path.is_dir() and self._reached_only:
                folders = self._packages.setdefault(name, [])
                folders += [path] if path not in folders else []
            elif path.is_dir():
                self._add_found(list(self._inside(path, name, (path.resolve(),))))
            else:
                self._add_found([(path, "")])

    def _reach(self, name: str) -> None:
        """Of the packages that do not go in whole: the module of that name, and the packages that it lies in."""
        if name in self._reached:
            return
        top, *rest = name.split(".")
        for folder in self._packages.get(top, ()):
            self._reached.add(name)
            dotted = top
            self._reach_package(folder, dotted)
            for part in rest:
                module = folder / f"{part}.py"
                folder /= part
                if not folder.is_dir() and module.is_file():
                    self._add_unless_ignored(module, dotted, f"{dotted}.{part}")
                if not folder.is_dir():
                    break
                dotted = f"{dotted}.{part}"
                self._reach_package(folder, dotted)

    def _reach_package(self, folder: Path, dotted: str) -> None:
        """Adds the package's __init__.py and its data."""
        if folder in self._reached_folders:
            return
        self._reached_folders.add(folder)
        for path in self._entries(folder):
            if path.is_file() and (path.suffix != ".py" or path.name in ("__init__.py", "__main__.py")):
                self._add_unless_ignored(path, dotted, dotted)

    def _add_unless_ignored(self, path: Path, package: str, dotted: str) -> None:
        rule = self._rule(checked(self._root, path))
        if not rule:
            self._add_found([(path, package)])
        elif path.suffix == ".py" and rule.source != EXCLUDE:
            self.left_out.modules[dotted] = (path, rule)

    def _entries(self, folder: Path) -> Iterator[Path]:
        """What is in the folder, without what editors and systems leave."""
        for path in entries(folder):
            if path in self._asked or not is_leftover(path.name):
                yield path
            elif not path.name.startswith("."):
                self.left_out.leftovers.append(path.relative_to(self._root).as_posix())

    def _inside(self, folder: Path, package: str, above: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
        """The files of a package's folder, each with its package."""
        for path in self._entries(folder):
            checked(self._root, path)
            directory = path.is_dir()
            dotted = f"{package}.{path.name.removesuffix('.py')}".removesuffix(".__init__")
            rule = self._rule(path, directory=directory)
            if rule:
                self.left_out.paths.append(f"{path.relative_to(self._root).as_posix()}{'/' * directory}")
                if (directory or path.suffix == ".py") and rule.source != EXCLUDE:
                    self.left_out.modules[dotted] = (path, rule)
            elif directory:
                if path.resolve() in above:
                    raise BundleError(f"{path.relative_to(self._root)} is a link to a folder that it lies in")
                yield from self._inside(path, dotted, (*above, path.resolve()))
            elif path.is_file():
                yield path, package
            else:
                raise BundleError(
                    f"{path.relative_to(self._root)} is not a file: a link to nothing, a pipe or a device"
                )

    # ------------------------------------------------------------------ what does not

    def _rule(self, path: Path, *, directory: bool = False) -> IgnoreRule | None:
        if path == self._output:
            return IgnoreRule(EXCLUDE, 0, str(path))
        if path in self._asked:
            return None
        return self._ignored.whole_folder(path) if directory else self._ignored.rule(path)


def _places(folder: Path, parts: Sequence[str]) -> tuple[Path, Path]:
    """Where the module of that name would lie in the folder: as a file, and as a package that can be run."""
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.py"), folder.joinpath(*parts, "__main__.py")
