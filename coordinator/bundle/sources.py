"""Which files go into the bundle.

Packages go in whole, with modules that are imported by computed names and with their data. Which local packages and
modules go in follows from the import statements, from the entry on. They are looked for in Python's own order: in the
folder of the entry script first, then in the root. Ignored files are left out; it is an error if the program imports
them. Secrets and links out of the tree are refused, because leaving them out silently would hide where they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from coordinator.bundle.exclusions import LeftOut, Module
from coordinator.bundle.files import (
    SourceFile,
    checked,
    entries,
    existing,
    failures_told,
    is_module,
    is_skipped,
    located,
    names_in,
    read,
)
from coordinator.bundle.ignore import EXCLUDE, Ignored, IgnoreRule
from coordinator.bundle.imports import (
    Import,
    imports_of,
    is_python_script,
    may_import,
    may_run_files,
    named_texts,
    parse,
    syntax_errors,
)
from coordinator.bundle.secrets import Guard
from coordinator.bundle.sizes import NAMED_MAX, Sizes
from coordinator.errors import BundleError
from coordinator.files import is_leftover
from coordinator.names import is_confined
from coordinator.project import shipped


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


PLAIN = Selection()

LOG_MODULE = "coord_log"
"""The module with which any program may report to coord; it comes with coord, so a bundle brings it."""


def collect(
    root: Path,
    entry: str,
    selection: Selection = PLAIN,
    *,
    is_script: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[SourceFile, ...]:
    """The files that the entry needs, sorted by path.

    `entry` is a module (dotted name), or a script below the root (POSIX path); where `is_script` is not given, a script
    is a file of this name, or what ends in ".py". `say` gets a line for what went in, or was left out, for another
    reason than an import.

    Raises BundleError if the entry is missing, a module that is imported has a syntax error, the files are too large,
    or one is refused or cannot be read.
    """
    script = root / entry if (_is_script(root, entry) if is_script is None else is_script) else None
    with failures_told(root):
        collection = _collected(root, script or entry, selection, say)
        if collection.broken:
            # A file that no import leads to may be a template, a test's data or old: it goes in, but is no source.
            only = replace(selection, include=(), reached_only=True)
            for error in _collected(root, script or entry, only, lambda _: None).broken.values():
                raise error
            for path, error in collection.broken.items():
                say(f"warning: {error.what}; it goes in all the same: no import leads to it")
                collection.files[path] = replace(collection.files[path], is_source=False)
        collection.left_out.check(
            module for module in collection.modules if module.source.path not in collection.broken
        )
        if script is None and entry in collection.files:
            raise BundleError(f"{entry} is a file and the entry module: rename the file")
        files = tuple(collection.files[path] for path in sorted(collection.files))
        collection.guard.check(files)
        return files


def _is_script(root: Path, entry: str) -> bool:
    return entry.endswith(".py") or (root / entry).is_file()


def _collected(root: Path, entry: Path | str, selection: Selection, say: Callable[[str], None]) -> _Collection:
    """All that goes in. `entry` is a script, or a module's name."""
    script = entry if isinstance(entry, Path) else None
    folders = list(dict.fromkeys([script.parent, root] if script else [root]))
    collection = _Collection(root, folders, selection, say)
    asked = [path for pattern in selection.include for path in collection.ask(pattern)]
    if script:
        if not script.is_file():
            raise BundleError(f"there is no script {script.relative_to(root).as_posix()} in {root}")
        collection.add(script, is_source=True)
    else:
        collection.add_entry_module(str(entry))
    for path in asked:
        collection.add_named(path)
    collection.follow_imports()
    return collection


