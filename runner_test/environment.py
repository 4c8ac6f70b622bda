"""The environment variables of a session, and of the processes that look after sessions."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

# Of the user's environment, a script gets only the variables that locate programs and devices: no credentials, no
# Python settings, no proxies.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
_KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_")

_IMAGE_PATH = "/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The variables that programs look at on Kaggle (seen in public code, November 2026). The tokens open nothing, and the
# proxy for data is an address that refuses at once: nothing is sent to Kaggle.
_OF_KAGGLE = {
    "KAGGLE_KERNEL_RUN_TYPE": "Batch",
    "KAGGLE_URL_BASE": "https://www.kaggle.com",
    "KAGGLE_CONTAINER_NAME": "kaggle_local",
    "KAGGLE_DOCKER_IMAGE": "local",
    "KAGGLE_GCP_ZONE": "local",
    "KAGGLE_DATA_PROXY_URL": "http://127.0.0.1:9",
    "KAGGLE_DATA_PROXY_TOKEN": "local",
    "KAGGLE_DATA_PROXY_PROJECT": "local",
    "KAGGLE_USER_SECRETS_TOKEN": "local",
    "BUILD_DATE": "unknown",
    "GIT_COMMIT": "unknown",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",  # Kaggle's logs are live
}
_DEFAULTS = {
    # Two sessions share the processors. OpenMP's threads wait actively by default and then slow each other down: two
    # trainings at a time on two cores took eight times as long each.
    "OMP_WAIT_POLICY": "PASSIVE",
    "MKL_THREADING_LAYER": "GNU",
}


def inherited() -> dict[str, str]:
    """The variables of this process that a session inherits."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


@dataclass(frozen=True)
class Surroundings:
    """Where a session finds things: paths as it sees them."""

    kaggle: PurePath
    """`/kaggle`, or the folder that takes its place."""
    home: PurePath
    temporary: PurePath
    programs: PurePath
    """The folder of its Python and of the programs that were installed with it."""
    modules: Sequence[str]
    """Folders below `input/` in which Python finds modules, too: the competitions'."""
    is_isolated: bool
    is_notebook: bool


def environment(around: Surroundings) -> dict[str, str]:
    """The variables of a session: the inherited ones, those that locate its own folders, and those that Kaggle sets."""
    kaggle, given = around.kaggle, inherited()
    search = [kaggle / "lib" / "kagglegym", kaggle / "lib", *(kaggle / "input" / each for each in around.modules)]
    found = _IMAGE_PATH if around.is_isolated else given.get("PATH", os.defpath)
    return (
        _DEFAULTS
        | given
        | _OF_KAGGLE
        | {
            "PATH": os.pathsep.join([str(around.programs), found]),
            "HOME": str(around.home),
            "TMPDIR": str(around.temporary),
            "PYTHONPATH": os.pathsep.join(map(str, search)),
            "PYTHONUSERBASE": str(around.home / ".local"),
        }
        # A notebook's figures are shown below their cells, which this variable would turn off.
        | ({} if around.is_notebook else {"MPLBACKEND": "agg"})
        # As root, tar gives files to the users that it finds in an archive. Inside there is no user but root.
        | ({"TAR_OPTIONS": "--no-same-owner"} if around.is_isolated else {"COORD_KAGGLE_ROOT": str(kaggle)})
    )
