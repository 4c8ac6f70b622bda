"""The part of a target that submissions need: competitions, their limits, and submissions with their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from coordinator.target.kernel_ref import KernelRef


class SubmissionState(StrEnum):
    """The state of a submission. In the first two the target has none yet."""

    SENDING = "sending"
    """The intent is recorded, the target's answer is not (yet) known."""
    REFUSED = "refused"
    """The target did not accept it."""
    PENDING = "pending"
    """It is being scored."""
    COMPLETE = "complete"
    ERROR = "error"
    """It could not be scored. Such a file does not count against the day's limit; a rerun that failed does."""


@dataclass(frozen=True)
class Competition:
    """A competition, as this user sees it."""

    slug: str
    url: str
    is_open: bool
    """It takes submissions."""
    kernels_only: bool
    """A code competition: it takes versions of kernels, and no files."""


@dataclass(frozen=True)
class Allowance:
    """How many submissions the user's team may still make today, until midnight UTC."""

    today: int
    """How many valid ones were made today."""
    left: int
    is_for_good: bool
    """`left` is limited by the whole competition, not by the day."""


@dataclass(frozen=True)
class Standing:
    """A submission, as the target reports it."""

    ref: int
    state: SubmissionState
    description: str
    public: float | None
    """None while it is not scored, or not shown."""
    private: float | None
    """None until the competition has ended, on Kaggle."""
    error: str
    file_name: str = ""
    created_at: str | None = None
    """ISO 8601, UTC, if the target says it."""


class Competitions(Protocol):
    """A target's competitions. Every method raises TargetError (or a leaf of it) when it gets no usable answer."""

    def competition(self, slug: str) -> Competition:
        """Raises NoAccess if there is none of that name."""
        ...

    def allowance(self, slug: str) -> Allowance: ...

    def sample(self, slug: str, folder: Path) -> Path | None:
        """The sample submission, saved in the folder; None if no file is one, or several may be."""
        ...

    def submit_version(self, slug: str, kernel: KernelRef, file_name: str, description: str) -> int | None:
        """Submits an output file of a kernel's version; returns the submission's number, if the target says it.

        A lost answer is not retried here.
        """
        ...

    def upload(self, slug: str, file: Path) -> str:
        """Uploads a file without submitting it; returns the token that `submit_upload` needs."""
        ...

    def submit_upload(self, slug: str, token: str, description: str) -> int | None:
        """Submits an uploaded file; otherwise as `submit_version`."""
        ...

    def standing(self, ref: int) -> Standing: ...

    def submissions(self, slug: str) -> Iterator[Standing]:
        """The user's submissions, newest first."""
        ...
