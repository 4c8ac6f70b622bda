"""The commands by which a repository says that it is run: in its README, its shell scripts and its Makefile."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from coordinator.project.adoption.tree import Tree

_PYTHON = re.compile(r"(\S*/)?(python|pypy)(\d(\.\d+)?)?")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*")
_WRAPPERS = {"env", "nohup", "time", "sudo", "exec", "srun", "xvfb-run"}
_RUNNERS = {("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"), ("rye", "run")}
_LAUNCHERS = {"torchrun", "deepspeed", "accelerate", "horovodrun", "mpirun"}
_LAUNCHING_MODULES = {"torch.distributed.launch", "torch.distributed.run", "accelerate.commands.launch"}
_TOOLS = {
    "pip",
    "venv",
    "pytest",
    "unittest",
    "http.server",
    "ipykernel",
    "jupyter",
    "build",
    "spacy",
    "nltk.downloader",
}
_ENDS = {"|", ">", ">>", "<", "&", "2>", "2>&1", "&>", "1>", ")", "done"}
_PROMPT = re.compile(r"^(?:[-*+]\s+|\d+[.)]\s+)?[$>!%@]*\s*`*")
_INLINE = re.compile(r"`([^`\n]+)`")
_PLACEHOLDER = re.compile(
    r"\$|<[^>]*>|\{[^}]*\}|\[[^\]]*[A-Za-z][^\]]*\]$|\.\.\.|…|PATH_TO|path/to|/path|xxx|your[-_ ]", re.IGNORECASE
)
_DOCUMENT_MAX = 300_000


@dataclass(frozen=True)
class Command:
    """A command that runs a program of the repository."""

    entry: str
    """A script's path below the repository, or a module's name."""
    args: tuple[str, ...]
    where: str
    """The document and line that has it."""
    folder: str = ""
    """The folder that it is run in; empty for the repository's own."""
    paths: tuple[str, ...] = ()
    """PYTHONPATH"""
    launcher: str = ""
    """What starts several processes of it, such as torchrun."""

    @property
    def has_placeholder(self) -> bool:
        return any(map(is_placeholder, self.args))


def is_placeholder(word: str) -> bool:
    """Whether a reader of the document puts something else in the word's place: `$FOLD`, `<path>`, `path/to/data`."""
    return _PLACEHOLDER.search(word) is not None


