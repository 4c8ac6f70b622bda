"""Which commit of the project a run came from.

Git is asked for the project's own repository only: variables such as GIT_DIR, which a hook or a shell may have set for
another one, are not handed on, and no repository further up is taken for one that is broken. Nothing that a repository
configures is run: no hook, no fsmonitor, no filter.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_KEPT = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"}
"""Variables that are about the user and the installation, not about a repository."""
_SECONDS = 10.0


@dataclass(frozen=True)
class Commit:
    """The commit of a work tree, or why there is none to name."""

    name: str | None
    """The short commit, with "-dirty" (as `git describe --dirty` has it) if it would not give the same kernel again."""
    why_not: str = ""
    remedy: str = ""
    is_failure: bool = False
    """There may be a commit, but git did not say which."""


def commit(root: Path, inputs: Iterable[Path] = ()) -> str | None:
    """The name of `read_commit`."""
    return read_commit(root, inputs).name


def read_commit(root: Path, inputs: Iterable[Path] = ()) -> Commit:
    """The commit of the work tree that `root` lies in.

    It is dirty if a tracked file differs from it, or one of `inputs` (what the kernel is made of, below `root`) isn't
    tracked: other new files, such as notes and data, make no difference.
    """
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if top is None:
        return Commit(None, "the project is in no git repository", "git init, and commit: runs then name their commit.")
    try:
        where = _git(top, "rev-parse", "--show-toplevel").rstrip("\n")
        if Path(where).resolve() != top.resolve():
            return _failure(f"the work tree of {top / '.git'} is {where}", "Correct its core.worktree.")
        # One process answers both questions. An untracked folder is one line, however many files it has.
        flags = ("--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=normal", "--ignored=matching")
        status = _git(top, *_without_filters(top), "status", *flags)
    except FileNotFoundError:
        return _failure("git is not installed", "Install it: runs then name their commit.")
    except subprocess.TimeoutExpired:
        return _failure(f"git did not answer in {_SECONDS:.0f} s", f"See what it does: git -C {_quoted(top)} status")
    except OSError as error:
        return _failure(f"git cannot be started: {error.strerror}", "See what it says: git --version")
    except _Refused as refused:
        return _explained(top, str(refused))
    head, changed, untracked = "", False, set[str]()
    for line in status.split("\0"):
        kind, _, rest = line.partition(" ")
        if kind == "#":
            head = rest.removeprefix("branch.oid ") if rest.startswith("branch.oid ") else head
        elif kind in ("?", "!"):
            untracked.add(rest.rstrip("/"))
        elif kind:
            changed = True
    if not head or head == "(initial)":
        return Commit(None, "the repository has no commit yet", "Commit: runs then name their commit.")
    changed = changed or any(_is_among(untracked, path.relative_to(top)) for path in inputs if path.is_relative_to(top))
    return Commit(head[:12] + ("-dirty" if changed else ""))


class _Refused(Exception):
    """Git ended with an error; the text is its own."""


def _explained(top: Path, said: str) -> Commit:
    if "dubious ownership" in said or "unsafe repository" in said:
        trust = f"If you trust it: git config --global --add safe.directory {_quoted(top)}"
        return _failure(f"git refuses the repository {top}, because it belongs to another user", trust)
    if "must be run in a work tree" in said:
        return _failure(f"{top / '.git'} is a bare repository", f"git -C {_quoted(top)} config core.bare false")
    reason = next((line for line in said.splitlines() if line.strip()), "it says nothing")
    reason = re.sub(r"^(?:fatal|error): ", "", reason)
    return _failure(f"git cannot read the repository {top}: {reason}", f"See: git -C {_quoted(top)} status")


def _failure(why: str, remedy: str) -> Commit:
    return Commit(None, why, remedy, is_failure=True)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def tracked_though_ignored(top: Path) -> frozenset[Path]:
    """The files of a work tree that git tracks although an ignore file names them, and the folders that they lie in.

    None if git does not answer: then the ignore files count, and what they leave out is told.
    """
    try:
        listed = _git(top, "ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    except (_Refused, OSError, subprocess.TimeoutExpired):
        return frozenset()
    files = [top / name for name in listed.split("\0") if name]
    return frozenset(files).union(*(file.parents for file in files))


_NAMED_AT_ONCE = 100  # files in one command line: Windows takes 32,767 characters


def committed_with_lf(top: Path, names: Sequence[str]) -> frozenset[str]:
    """Those of the files (relative to the work tree) whose CR LF git turns into LF when they are committed.

    That is what core.autocrlf and .gitattributes say. A file that is in the repository with CR LF is not among them.
    None if git does not answer.
    """
    found = set()
    try:
        for start in range(0, len(names), _NAMED_AT_ONCE):
            some = names[start : start + _NAMED_AT_ONCE]
            listed = _git(top, "--literal-pathspecs", "ls-files", "--eol", "-z", "--cached", "--others", "--", *some)
            for line in filter(None, listed.split("\0")):
                ends, _, name = line.partition("\t")
                if _becomes_lf(top, *(part.partition("/")[2] for part in ends.split(None, 2))):
                    found.add(name)
    except (_Refused, OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(found)


def _becomes_lf(top: Path, index: str, work_tree: str, attribute: str) -> bool:
    if work_tree not in ("crlf", "mixed"):
        return False
    kind = attribute.split(" ")[0]
    if kind == "text":
        return True
    return index not in ("crlf", "mixed") and (kind == "text=auto" or (not kind and _converts(top)))


def _converts(top: Path) -> bool:
    """Whether git's settings convert files of which .gitattributes says nothing."""
    try:
        return _git(top, "config", "--get", "core.autocrlf").strip().lower() in ("true", "input", "yes", "on", "1")
    except _Refused:  # it is not set
        return False


