"""Finds what is attached to the kernel, wherever Kaggle has put it this year."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SEARCH_DEPTH = 7
"""Levels below `input/` that a search looks into: a file in `models/owner/model/framework/variation/version/`."""
TREE_LINES = 40


class InputMissing(FileNotFoundError):
    """Something that should be attached is not there; the message shows what is."""


def kaggle_root() -> Path:
    """The folder that holds `src/`, `input/` and `working/`."""
    return Path(os.environ.get("COORD_KAGGLE_ROOT") or "/kaggle")


def find_source(source: str, root: Path) -> Path:
    """The folder of a data set ("owner/slug"), of a kernel's output (the same) or of a competition ("slug").

    The layouts of 2026 and the one before are tried first; then any folder with the slug's name is taken.
    """
    slug = source.strip("/").split("/")[-1]
    mounts = root / "input"
    if "/" in source.strip("/"):
        probes = [mounts / "datasets" / source, mounts / "notebooks" / source]
    else:
        probes = [mounts / "competitions" / slug]
    for folder in [*probes, mounts / slug]:
        if folder.is_dir():
            return folder
    for path in _below(mounts, SEARCH_DEPTH):
        if path.name == slug and path.is_dir():
            return path
    raise InputMissing(f"{source} is not attached: no folder of that name under {mounts}, which holds\n{tree(mounts)}")


def find_inside(folder: Path, name: str) -> Path:
    """The file or folder called `name` in `folder` or a few folders below, the nearest one first."""
    for path in [folder / name, *_below(folder, SEARCH_DEPTH)]:
        if path.name == name and path.exists():
            return path
    raise InputMissing(f"{name} is not in {folder}, which holds\n{tree(folder)}")


def find_file(name: str, root: Path) -> Path:
    """A file by its path, or else by its name in anything that is attached."""
    return path if (path := Path(name)).is_file() else find_inside(root / "input", path.name)


def tree(folder: Path) -> str:
    """What is in a folder, three levels deep, cut where it gets long."""
    if not folder.is_dir():
        return f"  (nothing: {folder} does not exist)"
    lines: list[str] = []
    for path in _below(folder, 3):
        if len(lines) == TREE_LINES:
            lines.append("  ...")
            break
        lines.append(f"  {path.relative_to(folder)}{'/' if path.is_dir() else ''}")
    return "\n".join(lines) or "  (nothing)"


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Everything below `folder`, level by level, sorted; each level only as deep as it is asked for."""
    level = [folder] if folder.is_dir() else []
    for _ in range(depth):
        children = [child for parent in level for child in sorted(parent.iterdir())]
        yield from children
        # The picture folders hold thousands of folders of one file each: nothing to be found there.
        level = [child for child in children if not child.name.startswith("dicom-images") and child.is_dir()]
