"""Finds a data set that belongs to the kernel by the files that it must have, wherever Kaggle mounts it.

This code uses the standard library only. It is a part of the kernels that need it, and coord imports it as a module for
its tests.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

LEVELS = 4
"""Levels below `input/` that are searched."""


def attached(slug: str, names: Sequence[str]) -> Path:
    """The folder of the data set of this name, whoever owns it. Its absence ends the run."""
    top = Path(os.environ.get("COORD_KAGGLE_ROOT") or "/kaggle") / "input"
    beside = Path(globals().get("__file__", "")).absolute().parent / slug  # a kernel that runs where it was built
    for folder in (*top.glob(f"datasets/*/{slug}"), top / slug, *folders_in(top, LEVELS), beside):
        if folder.name == slug and all((folder / name).is_file() for name in names):
            return folder
    there = [folder.relative_to(top).as_posix() for folder in folders_in(top, 3)]
    raise SystemExit(
        f"coord: the data set {slug} is not attached to this kernel, or lacks some of {', '.join(names[:3])}; "
        f"{top} has: {', '.join(there[:20]) or 'nothing'}. Push the kernel with coord, or attach it by hand"
    )


def folders_in(folder: Path, levels: int) -> Iterator[Path]:
    """The folders below it, those nearer to it first."""
    try:
        inside = sorted(Path(each.path) for each in os.scandir(folder) if each.is_dir())
    except OSError:
        return
    yield from inside
    if levels > 1:
        for each in inside:
            yield from folders_in(each, levels - 1)
