"""Kaggle's rules for a push: limits, machine shapes, quotas. As of November 2026.

Kaggle refuses in three ways: with an HTTP status, with the field `error` of an answer with status 200, and with lists
of invalid sources in the answer to a push that runs nevertheless.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

MAX_SOURCE: Final = 1 << 20  # bytes
MIN_TITLE, MAX_TITLE = 5, 50  # characters
MIN_DATASET, MAX_DATASET = 6, 50  # characters of a data set's title, and of its slug
LANGUAGES: Final = ("python", "r", "rmarkdown")
KERNEL_TYPES: Final = ("script", "notebook")

MAX_SESSION: Final = 12 * 3600  # seconds
MAX_TPU_SESSION: Final = 9 * 3600  # seconds

# Requested shape -> shape that the session gets. "" is a machine without an accelerator. Kaggle's client ignores
# capitals and spaces, and so do the names here.
_SHAPES: Final = {
    **{
        each.lower(): each
        for each in (
            *("NvidiaTeslaT4", "NvidiaTeslaT4Highmem", "NvidiaTeslaA100", "NvidiaL4", "NvidiaL4X1", "NvidiaH100"),
            *("NvidiaRtxPro6000", "TpuV5E8", "TpuV6E8"),
        )
    },
    **dict.fromkeys(("nvidiateslap100", "gpu"), "NvidiaTeslaT4"),  # the one is retired, the other the default
    **dict.fromkeys(("tpuv38", "tpu1vmv38", "tpu"), "TpuV5E8"),
    **dict.fromkeys(("tpuv232", "tpuv2256", "none", "cpu", ""), ""),
}


def slug_of(title: str) -> str:
    """The slug that Kaggle derives from a title."""
    from slugify import slugify  # here, because a session needs this module and never a slug

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


def given_shape(asked: str, *, enable_gpu: bool, enable_tpu: bool) -> str:
    """The machine shape that a request gets. Kaggle adds shapes without notice: an unknown one is given as it is.

    The two flags are the older form of the request and count only if no shape is named.
    """
    if not asked:
        asked = "tpu" if enable_tpu else "gpu" if enable_gpu else ""
    return _SHAPES.get("".join(asked.split()).lower(), asked)


def is_gpu(shape: str) -> bool:
    """Whether sessions on the machine count against the GPU quota, as those on an unknown one do."""
    return bool(shape) and not is_tpu(shape)


def is_tpu(shape: str) -> bool:
    """Whether sessions on the machine count against the TPU quota."""
    return shape.lower().startswith("tpu")


def session_limit(shape: str, asked: int | None) -> float:
    """Seconds that a session may run: those requested, up to Kaggle's limit."""
    limit = MAX_TPU_SESSION if is_tpu(shape) else MAX_SESSION
    return min(asked, limit) if asked and asked > 0 else limit


def quota_week(now: datetime) -> tuple[datetime, datetime]:
    """The start and the end of the quota's week around `now`: Saturday 00:00 UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=(midnight.weekday() - 5) % 7)
    return start, start + timedelta(days=7)