class _Collection:
    """The files so far, and the modules whose imports are still to be followed."""

    def __init__(
        self,
        root: Path,
        folders: Sequence[Path],
        selection: Selection,
        say: Callable[[str], None],
    ) -> None:
        self.files: dict[str, SourceFile] = {}
        self._root = root
        self._folders = folders
        self.guard = Guard(root)
        self._ignored = Ignored(root, selection.exclude)
        self._asked: set[Path] = set()
        """Files that were asked for, and the folders that they lie in."""
        self._sizes = Sizes(root)
        self._reached_only = selection.reached_only
        self._packages: dict[str, list[Path]] = {}
        """Folders of top-level packages of which only the modules that imports reach go in."""
        self._reached: set[str] = set()
        self._reached_folders: set[Path] = set()
        self._output = selection.output
        self._say = say
        self.modules: list[Module] = []
        self.broken: dict[str, BundleError] = {}
        """Paths of modules that are no Python, and why."""
        self._open = {LOG_MODULE, *(name for folder in folders for name in names_in(folder))}
        """Top-level names that could be imported and are not in the bundle yet."""
        self.left_out = LeftOut(root, say)

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
        if path.stem in self._open and path.parent in self._folders and located(self._folders, path.stem) == [path]:
            self._open.discard(path.stem)
        if source.is_python:
            self.modules.append(Module(source, path.parent, package))

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
        file = self._root.joinpath(*entry.split(".")).with_suffix(".py")
        if not file.is_file() and not self._root.joinpath(*entry.split("."), "__main__.py").is_file():
            raise BundleError(
                f'there is no entry module "{entry}": {file.relative_to(self._root)} is missing',
                hint='Set entry = "package.module" in [tool.coord].',
            )
        self._take(entry.partition(".")[0], Import(entry, 0, False), "the entry")
        self._reach(entry)

    def ask(self, pattern: str) -> list[Path]:
        """The files that match, which go in even if they are ignored or large: they were asked for."""
        try:
            found = sorted(self._root.glob(pattern))
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
        """Adds what the modules import, what those import, and so on. Raises BundleError on a syntax error."""
        unparsed = []
        for module in self.modules:  # the list grows meanwhile
            path, data = module.source.path, module.source.data
            at_top = not module.package
            is_plain = not at_top and not self._reached_only
            if is_plain and not may_import(data, self._open) and not may_run_files(data):
                unparsed.append((path, data))
                continue
            try:
                tree = parse(data, path)
            except BundleError as error:
                self.broken[path] = error
                continue
            found = imports_of(tree, module.package, data)
            for imported in found.imports:
                self._take(imported.name.partition(".")[0], imported, f"{path}:{imported.line}")
                self._reach(imported.name)
            for text, line in () if at_top else found.files:
                self._add_named(module, text, line)
            if at_top:
                texts = dict(reversed(list(named_texts(tree))))
                if found.computed:
                    self._take_siblings(module, found.computed[0], set(texts))
                for text, line in sorted(texts.items()):
                    self._add_named(module, text, line)
        self.broken.update(syntax_errors(unparsed))

    def _take(self, name: str, imported: Import, where: str) -> None:
        """The local top-level module or package of that name, if there is one."""
        if name not in self._open:
            return
        for path in located(self._folders, name):
            rule = self._rule(path, directory=path.is_dir())
            if rule:
                if rule.source != EXCLUDE:
                    # A folder without __init__.py may only share its name with a library: build/, for example.
                    doubtful = path.is_dir() and not (path / "__init__.py").is_file()
                    self.left_out.refuse_or_say(
                        path, rule, replace(imported, optional=imported.optional or doubtful), where
                    )
                return
        self._open.discard(name)
        places = located(self._folders, name)
        if name == LOG_MODULE and not places:
            self.files[f"{name}.py"] = SourceFile(f"{name}.py", shipped(f"{name}.py").read_bytes())
        for path in places:
            checked(self._root, path)
            if path.is_dir() and self._reached_only:
                self._packages.setdefault(name, []).append(path)
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

    def _take_siblings(self, module: Module, line: int, texts: set[str]) -> None:
        """Adds the modules beside one that imports a computed name: it may name any of them."""
        if module.folder not in self._folders:
            return
        taken = []
        for name in sorted(self._open & set(names_in(module.folder))):
            # Any folder could be a package without __init__.py: only those go in that the source names somewhere.
            if name not in texts and not is_module(module.folder, name):
                continue
            paths = located(self._folders, name)
            if not paths or any(self._rule(path, directory=path.is_dir()) for path in paths):
                continue
            where = f"{module.source.path}:{line}"
            self._take(name, Import(name, line, True), where)
            taken.append(name)
        if taken:
            self._say(f"{module.source.path}:{line} computes a name to import; beside it: {', '.join(taken)}")

    def _add_named(self, module: Module, text: str, line: int) -> None:
        """A file that a script names, such as "data/words.txt": the script most likely reads it."""
        path = existing((module.folder, self._root), text)
        if path is None or path == self._output or path.relative_to(self._root).as_posix() in self.files:
            return
        name, where = path.relative_to(self._root).as_posix(), f"{module.source.path}:{line}"
        rule = self._rule(path)
        why_not = ""
        if rule:
            why_not = f"ignored by {rule}"
        elif path.is_symlink() and not path.resolve().is_relative_to(self._root.resolve()):
            why_not = "a link out of the tree"
        elif is_leftover(path.name):
            why_not = "an editor or a system has left it; take it with --include"
        elif path.stat().st_size > NAMED_MAX:
            why_not = f"{path.stat().st_size:,} bytes; take it with --include"
        elif self.guard.found(name, path.read_bytes()):
            why_not = "it looks like a secret"
        if why_not:
            self._say(f"left out: {name}, named in {where}: {why_not}")
        else:
            self._say(f"data: {name}, named in {where}")
            self.add_named(path)

    # ------------------------------------------------------------------ what does not

    def _rule(self, path: Path, *, directory: bool = False) -> IgnoreRule | None:
        if path == self._output:
            return IgnoreRule(EXCLUDE, 0, str(path))
        if path in self._asked:
            return None
        return self._ignored.whole_folder(path) if directory else self._ignored.rule(path)
