"""Finds the data sets, competitions and outputs that are attached to the kernel, in all known layouts of Kaggle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..files import is_leftover

SEARCH_DEPTH = 7
"""Levels below `input/` that are searched, down to `models/owner/model/framework/variation/version/FILE`."""
TREE_LINES = 40


class InputMissing(FileNotFoundError):
    """An input that should be attached is missing; the message lists what is attached."""


def kaggle_root() -> Path:
    """The folder with `src/`, `input/` and `working/`: COORD_KAGGLE_ROOT, or /kaggle."""
    return Path(os.environ.get("COORD_KAGGLE_ROOT") or "/kaggle")


def find_source(source: str, root: Path) -> Path:
    """The folder of a data set or of a kernel's output ("owner/slug"), of a competition ("slug"), or of a model.

    A model is "owner/model/framework/variation", with or without a version. The layouts of 2026 and of the years before
    are tried first, then any folder with the name of the slug. Raises InputMissing.
    """
    name = source.strip("/").lower()  # Kaggle compares names without case, and mounts them in lower case
    slug = name.split("/")[-1]
    mounts = root / "input"
    if name.count("/") > 1:
        probes = [mounts / "models" / source.strip("/"), mounts / "models" / name, mounts / name.partition("/")[2]]
    elif "/" in name:
        probes = [mounts / kind / each for each in (source, name) for kind in ("datasets", "notebooks")]
    else:
        probes = [mounts / "competitions" / slug]
    for folder in [*probes, mounts / slug]:
        if folder.is_dir():
            return folder
    for path in _below(mounts, SEARCH_DEPTH):
        if path.name.lower() == slug and path.is_dir():
            return path
    raise InputMissing(f"{source} is not attached: no folder of that name under {mounts}, which holds\n{tree(mounts)}")


def find_inside(folder: Path, name: str) -> Path:
    """The file or folder called `name` in `folder` or below it, the least deep one. Raises InputMissing."""
    for path in [folder / name, *_below(folder, SEARCH_DEPTH)]:
        if path.name == name and path.exists():
            return path
    raise InputMissing(f"{name} is not in {folder}, which holds\n{tree(folder)}")


def find_file(name: str, root: Path) -> Path:
    """A file by its path, or by its name in any attached input. Raises InputMissing."""
    return path if (path := Path(name)).is_file() else find_inside(root / "input", path.name)


def tree(folder: Path) -> str:
    """The content of a folder as lines of text: three levels, at most TREE_LINES lines."""
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
    """Everything below `folder`, level by level, sorted, without what systems and editors leave.

    A level is read only when the iteration reaches it.
    """
    level = [folder] if folder.is_dir() else []
    for _ in range(depth):
        children = [child for parent in level for child in sorted(parent.iterdir()) if not is_leftover(child.name)]
        yield from children
        # The folders of DICOM files have thousands of subfolders with one file each, which nothing is searched in.
        level = [child for child in children if not child.name.startswith("dicom-images") and child.is_dir()]
