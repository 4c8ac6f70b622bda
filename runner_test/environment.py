"""The environment variables of a session, and of the processes that look after sessions."""

import os
from pathlib import Path, PurePosixPath

# Nothing of the user's environment reaches a script but what says where programs and devices are: no credentials, no
# Python settings, no proxies.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
_KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_")


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
