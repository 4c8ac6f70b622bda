"""The environment variables of a session, and of the processes that look after sessions."""

import os
from pathlib import Path, PurePosixPath

# Of the user's environment, a script gets only the variables that locate programs and devices: no credentials, no
# Python settings, no proxies.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
_KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_")


def inherited() -> dict[str, str]:
    """The variables of this process that a session inherits."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def environment(home: Path | PurePosixPath, temporary: Path | PurePosixPath, root: Path | None) -> dict[str, str]:
    """The variables of a session: the inherited ones, a private home and temporary folder, and those that Kaggle sets.

    `root` is the folder that takes the place of `/kaggle`, or None where the session sees a real `/kaggle`.
    """
    # Two sessions share the processors. OpenMP's threads wait actively by default and then slow each other down: two
    # trainings at a time on two cores took eight times as long each.
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
