"""Files that come from a target: which of their names can be files here, and their transfer side by side."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from coordinator.errors import TargetError
from coordinator.names import confined, local_name, same_file
from coordinator.system import is_too_long
from coordinator.target import OutputFile
from coordinator.transfers import parallel
from coordinator.transfers.transfer import Transfer

_BAD_FILES = 3  # that are left out before a fetch gives up
_OF_THE_NAME = (
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ),
    *(errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY),
)
"""Errors of a file system that takes no file of this name, or has a folder of it."""
_NAME_SHOWN = 80  # characters

Refused = dict[str, list[str]]
"""Why not -> the names that are left alone for this reason."""


@dataclass(frozen=True)
class Arriving:
    """The listed files by path, without what cannot be fetched; of a name that comes twice, the first."""

    files: dict[PurePosixPath, OutputFile]
    left_alone: Refused = field(default_factory=dict)
    renamed: Mapping[str, PurePosixPath] = field(default_factory=dict)
    """Names that this system does not take -> those that the files have here instead."""

    @classmethod
    def of(cls, listed: Iterable[OutputFile], ours: Iterable[str], *, ignores_case: bool) -> Arriving:
        """Names come from the target, so they are not trusted. `ours` are names of coord's own files in that folder."""
        same = same_file if ignores_case else str
        own = {same(PurePosixPath(name)) for name in ours}
        found: dict[str, tuple[PurePosixPath, OutputFile]] = {}
        left_alone: Refused = {}
        renamed: dict[str, PurePosixPath] = {}
        for file in listed:
            try:
                named = confined(file.name)
            except ValueError as error:
                left_alone.setdefault(str(error), []).append(file.name)
                continue
            path = local_name(named)
            if path != named:
                renamed[file.name] = path
            first, _ = found.setdefault(same(path), (path, file))
            if same(PurePosixPath(path.parts[0])) in own:
                del found[same(path)]
                left_alone.setdefault("coord's own files here have that name", []).append(file.name)
            elif first != path:
                left_alone.setdefault("this system takes another file's name for the same", []).append(file.name)
        for key, (path, file) in list(found.items()):
            if any(same(folder) in found for folder in path.parents):
                del found[key]
                left_alone.setdefault("a file has the name of its folder", []).append(file.name)
        return cls(dict(found.values()), left_alone, renamed)

    def said(self) -> Iterator[str]:
        """A line about the files that have another name here."""
        each = [f"{_shown(name)} is {path} here" for name, path in self.renamed.items()]
        if each:
            yield f"names that Windows does not take: {', '.join(each[:3])}{_more(len(each) - 3)}"


def bring_named(transfer: Transfer, path: PurePosixPath, refused: Refused) -> None:
    """Brings a file, or notes why this system takes no file of that name."""
    try:
        transfer.bring(path)
    except (OSError, UnicodeEncodeError) as error:  # the latter where the file system's names are not UTF-8
        if isinstance(error, OSError) and error.errno not in _OF_THE_NAME and not is_too_long(error):
            raise
        why = (error.strerror if isinstance(error, OSError) else error.reason) or "no reason given"
        refused.setdefault(f"this system refuses the name ({why})", []).append(str(path))


def run(transfer: Transfer, jobs: Sequence[Callable[[], None]], *, go_on: str) -> None:
    """Runs the jobs side by side. Raises the first error, once everything that can be fetched is here.

    `go_on` is the command that fetches the rest.
    """
    errors = parallel.run(
        jobs,
        threads=transfer.at_once,
        stop=transfer.stop,
        tolerated=TargetError,
        at_most=_BAD_FILES,
    )
    for error in errors[:1]:
        others = f" (and {len(errors) - 1} more files could not be fetched)" if len(errors) > 1 else ""
        hint = "\n".join(filter(None, [error.hint, f"What came is kept; go on with: {go_on}"]))
        raise type(error)(error.what + others, hint=hint)


def said(names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A line for each reason, with the first of its names."""
    for why, each in names.items():
        yield f"not fetched, because {why}: {', '.join(map(_shown, each[:3]))}{_more(len(each) - 3)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _shown(name: str) -> str:
    text = name if name.isprintable() else ascii(name)
    return text if len(text) <= _NAME_SHOWN else f"{text[:_NAME_SHOWN]}..."
