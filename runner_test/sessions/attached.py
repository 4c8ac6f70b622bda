"""A kernel's output as another kernel finds it in its input: with the files that Kaggle adds to it.

They are no part of the output: no listing and no download has them. So the output is not changed: what is mounted is a
second folder, whose files are hard links. It is made when a session needs it first, and stays with the version.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runner_test.sessions import log
from runner_test.state import Version, VersionPaths, files, read_version, sources, tree, unfinished_folder

_CSS = "pre { white-space: pre-wrap; }\n"
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP)


def mounts(root: Path, version: Version) -> dict[str, Path]:
    """The folders to mount for a version, by path below `input/`. Raises what `sources.mounts` does."""
    found = sources.mounts(root, version)
    for name in version.kernel_sources:
        at = sources.mount_path(version.settings.layout, "notebooks", name)
        found[at] = as_source(VersionPaths(found[at].parents[1]))
    return found


def as_source(paths: VersionPaths) -> Path:
    """The folder to mount for a version that has ended."""
    whole = paths.folder / "attached"
    if not whole.exists():
        with unfinished_folder(whole) as partial:
            _fill(partial, paths)
            try:
                partial.rename(whole)
            except OSError:
                if not whole.exists():  # or else another session was faster
                    raise
    return whole


def _fill(folder: Path, paths: VersionPaths) -> None:
    for entry in tree.walk(paths.working):
        if entry.is_symlink() or entry.is_file(follow_symlinks=False):
            at = folder / os.path.relpath(entry.path, paths.working)
            at.parent.mkdir(parents=True, exist_ok=True)
            _link(Path(entry.path), at)
    for name, text in _of_kaggle(paths):
        if not os.path.lexists(folder / name):  # a notebook's output has the executed notebook already
            files.write_text(folder / name, text)


def _link(file: Path, at: Path) -> None:
    try:
        os.link(file, at, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(file, at, follow_symlinks=False)


def _of_kaggle(paths: VersionPaths) -> Iterator[tuple[str, str]]:
    """The name and the text of each file that Kaggle adds."""
    printed = log.as_array(paths.log)
    source = "__notebook__.ipynb" if read_version(paths).kernel_type == "notebook" else "__script__.py"
    yield source, paths.source.read_bytes().decode("utf-8")
    yield "__output__.json", printed
    yield "__results__.html", _page("".join(record["data"] for record in json.loads(printed)))
    yield "custom.css", _CSS


def _page(text: str) -> str:
    import html  # here, because loading its table of entities would delay each session

    head = '<!DOCTYPE html>\n<meta charset="utf-8">\n<link rel="stylesheet" href="custom.css">\n'
    return f"{head}<pre>{html.escape(text)}</pre>\n"
