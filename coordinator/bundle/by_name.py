"""What goes into a bundle without an import statement: files and folders that literals, arguments and configs name."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from coordinator.bundle.collection import Collection, Selection
from coordinator.bundle.exclusions import Module
from coordinator.bundle.files import SourceFile, entries, existing, has_modules, is_module, located, names_in, resolved
from coordinator.bundle.folders import CONFIG, CONFIG_DATA, folder_of
from coordinator.bundle.imports import Import, Imports, named_texts
from coordinator.bundle.named import Named, named_in_command
from coordinator.bundle.sizes import NAMED_MAX
from coordinator.files import is_leftover

_NAMES = re.compile(r"[A-Za-z_]\w*")


class NamedCollection(Collection):
    """A collection with what is named, not only what is imported."""

    def __init__(self, root: Path, folders: Sequence[Path], selection: Selection, say: Callable[[str], None]) -> None:
        super().__init__(root, folders, selection, say)
        self._named = selection.named
        self._folders_taken: set[tuple[Path, bool]] = set()
        self._computed: deque[tuple[Module, int, set[str]]] = deque()
        """Modules that import a computed name: the line, and what literals they have."""

    def follow_arguments(self) -> None:
        for text, who in self._named:
            self._add_argument(text, who)

    def follow_names(self, module: Module, tree: ast.Module, named: Named, found: Imports) -> None:
        path, at_top = module.source.path, self.names_files(module)
        for base, folders in ((self._root, named.folders), (module.folder, named.beside)):
            for text, line in folders if at_top or base != self._root else ():
                self._take_named_folder(base, text, f"{path}:{line}")
        for text, line in () if at_top else found.files:
            self._add_named(module, text, line)
        if not at_top:
            return
        for name, line in named.modules:
            self._import(Import(name, line, True), f"{path}:{line}")
        texts = dict(reversed([*named_texts(tree), *named.programs]))
        if found.computed:
            self._computed.append((module, found.computed[0], {text.partition(".")[0] for text in texts}))
        for text, line in sorted(texts.items()):
            self._add_named(module, text, line)

    def follow_computed_names(self) -> None:
        if self._computed:  # as late as possible: config files may name what is meant
            self._take_siblings(*self._computed.popleft())
            if not self._todo:
                self.follow_computed_names()

    def _words(self) -> set[str]:
        """What arguments and config files may name to a program that computes the names of modules."""
        texts = [text for text, _ in self._named]
        texts += [
            file.data.decode("utf-8", "replace")
            for path, file in self.files.items()
            if path.endswith(tuple(CONFIG_DATA))
        ]
        return {name for text in texts for name in _NAMES.findall(text)}

    def _take_siblings(self, module: Module, line: int, texts: set[str]) -> None:
        """Adds the modules beside one that imports a computed name: it may name any of them.

        Any folder could be a package without __init__.py: only those go in that a literal, an argument or a config file
        names, and the others are told.
        """
        where, taken, passed = f"{module.source.path}:{line}", list[str](), list[str]()
        words = texts | self._words()
        beside = [module.folder] if module.folder in self.folders else []
        for folder in (*beside, *self.added):
            for name in sorted(self._open & set(names_in(folder))):
                paths = located((*self.folders, *self.added), name)
                if (
                    folder / name in self.added
                    or not paths
                    or any(self._rule(path, directory=path.is_dir()) for path in paths)
                ):
                    continue
                if is_module(folder, name):
                    self._take(name, Import(name, line, True), where)
                    taken.append(name)
                elif name in words:
                    self._open.discard(name)
                    self.taken.add(name)
                    self._take_folder(folder / name, where)
                    taken.append(name)
                elif has_modules(folder / name):
                    passed.append((folder / name).relative_to(self._root).as_posix())
        if taken:
            self._say(f"{where} computes a name to import; beside it: {', '.join(taken)}")
        passed = [name for name in passed if not any(path.startswith(f"{name}/") for path in self.files)]
        if passed:
            ways = " ".join(f"--include '{name}/**'" for name in passed[:3])
            beside_it = f"folders beside it that were not taken: {', '.join(passed)} ({ways})"
            self._say(f"{where} computes a name to import; {beside_it}")

    def _add_argument(self, text: str, who: str) -> None:
        """A file that an argument or a config value names, with config files beside it; or such a folder."""
        place = resolved(self._root, text)
        if not place.is_relative_to(self._root) or place in (*self.folders, self._root):
            return
        if place.is_dir():
            self._take_folder(place, who)
        elif existing((self._root,), text):
            self._add_if_small(place, who)
            if place.suffix in CONFIG and place.parent != self._root and place.parent not in self.folders:
                self._take_folder(place.parent, who, whole=False)
            elif place.suffix in CONFIG:  # its folder has the whole program
                for path in entries(place.parent):
                    if path.suffix in CONFIG_DATA and path.is_file() and not self._rule(path):
                        self._add_if_small(path, who)

        else:
            self._take_folder_of_config(text, who)

    def _take_named_folder(self, base: Path, text: str, where: str) -> None:
        folder = resolved(base, text)
        if folder.is_dir() and folder.is_relative_to(self._root) and not self._root.is_relative_to(folder):
            if not any(each.is_relative_to(folder) for each in self.folders):
                self._take_folder(folder, where)
        elif folder.is_dir() and not folder.is_relative_to(self._root):
            self.configs_outside.append(folder)

    def _take_folder(self, folder: Path, where: str, *, whole: bool = True) -> None:
        """The files of a folder if they are few and small; otherwise, or unless `whole`, its config files and sources.

        Those only if they are few and small, too.
        """
        if (folder, whole) in self._folders_taken or self._rule(folder, directory=True):
            return
        self._folders_taken.add((folder, whole))
        name = folder.relative_to(self._root).as_posix()
        for kinds in (None, CONFIG) if whole else (CONFIG,):
            found = folder_of(folder, kinds, lambda path: self._rule(path, directory=path.is_dir()) is None)
            if found.fits:
                break
            if kinds is None or not whole:
                way = f"--include '{name}/**' takes it all the same"
                self._say(f"left out: {name}/, named in {where}: it is large; {way}")
        if not found.fits:
            return
        new = [path for path in found.files if path.relative_to(self._root).as_posix() not in self.files]
        added = [path for path in new if self._add_if_small(path, where, quiet=True)]
        if added:
            self._say(f"data: {name}/, named in {where}: {len(added)} file{'s' * (len(added) != 1)}")

    def _add_named(self, module: Module, text: str, line: int) -> None:
        """A file that a script names, such as "data/words.txt": the script most likely reads it, or starts it."""
        where = f"{module.source.path}:{line}"
        path = existing((module.folder, self._root), text)
        if path is None:
            self._take_folder_of_config(text, where)
            return
        is_new = self._add_if_small(path, where)
        if path.suffix == ".py" and path.relative_to(self._root).as_posix() in self.files:
            self._search_in(str(path.parent))
        elif path.suffix in (".sh", ".bash") and is_new:
            self._follow_commands(path)
        elif path.suffix in CONFIG_DATA and self.names_files(module):
            self._take_folder_of_config(text, where)

    def _take_folder_of_config(self, text: str, where: str) -> None:
        """Where a text names a config file, with its suffix or without: another run may name the one beside it."""
        folder = resolved(self._root, text).parent
        if "/" not in text or len(text) > 255 or not folder.is_relative_to(self._root) or not folder.is_dir():
            return
        name = text.rpartition("/")[2]
        is_named = any((folder / f"{name}{suffix}").is_file() for suffix in ("", *CONFIG_DATA))
        if name and is_named and not any(each.is_relative_to(folder) for each in (self._root, *self.folders)):
            self._take_folder(folder, where, whole=False)

    def _follow_commands(self, script: Path) -> None:
        """The programs that a shell script starts."""
        name = script.relative_to(self._root).as_posix()
        source = SourceFile(name, self.files[name].data)
        for number, command in enumerate(source.data.decode("utf-8", "replace").splitlines(), 1):
            named = named_in_command(command, number)
            for text, line in named.programs:
                self._add_named(Module(source, script.parent, ""), text, line)
            for text, line in named.modules:
                self._import(Import(text, line, True), f"{name}:{line}")

    def _add_if_small(self, path: Path, where: str, *, quiet: bool = False) -> bool:
        """Adds a file that something names, unless it is too large for data of a program, ignored or a secret."""
        name = path.relative_to(self._root).as_posix()
        if path == self._output or name in self.files:
            return False
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
            return False
        if not quiet:
            self._say(f"data: {name}, named in {where}")
        self.add_named(path)
        return True