def commands_in(tree: Tree) -> list[Command]:
    """All of them, those of the README first, each in its order."""
    found = []
    for name in _documents(tree):
        try:
            text = (tree.root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # the program may still be found by its name
        found += list(_of_document(tree, name, text))
    return found


def _documents(tree: Tree) -> list[str]:
    def rank(name: str) -> tuple[int, int, str] | None:
        path = PurePosixPath(name)
        depth = len(path.parts)
        if tree.files[name] > _DOCUMENT_MAX:
            return None
        if path.name.lower().startswith("readme") and path.suffix.lower() in ("", ".md", ".rst", ".txt") and depth < 3:
            return (0 if depth == 1 else 3), depth, name
        if path.suffix == ".sh" and depth < 4:
            return 1, depth, name
        return (2, depth, name) if name in ("Makefile", "makefile", "Procfile", "justfile") else None

    ranked = [(rank(name), name) for name in tree.files]
    return [name for place, name in sorted((place, name) for place, name in ranked if place is not None)]


def _of_document(tree: Tree, name: str, text: str) -> Iterator[Command]:
    is_prose = PurePosixPath(name).name.lower().startswith("readme")
    top = PurePosixPath(name).parent.as_posix() if is_prose else "."
    folder = top = "" if top == "." else top
    for number, line in _whole_lines(text):
        where = f"{name}:{number}"
        if is_prose and (not line.strip() or line.lstrip().startswith(("```", "~~~", "#"))) and "python" not in line:
            folder = top  # a new block begins where the reader is
            continue
        pieces = [_PROMPT.sub("", line.strip(), count=1).rstrip("`")]
        if is_prose:
            pieces += _INLINE.findall(line)
        for piece in pieces:
            for part in re.split(r"&&|;|\|\|", piece):
                words = _words(part)
                if len(words) == 2 and words[0] == "cd":
                    inner = PurePosixPath(folder, words[1]).as_posix()
                    folder = inner if inner in tree.folders else folder
                    continue
                found = _command(tree, words, where, folder)
                if found is not None:
                    yield found


def _whole_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that end with a backslash are one with the next."""
    begun: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        at, before = begun or (number, "")
        if line.rstrip().endswith("\\"):
            begun = (at, before + line.rstrip()[:-1] + " ")
            continue
        begun = None
        yield at, before + line


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # an apostrophe of prose
        return text.split()


def _command(tree: Tree, words: list[str], where: str, folder: str) -> Command | None:
    paths: list[str] = []
    while words and (_ASSIGNED.fullmatch(words[0]) or words[0] in _WRAPPERS or tuple(words[:2]) in _RUNNERS):
        if tuple(words[:2]) in _RUNNERS:
            words = words[2:]
            continue
        name, _, value = words[0].partition("=")
        if name == "PYTHONPATH":
            paths = [each for each in value.split(":") if each and not is_placeholder(each)]
        words = words[1:]
    end = next((at for at, word in enumerate(words) if word in _ENDS or word.startswith((">", "2>"))), len(words))
    entry, args, launcher = _split(words[:end])
    if entry is None:
        return None
    located = _located(tree, entry, folder, paths)
    if located is None:
        return None
    return Command(located, tuple(args), where, folder, tuple(paths), launcher)


def _split(words: list[str]) -> tuple[str | None, list[str], str]:
    """(script or module, its arguments, launcher) of a command line."""
    if not words:
        return None, [], ""
    first, rest = words[0], words[1:]
    launcher = ""
    if first in _LAUNCHERS:
        launcher = first
    elif _PYTHON.fullmatch(first):
        while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
            rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
        if rest[:1] == ["-m"] and len(rest) > 1:
            if rest[1] not in _LAUNCHING_MODULES:
                return (None if rest[1] in _TOOLS else f"-m {rest[1]}"), rest[2:], ""
            launcher, rest = rest[1], rest[2:]
        elif rest and not rest[0].startswith("-"):
            return rest[0], rest[1:], ""
        else:
            return None, [], ""
    elif first.startswith("./") and not first.endswith(".sh"):
        return first, rest, ""
    else:
        return None, [], ""
    for at, word in enumerate(rest):  # after the launcher's own options
        if word in ("-m", "--module") and at + 1 < len(rest):
            return f"-m {rest[at + 1]}", rest[at + 2 :], launcher
        if word.endswith(".py"):
            return word, rest[at + 1 :], launcher
    return None, [], ""


def _located(tree: Tree, entry: str, folder: str, paths: list[str]) -> str | None:
    """The script's path below the repository, or the module's name."""
    if entry.startswith("-m "):
        module = entry[3:]
        file = module.replace(".", "/")
        for place in ("", folder, *paths, "src"):
            top = PurePosixPath(place, file).as_posix().removeprefix("./")
            if any(each in tree.files for each in (f"{top}.py", f"{top}/__main__.py")):
                return module
        return None
    path = PurePosixPath(folder, entry)
    names = [path.as_posix(), PurePosixPath(entry).as_posix()]
    names += [f"{each}/__main__.py" for each in names]
    if ".." in path.parts or path.is_absolute():
        names = []
    found = next((name for name in names if name in tree.files), None)
    if found is None:  # the document means another folder, and there is one such script only
        tail = f"/{PurePosixPath(entry).name}"
        same = [name for name in tree.files if name.endswith(tail)]
        found = same[0] if len(same) == 1 and entry.endswith(".py") else None
    return found
