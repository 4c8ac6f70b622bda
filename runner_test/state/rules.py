"""Kaggle's rules for a push: limits, machine shapes, quotas. As of November 2026.

Kaggle refuses in three ways: with an HTTP status, with the field `error` of an answer with status 200, and with lists
of invalid sources in the answer to a push that runs nevertheless.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from slugify import slugify

MAX_SOURCE: Final = 1 << 20  # bytes
MIN_TITLE, MAX_TITLE = 5, 50  # characters
MIN_DATASET, MAX_DATASET = 6, 50  # characters of a data set's title, and of its slug
LANGUAGES: Final = ("python", "r", "rmarkdown")
KERNEL_TYPES: Final = ("script", "notebook")

MAX_SESSION: Final = 12 * 3600  # seconds
MAX_TPU_SESSION: Final = 9 * 3600  # seconds

# Requested shape -> shape that the session gets. "" is a machine without an accelerator.
_SHAPES: Final = {
    "": "",
    "None": "",
    "NvidiaTeslaT4": "NvidiaTeslaT4",
    "NvidiaTeslaP100": "NvidiaTeslaT4",  # retired
    "NvidiaTeslaA100": "NvidiaTeslaA100",
    "NvidiaL4": "NvidiaL4",
    "NvidiaL4X1": "NvidiaL4X1",
    "NvidiaH100": "NvidiaH100",
    "TpuV5E8": "TpuV5E8",
    "TpuV38": "TpuV5E8",
    "Tpu1VmV38": "TpuV5E8",
    "TpuV232": "",
    "TpuV2256": "",
}


def slug_of(title: str) -> str:
    """The slug that Kaggle derives from a title."""
    return str(slugify(title))


def title_problem(title: str) -> str | None:
    """Why a title is refused, or None."""
    if not MIN_TITLE <= len(title) <= MAX_TITLE:
        return f"The kernel title must have {MIN_TITLE} to {MAX_TITLE} characters, not {len(title)}."
    if not slug_of(title):
        return "The kernel title must have letters or digits."
    return None


def dataset_title_problem(title: str) -> str | None:
    """What is wrong with a data set's title, or None."""
    if MIN_DATASET <= len(title) <= MAX_DATASET:
        return None
    return f"The dataset title must be between {MIN_DATASET} and {MAX_DATASET} characters"


def dataset_slug_problem(slug: str) -> str | None:
    """What is wrong with a data set's slug, or None."""
    if MIN_DATASET <= len(slug) <= MAX_DATASET:
        return None
    return f"The dataset slug must be between {MIN_DATASET} and {MAX_DATASET} characters"


def kind_problem(language: str, kernel_type: str) -> str | None:
    """Why a language and a kernel type are refused, or None; only Python runs here."""
    if language not in LANGUAGES:
        return f"The language must be one of {', '.join(LANGUAGES)}, not {language!r}."
    if kernel_type not in KERNEL_TYPES:
        return f"The kernel type must be one of {', '.join(KERNEL_TYPES)}, not {kernel_type!r}."
    if language != "python":
        return f"The local Kaggle runs Python only, no {language} {kernel_type}."
    return None


def given_shape(asked: str, *, enable_gpu: bool, enable_tpu: bool) -> str | None:
    """The machine shape that a request gets, or None if there is no such shape.

    The two flags are the older form of the request and count only if no shape is named.
    """
    if not asked:
        asked = "TpuV5E8" if enable_tpu else "NvidiaTeslaT4" if enable_gpu else ""
    return _SHAPES.get(asked)


def is_gpu(shape: str) -> bool:
    """Whether sessions on the machine count against the GPU quota."""
    return shape.startswith("Nvidia")


def is_tpu(shape: str) -> bool:
    """Whether sessions on the machine count against the TPU quota."""
    return shape.startswith("Tpu")


def session_limit(shape: str, asked: int | None) -> float:
    """Seconds that a session may run: those requested, up to Kaggle's limit."""
    limit = MAX_TPU_SESSION if is_tpu(shape) else MAX_SESSION
    return min(asked, limit) if asked and asked > 0 else limit


def quota_week(now: datetime) -> tuple[datetime, datetime]:
    """The start and the end of the quota's week around `now`: Saturday 00:00 UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=(midnight.weekday() - 5) % 7)
    return start, start + timedelta(days=7)