def _is_among(names: set[str], path: Path) -> bool:
    """Whether the path, or a folder that it lies in, is one of the names."""
    posix = PurePosixPath(path.as_posix())
    return any(str(part) in names for part in (posix, *posix.parents))


def _without_filters(top: Path) -> list[str]:
    """Options that switch off the filters that the repository itself configures: they are commands.

    Those of the user's own settings (git-lfs) stay: without them, files would seem to be changed.
    """
    try:
        found = _git(top, "config", "--show-scope", "--name-only", "-z", "--get-regexp", r"^filter\.")
    except _Refused:  # there are none
        return []
    words = found.split("\0")
    own = {
        key.rpartition(".")[0] for scope, key in zip(words[::2], words[1::2], strict=False) if scope in _OF_REPOSITORY
    }
    pairs = [f"{name}.{what}" for name in sorted(own) for what in ("clean=", "process=", "required=false")]
    return [word for pair in pairs for word in ("-c", pair)]


_OF_REPOSITORY = ("local", "worktree")
_OFF = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.bareRepository=explicit")


def _git(top: Path, *arguments: str) -> str:
    """What git prints. Raises _Refused with its error, and the exceptions of subprocess."""
    # Without optional locks, so that a push does not block the user's own git.
    options = [word for setting in (*_OFF, *_trusted(os.environ)) for word in ("-c", setting)]
    command = ["git", "--no-optional-locks", "-C", str(top), *options, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, env=_environment(top))
    if done.returncode != 0:
        raise _Refused(done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "surrogateescape")


def _environment(top: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    # The messages are read above. A repository that is broken must not be passed over for one further up.
    return kept | {"LC_ALL": "C", "LANGUAGE": "C", "GIT_CEILING_DIRECTORIES": str(top.parent)}


def _trusted(variables: Mapping[str, str]) -> list[str]:
    """The safe.directory settings that are given by variables, as CI does."""
    count = variables.get("GIT_CONFIG_COUNT", "")
    numbers = range(min(int(count), 1000)) if count.isascii() and count.isdigit() else range(0)
    return [
        f"safe.directory={variables.get(f'GIT_CONFIG_VALUE_{number}', '')}"
        for number in numbers
        if variables.get(f"GIT_CONFIG_KEY_{number}", "").lower() == "safe.directory"
    ]
