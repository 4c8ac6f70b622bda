"""Which files go into the bundle.

Ignored files are left out; it is an error if the program imports them. Secrets and links out of the tree are refused,
because leaving them out silently would hide where they lie.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from coordinator.bundle.by_name import NamedCollection
from coordinator.bundle.collection import Collection, Selection as Selection
from coordinator.bundle.exclusions import Module
from coordinator.bundle.files import SourceFile, failures_told
from coordinator.bundle.ignore import work_tree
from coordinator.bundle.line_ends import as_committed
from coordinator.bundle.roots import Misplaced, elsewhere
from coordinator.errors import BundleError
from coordinator.progress import Count
from coordinator.project import is_script as is_script_in

PLAIN = Selection()


@dataclass(frozen=True)
class Collected:
    """The files that an entry needs, and what is known about them."""

    root: Path
    files: tuple[SourceFile, ...]
    """Sorted by path."""
    modules: tuple[Module, ...]
    """The Python sources among them."""
    folders: tuple[Path, ...]
    """Where the program finds its modules."""
    elsewhere: Mapping[str, Misplaced]
    """Modules that it imports and that lie where it does not find them."""
    attached: tuple[str, ...]
    """Folders of attached sources that it adds to sys.path."""
    configs_outside: tuple[Path, ...]
    """Folders with config files of the program that do not lie below the root."""
    _strictly: Callable[[], Collection]

    @functools.cached_property
    def reached(self) -> frozenset[str]:
        """Paths of the files to which import statements lead from the entry on."""
        return frozenset(self._strictly().files)


def collect(
    root: Path,
    entry: str,
    selection: Selection = PLAIN,
    *,
    is_script: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[SourceFile, ...]:
    """The files that `gather` finds."""
    return gather(root, entry, selection, is_script=is_script, say=say).files


def gather(
    root: Path,
    entry: str,
    selection: Selection = PLAIN,
    *,
    is_script: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Collected:
    """The files that the entry needs.

    `entry` is a module (dotted name), or a script below the root (POSIX path); where `is_script` is not given, a script
    is a file of this name, or what ends in ".py". `say` gets a line for what went in, or was left out, for another
    reason than an import.

    Raises BundleError if the entry is missing, a module that is imported has a syntax error, the files are too large,
    or one is refused or cannot be read.
    """
    script = root / entry if (is_script_in(root, entry) if is_script is None else is_script) else None
    with failures_told(root):

        def strictly() -> Collection:
            only = replace(selection, include=(), named=(), reached_only=True, count=Count(""))
            with failures_told(root):
                return _collected(Collection, root, script or entry, only, lambda _: None)

        collection = _collected(NamedCollection, root, script or entry, selection, say)
        if collection.broken:
            # A file that no import leads to may be a template, a test's data or old: it goes in, but is no source.
            only = replace(selection, include=(), reached_only=True, count=Count(""))
            for error in _collected(NamedCollection, root, script or entry, only, lambda _: None).broken.values():
                raise error
            for path, error in collection.broken.items():
                say(f"warning: {error.what}; it goes in all the same: no import leads to it")
                collection.files[path] = replace(collection.files[path], is_source=False)
        modules = tuple(module for module in collection.modules if module.source.path not in collection.broken)
        collection.left_out.check(modules)
        if script is None and entry in collection.files:
            raise BundleError(f"{entry} is a file and the entry module: rename the file")
        files = as_committed(root, work_tree(root), [collection.files[path] for path in sorted(collection.files)])
        misplaced = elsewhere(root, collection)
        selection.count.advance(len(collection.modules))
        collection.guard.check(selection.count.each(files))
        return Collected(
            root,
            files,
            modules,
            (*collection.folders, *collection.added),
            misplaced,
            tuple(collection.attached),
            tuple(collection.configs_outside),
            strictly,
        )


class ReadOnce:
    """The sources as they are read once, for all kernels with the same entry and selection of files."""

    def __init__(self) -> None:
        self._known: list[tuple[tuple[Path, str, Selection], Collected, list[str]]] = []

    def gather(self, root: Path, entry: str, selection: Selection, say: Callable[[str], None]) -> Collected:
        """What `gather` found when it was first asked for the same, and says. Raises BundleError as it does."""
        asked = (root, entry, selection)
        earlier = next((each for each in self._known if each[0] == asked), None)
        if earlier is None:
            said: list[str] = []
            earlier = (asked, gather(root, entry, selection, say=said.append), said)
            self._known.append(earlier)
        for line in earlier[2]:
            say(line)
        return earlier[1]


def _collected(
    kind: type[Collection], root: Path, entry: Path | str, selection: Selection, say: Callable[[str], None]
) -> Collection:
    """All that goes in. `entry` is a script, or a module's name."""
    script = entry if isinstance(entry, Path) else None
    further = [root / folder for folder in selection.path]
    folders = list(dict.fromkeys([script.parent, *further, root] if script else [root, *further]))
    for folder in further:
        if not folder.is_dir():
            raise BundleError(f"path: there is no folder {folder.relative_to(root).as_posix()} in {root}")
    collection = kind(root, folders, selection, say)
    asked = [path for pattern in selection.include for path in collection.ask(pattern)]
    if script:
        if not script.is_file():
            raise BundleError(f"there is no script {script.relative_to(root).as_posix()} in {root}")
        collection.add(script, is_source=True)
    else:
        collection.add_entry_module(str(entry))
    for path in asked:
        collection.add_named(path)
    collection.follow_arguments()
    collection.follow_imports()
    return collection
