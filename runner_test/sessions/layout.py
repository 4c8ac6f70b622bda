"""A session's folders, laid out like `/kaggle`."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from runner_test.errors import BadName, MissingFolder, RootInUse

KAGGLE = PurePosixPath("/kaggle")
SRC = PurePosixPath("src")
INPUT = PurePosixPath("input")
WORKING = PurePosixPath("working")
OTHERS = (PurePosixPath("temp"), PurePosixPath("lib"))
"""Folders of a session that are neither its input nor its output."""
SCRIPT = SRC / "script.py"
NOTEBOOK = SRC / "__notebook__.ipynb"


def lay_out(
    root: Path, source: bytes, inputs: Mapping[str, Path], code: PurePosixPath, *, links: bool
) -> dict[str, Path]:
    """Fill `root` with the script or notebook `code`, read-only, `input/`, and an empty `working/`, `temp/` and `lib/`.

    `inputs` maps mount paths below `input/`, such as `datasets/owner/slug`, to folders. With `links` there are symbolic
    links to them, otherwise empty folders as mount points. Returns `inputs` with resolved paths. Raises RootInUse,
    MissingFolder and BadName.
    """
    root.mkdir(exist_ok=True)
    for name in (SRC, INPUT, WORKING, *OTHERS):
        if (root / name).exists():
            raise RootInUse(f"{root} already holds a session's {name}/: give a fresh folder")
    mounts = {_mount_path(mount): _folder(mount, folder) for mount, folder in inputs.items()}

    for name in (WORKING, *OTHERS):
        (root / name).mkdir()
    for mount, folder in mounts.items():
        at = root / INPUT / mount
        at.parent.mkdir(parents=True, exist_ok=True)
        if links:
            at.symlink_to(folder, target_is_directory=True)
        else:
            at.mkdir(exist_ok=True)
    (root / INPUT).mkdir(exist_ok=True)
    script = root / code
    script.parent.mkdir()
    script.write_bytes(source)
    script.chmod(0o444)
    script.parent.chmod(0o555)
    for folder_path, _, _ in os.walk(root / INPUT, topdown=False):
        Path(folder_path).chmod(0o555)
    return {str(mount): folder for mount, folder in mounts.items()}


def _mount_path(mount: str) -> PurePosixPath:
    path = PurePosixPath(mount)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadName(f"an input can't be mounted at {mount!r}")
    return path


def _folder(mount: str, folder: Path) -> Path:
    if not folder.is_dir():
        raise MissingFolder(f"the folder of input {mount} does not exist: {folder}")
    return folder.resolve()
