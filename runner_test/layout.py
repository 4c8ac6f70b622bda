"""A session root laid out like `/kaggle`, and the environment that a script finds in it."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from runner_test.errors import BadName, MissingFolder, RootInUse
from runner_test.settings import Layout

KAGGLE = PurePosixPath("/kaggle")
SRC = PurePosixPath("src")
INPUT = PurePosixPath("input")
WORKING = PurePosixPath("working")
SCRIPT = SRC / "script.py"
NOTEBOOK = SRC / "__notebook__.ipynb"

# Nothing of the user's environment reaches a script but what says where programs and devices are: no credentials, no
# Python settings, no proxies.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
_KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_")


def mount_path(layout: Layout, kind: Literal["competitions", "datasets", "notebooks"], source: str) -> str:
    """Where Kaggle mounts a source, below `input/`: `datasets/owner/slug` and its like since 2026, `slug` before."""
    return f"{kind}/{source}" if layout == "2026" else source.rpartition("/")[2]


def lay_out(
    root: Path, source: bytes, inputs: Mapping[str, Path], code: PurePosixPath, *, links: bool
) -> dict[str, Path]:
    """Fill `root` with the script or notebook `code`, read-only, `input/` and an empty `working/`.

    `inputs` maps mount paths below `input/`, such as `datasets/owner/slug`, to folders. With `links` they are linked
    there; otherwise there are empty folders, to mount them at. Returns `inputs` with resolved paths. Raises RootInUse,
    MissingFolder and BadName.
    """
    root.mkdir(exist_ok=True)
    for name in (SRC, INPUT, WORKING):
        if (root / name).exists():
            raise RootInUse(f"{root} already holds a session's {name}/: give a fresh folder")
    mounts = {_mount_path(mount): _folder(mount, folder) for mount, folder in inputs.items()}

    (root / WORKING).mkdir()
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
        raise MissingFolder(f"the folder of input {mount} is not there: {folder}")
    return folder.resolve()


def inherited() -> dict[str, str]:
    """The variables of this process that a session may see."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def environment(home: Path | PurePosixPath, temporary: Path | PurePosixPath, root: Path | None) -> dict[str, str]:
    """The variables of a session: Kaggle's own, a private home and temporary folder, few others.

    `root` is what stands in for `/kaggle` where that is not there.
    """
    # Two sessions share the processors. Threads that wait by spinning, OpenMP's way, then slow each other down: two
    # trainings at once on two cores took eight times as long each.
    return (
        {"OMP_WAIT_POLICY": "PASSIVE"}
        | inherited()
        | {
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",  # Kaggle's logs are live
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        }
        | ({} if root is None else {"COORD_KAGGLE_ROOT": str(root)})
    )


def remove_tree(path: Path, seconds: float = 2.0) -> None:
    """Remove a folder of sessions with its read-only parts; links are removed, never followed.

    Tries for `seconds`, because a process that has just been killed may add a last file.
    """
    give_up = time.monotonic() + seconds
    while True:
        try:
            _remove_tree(path)
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _remove_tree(path: Path) -> None:
    for folder, names, _ in os.walk(path):
        Path(folder).chmod(0o700)
        for name in names:
            child = Path(folder, name)
            if not child.is_symlink():
                child.chmod(0o700)
    shutil.rmtree(path)
