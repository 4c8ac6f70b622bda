"""Known facts about Kaggle's rules, in one place, each with the date when it was last read or measured.

In one place they are easy to update. Sources: `kaggle` 2.2.4 and 2.2.5, `kagglesdk` 0.1.37 and 0.1.38 (read), issue
threads of Kaggle/kaggle-cli, and one author's measurement of the source limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

TITLE_MIN, TITLE_MAX = 5, 50  # characters; 2026-11
SOURCE_MAX = 1024 * 1024  # bytes of the kernel's one file; above it HTTP 400 without an explanation; 2026-11
SESSION_MAX, TPU_SESSION_MAX = 12 * 3600, 9 * 3600  # seconds that a session may run at most; 2026-11
SESSIONS_AT_ONCE = 2  # batch sessions with a GPU; "Maximum batch GPU session count of 2 reached"; 2026-11
GPU_HOURS = 30.0  # a week, approximately; `coord quota` shows those of the account; 2026-11
OUTPUT_MAX = 20 << 30  # bytes of a session's output; 2026-11
DATASET_SLUG_MIN, DATASET_SLUG_MAX = 6, 50  # characters of a new name, which is the title, too (6 to 50); 2026-11
DATASET_MAX = 200 * 10**9  # bytes of a data set; 2026-11
DATASET_FILES_MANY = 1000  # files: the website shows no more at the top, and each is an upload of its own; 2026-11
DATASET_LICENCE = "unknown"  # of a new private data set; the API wants one; 2026-11
UPLOAD_DAYS = 6  # for which an upload that broke off can go on: Google's storage keeps it for a week; 2026-11
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".gz", ".bz2", ".xz", ".7z", ".rar")
"""Endings of files that Kaggle unpacks when they arrive in a data set. (A wheel, .whl, stays as it is.) 2026-11"""
# Minor version of glibc that wheels may ask for: that of the oldest system that the image may be made of (Ubuntu 20.04,
# Debian 11). Which one it has is in no list; a wheel that asks for less runs everywhere. 2026-11
IMAGE_GLIBC = 31
LOG_STREAM_END = "END_OF_LOG"  # ends the live log; 2026-11

SOURCE_KINDS = ("dataset_sources", "competition_sources", "kernel_sources", "model_sources")
"""The keys of kernel-metadata.json that name what a kernel has attached. 2026-11"""
_DATASETS = SOURCE_KINDS[0]
SENT_IN_NORMAL_FORM = SOURCE_KINDS[:-1]
"""Those whose names are sent without capitals. A model's name is sent as it was written: Kaggle writes some of its
frameworks with capitals (pyTorch), and whether it takes them without is not known. 2026-11"""

# Prefixes of a source's name on the website; the API refuses names with them. 2026-11
SOURCE_PREFIXES = ("datasets/", "code/", "competitions/", "c/", "models/", "kernels/")


@dataclass(frozen=True)
class MachineShape:
    """An accelerator that can be requested, and the one that Kaggle gives."""

    kind: Literal["gpu", "tpu"]
    runs_as: str = ""
    """The machine that Kaggle gives instead; empty if it is the requested one."""


# Some are only for participants of certain competitions. Kaggle adds machines without notice. 2026-09
MACHINE_SHAPES = {
    "NvidiaTeslaT4": MachineShape("gpu"),  # these are two T4s; one alone is not offered
    "NvidiaTeslaT4Highmem": MachineShape("gpu"),
    "NvidiaTeslaA100": MachineShape("gpu"),
    "NvidiaL4": MachineShape("gpu"),
    "NvidiaL4X1": MachineShape("gpu"),
    "NvidiaH100": MachineShape("gpu"),
    "NvidiaRtxPro6000": MachineShape("gpu"),
    "TpuV5E8": MachineShape("tpu"),
    "TpuV6E8": MachineShape("tpu"),
    "NvidiaTeslaP100": MachineShape("gpu", "NvidiaTeslaT4"),
    "TpuV38": MachineShape("tpu", "TpuV5E8"),
    "Tpu1VmV38": MachineShape("tpu", "TpuV5E8"),
    "TpuV232": MachineShape("tpu", "a CPU"),
    "TpuV2256": MachineShape("tpu", "a CPU"),
}

_SHORT_NAMES = {"gpu": "NvidiaTeslaT4", "tpu": "TpuV5E8", "": None, "none": None, "cpu": None}
"""Names of no machine: the default ones, and what Kaggle answers for a machine without an accelerator. 2026-11"""
_SPELLINGS = {name.lower(): name for name in MACHINE_SHAPES} | _SHORT_NAMES

# Kaggle's worker statuses, and the state of a run for each. 2026-11
WORKER_STATUS = {
    "QUEUED": "queued",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "ERROR": "error",
    "CANCEL_REQUESTED": "running",
    "CANCEL_ACKNOWLEDGED": "cancelled",
    "NEW_SCRIPT": "queued",
}
NEVER_RUN_STATUS = "NEW_SCRIPT"
"""The status of a version without a session: it was only saved (`kaggle kernels push --no-run`). 2026-11"""

# What the data of many code competitions hold beside files: a kit, which Python finds in the mount. 2026-11
COMPETITION_MODULES = ("kaggle_evaluation",)


def normal_name(name: str) -> str:
    """The form in which coord keeps and compares the name of a user, kernel, competition, data set or model.

    Kaggle compares these names without case, and shows them in lower case in its addresses and mounts. 2026-11
    """
    return name.lower()


def normal_source(kind: str, name: str) -> str:
    """The same for the name of a source of that kind. A data set's version is owner/slug/3. 2026-11

    On the website, and in what coord took before, it is owner/slug/versions/3.
    """
    return (
        re.sub(r"^([^/]+/[^/]+)/versions/(?=\d+$)", r"\1/", normal_name(name))
        if kind == _DATASETS
        else normal_name(name)
    )


def without_version(kind: str, name: str) -> str:
    """The name of a source, with no version if it is a data set: it is mounted in the same place. 2026-11"""
    return "/".join(name.split("/")[:2]) if kind == _DATASETS else name


def normal_shape(name: str | None) -> str | None:
    """A machine's name as Kaggle writes it, which ignores capitals and spaces; None for one without an accelerator.

    A name that coord does not know stays as it is.
    """
    return _SPELLINGS.get("".join((name or "").split()).lower(), name)


def kind_of_shape(name: str | None) -> Literal["cpu", "gpu", "tpu"]:
    """What a machine has, by its name. One that coord does not know has a TPU if its name begins with that."""
    shape = normal_shape(name)
    if shape is None:
        return "cpu"
    return (
        MACHINE_SHAPES[shape].kind if shape in MACHINE_SHAPES else "tpu" if shape.lower().startswith("tpu") else "gpu"
    )


def normal_metadata(data: Mapping[str, Any], kinds: Sequence[str] = SOURCE_KINDS) -> dict[str, Any]:
    """The content of a kernel-metadata.json with the names of its sources and its machine in the forms above.

    What is no name stays as it is.
    """

    def normal(key: str, value: Any) -> Any:
        if key == "machine_shape" and isinstance(value, str):
            return normal_shape(value)
        if key in kinds and isinstance(value, list | tuple):
            return [normal_source(key, each) if isinstance(each, str) else each for each in value]
        return value

    return {key: normal(key, value) for key, value in data.items()}
